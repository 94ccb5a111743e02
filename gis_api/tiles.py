"""Tiles, served ahead of the framework: session, scope, memory, the encoder or one SQL statement, and nothing else on the way.

/tiles/{layer}/{z}/{x}/{y}.mvt, with ?detail=all for every feature however far away, and /tiles/{layer}.json. Identical misses wait for one answer; what is finished is kept per
scope, compressed once, and forgotten when an event of its layer arrives (LISTEN, with the events table read from the last id seen, so a lost notification costs nothing). An event
or an edit that names its boxes costs only the tiles it touches.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from http.cookies import CookieError, SimpleCookie
from typing import TypeVar
from urllib.parse import parse_qs

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from gis_api.auth import COOKIE, session_scope
from gis_api.guard import HEADERS
from gis_api.problems import MEDIA_TYPE, slug, status_of
from gis_api.tilecache import Key, Packed, TileCache, join, pack, squeeze, touches
from grid import database, endings, errors, events, jobs
from grid.settings import Settings
from layers import tiles
from layers.catalog import Catalog, catalog
from layers.held import Memory, Packer
from layers.pyramid import LAYERS_CHANGED
from layers.spec import LayerSpec

MEGABYTE = 2**20
KEEP_S = 900.0
"""How long a tile is kept when no event speaks: the bound on what a change behind our back (SQL by hand) can cost."""

TILE = re.compile(r"/tiles/([A-Za-z0-9_.-]{1,80})/([^/]{1,24})/([^/]{1,24})/([^/]{1,24})\.mvt")
JSON = re.compile(r"/tiles/([A-Za-z0-9_.-]{1,80})\.json")
T = TypeVar("T")
MVT_TYPE = b"application/vnd.mapbox-vector-tile"
EDITS = "hdq_edits"
"""Channel on which the triggers of migration 0012 say which table was edited, and where."""

GUARDED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
ALWAYS = [*GUARDED, (b"cache-control", b"private, no-cache"), (b"vary", b"Cookie, Accept-Encoding")]

OF_TILES = {name: (*ALWAYS, (b"content-type", MVT_TYPE), (b"x-drawn-by", name)) for name in (b"memory", b"sql")}

Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]
log = structlog.get_logger("tiles")


class TileApp:
    """An ASGI application for paths under /tiles/. `startup` opens its own small pool and listens; `shutdown` closes both."""

    def __init__(self, settings: Settings, *, layers: Catalog | None = None, pool_size: int = 4, held_after: int = 8) -> None:
        if not settings.database_url:
            raise errors.Unavailable("tiles need a database", remedy="set HDQ_DATABASE_URL or start with: hdq up")
        self.url = settings.database_url
        self.catalog = layers or catalog()
        self.cache = TileCache(settings.tile_cache_mb * MEGABYTE)
        self.memory = Memory(self.url, settings.tile_memory_mb * MEGABYTE, after=held_after)
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
            await endings.end([self._listener])
        for task in list(self._running.values()):
            task.cancel()
        await self.memory.close()
        await self.pool.close()

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise errors.InvalidInput(f"{scope['method']} 不适用 · tiles are read only", remedy="GET")
            path = scope["path"]
            if address := _address(path, scope.get("query_string", b"")):
                await self._tile(address, headers, scope["method"], send)
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
        token = _token(headers.get(b"cookie", b""))
        scope = await self._patient(lambda: session_scope(self.pool, token))
        if scope is None:
            raise errors.NotSignedIn("没有有效的登录会话 · no live session", remedy="POST /api/login, then repeat the request")
        return scope

    async def _tile(self, address: tuple[str, str, str, str, bool], headers: dict[bytes, bytes], method: str, send: Send) -> None:
        scope = await self._scope(headers)
        spec = tiles.find(self.catalog, address[0])
        packed = await self.fetch(spec, _parsed(*address[1:4]), scope, whole=address[4])
        if packed.body is None:
            await _answer(send, 204, ALWAYS, b"")
            return
        zipped = _accepts_gzip(headers.get(b"accept-encoding", b""))
        asked = headers.get(b"if-none-match")
        if asked and _matches(asked, packed.tag):
            await _answer(send, 304, [*ALWAYS, (b"etag", f'"{packed.tag}-gz"'.encode() if zipped else f'"{packed.tag}"'.encode())], b"")
            return
        if zipped:
            await _answer(send, 200, packed.headers, b"" if method == "HEAD" else packed.body)
            return
        body = packed.plain()
        plain = [(b"etag", f'"{packed.tag}"'.encode()), (b"content-type", MVT_TYPE), (b"content-length", str(len(body)).encode())]
        await _answer(send, 200, [*ALWAYS, *plain], b"" if method == "HEAD" else body)

    async def _tilejson(self, layer: str, headers: dict[bytes, bytes], send: Send) -> None:
        await self._scope(headers)
        spec = tiles.find(self.catalog, layer)
        await self._existing(spec)
        body = json.dumps(tiles.tilejson(spec), ensure_ascii=False).encode()
        await _answer(send, 200, [*ALWAYS, (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())], body)

    async def fetch(self, spec: LayerSpec, tile: tiles.Tile, scope: database.Scope, *, whole: bool = False) -> Packed:
        """The tile from memory, or drawn once however many ask at once. `whole`: every feature, however far away."""
        key = (spec.id, tile.z, tile.x, tile.y, scope.prefix, whole)
        found = self.cache.get(key, time.monotonic())
        if found is not None:
            return found
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._render(key, spec, tile, scope))
            task.add_done_callback(lambda done: self._running.get(key) is done and self._running.pop(key))
        return await asyncio.shield(task)

    async def _render(self, key: Key, spec: LayerSpec, tile: tiles.Tile, scope: database.Scope) -> Packed:
        generation, whole = self.cache.generation(spec.id), key[5]
        await self._existing(spec)
        packed = await self.memory.tile(spec, tile, scope.prefix, Packer(squeeze, partial(join, headers=OF_TILES[b"memory"])), whole=whole)
        if packed is None:
            raw = await self._asking(lambda connection: tiles.render(connection, spec, tile, scope, whole=whole))
            packed = await asyncio.to_thread(pack, raw, OF_TILES[b"sql"]) if len(raw) > 300_000 else pack(raw, OF_TILES[b"sql"])
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
            self._forget(event.entity_id, event.payload.get("boxes"))
        for spec in self.catalog:
            if spec.kind == "mvt" and spec.refreshed_on(event.kind):
                self._forget(spec.id)

    def edited(self, payload: str) -> bool:
        """Forgets what an edit touched; whether the buildings' levels must be made again somewhere."""
        told = json.loads(payload)
        table, boxes = told["table"], told.get("boxes")
        for spec in self.catalog:
            if spec.held and table in spec.held.tables:
                self._forget(spec.id, boxes)
        return table == "buildings" and boxes is not None

    def _forget(self, layer: str, boxes: list[tiles.Bounds] | None = None) -> None:
        self.cache.forget(layer, boxes)
        self.memory.changed(layer, boxes)
        for key in [key for key in self._running if key[0] == layer and (boxes is None or touches(key, boxes))]:
            self._running.pop(key)

    async def _listen(self) -> None:
        last_id: int | None = None
        while True:
            try:
                connection = await database.connect(self.url, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {events.CHANNEL}")
                    await connection.execute(f"LISTEN {EDITS}")
                    if last_id is None:
                        last_id = await events.latest_id(connection)
                        self.cache.clear()
                        self.memory.clear()
                    self.listening.set()
                    while True:
                        for event in await events.since(connection, last_id):
                            last_id = event.id
                            self.happened(event)
                        notices = [notice async for notice in connection.notifies(timeout=5.0, stop_after=1)]
                        edits = [self.edited(notice.payload) for notice in notices if notice.channel == EDITS]
                        if any(edits):
                            await jobs.enqueue(connection, "pyramid", queueing_lock="pyramid")
            except (psycopg.Error, errors.Unavailable) as error:
                self.listening.clear()
                log.warning("tiles.listener", error=type(error).__name__)
                self.cache.clear()
                self.memory.clear()
                last_id = None
                await asyncio.sleep(1.0)


@lru_cache(maxsize=4096)
def _token(cookie: bytes) -> str | None:
    cookies = SimpleCookie()
    with contextlib.suppress(CookieError):
        cookies.load(cookie.decode("latin-1"))
    return cookies[COOKIE].value if COOKIE in cookies else None


@lru_cache(maxsize=65_536)
def _address(path: str, query: bytes) -> tuple[str, str, str, str, bool] | None:
    """Layer, z, x, y and whether all features are asked for; None when the path is not a tile's."""
    found = TILE.fullmatch(path)
    if found is None:
        return None
    detail = parse_qs(query.decode("latin-1")).get("detail", [""])[-1]
    if detail not in ("", "all"):
        raise errors.InvalidInput(f"detail {detail[:40]!r} 不适用 · is not known", remedy="?detail=all draws every feature; leave it out for the map's own choice")
    return (*found.groups(), detail == "all")


_parsed = lru_cache(maxsize=65_536)(tiles.parse)


@lru_cache(maxsize=256)
def _accepts_gzip(header: bytes) -> bool:
    return any(part.split(b";")[0].strip() in (b"gzip", b"*") and b"q=0" not in part.replace(b" ", b"").split(b";")[1:] for part in header.lower().split(b","))


def _matches(header: bytes, tag: str) -> bool:
    known = {f'"{tag}"', f'"{tag}-gz"', "*"}
    return bool(header) and any(part.strip().removeprefix("W/") in known for part in header.decode("latin-1").split(","))


async def _answer(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _problem(send: Send, status: int, kind: str, title: str, detail: str, remedy: str) -> None:
    body = json.dumps({"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail, "remedy": remedy}, ensure_ascii=False).encode()
    headers = [*GUARDED, (b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await _answer(send, status, headers, body)


def _status(error: errors.HdqError) -> int:
    return 400 if isinstance(error, errors.InvalidInput) else status_of(error)
