"""Tiles, served ahead of the framework: session, scope, memory, one SQL statement, and nothing else on the way.

/tiles/{layer}/{z}/{x}/{y}.mvt and /tiles/{layer}.json. Identical misses wait for one query; what is finished is kept per scope, compressed once, and
forgotten when an event of its layer arrives (LISTEN, with the events table read from the last id seen, so a lost notification costs nothing).
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import TypeVar

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from gis_api.auth import COOKIE, session_scope
from gis_api.problems import MEDIA_TYPE, slug, status_of
from gis_api.tilecache import Key, Packed, TileCache, pack
from grid import database, errors, events
from grid.settings import Settings
from layers import tiles
from layers.catalog import Catalog, catalog
from layers.pyramid import LAYERS_CHANGED
from layers.spec import LayerSpec

MEGABYTE = 2**20
KEEP_S = 900.0
"""How long a tile is kept when no event speaks: the bound on what a change behind our back (SQL by hand) can cost."""

TILE = re.compile(r"/tiles/([A-Za-z0-9_.-]{1,80})/([^/]{1,24})/([^/]{1,24})/([^/]{1,24})\.mvt")
JSON = re.compile(r"/tiles/([A-Za-z0-9_.-]{1,80})\.json")
T = TypeVar("T")
MVT_TYPE = b"application/vnd.mapbox-vector-tile"

Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]
log = structlog.get_logger("tiles")


class TileApp:
    """An ASGI application for paths under /tiles/. `startup` opens its own small pool and listens; `shutdown` closes both."""

    def __init__(self, settings: Settings, *, layers: Catalog | None = None, cache_mb: int = 192, pool_size: int = 4) -> None:
        if not settings.database_url:
            raise errors.Unavailable("tiles need a database", remedy="set HDQ_DATABASE_URL or start with: hdq up")
        self.url = settings.database_url
        self.catalog = layers or catalog()
        self.cache = TileCache(cache_mb * MEGABYTE)
        self.pool = database.make_pool(self.url, size=pool_size, statement_timeout_ms=settings.statement_timeout_ms, bare=True)
        self._running: dict[Key, asyncio.Task[Packed]] = {}
        self._known_datasets: set[str] = set()
        self._listener: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    async def startup(self) -> None:
        """Opens the pool (without waiting for the database) and starts to listen."""
        await self.pool.open(wait=False)
        self._listener = asyncio.create_task(self._listen())

    async def shutdown(self) -> None:
        """Stops listening and closes the pool."""
        if self._listener:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
        for task in list(self._running.values()):
            task.cancel()
        await self.pool.close()

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise errors.InvalidInput(f"{scope['method']} 不适用 · tiles are read only", remedy="GET")
            path = scope["path"]
            if found := TILE.fullmatch(path):
                await self._tile(found.groups(), headers, scope["method"], send)
            elif found := JSON.fullmatch(path):
                await self._tilejson(found.group(1), headers, send)
            else:
                raise errors.NotFound(f"没有此地址 · no such address {path[:120]!r}", remedy="/tiles/{layer}/{z}/{x}/{y}.mvt or /tiles/{layer}.json")
        except errors.HdqError as error:
            await _problem(send, _status(error), slug(type(error)), error.title, error.detail, error.remedy)
        except (psycopg.OperationalError, psycopg.errors.QueryCanceled, PoolTimeout) as error:
            log.warning("tiles.database", error=type(error).__name__)
            await _problem(send, 503, "unavailable", errors.Unavailable.title, "数据库暂时没有应答 · the database did not answer in time", "try again in a moment")

    async def _scope(self, headers: dict[bytes, bytes]) -> database.Scope:
        cookies = SimpleCookie()
        with contextlib.suppress(CookieError):
            cookies.load(headers.get(b"cookie", b"").decode("latin-1"))
        token = cookies[COOKIE].value if COOKIE in cookies else None
        scope = await self._patient(lambda: session_scope(self.pool, token))
        if scope is None:
            raise errors.NotSignedIn("没有有效的登录会话 · no live session", remedy="POST /api/login, then repeat the request")
        return scope

    async def _tile(self, parts: tuple[str, ...], headers: dict[bytes, bytes], method: str, send: Send) -> None:
        scope = await self._scope(headers)
        spec = tiles.find(self.catalog, parts[0])
        tile = tiles.parse(*parts[1:])
        packed = await self.fetch(spec, tile, scope)
        always = [(b"cache-control", b"private, no-cache"), (b"vary", b"Cookie, Accept-Encoding"), (b"x-content-type-options", b"nosniff")]
        if packed.body is None:
            await _answer(send, 204, always, b"")
            return
        zipped = _accepts_gzip(headers.get(b"accept-encoding", b""))
        tag = f'"{packed.tag}-gz"' if zipped else f'"{packed.tag}"'
        always.append((b"etag", tag.encode()))
        if _matches(headers.get(b"if-none-match", b""), packed.tag):
            await _answer(send, 304, always, b"")
            return
        body = packed.body if zipped else packed.plain()
        if zipped:
            always.append((b"content-encoding", b"gzip"))
        await _answer(send, 200, [*always, (b"content-type", MVT_TYPE), (b"content-length", str(len(body)).encode())], b"" if method == "HEAD" else body)

    async def _tilejson(self, layer: str, headers: dict[bytes, bytes], send: Send) -> None:
        await self._scope(headers)
        spec = tiles.find(self.catalog, layer)
        await self._existing(spec)
        body = json.dumps(tiles.tilejson(spec), ensure_ascii=False).encode()
        await _answer(send, 200, [(b"content-type", b"application/json"), (b"cache-control", b"private, no-cache"), (b"content-length", str(len(body)).encode())], body)

    async def fetch(self, spec: LayerSpec, tile: tiles.Tile, scope: database.Scope) -> Packed:
        """The tile from memory, or from the database through one query however many ask at once."""
        key = (spec.id, tile.z, tile.x, tile.y, scope.prefix)
        found = self.cache.get(key, time.monotonic())
        if found is not None:
            return found
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._render(key, spec, tile, scope))
            task.add_done_callback(lambda done: self._running.get(key) is done and self._running.pop(key))
        return await asyncio.shield(task)

    async def _render(self, key: Key, spec: LayerSpec, tile: tiles.Tile, scope: database.Scope) -> Packed:
        generation = self.cache.generation(spec.id)
        await self._existing(spec)
        raw = await self._asking(lambda connection: tiles.render(connection, spec, tile, scope))
        packed = await asyncio.to_thread(pack, raw) if len(raw) > 100_000 else pack(raw)
        self.cache.put(key, packed, time.monotonic() + KEEP_S, generation)
        return packed

    async def _existing(self, spec: LayerSpec) -> None:
        if self.catalog.get(spec.id) is not None or spec.id in self._known_datasets:
            return
        if not await self._asking(lambda connection: tiles.dataset_exists(connection, spec.id)):
            raise errors.NotFound(f"没有图层 · no tile layer {spec.id!r}", remedy="GET /api/layers lists them")
        self._known_datasets.add(spec.id)

    async def _asking(self, question: Callable[[psycopg.AsyncConnection], Awaitable[T]]) -> T:
        async def once() -> T:
            async with self.pool.connection() as connection:
                return await question(connection)

        return await self._patient(once)

    async def _patient(self, question: Callable[[], Awaitable[T]]) -> T:
        """Asks again while the answer is a dead connection: after a restart of the database each of the pool may be one, and reading twice harms nobody."""
        for attempt in range(self.pool.max_size + 1):
            try:
                return await question()
            except psycopg.errors.QueryCanceled:
                raise
            except psycopg.OperationalError:
                if attempt == self.pool.max_size:
                    raise
        raise AssertionError("unreachable")

    def happened(self, event: events.Event) -> None:
        """Forgets what an event made old."""
        if event.kind.startswith("dataset."):
            self._known_datasets.discard(f"dataset_{event.entity_id}")
            self._forget(f"dataset_{event.entity_id}")
        if event.kind == LAYERS_CHANGED:
            self._forget(event.entity_id)
        for spec in self.catalog:
            if spec.kind == "mvt" and spec.refreshed_on(event.kind):
                self._forget(spec.id)

    def _forget(self, layer: str) -> None:
        self.cache.forget(layer)
        for key in [key for key in self._running if key[0] == layer]:
            self._running.pop(key)

    async def _listen(self) -> None:
        last_id: int | None = None
        while True:
            try:
                connection = await database.connect(self.url, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {events.CHANNEL}")
                    if last_id is None:
                        last_id = await events.latest_id(connection)
                        self.cache.clear()
                    self.listening.set()
                    while True:
                        for event in await events.since(connection, last_id):
                            last_id = event.id
                            self.happened(event)
                        async for _ in connection.notifies(timeout=5.0, stop_after=1):
                            break
            except (psycopg.Error, errors.Unavailable) as error:
                self.listening.clear()
                log.warning("tiles.listener", error=type(error).__name__)
                self.cache.clear()
                last_id = None
                await asyncio.sleep(1.0)


def _accepts_gzip(header: bytes) -> bool:
    return any(part.split(b";")[0].strip() in (b"gzip", b"*") and b"q=0" not in part.replace(b" ", b"").split(b";")[1:] for part in header.lower().split(b","))


def _matches(header: bytes, tag: str) -> bool:
    known = {f'"{tag}"', f'"{tag}-gz"', "*"}
    return bool(header) and any(part.strip().removeprefix("W/") in known for part in header.decode("latin-1").split(","))


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _problem(send: Send, status: int, kind: str, title: str, detail: str, remedy: str) -> None:
    body = json.dumps({"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, "remedy": remedy}, ensure_ascii=False).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await _answer(send, status, headers, body)


def _status(error: errors.HdqError) -> int:
    return 400 if isinstance(error, errors.InvalidInput) else status_of(error)
