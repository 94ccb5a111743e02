"""Compiled drawing of the rows of a tile: clipped, laid on its grid, kept sound, and handed to `messages` feature by feature. numba, nogil."""

import numpy as np
from numba import njit

from layers.messages import LINE, POINT, POLYGON, SMALL_BYTES, SMALL_COLUMNS, roomy, small, write
from layers.strokes import SMALL_VERTICES, bend, clip_line, clip_ring, crossed, lead, near, parted, plump, snap, tangled, tidy, twice_area, unpinch

FEW_VERTICES = 64
"""A ring of more is not bent to its own vertices: at this size no sliver is left that could vanish."""

MANY_VERTICES = 6000
"""A polygon of more goes to GEOS, whose tests grow slower than the square."""


@njit(nogil=True, cache=True)
def draw(scale, res, wide, low, high, ranges, kinds, parts_of, rings_of, ends, xy, clearance, box, ids, codes, columns, regions, allowed, dead, largest, table, seen, known, first_value):
    """The features of rows inside a tile.

    `scale`: factors and offsets from EPSG:3857 to the tile; `res`: half a unit of its grid; `wide`: its box with buffer in EPSG:3857, `low` and `high` the same in
    units of the grid; `clearance`: see `strokes.clearances`; `ranges`: (from, to) of the rows to look at; `allowed` by region; `dead` by row; `largest`: vertices of the largest row; `table` and `seen`: the tile's dictionary
    of `known` values, code -> place and place -> code, to which values are added that it lacks.
    Returns bytes, where they end, the number of values, and what GEOS must mend: rows, first ring of each row and vertex of each ring, whether a ring is a shell, and the vertices.
    """
    scratch = 2 * largest + 64
    stops = np.empty(scratch, np.int64)
    px, py = np.empty(2 * scratch, np.int64), np.empty(2 * scratch, np.int64)
    qx, qy = np.empty(2 * scratch, np.int64), np.empty(2 * scratch, np.int64)
    hx, hy = np.empty(2 * scratch, np.int64), np.empty(2 * scratch, np.int64)
    ring_ends, piece_ends = np.empty(scratch, np.int64), np.empty(scratch, np.int64)
    shell = np.empty(scratch, np.uint8)
    body = np.empty(24 * scratch + 64, np.uint8)
    tags = np.empty(20 * len(columns) + 8, np.uint8)
    few = len(columns) <= SMALL_COLUMNS
    west, south, east, north = wide[0], wide[1], wide[2], wide[3]
    inner_west, inner_east, inner_south, inner_north = west + 4 * res, east - 4 * res, south + 4 * res, north - 4 * res
    rows = 0
    for segment in range(len(ranges)):
        rows += ranges[segment, 1] - ranges[segment, 0]
    out = np.empty(48 * rows + (1 << 12), np.uint8)
    hard_rows = np.empty(64, np.int64)
    hard_rings = np.zeros(65, np.int64)
    hard_ends = np.zeros(257, np.int64)
    hard_shell = np.empty(256, np.uint8)
    hard_xy = np.empty((1024, 2), np.float64)
    at = hard = hard_ring = 0
    for segment in range(len(ranges)):
        for row in range(ranges[segment, 0], ranges[segment, 1]):
            if box[row, 0] > east or box[row, 2] < west or box[row, 1] > north or box[row, 3] < south:
                continue
            if dead[row] or not allowed[regions[row]]:
                continue
            kind = kinds[row]
            if kind == POLYGON and few:  # one ring of few vertices, as most houses have
                part = parts_of[row]
                ring = rings_of[part]
                begin, end = ends[ring], ends[ring + 1]
                if parts_of[row + 1] == part + 1 and rings_of[part + 1] == ring + 1 and end - begin <= SMALL_VERTICES:
                    if np.float64(box[row, 2]) - np.float64(box[row, 0]) < res and np.float64(box[row, 3]) - np.float64(box[row, 1]) < res:
                        continue
                    n = snap(xy, begin, end - begin, scale, px, py, 0)
                    free = abs(clearance[row]) / (2 * res)
                    good = free > 2.2
                    if not good and n == 4:
                        good = plump(px, py, 4)
                    if not good:
                        if free <= 1.5:
                            n = tidy(px, py, 0, n) if n > 2 else 0
                            if n < 3:
                                continue
                        good = plump(px, py, n) if n <= 4 else not near(px, py, n) and (free > 1.5 or not crossed(px, py, n))
                    inside = box[row, 0] > inner_west and box[row, 2] < inner_east and box[row, 1] > inner_south and box[row, 3] < inner_north
                    if inside and not good:
                        n = bend(px, py, n, qx, qy, 2 * scratch)
                        if n < 3:
                            continue
                        good = n <= SMALL_VERTICES and not crossed(px, py, n)
                    if inside and good:
                        if at + SMALL_BYTES > len(out):
                            out = roomy(out, at, SMALL_BYTES)
                        at, known = small(out, at, ids[row], codes[row], columns, table, seen, known, first_value, px, py, n, twice_area(px, py, 0, n) > 0)
                        continue
            rings = 0
            total = 0
            pieces = 0
            outside = False
            if kind == POINT:
                for part in range(parts_of[row], parts_of[row + 1]):
                    k = ends[rings_of[part]]
                    cx = np.int64(np.rint(scale[0] * xy[k, 0] + scale[2]))
                    cy = np.int64(np.rint(scale[1] * xy[k, 1] + scale[3]))
                    if cx < low or cx > high or cy < low or cy > high or (total and px[total - 1] == cx and py[total - 1] == cy):
                        continue
                    px[total], py[total] = cx, cy
                    total += 1
                if total == 0:
                    continue
                ring_ends[0] = total
                rings = 1
            else:
                if np.float64(box[row, 2]) - np.float64(box[row, 0]) < res and np.float64(box[row, 3]) - np.float64(box[row, 1]) < res:
                    continue
                for part in range(parts_of[row], parts_of[row + 1]):
                    for ring in range(rings_of[part], rings_of[part + 1]):
                        first = ring == rings_of[part]
                        n = ends[ring + 1] - ends[ring]
                        n = snap(xy, ends[ring], n, scale, px, py, total)
                        if kind == POLYGON:
                            n = tidy(px, py, total, n) if n > 2 else 0
                            if n < 3:
                                if first:
                                    break
                                continue
                        elif n < 2:
                            continue
                        for k in range(total, total + n):
                            if px[k] < low or px[k] > high or py[k] < low or py[k] > high:
                                outside = True
                        shell[rings] = first
                        total += n
                        ring_ends[rings] = total
                        rings += 1
                if rings == 0:
                    continue
                if kind == LINE and outside:
                    begin = 0
                    used = 0
                    for ring in range(rings):
                        n = ring_ends[ring] - begin
                        made = clip_line(px[begin:], py[begin:], n, low, high, qx[used:], qy[used:], stops)
                        for piece in range(made):
                            piece_ends[pieces + piece] = used + stops[piece]
                        pieces += made
                        if made:
                            used += stops[made - 1]
                        begin = ring_ends[ring]
                    if pieces == 0:
                        continue
                    for piece in range(pieces):
                        ring_ends[piece] = piece_ends[piece]
                    for k in range(used):
                        px[k], py[k] = qx[k], qy[k]
                    rings = pieces
                elif kind == POLYGON:
                    mend = total > MANY_VERTICES
                    if not mend and outside:
                        if rings == 1:
                            total = clip_ring(px, py, 0, total, low, high, qx, qy)
                            if total:
                                total = tidy(px, py, 0, total)
                            if total < 3:
                                continue
                            ring_ends[0] = total
                        else:
                            mend = True
                    if not mend and not (rings == 1 and total <= 4 and plump(px, py, total)):
                        if rings == 1 and total <= FEW_VERTICES:
                            total = bend(px, py, total, qx, qy, 2 * scratch)
                            if total < 3:
                                continue
                            ring_ends[0] = total
                        mend = tangled(px, py, ring_ends, rings)
                        if mend and rings == 1 and total <= FEW_VERTICES:
                            for k in range(total):
                                hx[k], hy[k] = px[k], py[k]
                            # a ring that was cut may run along the border twice: both ways get the same vertices first
                            rings = unpinch(px, py, lead(px, py, total, qx, qy, 2 * scratch) if outside else total, qx, qy, ring_ends)
                            if rings == 0:
                                continue
                            if parted(px, py, ring_ends, rings):
                                mend = False
                                total = ring_ends[rings - 1]
                                for ring in range(rings):
                                    shell[ring] = 1
                            else:
                                for k in range(total):
                                    px[k], py[k] = hx[k], hy[k]
                                rings = 1
                                ring_ends[0] = total
                    if mend:
                        if hard + 1 >= len(hard_rows):
                            hard_rows = np.concatenate((hard_rows, np.empty_like(hard_rows)))
                            hard_rings = np.concatenate((hard_rings, np.empty_like(hard_rings)))
                        while hard_ring + rings + 1 >= len(hard_shell):
                            hard_shell = np.concatenate((hard_shell, np.empty_like(hard_shell)))
                            hard_ends = np.concatenate((hard_ends, np.empty_like(hard_ends)))
                        while hard_ends[hard_ring] + total >= len(hard_xy):
                            hard_xy = np.concatenate((hard_xy, np.empty_like(hard_xy)))
                        base = hard_ends[hard_ring]
                        for k in range(total):
                            hard_xy[base + k, 0], hard_xy[base + k, 1] = px[k], py[k]
                        for ring in range(rings):
                            hard_shell[hard_ring] = shell[ring]
                            hard_ring += 1
                            hard_ends[hard_ring] = base + ring_ends[ring]
                        hard_rows[hard] = row
                        hard += 1
                        hard_rings[hard] = hard_ring
                        continue
                    if rings == 1 and total <= SMALL_VERTICES and few:
                        if at + SMALL_BYTES > len(out):
                            out = roomy(out, at, SMALL_BYTES)
                        at, known = small(out, at, ids[row], codes[row], columns, table, seen, known, first_value, px, py, total, twice_area(px, py, 0, total) > 0)
                        continue
                    begin = 0
                    for ring in range(rings):
                        _wind(px, py, begin, ring_ends[ring] - begin, shell[ring])
                        begin = ring_ends[ring]
            out = roomy(out, at, 64 + len(tags) + 20 * (ring_ends[rings - 1] + rings))
            at, known = write(out, at, ids[row], kind, codes[row], columns, table, seen, known, first_value, px, py, ring_ends, rings, body, tags)
    return out, at, known, hard_rows[:hard], hard_rings[: hard + 1], hard_ends[: hard_ring + 1], hard_shell[:hard_ring], hard_xy[: hard_ends[hard_ring]]


@njit(nogil=True, cache=True)
def _wind(px, py, begin, n, shell):
    """Turns a ring so that a shell has positive area where y points down (§4.3.3.3), a hole negative."""
    if (twice_area(px, py, begin, n) > 0) != (shell == 1):
        for k in range(n // 2):
            i, j = begin + k, begin + n - 1 - k
            px[i], px[j] = px[j], px[i]
            py[i], py[j] = py[j], py[i]


@njit(nogil=True, cache=True)
def finish(out, at, seen, known, table, first_value, rows, rings_of, ring_ends, shell, x, y, ids, codes, columns):
    """Adds polygons that GEOS has mended, in units of the tile's grid: first ring of each row, end of each ring (open), whether it is a shell."""
    tags = np.empty(20 * len(columns) + 8, np.uint8)
    for number in range(len(rows)):
        first, last = rings_of[number], rings_of[number + 1]
        if first == last:
            continue
        begin = ring_ends[first - 1] if first else 0
        n = ring_ends[last - 1] - begin
        px, py = np.empty(n, np.int64), np.empty(n, np.int64)
        for k in range(n):
            px[k], py[k] = np.int64(np.rint(x[begin + k])), np.int64(np.rint(y[begin + k]))
        ends = np.empty(last - first, np.int64)
        previous = 0
        for ring in range(first, last):
            ends[ring - first] = ring_ends[ring] - begin
            _wind(px, py, previous, ends[ring - first] - previous, shell[ring])
            previous = ends[ring - first]
        body = np.empty(20 * n + 16 * len(ends), np.uint8)
        out = roomy(out, at, 64 + len(tags) + len(body))
        row = rows[number]
        at, known = write(out, at, ids[row], POLYGON, codes[row], columns, table, seen, known, first_value, px, py, ends, last - first, body, tags)
    return out, at, known
