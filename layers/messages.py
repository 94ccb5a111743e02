"""Features as bytes of a vector tile (Mapbox Vector Tile 2.1 §4.2, §4.3): identity, attributes, commands. Compiled, nogil."""

import numpy as np
from numba import njit

from layers.dictionary import placed
from layers.rows import varint

POINT, LINE, POLYGON = 1, 2, 3
SMALL_COLUMNS = 8
SMALL_BYTES = 160
"""A feature of one ring of at most SMALL_VERTICES and of so many attributes takes no more, and both of its lengths fit one byte."""


@njit(nogil=True, cache=True)
def _zigzag(value):
    return np.uint64((value << 1) ^ (value >> 63))


@njit(nogil=True, cache=True)
def roomy(out, at, need):
    """`out`, or a larger copy of it, with `need` bytes free after `at`."""
    if at + need <= len(out):
        return out
    wider = np.empty(2 * (at + need), np.uint8)
    wider[:at] = out[:at]
    return wider


@njit(nogil=True, cache=True)
def _commands(kind, px, py, ends, rings, body):
    at = 0
    cx = cy = np.int64(0)
    if kind == POINT:
        n = ends[rings - 1]
        at = varint(body, at, np.uint64(n << 3 | 1))
        for k in range(n):
            at = varint(body, at, _zigzag(px[k] - cx))
            at = varint(body, at, _zigzag(py[k] - cy))
            cx, cy = px[k], py[k]
        return at
    begin = 0
    for ring in range(rings):
        end = ends[ring]
        body[at] = 9
        at += 1
        for k in range(begin, end):
            if k == begin + 1:
                at = varint(body, at, np.uint64((end - begin - 1) << 3 | 2))
            at = varint(body, at, _zigzag(px[k] - cx))
            at = varint(body, at, _zigzag(py[k] - cy))
            cx, cy = px[k], py[k]
        if kind == POLYGON:
            body[at] = 15
            at += 1
        begin = end
    return at


@njit(nogil=True, cache=True)
def _width(value):
    n = 1
    while value > 127:
        value >>= 7
        n += 1
    return n


@njit(nogil=True, cache=True)
def write(out, at, number, kind, codes, columns, table, seen, known, first_value, px, py, ends, rings, body, tags):
    """One feature; returns the bytes, where they end and how many values the tile has by now. `out` must have room: see `roomy`."""
    t = 0
    for key in range(len(columns)):
        code = codes[columns[key]]
        if code < 0:
            continue
        place, known = placed(code, table, seen, known)
        t = varint(tags, t, np.uint64(key))
        t = varint(tags, t, np.uint64(first_value + place))
    size = _commands(kind, px, py, ends, rings, body)
    whole = 1 + _width(number) + 3 + _width(size) + size + (1 + _width(t) + t if t else 0)
    out[at] = 0x12
    at = varint(out, at + 1, np.uint64(whole))
    out[at] = 0x08
    at = varint(out, at + 1, np.uint64(number))
    if t:
        out[at] = 0x12
        at = varint(out, at + 1, np.uint64(t))
        for k in range(t):
            out[at + k] = tags[k]
        at += t
    out[at], out[at + 1], out[at + 2] = 0x18, kind, 0x22
    at = varint(out, at + 3, np.uint64(size))
    for k in range(size):
        out[at + k] = body[k]
    return at + size, known


@njit(nogil=True, cache=True)
def _put(out, at, delta):
    """A step between vertices of a tile, zigzag; two bytes reach 8,191 units, and a tile with its buffer is 4,608 wide."""
    value = (delta << 1) ^ (delta >> 63)
    if value < 128:
        out[at] = value
        return at + 1
    out[at] = (value & 127) | 128
    out[at + 1] = value >> 7
    return at + 2


@njit(nogil=True, cache=True)
def small(out, at, number, codes, columns, table, seen, known, first_value, px, py, n, forward):
    """A polygon of one ring of at most SMALL_VERTICES inside the tile, straight into `out`: what most houses are. As `write`, without its copies."""
    mask = len(table) // 2 - 1
    whole = at + 1
    out[at], out[at + 2] = 0x12, 0x08
    at = varint(out, at + 3, np.uint64(number))
    out[at] = 0x12
    size = at + 1
    at += 2
    for key in range(len(columns)):
        code = codes[columns[key]]
        if code < 0:
            continue
        # as `placed`, in place: a call here costs a quarter of the tile's time
        slot = (np.int64(code) * np.int64(40503)) & mask
        while table[2 * slot] != code:
            if table[2 * slot] < 0:
                table[2 * slot] = code
                table[2 * slot + 1] = known
                seen[known] = code
                known += 1
                break
            slot = (slot + 1) & mask
        value = first_value + table[2 * slot + 1]
        out[at] = key
        at += 1
        while value > 127:
            out[at] = (value & 127) | 128
            value >>= 7
            at += 1
        out[at] = value
        at += 1
    if at == size + 1:
        at -= 2
    else:
        out[size] = at - size - 1
    out[at], out[at + 1], out[at + 2] = 0x18, POLYGON, 0x22
    size = at + 3
    out[at + 4] = 9
    at += 5
    k, step = (0, 1) if forward else (n - 1, -1)
    at = _put(out, _put(out, at, px[k]), py[k])
    out[at] = (n - 1) << 3 | 2
    at += 1
    for _ in range(n - 1):
        j = k + step
        at = _put(out, _put(out, at, px[j] - px[k]), py[j] - py[k])
        k = j
    out[at] = 15
    at += 1
    out[size] = at - size - 1
    out[whole] = at - whole - 1
    return at, known
