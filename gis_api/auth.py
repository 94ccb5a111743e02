"""Who is asking: server-side sessions, roles and what each role may do.

The cookie carries 256 random bits, the table their SHA-256: a stolen table opens no door. A session ends at logout, at expiry, and at
once when its person is disabled. No token ever stands in a URL.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Depends, Request, Response
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pwdlib import PasswordHash

from gis_api.params import database
from grid.database import Scope, row
from grid.errors import Forbidden, NotSignedIn, TooMany

COOKIE = "hdq_session"
CACHE_S = 10.0
SCOPE_CACHE_MAX = 10_000

PERMISSIONS: dict[str, frozenset[str]] = {
    "grid_worker": frozenset({"report", "handle"}),
    "inspector": frozenset({"report", "acknowledge", "verdict", "file", "verify"}),
    "commander": frozenset({"report", "acknowledge", "verdict", "dispatch", "order", "file", "verify", "zones"}),
    "data_admin": frozenset({"cells", "import", "scenes", "surveys"}),
    "algorithm_operator": frozenset({"models", "surveys", "frames", "observations", "scenes", "zones"}),
    "system_admin": frozenset({"cells", "import", "scenes", "surveys", "models", "frames", "observations", "staff", "zones"}),
    "auditor": frozenset(),
}

_hasher = PasswordHash.recommended()
_ABSENT = "$argon2id$v=19$m=65536,t=3,p=4$pBNsLWYVawq01AKC1cIkzw$jkdBGEui3Tco/9ZOAf78RyjrLl3cGl8SVYsZIL0PolM"


@dataclass(frozen=True, slots=True)
class Caller:
    """The person behind a request. `scope` is the region prefix of all they may see; `cell_codes` their own grids."""

    id: int
    username: str
    name: str
    role: str
    scope: Scope
    cell_codes: tuple[str, ...]

    @property
    def permissions(self) -> frozenset[str]:
        """What this person's role may do."""
        return PERMISSIONS.get(self.role, frozenset())

    def may(self, permission: str) -> bool:
        """Whether the role carries a permission."""
        return permission in self.permissions


def hash_password(password: str) -> str:
    """Argon2id hash for the staff table; about 50 ms of CPU."""
    return _hasher.hash(password)


def token_hash(token: str) -> bytes:
    """What the table keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


async def open_session(connection: AsyncConnection, username: str, password: str, hours: int) -> tuple[str, int] | None:
    """A new session's token and the person's id, or None when name, password or standing is wrong (one answer for all three, in equal time)."""
    person = await row(connection, "SELECT id, password_hash, disabled FROM staff WHERE username = %(username)s", {"username": username})
    right = await asyncio.to_thread(_verify, password, person["password_hash"] if person else _ABSENT)
    if person is None or not right or person["disabled"]:
        return None
    token = secrets.token_urlsafe(32)
    await connection.execute(
        """
        INSERT INTO sessions (token_hash, staff_id, expires_at)
        VALUES (%(hash)s, %(staff)s, now() + make_interval(hours => %(hours)s))
        """,
        {"hash": token_hash(token), "staff": person["id"], "hours": hours},
    )
    await connection.execute("DELETE FROM sessions WHERE expires_at < now()")
    return token, person["id"]


def _verify(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(password, stored)
    except Exception as error:  # an unreadable stored hash is a refusal, whatever the library calls it
        if type(error).__module__.startswith(("pwdlib", "argon2")):
            return False
        raise


async def close_session(connection: AsyncConnection, token: str) -> None:
    """Ends a session; ending one that has ended is no error."""
    await connection.execute("DELETE FROM sessions WHERE token_hash = %(hash)s", {"hash": token_hash(token)})


async def find_caller(connection: AsyncConnection, token: str | None) -> Caller | None:
    """The person of a live session; None for no token, an ended session or a disabled person."""
    if not token:
        return None
    found = await row(
        connection,
        """
        WITH touched AS (
            UPDATE sessions SET seen_at = now() WHERE token_hash IN (
                SELECT token_hash FROM sessions WHERE token_hash = %(hash)s AND seen_at < now() - interval '1 minute' FOR UPDATE SKIP LOCKED
            )
        )
        SELECT staff.id, staff.username, staff.name, staff.role, staff.region_code, staff.cell_codes
        FROM sessions JOIN staff ON staff.id = sessions.staff_id
        WHERE sessions.token_hash = %(hash)s AND sessions.expires_at > now() AND NOT staff.disabled
        """,
        {"hash": token_hash(token)},
    )
    if found is None:
        return None
    return Caller(found["id"], found["username"], found["name"], found["role"], Scope(found["region_code"]), tuple(found["cell_codes"]))


async def signed_in(request: Request, connection: AsyncConnection = Depends(database)) -> Caller:
    """Dependency: the caller of a signed-in request; 401 otherwise."""
    caller = await find_caller(connection, request.cookies.get(COOKIE))
    if caller is None:
        raise NotSignedIn("没有有效的登录会话 · no live session", remedy="POST /api/login, then repeat the request")
    return caller


async def signed_in_apart(request: Request) -> Caller:
    """Dependency: as `signed_in`, but the database connection goes back before the handler runs: for handlers that compute for long."""
    async with request.app.state.pool.connection() as connection:
        return await signed_in(request, connection)


async def perhaps_signed_in(request: Request, connection: AsyncConnection = Depends(database)) -> Caller | None:
    """Dependency: the caller, or None when nobody is signed in."""
    return await find_caller(connection, request.cookies.get(COOKIE))


def may(*permissions: str) -> Callable[[Caller], Caller]:
    """Dependency: the caller, if the role carries any of `permissions`; 403 otherwise. Unknown permissions are refused at import."""
    allowed = _allowed(permissions)

    def check(caller: Caller = Depends(signed_in)) -> Caller:
        return allowed(caller)

    return check


def may_apart(*permissions: str) -> Callable[[Request], Awaitable[Caller]]:
    """Dependency: as `may`, but the database connection goes back before the handler runs: for handlers that read files or bodies for long."""
    allowed = _allowed(permissions)

    async def check(request: Request) -> Caller:
        return allowed(await signed_in_apart(request))

    return check


def _allowed(permissions: tuple[str, ...]) -> Callable[[Caller], Caller]:
    known = frozenset[str]().union(*PERMISSIONS.values())
    if not set(permissions) <= known:
        raise ValueError(f"unknown permission {sorted(set(permissions) - known)}; known: {sorted(known)}")

    def allowed(caller: Caller) -> Caller:
        if not any(caller.may(permission) for permission in permissions):
            wanted = sorted(role for role, held in PERMISSIONS.items() if held & set(permissions))
            raise Forbidden(
                f"角色 {caller.role} 无此权限 · role {caller.role} may not: {', '.join(permissions)}", remedy=f"ask someone with the role {' or '.join(wanted)}"
            )
        return caller

    return allowed


_scopes: dict[bytes, tuple[float, Scope | None]] = {}


async def session_scope(pool: AsyncConnectionPool, token: str | None) -> Scope | None:
    """The scope of a session's person, remembered for 10 s: for tiles and streams, which ask very often. None when not signed in."""
    if not token:
        return None
    key = token_hash(token)
    now = time.monotonic()
    known = _scopes.get(key)
    if known is not None and known[0] > now:
        return known[1]
    async with pool.connection() as connection:
        caller = await find_caller(connection, token)
    if len(_scopes) >= SCOPE_CACHE_MAX:
        _scopes.clear()
    scope = caller.scope if caller else None
    _scopes[key] = (now + CACHE_S, scope)
    return scope


def forget_scope(token: str) -> None:
    """Drops what is remembered of a session: at logout nothing may outlive it."""
    _scopes.pop(token_hash(token), None)


def set_cookie(response: Response, token: str, hours: int, *, secure: bool) -> None:
    """Hands the token to the browser: not readable by scripts, never sent along from another site."""
    response.set_cookie(COOKIE, token, max_age=hours * 3600, path="/", httponly=True, samesite="strict", secure=secure)


class Throttle:
    """Counts failures per key in a sliding window; in memory, of one process."""

    def __init__(self, limit: int, window_s: float, keys_max: int = 50_000) -> None:
        self.limit, self.window_s, self.keys_max = limit, window_s, keys_max
        self._failures: dict[str, list[float]] = {}

    def check(self, key: str) -> None:
        """Raises TooMany (with retry_after_s) when the key has used up its failures."""
        now = time.monotonic()
        recent = [at for at in self._failures.get(key, ()) if now - at < self.window_s]
        if recent:
            self._failures[key] = recent
        else:
            self._failures.pop(key, None)
        if len(recent) >= self.limit:
            wait = max(1, int(self.window_s - (now - recent[0])) + 1)
            raise TooMany(f"登录失败次数过多 · too many failed sign-ins; wait {wait} s", remedy=f"try again in {wait} s", retry_after_s=wait)

    def failed(self, key: str) -> None:
        """Counts one failure."""
        if len(self._failures) >= self.keys_max:
            self._failures.clear()
        self._failures.setdefault(key, []).append(time.monotonic())

    def succeeded(self, key: str) -> None:
        """Forgets the failures of a key."""
        self._failures.pop(key, None)
