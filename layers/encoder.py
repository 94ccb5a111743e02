"""Tiles out of memory: the encoder draws what layers.columns holds, to the same features, properties and shapes as ST_AsMVT.

Compiled code (layers.drawing) does all but the few polygons whose rings meet themselves or one another on the tile's grid: those GEOS mends and cuts on that grid.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from layers import dictionary, drawing, messages, rows, strokes, tiles
from layers.columns import WORLD, Store, sample, varint
from layers.tiles import BUFFER, EXTENT, Tile

LOW, HIGH = -BUFFER, EXTENT + BUFFER
_BOX = shapely.box(LOW, LOW, HIGH, HIGH)
COMPILED = (rows, strokes, dictionary, messages, drawing)
"""The modules of compiled code, which call one another."""
SHARED_ROWS = 4000
"""Tiles of fewer rows are drawn by one thread: handing over work costs a tenth of a millisecond."""
MANY_ROWS_A_VALUE = 8
"""With so many rows to each value there is, a tile carries all values rather than look which of them it needs."""
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

T = TypeVar("T")


def encode(name: str, stores: list[Store], tile: Tile, prefix: str, names: tuple[str, ...]) -> bytes:
    """A layer's tile: uncompressed MVT, empty where nothing is drawn. `names`: the attributes to carry; jsonb members are named as in the store.

    `stores`: the first, and those that replace parts of it. Thread-safe: nothing is written to a store.
    """
    return b"".join(pieces(name, stores, tile, prefix, names, bytes))


def pieces(
    name: str, stores: list[Store], tile: Tile, prefix: str, names: tuple[str, ...], finish: Callable[[bytes | memoryview], T], found: "Candidates | None" = None
) -> list[T]:
    """The same tile in pieces, one after another, each as `finish` leaves it (in the thread that drew it); none where nothing is drawn.

    A tile of many rows is drawn by as many threads as there are processors; one of few is one piece. `found`: its candidates, when the caller has asked for them.
    """
    found = found or candidates(stores, tile)
    shared = PROCESSORS > 1 and found.rows >= SHARED_ROWS
    west, south, east, north = tile.bounds()
    width, height = east - west, north - south
    fx, fy = EXTENT / width, -(EXTENT / height)
    frame = Frame(np.array([fx, fy, -west * fx, -north * fy]), min(width / EXTENT, height / EXTENT) / 2, np.array(tile.bounds(BUFFER)), prefix)
    features, values, known, size = [], [], 0, 0
    keys = tuple(dict.fromkeys(key for store in stores for key, source in zip(store.names, store.attributes, strict=True) if source in names))
    for store, ranges in zip(stores, found.ranges, strict=True):
        bodies, seen = _draw(store, ranges, frame, keys, known, shared, lambda body: (len(body), finish(body) if shared and len(body) else body))
        for length, finished in bodies:
            if length:
                size += length
                features.append(finished)
        values.append(dictionary.gather(store.values, store.values_at, seen).tobytes())
        known += len(seen)
    if not features:
        return []
    text = name.encode()
    head = b"\x0a" + varint(len(text)) + text
    tail = b"".join(b"\x1a" + varint(len(key.encode())) + key.encode() for key in keys) + b"".join(values) + b"\x28" + varint(EXTENT) + b"\x78\x02"
    head = b"\x1a" + varint(len(head) + size + len(tail)) + head
    return [finish(head), *features, finish(tail)] if shared else [finish(b"".join([head, *features, tail]))]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows an encoder would look at for a tile: (from, to) by store, and how many in all, which tells work for a thread from work for now."""

    ranges: list[NDArray[np.int64]]
    rows: int


def candidates(stores: list[Store], tile: Tile) -> Candidates:
    """What of the stores may touch a tile with its buffer."""
    wide = tile.bounds(BUFFER)
    ranges = [store.ranges(wide) for store in stores]
    return Candidates(ranges, sum(int((found[:, 1] - found[:, 0]).sum()) for found in ranges))


@dataclass(frozen=True, slots=True)
class Frame:
    """A tile as drawing sees it: factors and offsets from EPSG:3857 to its grid, half a unit of the grid, its box with buffer, the caller's scope."""

    scale: NDArray[np.float64]
    res: float
    wide: NDArray[np.float64]
    prefix: str


def _draw(store: Store, ranges: NDArray[np.int64], frame: Frame, keys: tuple[str, ...], before: int, shared: bool, finish: Callable[[memoryview], T]) -> tuple[list[T], NDArray[np.int32]]:
    """Bodies of features, and the codes of the values they point to, which follow `before` others."""
    allowed = store.allowed(frame.prefix)
    rows = int((ranges[:, 1] - ranges[:, 0]).sum())
    if not rows or not allowed.any():
        return [], np.zeros(0, np.int32)
    columns = np.array([store.names.index(key) if key in store.names else len(store.names) for key in keys], np.int64)
    codes = store.codes
    if len(keys) and columns.max(initial=0) == len(store.names):
        codes = np.concatenate([codes, np.full((len(codes), 1), -1, np.int32)], axis=1)
    room = sum(min(rows, size) for name, size in zip(store.names, store.values_of, strict=True) if name in keys) + 1
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
    if rows >= MANY_ROWS_A_VALUE * room and allowed.all() and not store.dead.any():
        known = dictionary.enter(store.values_among(keys), table, seen)
        near = np.concatenate([np.arange(low, high, dtype=np.int32) for low, high in ranges])
    else:
        near = np.empty(rows, np.int32)
        known, met = dictionary.note(ranges, frame.wide, store.box, store.dead, store.regions, allowed, codes, columns, table, seen, near)
        near = near[:met]
    first, *others = _shared(ranges, near)
    waiting = [_threads().submit(some, part, known) for part in others]
    return [some(first, known)[0], *(future.result()[0] for future in waiting)], seen[:known]


def _shared(ranges: NDArray[np.int64], near: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Ranges of rows as one list a processor, with about as many of the rows `near` the tile each."""
    cuts = [int(ranges[0, 0]), *(int(near[len(near) * k // PROCESSORS]) for k in range(1, PROCESSORS) if len(near)), int(ranges[-1, 1])]
    found = []
    for low, high in pairwise(cuts):
        clipped = np.clip(ranges, low, high)
        found.append(clipped[clipped[:, 0] < clipped[:, 1]])
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
    dictionary.enter(store.values_among(store.names), np.full(1 << 12, -1, np.int32), np.empty(1 << 10, np.int32))
    dictionary.note(ranges, np.array(WORLD), store.box, store.dead, store.regions, store.allowed("1"), store.codes, columns, np.full(1 << 12, -1, np.int32), np.empty(1 << 10, np.int32), np.empty(len(store), np.int32))


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
        forget_stale(folder, [Path(module.__file__) for module in COMPILED])
        yield


def forget_stale(folder: Path, sources: list[Path]) -> bool:
    """Drops compiled code of older sources; whether there was any. numba looks at a function's own file only, not at those whose functions it calls."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder / "encoder.stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return False
    for source in sources:
        for old in folder.glob(f"{source.stem}.*.nb[ic]"):
            old.unlink()
    stamp.write_text(digest)
    return True


if __name__ == "__main__":
    os.nice(10)
    with alone():
        warm()
