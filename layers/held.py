"""The layers a server holds in memory: loaded when asked for often, patched where something was edited, the least used let go.

Until a layer is here, and whenever it is not up to date, `tile` says None and SQL draws: it stays the truth. Compiling takes half a minute of one processor once on a machine; a
process of its own does it, at low priority, and leaves the result on disk.
"""

import asyncio
import importlib
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Generic, TypeVar

import psycopg
import structlog

from grid import endings
from grid.errors import HdqError
from grid.settings import ROOT
from layers.spec import LayerSpec
from layers.tiles import Bounds, Tile

if TYPE_CHECKING:
    from layers.columns import Store

P = TypeVar("P")
T = TypeVar("T")
INLINE_ROWS = 30_000
"""A tile of more is drawn in a thread, so that others are answered meanwhile."""
MAX_PATCHES = 12
MAX_BOXES = 16
BESIDE_M = 10.0
"""How far around an edit rows are read again: the database compares boxes as float32, a metre wide here."""
MAX_AGE_S = 900.0

log = structlog.get_logger("tiles")


@dataclass(frozen=True, slots=True)
class Packer(Generic[P, T]):
    """What is made of a tile (uncompressed MVT): of each piece where it was drawn, and of all pieces in order (none: an empty tile)."""

    squeeze: Callable[[bytes | memoryview], P]
    join: Callable[[list[P]], T]


@dataclass(slots=True)
class _Entry:
    spec: LayerSpec
    band: int
    stores: list["Store"] = field(default_factory=list)
    asked: int = 0
    waiting: list[Bounds] = field(default_factory=list)
    version: int = 0
    loaded_at: float = 0.0
    task: asyncio.Task | None = None
    refused: bool = False

    @property
    def size(self) -> int:
        return sum(store.nbytes for store in self.stores)


class Memory:
    """Stores of layers by (layer, band of zooms), at most `limit` bytes of them; `after` is how many tiles must have been asked for. One event loop uses it."""

    def __init__(self, url: str, limit: int, *, after: int = 8) -> None:
        self.url, self.limit, self.after = url, limit, after
        self._entries: OrderedDict[tuple[str, int], _Entry] = OrderedDict()
        self._encoder: ModuleType | None = None
        self._starting: asyncio.Task | None = None
        self._one = asyncio.Lock()
        self.refused: str = ""

    @property
    def size(self) -> int:
        """What all stores hold."""
        return sum(entry.size for entry in self._entries.values())

    async def tile(self, spec: LayerSpec, tile: Tile, prefix: str, packer: "Packer[P, T]", *, whole: bool = False) -> T | None:
        """What `packer` makes of the tile, in the threads that draw it; None where SQL must draw it."""
        if spec.held is None or not self.limit or self.refused or not spec.min_zoom <= tile.z <= spec.max_zoom or not prefix:
            return None
        entry = self._entry(spec, spec.band(spec.max_zoom if whole else tile.z))
        if not entry.stores or entry.waiting or self._encoder is None:
            entry.asked += 1
            if entry.asked >= self.after:
                self._want(entry)
            return None
        if time.monotonic() - entry.loaded_at > MAX_AGE_S:
            self._want(entry)
        stores, names = entry.stores, spec.attributes_at(tile.z, whole=whole)
        encoder = self._encoder

        found = encoder.candidates(stores, tile)

        def drawn() -> T:
            return packer.join(encoder.pieces(spec.id, stores, tile, prefix, names, packer.squeeze, found))

        return drawn() if found.rows <= INLINE_ROWS else await asyncio.to_thread(drawn)

    async def ready(self, spec: LayerSpec, z: int, *, whole: bool = False) -> bool:
        """Loads a layer now and waits for it; False where it cannot be held."""
        entry = self._entry(spec, spec.band(spec.max_zoom if whole else z))
        entry.asked = self.after
        while spec.held is not None and self.limit and not self.refused and not entry.refused:
            if entry.stores and not entry.waiting and self._encoder is not None:
                return True
            self._want(entry)
            await asyncio.wait({task for task in (entry.task, self._starting) if task})
        return False

    def edited(self, table: str, boxes: list[Bounds] | None) -> None:
        """Rows of a table changed inside boxes of EPSG:3857 (None: anywhere)."""
        for entry in self._entries.values():
            if table in entry.spec.held.tables:
                self._old(entry, boxes)

    def changed(self, layer: str, boxes: list[Bounds] | None) -> None:
        """A layer changed inside boxes (None: anywhere)."""
        for entry in self._entries.values():
            if entry.spec.id == layer:
                self._old(entry, boxes)

    def clear(self) -> None:
        """Lets everything go: what happened meanwhile is unknown."""
        for entry in self._entries.values():
            self._old(entry, None)

    async def close(self) -> None:
        """Ends what still loads."""
        await endings.end(task for task in [self._starting, *(entry.task for entry in self._entries.values())] if task)
        self._entries.clear()

    def _entry(self, spec: LayerSpec, band: int) -> _Entry:
        key = (spec.id, band)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(spec, band)
        self._entries.move_to_end(key)
        return entry

    def _old(self, entry: _Entry, boxes: list[Bounds] | None) -> None:
        entry.version += boxes is None
        if boxes is None or len(boxes) + len(entry.waiting) > MAX_BOXES:
            entry.stores, entry.waiting = [], []
            entry.version += 1
        elif entry.stores or entry.task:
            entry.waiting += boxes
            self._want(entry)

    def _want(self, entry: _Entry) -> None:
        if self._encoder is None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start())
            return
        if not entry.refused and (entry.task is None or entry.task.done()):
            entry.task = asyncio.create_task(self._bring(entry))

    async def _start(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "layers.encoder", cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode:
            self.refused = said.decode(errors="replace")[-500:]
            log.warning("tiles.encoder_absent", error=self.refused)
            return
        try:
            module = await asyncio.to_thread(importlib.import_module, "layers.encoder")
            await asyncio.to_thread(module.warm)
        except (ImportError, OSError) as error:
            self.refused = str(error)
            log.warning("tiles.encoder_absent", error=self.refused)
            return
        self._encoder = module

    async def _bring(self, entry: _Entry) -> None:
        try:
            async with self._one:
                while True:
                    aged = time.monotonic() - entry.loaded_at > MAX_AGE_S
                    if not entry.stores or aged or len(entry.stores) > MAX_PATCHES:
                        await self._load(entry)
                    elif entry.waiting:
                        await self._patch(entry)
                    else:
                        break
        except (HdqError, ValueError) as error:
            entry.refused = True
            log.info("tiles.not_held", layer=entry.spec.id, reason=str(error))
        except psycopg.Error as error:
            entry.asked = 0
            log.warning("tiles.not_held", layer=entry.spec.id, reason=type(error).__name__)

    async def _load(self, entry: _Entry) -> None:
        version, before = entry.version, len(entry.waiting)
        store = await asyncio.to_thread(self._read, entry, None)
        if version == entry.version:
            entry.stores, entry.loaded_at = [store], time.monotonic()
            del entry.waiting[:before]
        while self.size > self.limit:
            oldest = next(key for key, other in self._entries.items() if other.stores)
            gone = self._entries.pop(oldest)
            if gone is entry:
                entry.stores, entry.refused = [], store.nbytes > self.limit
                self._entries[oldest] = entry
                entry.asked = 0
                raise ValueError(f"{store.nbytes >> 20} MiB do not fit into {self.limit >> 20} MiB beside the others")

    async def _patch(self, entry: _Entry) -> None:
        version, boxes = entry.version, list(entry.waiting)
        patches = [await asyncio.to_thread(self._read, entry, box) for box in boxes]
        if version != entry.version:
            return
        for box, patch in zip(boxes, patches, strict=True):
            for store in entry.stores:
                store.kill(box, patch.ids)
            if len(patch):
                entry.stores = [*entry.stores, patch]
        del entry.waiting[: len(boxes)]

    def _read(self, entry: _Entry, box: Bounds | None) -> "Store":
        from layers import columns  # numba comes with it: a second that the server's start does not have

        with psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC", application_name="hdq tiles") as connection:
            if box is None:
                return columns.read(connection, entry.spec, entry.band)
            west, south, east, north = box
            return columns.read(connection, entry.spec, entry.band, (west - BESIDE_M, south - BESIDE_M, east + BESIDE_M, north + BESIDE_M))
