"""Tiles out of memory: the encoder draws what layers.columns holds, to the same features, properties and shapes as ST_AsMVT.

Compiled code (layers.drawing) does all but the few polygons whose rings meet themselves or one another on the tile's grid: those GEOS mends and cuts on that grid.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from layers import drawing, tiles
from layers.columns import WORLD, Store, sample, varint
from layers.tiles import BUFFER, EXTENT, Tile

LOW, HIGH = -BUFFER, EXTENT + BUFFER
_BOX = shapely.box(LOW, LOW, HIGH, HIGH)
SHARED_ROWS = 4000
"""Tiles of fewer rows are drawn by one thread: handing over work costs a tenth of a millisecond."""
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

T = TypeVar("T")


def encode(name: str, stores: list[Store], tile: Tile, prefix: str, names: tuple[str, ...]) -> bytes:
    """A layer's tile: uncompressed MVT, empty where nothing is drawn. `names`: the attributes to carry; jsonb members are named as in the store.

    `stores`: the first, and those that replace parts of it. Thread-safe: nothing is written to a store.
    """
    return b"".join(pieces(name, stores, tile, prefix, names, bytes))


def pieces(name: str, stores: list[Store], tile: Tile, prefix: str, names: tuple[str, ...], finish: Callable[[bytes | memoryview], T]) -> list[T]:
    """The same tile in pieces, one after another, each as `finish` leaves it (in the thread that drew it); none where nothing is drawn.

    A tile of many rows is drawn by as many threads as there are processors; one of few is one piece.
    """
    shared = PROCESSORS > 1 and candidates(stores, tile) >= SHARED_ROWS
    west, south, east, north = tile.bounds()
    width, height = east - west, north - south
    fx, fy = EXTENT / width, -(EXTENT / height)
    frame = Frame(np.array([fx, fy, -west * fx, -north * fy]), min(width / EXTENT, height / EXTENT) / 2, np.array(tile.bounds(BUFFER)), prefix)
    features, values, known, size = [], [], 0, 0
    keys = tuple(dict.fromkeys(key for store in stores for key, source in zip(store.names, store.attributes, strict=True) if source in names))
    for store in stores:
        bodies, seen = _draw(store, frame, keys, known, shared, lambda body: (len(body), finish(body) if shared and len(body) else body))
        for length, finished in bodies:
            if length:
                size += length
                features.append(finished)
        values.append(drawing.gather(store.values, store.values_at, seen).tobytes())
        known += len(seen)
    if not features:
        return []
    text = name.encode()
    head = b"\x0a" + varint(len(text)) + text
    tail = b"".join(b"\x1a" + varint(len(key.encode())) + key.encode() for key in keys) + b"".join(values) + b"\x28" + varint(EXTENT) + b"\x78\x02"
    head = b"\x1a" + varint(len(head) + size + len(tail)) + head
    return [finish(head), *features, finish(tail)] if shared else [finish(b"".join([head, *features, tail]))]


def candidates(stores: list[Store], tile: Tile) -> int:
    """How many rows an encoder would look at: what tells work for a thread from work for now."""
    wide = tile.bounds(BUFFER)
    return sum(int((found[:, 1] - found[:, 0]).sum()) for found in (store.ranges(wide) for store in stores))


@dataclass(frozen=True, slots=True)
class Frame:
    """A tile as drawing sees it: factors and offsets from EPSG:3857 to its grid, half a unit of the grid, its box with buffer, the caller's scope."""

    scale: NDArray[np.float64]
    res: float
    wide: NDArray[np.float64]
    prefix: str


def _draw(store: Store, frame: Frame, keys: tuple[str, ...], before: int, shared: bool, finish: Callable[[memoryview], T]) -> tuple[list[T], NDArray[np.int32]]:
    """Bodies of features, and the codes of the values they point to, which follow `before` others."""
    allowed = store.allowed(frame.prefix)
    ranges = store.ranges(tuple(frame.wide))
    rows = int((ranges[:, 1] - ranges[:, 0]).sum())
    if not rows or not allowed.any():
        return [], np.zeros(0, np.int32)
    columns = np.array([store.names.index(key) if key in store.names else len(store.names) for key in keys], np.int64)
    codes = store.codes
    if len(keys) and columns.max(initial=0) == len(store.names):
        codes = np.concatenate([codes, np.full((len(codes), 1), -1, np.int32)], axis=1)
    room = min(rows * len(keys), sum(size for name, size in zip(store.names, store.values_of, strict=True) if name in keys)) + 1
    table = np.full(4 << room.bit_length(), -1, np.int32)
    seen = np.empty(room + 1, np.int32)

    def some(ranges: NDArray[np.int64], known: int) -> tuple[T, int]:
        out, at, known, *hard = drawing.draw(
            frame.scale, frame.res, frame.wide, LOW, HIGH, ranges, store.kinds, store.parts_of, store.rings_of, store.ends, store.xy, store.clearance, store.box, store.ids, codes, columns,
            store.regions, allowed, store.dead, store.largest, table, seen, known, before,
        )  # fmt: skip
        if len(hard[0]):
            out, at, known = drawing.finish(out, at, seen, known, table, before, *mended(*hard), store.ids, codes, columns)
        return finish(memoryview(out)[:at]), known

    if not shared or rows < SHARED_ROWS:
        body, known = some(ranges, 0)
        return [body], seen[:known]
    # each thread only reads the dictionary: it is complete before they begin
    known = drawing.note(ranges, frame.wide, store.box, store.dead, store.regions, allowed, codes, columns, table, seen)
    first, *others = _shared(ranges, rows)
    waiting = [_threads().submit(some, part, known) for part in others]
    return [some(first, known)[0], *(future.result()[0] for future in waiting)], seen[:known]


def _shared(ranges: NDArray[np.int64], rows: int) -> list[NDArray[np.int64]]:
    """Ranges of rows as one list a processor, about as many rows each."""
    size = ranges[:, 1] - ranges[:, 0]
    until = np.cumsum(size)
    found = []
    for k in range(PROCESSORS):
        low, high = rows * k // PROCESSORS, rows * (k + 1) // PROCESSORS
        begin, end = ranges[:, 0] + np.clip(low - (until - size), 0, size), ranges[:, 0] + np.clip(high - (until - size), 0, size)
        found.append(np.stack([begin, end], axis=1)[begin < end])
    return found


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(PROCESSORS - 1, "tiles")


def mended(rows: NDArray, rings: NDArray, ends: NDArray, shell: NDArray, xy: NDArray) -> tuple[NDArray, ...]:
    """Polygons of whole-numbered rings that may meet anywhere, made valid and cut to the tile on its grid. The rings come back open, a shell before its holes.

    Given: rows; first ring of each row; end of each ring; whether it is a shell; vertices of open rings. Returned: rows; first ring of each row; end of each ring; shell; x; y.
    """
    size = np.diff(ends)
    shift = np.repeat(np.arange(len(size)), size + 1)
    index = np.arange(len(xy) + len(size)) - shift
    index[np.cumsum(size + 1) - 1] = ends[:-1]
    linear = shapely.linearrings(xy[index], indices=shift)
    polygons = shapely.polygons(linear, indices=np.cumsum(shell, dtype=np.int64) - 1)
    owner = np.repeat(np.arange(len(rows)), np.diff(rings))[shell == 1]
    whole = shapely.make_valid(shapely.multipolygons(polygons, indices=owner), method="structure", keep_collapsed=False)
    cut, owner = shapely.get_parts(shapely.intersection(whole, _BOX, grid_size=1.0), return_index=True)
    kept = (shapely.get_type_id(cut) == 3) & ~shapely.is_empty(cut)
    cut, owner = cut[kept], owner[kept]
    found, of = shapely.get_rings(cut, return_index=True)
    first = np.r_[True, of[1:] != of[:-1]] if len(of) else np.zeros(0, bool)
    coordinates, ring = shapely.get_coordinates(found, return_index=True)
    last = np.r_[ring[1:] != ring[:-1], True] if len(ring) else np.zeros(0, bool)
    xy = coordinates[~last]
    stops = np.cumsum(np.bincount(ring[~last], minlength=len(found)))
    rings_of = np.searchsorted(owner[of], np.arange(len(rows) + 1))
    return rows, rings_of.astype(np.int64), stops.astype(np.int64), first.astype(np.uint8), xy[:, 0].copy(), xy[:, 1].copy()


def warm() -> None:
    """Compiles everything, or reads it from numba's cache on disk: seconds the first time, a fraction afterwards."""
    store = sample()
    for z in (10, 16):
        encode("warm", [store], Tile(z, *_tile_of(store, z)), "1", store.names)
    ranges, columns = np.array([[0, len(store)]]), np.arange(len(store.names))
    drawing.note(ranges, np.array(WORLD), store.box, store.dead, store.regions, store.allowed("1"), store.codes, columns, np.full(1 << 12, -1, np.int32), np.empty(1 << 10, np.int32))


def _tile_of(store: Store, z: int) -> tuple[int, int]:
    side = 2 * tiles.HALF / 2**z
    return int((float(store.box[0, 0]) + tiles.HALF) // side), int((tiles.HALF - float(store.box[0, 1])) // side)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One compiler at a time in a checkout: whoever comes second finds the first one's work in the cache. Where the folder cannot be written there is no cache to share either."""
    try:
        folder = Path(__file__).parent / "__pycache__"
        folder.mkdir(exist_ok=True)
        lock = (folder / "encoder.lock").open("a")
    except OSError:
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    os.nice(10)
    with alone():
        warm()
