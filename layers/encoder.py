"""Tiles out of memory: the encoder draws what layers.columns holds, to the same features, properties and shapes as ST_AsMVT.

Compiled code (layers.drawing) does all but the few polygons whose rings meet themselves or one another on the tile's grid: those GEOS mends and cuts on that grid.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from layers import drawing, tiles
from layers.columns import Store, sample, varint
from layers.tiles import BUFFER, EXTENT, Tile

LOW, HIGH = -BUFFER, EXTENT + BUFFER
_BOX = shapely.box(LOW, LOW, HIGH, HIGH)


def encode(name: str, stores: list[Store], tile: Tile, prefix: str, names: tuple[str, ...]) -> bytes:
    """A layer's tile: uncompressed MVT, empty where nothing is drawn. `names`: the attributes to carry; jsonb members are named as in the store.

    `stores`: the first, and those that replace parts of it. Thread-safe: nothing is written to a store.
    """
    west, south, east, north = tile.bounds()
    width, height = east - west, north - south
    fx, fy = EXTENT / width, -(EXTENT / height)
    scale = np.array([fx, fy, -west * fx, -north * fy])
    res = min(width / EXTENT, height / EXTENT) / 2
    wide = np.array(tile.bounds(BUFFER))
    features, values, known = [], [], 0
    keys = tuple(dict.fromkeys(key for store in stores for key, source in zip(store.names, store.attributes, strict=True) if source in names))
    for store in stores:
        body, seen = _draw(store, scale, res, wide, prefix, keys, known)
        if not len(body):
            continue
        features.append(body)
        values.append(_values(store, seen))
        known += len(seen)
    if not features:
        return b""
    text = name.encode()
    head = b"\x0a" + varint(len(text)) + text
    tail = b"".join(b"\x1a" + varint(len(key.encode())) + key.encode() for key in keys) + b"".join(values) + b"\x28" + varint(EXTENT) + b"\x78\x02"
    size = len(head) + sum(map(len, features)) + len(tail)
    return b"".join([b"\x1a", varint(size), head, *features, tail])


def candidates(stores: list[Store], tile: Tile) -> int:
    """How many rows an encoder would look at: what tells work for a thread from work for now."""
    wide = tile.bounds(BUFFER)
    return sum(int((found[:, 1] - found[:, 0]).sum()) for found in (store.ranges(wide) for store in stores))


def _draw(store: Store, scale: NDArray, res: float, wide: NDArray, prefix: str, keys: tuple[str, ...], known: int) -> tuple[memoryview, NDArray[np.int32]]:
    allowed = store.allowed(prefix)
    ranges = store.ranges(tuple(wide))
    rows = int((ranges[:, 1] - ranges[:, 0]).sum())
    if not rows or not allowed.any():
        return memoryview(b""), np.zeros(0, np.int32)
    columns = np.array([store.names.index(key) if key in store.names else len(store.names) for key in keys], np.int64)
    codes = store.codes
    if len(keys) and columns.max(initial=0) == len(store.names):
        codes = np.concatenate([codes, np.full((len(codes), 1), -1, np.int32)], axis=1)
    room = min(rows * len(keys), sum(size for name, size in zip(store.names, store.values_of, strict=True) if name in keys)) + 1
    out, at, seen, count, table, *hard = drawing.draw(
        scale, res, wide, LOW, HIGH, ranges, store.kinds, store.parts_of, store.rings_of, store.ends, store.xy, store.box, store.ids, codes, columns,
        store.regions, allowed, store.dead, store.largest, room, known,
    )  # fmt: skip
    if len(hard[0]):
        out, at, count = drawing.finish(out, at, seen, count, table, known, *mended(*hard), store.ids, codes, columns)
    return memoryview(out)[:at], seen[:count]


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


def _values(store: Store, seen: NDArray[np.int32]) -> bytes:
    at = store.values_at
    raw = store.values
    if not len(seen):
        return b""
    if len(seen) > 2000:
        begin, size = at[seen].astype(np.int64), np.diff(at)[seen].astype(np.int64)
        jump = np.repeat(begin - np.r_[0, np.cumsum(size)[:-1]], size)
        return raw[jump + np.arange(size.sum())].tobytes()
    view = memoryview(raw)
    return b"".join([view[at[code] : at[code + 1]] for code in seen.tolist()])


def warm() -> None:
    """Compiles everything, or reads it from numba's cache on disk: seconds the first time, a fraction afterwards."""
    store = sample()
    for z in (10, 16):
        encode("warm", [store], Tile(z, *_tile_of(store, z)), "1", store.names)


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
