"""HTTP Basic for the open standards: QGIS, ogr2ogr and STAC clients know no sign-in page. A name and password become a session of an hour.

Only under the addresses of PREFIXES, where nothing can be changed. Failures count with those of the sign-in page, by person and by address; each opened session is
audited. What is remembered between requests is a keyed hash of the header, in memory only; a session that ended (person disabled, signed out) is asked again.
"""

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_api.auth import COOKIE, open_session, session_scope
from gis_api.problems import STANDARDS, of_error
from gis_api.routes.auth import by_address, by_person
from grid import audit
from grid.errors import HdqError, NotSignedIn, Unavailable

PREFIXES = (*STANDARDS, "/tiles/", "/rasters/", "/basemaps/", "/wmts")
HEADER_MAX, KEPT_MAX, KEPT_S = 1_024, 1_000, 3_000.0
CHALLENGE = 'Basic realm="haidongqing", charset="UTF-8"'


class Basic:
    """ASGI layer in front of everything that reads a session."""

    def __init__(self, state: Any, app: ASGIApp) -> None:
        self._state, self._app = state, app
        self._key = secrets.token_bytes(32)
        self._kept: dict[bytes, tuple[str, float]] = {}
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Turns a Basic header into a session's cookie; a 401 of the standards says how to sign in."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIXES):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)

        async def challenged(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401 and "x-hdq-client" not in headers:
                MutableHeaders(scope=message)["WWW-Authenticate"] = CHALLENGE
            await send(message)

        header = headers.get("authorization", "")
        if header[:6].lower() == "basic ":
            try:
                token = await self._token(header, scope["client"][0] if scope.get("client") else "unknown")
            except HdqError as error:
                return await of_error(error)(scope, receive, challenged)
            except (psycopg.OperationalError, PoolTimeout):
                return await of_error(Unavailable("数据库暂时没有应答 · the database did not answer in time", remedy="try again in a moment"))(scope, receive, challenged)
            others = [(name, value) for name, value in scope["headers"] if name not in (b"cookie", b"authorization")]
            scope = {**scope, "headers": [*others, (b"cookie", f"{COOKIE}={token}".encode())]}
        await self._app(scope, receive, challenged)

    async def _token(self, header: str, address: str) -> str:
        key = hashlib.blake2b(header.encode(), key=self._key, digest_size=32).digest()
        async with self._one:
            kept = self._kept.get(key)
            if kept is not None and kept[1] > time.monotonic() and await session_scope(self._state.pool, kept[0]) is not None:
                return kept[0]
            self._kept.pop(key, None)
            token = await self._open(*_decoded(header), address)
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[key] = (token, time.monotonic() + KEPT_S)
            return token

    async def _open(self, username: str, password: str, address: str) -> str:
        by_address.check(address)
        by_person.check(username)
        async with self._state.pool.connection() as connection:
            opened = await open_session(connection, username, password, 1)
            if opened is not None:
                await audit.note(connection, opened[1], "session.basic", address)
        if opened is None:
            by_person.failed(username)
            by_address.failed(address)
            raise NotSignedIn("用户名或密码不正确 · wrong user name or password", remedy="check both; after eight failures wait ten minutes")
        by_person.succeeded(username)
        return opened[0]


def _decoded(header: str) -> tuple[str, str]:
    """User name and password.

    >>> _decoded("Basic bGlueWU6czNjcmV0Om1vcmU=")
    ('linye', 's3cret:more')
    """
    try:
        if len(header) > HEADER_MAX:
            raise ValueError(len(header))
        username, colon, password = base64.b64decode(header[6:].strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise NotSignedIn("Authorization 头无法读 · the Authorization header cannot be read", remedy="Basic base64(user:password)") from error
    if not colon or not username or "\x00" in username + password:
        raise NotSignedIn("Authorization 头缺少用户名 · the Authorization header names nobody", remedy="Basic base64(user:password)")
    return username, password
