"""Tiles of others, asked for once: from the shelf, else from the source, with few connections, little patience and one question a tile.

What a source answers reaches nobody unless it is a whole picture. Errors name the base map and the kind of failure, never an address: it may carry a key.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx
import structlog

from grid.errors import HdqError, InvalidInput, NotFound, UpstreamFailed
from grid.settings import Settings
from layers.basemaps import matrices
from layers.basemaps.declared import BaseMap, declared
from layers.basemaps.kept import Kept, Shelf
from layers.basemaps.matrices import Template
from layers.basemaps.pictures import media_type

CONNECTIONS, WAITING_MAX = 12, 400
TILE_MAX, CAPABILITIES_MAX = 1 << 20, 8 << 20
ABSENT_S, FAILED_S, REFUSED_S, RESTS_S = 600.0, 20.0, 60.0, 15.0
FAILURES_MAX, FORGOTTEN_MAX = 5, 20_000
CAPABILITIES_S = 24 * 3600.0
log = structlog.get_logger("basemaps")


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture; `content` empty where the source has nothing. `stale`: older than it should be, as the source did not answer."""

    content: bytes
    media_type: str
    etag: str
    stale: bool = False


class _Source:
    """What is known of one source while the server runs."""

    def __init__(self, of: BaseMap) -> None:
        self.declared = of
        self.template: Template | None = matrices.of_template(of) if of.kind == "xyz" else None
        self.until = float("inf") if self.template else 0.0
        self.failures = 0
        self.rests_until = 0.0
        self.problem: str | None = None
        self.one = asyncio.Lock()


class Upstream:
    """All sources of a server. Nothing is opened or asked before the first tile; `close` ends the connections."""

    def __init__(self, basemaps: dict[str, BaseMap], shelf: Shelf, *, fresh_s: float, patience_s: float = 8.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._sources = {each.id: _Source(each) for each in basemaps.values()}
        self._shelf, self._fresh_s, self._patience_s, self._clock = shelf, fresh_s, patience_s, clock
        self._client: httpx.AsyncClient | None = None
        self._asked: dict[tuple[str, int, int, int], asyncio.Task[Tile]] = {}
        self._refused: OrderedDict[tuple[str, int, int, int], tuple[float, HdqError | None]] = OrderedDict()

    def offered(self) -> list[BaseMap]:
        """The base maps in the order they are offered."""
        return [each.declared for each in self._sources.values()]

    def problem(self, basemap_id: str) -> str | None:
        """Why the last question to a source failed; None when it did not."""
        return self._sources[basemap_id].problem

    async def close(self) -> None:
        """Ends what is under way."""
        for task in list(self._asked.values()):
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def tile(self, basemap_id: str, z: int, x: int, y: int) -> Tile:
        """A tile (Web Mercator, y from the north). NotFound for what cannot be; UpstreamFailed when the source gives no picture and none is kept."""
        source = self._sources.get(basemap_id)
        if source is None:
            raise NotFound(f"没有底图 {basemap_id[:60]!r} · no such base map", remedy="see /api/basemaps")
        of = source.declared
        if not (of.min_zoom <= z <= of.max_zoom and 0 <= x < 1 << z and 0 <= y < 1 << z):
            raise NotFound(f"底图 {of.id} 没有瓦片 {z}/{x}/{y} · has no such tile", remedy=f"z from {of.min_zoom} to {of.max_zoom}, x and y below 2^z")
        kept = await asyncio.to_thread(self._shelf.get, f"{of.id}-{of.fingerprint}", z, x, y)
        if kept is not None and media_type(kept.content) is None:
            kept = None
        if kept is not None and kept.age_s < self._fresh_s:
            return _tile(kept)
        try:
            return await self._once(source, (of.id, z, x, y))
        except UpstreamFailed:
            if kept is None:
                raise
            return _tile(kept, stale=True)

    async def _once(self, source: _Source, key: tuple[str, int, int, int]) -> Tile:
        before = self._refused.get(key)
        if before is not None and before[0] > self._clock():
            if before[1] is not None:
                raise UpstreamFailed(before[1].detail, remedy=before[1].remedy)
            return Tile(b"", "image/png", "")
        if source.rests_until > self._clock():
            raise self._failed(source, "稍后再试 · resting after failures")
        task = self._asked.get(key)
        if task is None:
            if len(self._asked) >= WAITING_MAX:
                raise self._failed(source, "请求过多 · too many tiles are waiting")
            task = asyncio.create_task(self._fetch(source, key))
            task.add_done_callback(lambda done: (self._asked.pop(key, None), done.cancelled() or done.exception()))
            self._asked[key] = task
        return await asyncio.shield(task)

    async def _fetch(self, source: _Source, key: tuple[str, int, int, int]) -> Tile:
        of = source.declared
        try:
            template = await self._template(source)
            content = await self._ask(source, self._address(of, template, key), TILE_MAX)
            if content and media_type(content) is None:
                raise self._failed(source, f"应答不是图片 · answered no picture ({len(content)} bytes)")
        except UpstreamFailed as error:
            source.failures += 1
            source.problem = error.detail
            if source.failures >= FAILURES_MAX:
                source.failures, source.rests_until = 0, self._clock() + RESTS_S
            self._remember(key, error.extra.get("wait_s", FAILED_S), error)
            log.warning("basemap.failed", basemap=of.id, tile=key[1:], why=error.detail)
            raise UpstreamFailed(error.detail, remedy=error.remedy) from None
        source.failures, source.problem = 0, None
        if not content:
            self._remember(key, ABSENT_S, None)
            return Tile(b"", "image/png", "")
        try:
            await asyncio.to_thread(self._shelf.put, f"{of.id}-{of.fingerprint}", *key[1:], content)
        except OSError as error:
            log.warning("basemap.not_kept", basemap=of.id, why=error.strerror)
        return _tile(Kept(content, 0.0))

    def _address(self, of: BaseMap, template: Template, key: tuple[str, int, int, int]) -> str:
        secret = of.key.get_secret_value() if of.key else ""
        address = template.at(*key[1:], of.subdomains, secret)
        if address is None:
            raise NotFound(f"底图 {of.id} 没有第 {key[1]} 级 · has no level {key[1]}", remedy="ask for another zoom")
        return _with_key(of, address, keyed="{key}" in template.address)

    async def _template(self, source: _Source) -> Template:
        async with source.one:
            if source.template is None or source.until < self._clock():
                of = source.declared
                try:
                    document = await self._ask(source, _with_key(of, _capabilities(of.address.get_secret_value()), keyed=False), CAPABILITIES_MAX)
                    source.template = await asyncio.to_thread(matrices.of_capabilities, of, document)
                    source.until = self._clock() + CAPABILITIES_S
                except InvalidInput as error:
                    raise UpstreamFailed(error.detail, remedy=error.remedy, wait_s=REFUSED_S) from None
                except UpstreamFailed:
                    if source.template is None:
                        raise
                    source.until = self._clock() + REFUSED_S
            return source.template

    async def _ask(self, source: _Source, address: str, most: int) -> bytes:
        """The bytes at an address; empty for 204 and 404. Hosts that the configuration does not name are not asked, nor is a redirection followed."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or parts.netloc.lower() not in source.declared.allowed:
            raise self._failed(source, f"主机 {parts.hostname} 不在配置之内 · the host is not among those configured", wait_s=REFUSED_S)
        if self._client is None:
            limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
            patience = httpx.Timeout(self._patience_s, connect=min(3.0, self._patience_s))
            self._client = httpx.AsyncClient(limits=limits, timeout=patience, trust_env=False, follow_redirects=False, headers={"User-Agent": "haidongqing"})
        try:
            async with asyncio.timeout(self._patience_s):
                async with self._client.stream("GET", address) as answer:
                    if answer.status_code in (204, 404):
                        return b""
                    if answer.status_code != 200:
                        wait_s = REFUSED_S if answer.status_code in (401, 403, 418, 429) else FAILED_S
                        raise self._failed(source, f"上游应答 {answer.status_code} · answered {answer.status_code}", wait_s=wait_s)
                    content = bytearray()
                    async for part in answer.aiter_bytes(1 << 16):
                        content += part
                        if len(content) > most:
                            raise self._failed(source, f"超过 {most >> 10} KiB · is larger than {most >> 10} KiB")
                    return bytes(content)
        except (TimeoutError, httpx.TimeoutException):
            raise self._failed(source, f"{self._patience_s:g} 秒内没有应答 · did not answer in {self._patience_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._failed(source, f"无法连接 · cannot be reached ({type(error).__name__})") from None

    def _failed(self, source: _Source, why: str, wait_s: float = FAILED_S) -> UpstreamFailed:
        return UpstreamFailed(f"底图 {source.declared.id}: {why}", remedy="use our own vector base map meanwhile; the operator sees why in the log", wait_s=wait_s)

    def _remember(self, key: tuple[str, int, int, int], seconds: float, error: HdqError | None) -> None:
        self._refused[key] = (self._clock() + seconds, error)
        self._refused.move_to_end(key)
        while len(self._refused) > FORGOTTEN_MAX:
            self._refused.popitem(last=False)


def serving(settings: Settings) -> Upstream:
    """The base maps that the settings name, kept in data_dir/basemaps. InvalidInput for a file that does not fit."""
    shelf = Shelf(settings.data_dir / "basemaps", settings.basemap_cache_mb << 20)
    return Upstream(declared(settings), shelf, fresh_s=settings.basemap_cache_days * 86_400.0)


def _tile(kept: Kept, stale: bool = False) -> Tile:
    return Tile(kept.content, media_type(kept.content) or "", hashlib.blake2b(kept.content, digest_size=12).hexdigest(), stale)


def _with_key(of: BaseMap, address: str, *, keyed: bool) -> str:
    if of.key is None or keyed:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({of.key_parameter: of.key.get_secret_value()})}"


def _capabilities(address: str) -> str:
    """The address of capabilities, asked as the standard says when it names no document.

    >>> _capabilities("https://maps.example/wmts")
    'https://maps.example/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&VERSION=1.0.0'
    """
    if address.lower().endswith(".xml") or "getcapabilities" in address.lower():
        return address
    return f"{address}{'&' if '?' in address else '?'}SERVICE=WMTS&REQUEST=GetCapabilities&VERSION=1.0.0"
