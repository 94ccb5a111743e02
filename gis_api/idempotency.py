"""Writes that may be sent twice: the same Idempotency-Key with the same request gets the stored answer, with another request a refusal.

The answer is kept 7 days per person. An answer of 5xx is not kept: the write may be tried again. A write says every 15 s that it is still being
handled, however long it takes; one whose process was killed falls silent, and after a minute the next sender takes its key over, and the rows' own keys
(client_key, source_event_id) keep the effect single.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gis_api.auth import COOKIE, find_caller
from gis_api.problems import MEDIA_TYPE, of_error, problem
from grid.errors import Conflict, InvalidInput

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEY_MAX = 200
ANSWER_MAX = 1_000_000
IN_MEMORY = 2_000_000
STILL_S = 15.0
"""Between two signs of life of a write that is being handled: a quarter of the silence after which its key is taken over."""
LOG = structlog.get_logger("idempotency")


class Idempotency:
    """ASGI layer in front of the framework; acts only on writes that carry a key and a live session."""

    def __init__(self, app: ASGIApp, state: Any) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers from the store, or lets the write through and stores its answer."""
        if scope["type"] != "http" or scope["method"] not in WRITES:
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        key = headers.get("idempotency-key")
        if key is None:
            return await self._app(scope, receive, send)
        if not key or len(key) > KEY_MAX or not key.isascii():
            refusal = of_error(InvalidInput(f"Idempotency-Key of {len(key)} characters", remedy=f"send 1 to {KEY_MAX} ASCII characters, e.g. a UUID"))
            return await refusal(scope, receive, send)
        pool: AsyncConnectionPool = self._state.pool
        async with pool.connection() as connection:
            caller = await find_caller(connection, _cookie(headers))
        if caller is None:
            return await self._app(scope, receive, send)

        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
            digest = hashlib.sha256(f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}\n".encode())
            boundary = headers.get("content-type", "").partition("boundary=")[2].strip('"').encode()
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunk = message.get("body", b"")
                spool.write(chunk)
                more = message.get("more_body", False)
            spool.seek(0)
            while chunk := spool.read(IN_MEMORY):
                digest.update(chunk.replace(boundary, b"") if boundary else chunk)
            claimed, stored = await _claim(pool, caller.id, key, digest.digest())
            if not claimed:
                return await _replay(stored, digest.digest(), key)(scope, receive, send)
            spool.seek(0)
            kept = bytearray()
            status = 0
            ended = False

            async def replayed() -> Message:
                nonlocal ended
                if ended:
                    return await receive()
                chunk = spool.read(IN_MEMORY)
                ended = not chunk
                return {"type": "http.request", "body": chunk, "more_body": not ended}

            held: list[Message] = []

            async def keep(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif message["type"] == "http.response.body" and len(kept) <= ANSWER_MAX:
                    kept.extend(message.get("body", b""))
                held.append(message)
                if message["type"] == "http.response.body" and not message.get("more_body", False):
                    await _finish(pool, caller.id, key, status, bytes(kept))
                    for waiting in held:
                        await send(waiting)
                    held.clear()

            try:
                async with _alive(pool, caller.id, key):
                    await self._app(scope, replayed, keep)
            except BaseException:
                await _finish(pool, caller.id, key, 500, b"")
                raise


def _cookie(headers: Headers) -> str | None:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None


async def _claim(pool: AsyncConnectionPool, staff_id: int, key: str, digest: bytes) -> tuple[bool, tuple | None]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            """
            INSERT INTO idempotency_keys (staff_id, key, request_hash) VALUES (%(staff)s, %(key)s, %(hash)s)
            ON CONFLICT (staff_id, key) DO UPDATE SET created_at = now()
            WHERE idempotency_keys.status IS NULL AND idempotency_keys.request_hash = %(hash)s
                AND idempotency_keys.created_at < now() - interval '1 minute'
            RETURNING key
            """,
            {"staff": staff_id, "key": key, "hash": digest},
        )
        if await cursor.fetchone():
            return True, None
        cursor = await connection.execute(
            "SELECT request_hash, status, body FROM idempotency_keys WHERE staff_id = %(staff)s AND key = %(key)s", {"staff": staff_id, "key": key}
        )
        return False, await cursor.fetchone()


@asynccontextmanager
async def _alive(pool: AsyncConnectionPool, staff_id: int, key: str) -> AsyncIterator[None]:
    """Renews the claim on a key while its write is being handled; a database that does not answer is asked again at the next turn."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(STILL_S)
            try:
                async with pool.connection() as connection:
                    await connection.execute(
                        "UPDATE idempotency_keys SET created_at = now() WHERE staff_id = %(staff)s AND key = %(key)s AND status IS NULL",
                        {"staff": staff_id, "key": key},
                    )
            except (OperationalError, PoolTimeout) as error:
                LOG.warning("claim not renewed", key=key, reason=str(error))

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])


async def _finish(pool: AsyncConnectionPool, staff_id: int, key: str, status: int, body: bytes) -> None:
    async with pool.connection() as connection:
        if status >= 500 or status == 429 or len(body) > ANSWER_MAX:
            await connection.execute("DELETE FROM idempotency_keys WHERE staff_id = %(staff)s AND key = %(key)s", {"staff": staff_id, "key": key})
        else:
            await connection.execute(
                "UPDATE idempotency_keys SET status = %(status)s, body = %(body)s WHERE staff_id = %(staff)s AND key = %(key)s",
                {"status": status, "body": body, "staff": staff_id, "key": key},
            )


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Deletes answers to requests of before a time (aware). Returns how many."""
    return (await connection.execute("DELETE FROM idempotency_keys WHERE created_at < %(before)s", {"before": before})).rowcount


def _replay(stored: tuple | None, digest: bytes, key: str) -> ASGIApp:
    if stored is not None and bytes(stored[0]) != digest:
        return of_error(InvalidInput(f"Idempotency-Key {key!r} 已用于另一请求 · was used for another request", remedy="make a new key for a new write"))
    if stored is None or stored[1] is None:
        error = Conflict(f"Idempotency-Key {key!r} 的请求正在处理 · a request with this key is being handled", remedy="wait a moment and send the same again")
        answer = problem("in-progress", 409, error.title, error.detail, error.remedy)
        answer.headers["Retry-After"] = "1"
        return answer

    async def answer_again(scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(stored[2] or b"")
        kind = MEDIA_TYPE if stored[1] >= 400 else "application/json"
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), (b"idempotency-replayed", b"true")]
        await send({"type": "http.response.start", "status": stored[1], "headers": headers if body else headers[1:]})
        await send({"type": "http.response.body", "body": body})

    return answer_again
