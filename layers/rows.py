"""Compiled readers of PostgreSQL's binary COPY: rows to columns, values to their bytes in a vector tile, WKB to coordinates. numba; no Python object is touched.

Sources: PostgreSQL manual, COPY "Binary Format"; OGC 06-103r4 §8.2 (WKB); Mapbox Vector Tile 2.1 §4.4 (values).
"""

import numpy as np
from numba import njit

TEXT, INT2, INT4, INT8, FLOAT4, FLOAT8, BOOL = range(7)
HEADER_BYTES = 19
"""Signature, flags and the length of an extension that no server writes."""


@njit(nogil=True, cache=True)
def _big(buffer, at, size):
    value = np.int64(0)
    for k in range(size):
        value = (value << 8) | np.int64(buffer[at + k])
    return value


@njit(nogil=True, cache=True)
def split(buffer, fields):
    """Where each field of each row begins, and its length (-1: NULL). Arrays of (rows, fields)."""
    total = len(buffer)
    rows = 0
    at = HEADER_BYTES
    while at + 2 <= total and buffer[at] != 255:
        at += 2
        for _ in range(fields):
            size = np.int32(_big(buffer, at, 4))
            at += 4 + max(size, 0)
        rows += 1
    start = np.empty((rows, fields), np.int64)
    length = np.empty((rows, fields), np.int32)
    at = HEADER_BYTES
    for row in range(rows):
        at += 2
        for field in range(fields):
            size = np.int32(_big(buffer, at, 4))
            at += 4
            start[row, field] = at
            length[row, field] = size
            at += max(size, 0)
    return start, length


@njit(nogil=True, cache=True)
def integers(buffer, start, length):
    """A column of whole numbers of any width; NULL gives 0."""
    found = np.zeros(len(start), np.int64)
    for row in range(len(start)):
        size = length[row]
        if size > 0:
            value = _big(buffer, start[row], size)
            if size < 8 and value >= np.int64(1) << (8 * size - 1):
                value -= np.int64(1) << (8 * size)
            found[row] = value
    return found


@njit(nogil=True, cache=True)
def dictionary(buffer, start, length):
    """The code of each row's value (-1: NULL), and the first row that holds the value of each code, in order of appearance."""
    rows = len(start)
    size = 16
    while size < 2 * rows:
        size *= 2
    table = np.full(size, -1, np.int32)
    codes = np.empty(rows, np.int32)
    first = np.empty(rows, np.int64)
    known = 0
    for row in range(rows):
        n = length[row]
        if n < 0:
            codes[row] = -1
            continue
        begin = start[row]
        mixed = np.uint64(14695981039346656037)
        for k in range(n):
            mixed = (mixed ^ np.uint64(buffer[begin + k])) * np.uint64(1099511628211)
        mixed ^= mixed >> np.uint64(29)
        slot = np.int64(mixed & np.uint64(size - 1))
        while True:
            code = table[slot]
            if code < 0:
                table[slot] = known
                first[known] = row
                codes[row] = known
                known += 1
                break
            other = first[code]
            same = length[other] == n
            k = 0
            while same and k < n:
                same = buffer[start[other] + k] == buffer[begin + k]
                k += 1
            if same:
                codes[row] = code
                break
            slot = (slot + 1) & (size - 1)
    return codes, first[:known].copy()


@njit(nogil=True, cache=True)
def varint(out, at, value):
    """Writes an unsigned number; returns where it ends."""
    while value > np.uint64(127):
        out[at] = np.uint8((value & np.uint64(127)) | np.uint64(128))
        at += 1
        value >>= np.uint64(7)
    out[at] = np.uint8(value)
    return at + 1


@njit(nogil=True, cache=True)
def values(buffer, start, length, kind):
    """The values of a dictionary as they stand in a layer of a tile (tag, length, Value), joined, and where each begins.

    As ST_AsMVT writes them: whole numbers as uint_value, negative ones as sint_value.
    """
    room = 0
    for k in range(len(start)):
        room += max(length[k], 10) + 16
    out = np.empty(room, np.uint8)
    offsets = np.empty(len(start) + 1, np.int32)
    body = np.empty(24, np.uint8)
    at = 0
    for k in range(len(start)):
        offsets[k] = at
        n, begin = length[k], start[k]
        out[at] = 0x22
        at += 1
        if kind == TEXT:
            head = varint(body, 1, np.uint64(n))
            body[0] = 0x0A
            at = varint(out, at, np.uint64(head + n))
            for j in range(head):
                out[at + j] = body[j]
            for j in range(n):
                out[at + head + j] = buffer[begin + j]
            at += head + n
            continue
        if kind in (FLOAT4, FLOAT8):
            body[0] = 0x15 if kind == FLOAT4 else 0x19
            for j in range(n):
                body[1 + j] = buffer[begin + n - 1 - j]
            end = 1 + n
        elif kind == BOOL:
            body[0], body[1] = 0x38, buffer[begin]
            end = 2
        else:
            value = _big(buffer, begin, n)
            if n < 8 and value >= np.int64(1) << (8 * n - 1):
                value -= np.int64(1) << (8 * n)
            if value >= 0:
                body[0] = 0x28
                end = varint(body, 1, np.uint64(value))
            else:
                body[0] = 0x30
                end = varint(body, 1, (np.uint64(-(value + 1)) << np.uint64(1)) | np.uint64(1))
        at = varint(out, at, np.uint64(end))
        for j in range(end):
            out[at + j] = body[j]
        at += end
    offsets[len(start)] = at
    return out[:at].copy(), offsets


@njit(nogil=True, cache=True)
def _little(buffer, at):
    return np.int64(buffer[at]) | (np.int64(buffer[at + 1]) << 8) | (np.int64(buffer[at + 2]) << 16) | (np.int64(buffer[at + 3]) << 24)


@njit(nogil=True, cache=True)
def measure(buffer, start):
    """Of each WKB (little endian, two dimensions): kind (1 point, 2 line, 3 polygon; 0: another), and its numbers of parts, rings and vertices.

    The closing vertex of a ring is not counted: it is not kept. A point or line is one part of one ring.
    """
    rows = len(start)
    kind = np.zeros(rows, np.uint8)
    counts = np.zeros((rows, 3), np.int64)
    for row in range(rows):
        at = start[row]
        shape = _little(buffer, at + 1)
        if shape < 1 or shape > 6:
            continue
        parts = 1
        many = shape > 3
        at += 5
        if many:
            parts = _little(buffer, at)
            at += 4
        kind[row] = shape - 3 if many else shape
        for _ in range(parts):
            if many:
                at += 5
            rings = 1
            if kind[row] == 3:
                rings = _little(buffer, at)
                at += 4
            for _ in range(rings):
                points = 1
                if kind[row] != 1:
                    points = _little(buffer, at)
                    at += 4
                at += 16 * points
                counts[row, 2] += points - 1 if kind[row] == 3 else points
            counts[row, 1] += rings
        counts[row, 0] += parts
    return kind, counts


@njit(nogil=True, cache=True)
def shapes(buffer, start, order, kind, counts):
    """Coordinates of WKB in an order of rows: first part of each row, first ring of each part, first vertex of each ring, and the vertices (x, y)."""
    rows = len(order)
    parts_of = np.zeros(rows + 1, np.int32)
    rings_of = np.zeros(counts[:, 0].sum() + 1, np.int32)
    ends = np.zeros(counts[:, 1].sum() + 1, np.int32)
    xy = np.empty((counts[:, 2].sum(), 2), np.float64)
    raw = xy.reshape(-1).view(np.uint8)
    part = ring = vertex = 0
    for number in range(rows):
        row = order[number]
        at = start[row]
        shape = _little(buffer, at + 1)
        many = shape > 3
        parts = 1
        at += 5
        if many:
            parts = _little(buffer, at)
            at += 4
        for _ in range(parts):
            if many:
                at += 5
            rings = 1
            if kind[row] == 3:
                rings = _little(buffer, at)
                at += 4
            for _ in range(rings):
                points = 1
                if kind[row] != 1:
                    points = _little(buffer, at)
                    at += 4
                keep = points - 1 if kind[row] == 3 else points
                for k in range(16 * keep):
                    raw[16 * vertex + k] = buffer[at + k]
                at += 16 * points
                vertex += keep
                ring += 1
                ends[ring] = vertex
            part += 1
            rings_of[part] = ring
        parts_of[number + 1] = part
    return parts_of, rings_of, ends, xy


@njit(nogil=True, cache=True)
def boxes(parts_of, rings_of, ends, xy):
    """West, south, east, north of each row, widened to float32 as PostGIS keeps its boxes."""
    rows = len(parts_of) - 1
    found = np.empty((rows, 4), np.float64)
    for row in range(rows):
        first, last = ends[rings_of[parts_of[row]]], ends[rings_of[parts_of[row + 1]]]
        found[row, 0] = found[row, 1] = np.inf
        found[row, 2] = found[row, 3] = -np.inf
        for k in range(first, last):
            found[row, 0] = min(found[row, 0], xy[k, 0])
            found[row, 1] = min(found[row, 1], xy[k, 1])
            found[row, 2] = max(found[row, 2], xy[k, 0])
            found[row, 3] = max(found[row, 3], xy[k, 1])
    return found
