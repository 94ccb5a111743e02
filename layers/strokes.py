"""Compiled geometry of a tile: from EPSG:3857 to its whole-numbered grid, snapped and clipped as ST_AsMVTGeom does. numba; scratch arrays in place.

The order of steps and the arithmetic are PostGIS's, so that a shape that vanishes there vanishes here. Rings are open (no closing vertex).
"""

import numpy as np
from numba import njit

SMALL_VERTICES = 12
"""A ring of no more is looked at by short loops."""


@njit(nogil=True, cache=True)
def clearances(kinds, parts_of, rings_of, ends, xy, most):
    """By row, for polygons of one ring of at most `most` vertices: metres between its nearest vertex and edge of which the vertex is no end, or across its flattest corner
    where that is less; negative where the ring goes against the clock. 0 for others.

    Rounding moves a vertex 0.71 units of a grid: from 1.42 units on a ring keeps its corners and its edges stay apart, from 2.13 on no edge comes within reach of `bend`.
    """
    found = np.zeros(len(kinds), np.float32)
    for row in range(len(kinds)):
        part = parts_of[row]
        ring = rings_of[part]
        begin = ends[ring]
        n = ends[ring + 1] - begin
        if kinds[row] != 3 or parts_of[row + 1] != part + 1 or rings_of[part + 1] != ring + 1 or n < 3 or n > most:
            continue
        least = np.inf
        area = 0.0
        for k in range(n):
            j = k + 1 if k + 1 < n else 0
            i = j + 1 if j + 1 < n else 0
            ax, ay, bx, by = xy[begin + k, 0], xy[begin + k, 1], xy[begin + j, 0], xy[begin + j, 1]
            cx, cy = xy[begin + i, 0], xy[begin + i, 1]
            area += (ax - xy[begin, 0]) * (by - xy[begin, 1]) - (bx - xy[begin, 0]) * (ay - xy[begin, 1])
            least = min(least, abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / max(np.hypot(cx - ax, cy - ay), 1e-9))
            dx, dy = bx - ax, by - ay
            square = dx * dx + dy * dy
            for m in range(n):
                if m in (k, j):
                    continue
                px, py = xy[begin + m, 0] - ax, xy[begin + m, 1] - ay
                along = min(1.0, max(0.0, (px * dx + py * dy) / square)) if square > 0 else 0.0
                least = min(least, np.hypot(px - along * dx, py - along * dy))
        for k in range(n):
            for m in range(k + 2, n):
                if (m + 1) % n != k and _across(xy, begin + k, begin + (k + 1) % n, begin + m, begin + (m + 1) % n):
                    least = 0.0
        found[row] = least if area < 0 else -least
    return found


@njit(nogil=True, cache=True)
def _across(xy, a, b, c, d):
    return _side(xy, a, b, c) * _side(xy, a, b, d) <= 0 and _side(xy, c, d, a) * _side(xy, c, d, b) <= 0


@njit(nogil=True, cache=True)
def _side(xy, a, b, c):
    return np.sign((xy[b, 0] - xy[a, 0]) * (xy[c, 1] - xy[a, 1]) - (xy[b, 1] - xy[a, 1]) * (xy[c, 0] - xy[a, 0]))


@njit(nogil=True, cache=True)
def snap(xy, begin, n, scale, px, py, at):
    """Rounds `n` vertices to the tile's grid (half to even), without repeats, into px, py from `at`. `scale`: factors and offsets of x and y. Returns how many."""
    kept = 0
    for k in range(n):
        qx = np.int64(np.rint(scale[0] * xy[begin + k, 0] + scale[2]))
        qy = np.int64(np.rint(scale[1] * xy[begin + k, 1] + scale[3]))
        if kept and px[at + kept - 1] == qx and py[at + kept - 1] == qy:
            continue
        px[at + kept], py[at + kept] = qx, qy
        kept += 1
    return kept


@njit(nogil=True, cache=True)
def tidy(px, py, at, n):
    """Takes vertices on straight lines, spikes and repeats out of an open ring. Returns how many are left; fewer than 3: nothing to fill."""
    while True:
        kept = 0
        for k in range(n):
            px[at + kept], py[at + kept] = px[at + k], py[at + k]
            kept += 1
            while kept >= 2 and px[at + kept - 1] == px[at + kept - 2] and py[at + kept - 1] == py[at + kept - 2]:
                kept -= 1
            while kept >= 3 and turn(px, py, at + kept - 3, at + kept - 2, at + kept - 1) == 0:
                px[at + kept - 2], py[at + kept - 2] = px[at + kept - 1], py[at + kept - 1]
                kept -= 1
                if px[at + kept - 1] == px[at + kept - 2] and py[at + kept - 1] == py[at + kept - 2]:
                    kept -= 1
        while kept >= 3 and ((px[at] == px[at + kept - 1] and py[at] == py[at + kept - 1]) or turn(px, py, at + kept - 2, at + kept - 1, at) == 0):
            kept -= 1
        while kept >= 3 and turn(px, py, at + kept - 1, at, at + 1) == 0:
            kept -= 1
            px[at], py[at] = px[at + kept], py[at + kept]
        if kept == n or kept < 3:
            return kept
        n = kept


@njit(nogil=True, cache=True)
def lead(px, py, n, qx, qy, room):
    """Leads edges of an open ring that begins at 0 through the vertices whose grid square they cross, as the snap rounding of ST_AsMVTGeom does (Hobby 1999; closed squares).

    Returns how many vertices stand now. They may lie on straight lines: where edges run along one another both have the same vertices, so that `unpinch` can part them.
    """
    kept = 0
    bent = False
    for k in range(n):
        j = k + 1 if k + 1 < n else 0
        ax, ay, bx, by = px[k], py[k], px[j], py[j]
        dx, dy = bx - ax, by - ay
        reach = abs(dx) + abs(dy)
        west, east, south, north = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
        qx[kept], qy[kept] = ax, ay
        kept += 1
        begin = kept
        for i in range(n):
            if i in (k, j):
                continue
            cx, cy = px[i], py[i]
            if cx < west or cx > east or cy < south or cy > north or 2 * abs(dx * (cy - ay) - dy * (cx - ax)) > reach:
                continue
            if (cx == ax and cy == ay) or (cx == bx and cy == by):
                continue
            if kept + n >= room:
                return n
            along = dx * (cx - ax) + dy * (cy - ay)
            m = kept
            while m > begin and dx * (qx[m - 1] - ax) + dy * (qy[m - 1] - ay) > along:
                qx[m], qy[m] = qx[m - 1], qy[m - 1]
                m -= 1
            qx[m], qy[m] = cx, cy
            kept += 1
            bent = True
    if not bent:
        return n
    for k in range(kept):
        px[k], py[k] = qx[k], qy[k]
    return kept


@njit(nogil=True, cache=True)
def bend(px, py, n, qx, qy, room):
    """As `lead`, then `tidy`: a sliver is gone."""
    kept = lead(px, py, n, qx, qy, room)
    return n if kept == n else tidy(px, py, 0, kept)


@njit(nogil=True, cache=True)
def turn(px, py, a, b, c):
    """Twice the area of three vertices: its sign is the side of c."""
    return (px[b] - px[a]) * (py[c] - py[a]) - (py[b] - py[a]) * (px[c] - px[a])


@njit(nogil=True, cache=True)
def twice_area(px, py, at, n):
    """Twice the signed area of an open ring."""
    total = np.int64(0)
    last = at + n - 1
    for k in range(at, at + n):
        total += px[last] * py[k] - px[k] * py[last]
        last = k
    return total


@njit(nogil=True, cache=True)
def clip_ring(px, py, at, n, low, high, qx, qy):
    """Cuts an open ring by the square from `low` to `high` (Sutherland–Hodgman); crossings are rounded. Returns how many vertices stand from `at`.

    A ring that leaves the square and comes back may run along its border twice: `tangled` tells.
    """
    for side in range(4):
        kept = 0
        vertical = side < 2
        limit = low if side % 2 == 0 else high
        sign = 1 if side % 2 == 0 else -1
        for k in range(n):
            a, b = at + k, at + (k + 1) % n
            ax, ay, bx, by = px[a], py[a], px[b], py[b]
            da = sign * ((ax if vertical else ay) - limit)
            db = sign * ((bx if vertical else by) - limit)
            if da >= 0:
                qx[kept], qy[kept] = ax, ay
                kept += 1
            if (da > 0 and db < 0) or (da < 0 and db > 0):
                share = da / (da - db)
                if vertical:
                    qx[kept], qy[kept] = limit, np.int64(np.rint(ay + share * (by - ay)))
                else:
                    qx[kept], qy[kept] = np.int64(np.rint(ax + share * (bx - ax))), limit
                kept += 1
        for k in range(kept):
            px[at + k], py[at + k] = qx[k], qy[k]
        n = kept
        if n < 3:
            return 0
    return n


@njit(nogil=True, cache=True)
def _meet(px, py, a, b, c, d):
    if max(px[a], px[b]) < min(px[c], px[d]) or max(px[c], px[d]) < min(px[a], px[b]):
        return False
    if max(py[a], py[b]) < min(py[c], py[d]) or max(py[c], py[d]) < min(py[a], py[b]):
        return False
    t1, t2 = turn(px, py, a, b, c), turn(px, py, a, b, d)
    if (t1 > 0 and t2 > 0) or (t1 < 0 and t2 < 0):
        return False
    t3, t4 = turn(px, py, c, d, a), turn(px, py, c, d, b)
    return not ((t3 > 0 and t4 > 0) or (t3 < 0 and t4 < 0))


@njit(nogil=True, cache=True)
def plump(px, py, n):
    """Whether a ring of three or four is convex and so thick that no edge comes near another vertex: most houses are, and need no further look."""
    least = np.int64(1) << 40
    reach = np.int64(0)
    side = np.int64(0)
    for k in range(n):
        j = k + 1 if k + 1 < n else 0
        i = j + 1 if j + 1 < n else 0
        area = turn(px, py, k, j, i)
        if k == 0:
            side = area
        elif (area > 0) != (side > 0):
            return False
        least = min(least, abs(area))
        reach = max(reach, abs(px[j] - px[k]) + abs(py[j] - py[k]))
    return 2 * least > reach


@njit(nogil=True, cache=True)
def near(px, py, n):
    """Whether in an open ring that begins at 0 an edge comes so near a vertex of others that `bend` would lead it there."""
    for k in range(n):
        j = k + 1 if k + 1 < n else 0
        ax, ay, bx, by = px[k], py[k], px[j], py[j]
        dx, dy = bx - ax, by - ay
        reach = abs(dx) + abs(dy)
        west, east, south, north = min(ax, bx), max(ax, bx), min(ay, by), max(ay, by)
        for i in range(n):
            cx, cy = px[i], py[i]
            if west <= cx <= east and south <= cy <= north and i != k and i != j and 2 * abs(dx * (cy - ay) - dy * (cx - ax)) <= reach:
                return True
    return False


@njit(nogil=True, cache=True)
def crossed(px, py, n):
    """Whether edges of an open ring that begins at 0 meet, neighbours apart. As `tangled`, for few vertices."""
    for k in range(n):
        j = k + 1 if k + 1 < n else 0
        for i in range(k + 2, n):
            m = i + 1 if i + 1 < n else 0
            if m != k and _meet(px, py, k, j, i, m):
                return True
    return False


@njit(nogil=True, cache=True)
def unpinch(px, py, n, qx, qy, ends):
    """Splits an open ring that begins at 0 where it comes back to a vertex, into rings one after another that end at `ends`; qx, qy are room. Returns how many."""
    rings = 0
    done = 0
    while n - done >= 3:
        first = last = -1
        for span in range(2, n - done):
            for i in range(done, n - span):
                if px[i] == px[i + span] and py[i] == py[i + span]:
                    first, last = i, i + span
                    break
            if first >= 0:
                break
        if first < 0:
            kept = tidy(px, py, done, n - done)
            if kept >= 3:
                ends[rings] = done = done + kept
                rings += 1
            break
        size = last - first
        for k in range(n - done):
            qx[k], qy[k] = px[done + k], py[done + k]
        for k in range(size):
            px[done + k], py[done + k] = qx[first - done + k], qy[first - done + k]
        at = done + size
        for k in range(n - done):
            if k < first - done or k >= last - done:
                px[at], py[at] = qx[k], qy[k]
                at += 1
        kept = tidy(px, py, done, size)
        if kept >= 3:
            ends[rings] = done + kept
            rings += 1
        else:
            kept = 0
        for k in range(n - done - size):
            px[done + kept + k], py[done + kept + k] = px[done + size + k], py[done + size + k]
        n -= size - kept
        done += kept
    return rings


@njit(nogil=True, cache=True)
def tangled(px, py, ring_ends, rings):
    """Whether edges of rings meet anywhere but at a vertex of both. `ring_ends[k]` is where ring k ends; rings lie one after another from 0."""
    total = ring_ends[rings - 1]
    if rings == 1 and total <= 3:
        return False
    follow = np.empty(total, np.int64)
    begin = 0
    for ring in range(rings):
        end = ring_ends[ring]
        for k in range(begin, end):
            follow[k] = k + 1 if k + 1 < end else begin
        begin = end
    if total <= 40:
        for i in range(total):
            for j in range(i + 1, total):
                if follow[i] != j and follow[j] != i and _meet(px, py, i, follow[i], j, follow[j]):
                    return True
        return False
    west = np.empty(total, np.int64)
    for k in range(total):
        west[k] = min(px[k], px[follow[k]])
    order = np.argsort(west)
    for m in range(total):
        i = order[m]
        east = max(px[i], px[follow[i]])
        for q in range(m + 1, total):
            j = order[q]
            if west[j] > east:
                break
            if follow[i] != j and follow[j] != i and _meet(px, py, i, follow[i], j, follow[j]):
                return True
    return False


@njit(nogil=True, cache=True)
def _along(px, py, a, b, c, d):
    """Whether two edges on one line have more than a point in common."""
    if px[a] != px[b]:
        return min(max(px[a], px[b]), max(px[c], px[d])) > max(min(px[a], px[b]), min(px[c], px[d]))
    return min(max(py[a], py[b]), max(py[c], py[d])) > max(min(py[a], py[b]), min(py[c], py[d]))


@njit(nogil=True, cache=True)
def parted(px, py, ends, rings):
    """Whether rings that `unpinch` made are each free of touches, wound alike, and nowhere cross one another."""
    begin = 0
    side = False
    for ring in range(rings):
        n = ends[ring] - begin
        whole = np.array([n])
        if tangled(px[begin:], py[begin:], whole, 1):
            return False
        area = twice_area(px, py, begin, n)
        if area == 0 or (ring and (area > 0) != side):
            return False
        side = area > 0
        for i in range(begin, ends[ring]):
            a, b = i, i + 1 if i + 1 < ends[ring] else begin
            after = ends[ring]
            for other in range(ring + 1, rings):
                for j in range(after, ends[other]):
                    c, d = j, j + 1 if j + 1 < ends[other] else after
                    shared = (px[a] == px[c] and py[a] == py[c]) or (px[a] == px[d] and py[a] == py[d]) or (px[b] == px[c] and py[b] == py[c]) or (px[b] == px[d] and py[b] == py[d])
                    if shared:
                        ux, uy, vx, vy = px[b] - px[a], py[b] - py[a], px[d] - px[c], py[d] - py[c]
                        if ux * vy == uy * vx and _along(px, py, a, b, c, d):
                            return False
                    elif _meet(px, py, a, b, c, d):
                        return False
                after = ends[other]
        begin = ends[ring]
    return True


@njit(nogil=True, cache=True)
def clip_line(px, py, n, low, high, qx, qy, ends):
    """Cuts a line by the square (Liang–Barsky); pieces lie one after another in qx, qy and end at `ends`. Returns how many pieces."""
    pieces = 0
    kept = 0
    open_ = False
    for k in range(n - 1):
        ax, ay, bx, by = px[k], py[k], px[k + 1], py[k + 1]
        dx, dy = bx - ax, by - ay
        enter, leave = 0.0, 1.0
        inside = True
        for side in range(4):
            p = -dx if side == 0 else dx if side == 1 else -dy if side == 2 else dy
            q = ax - low if side == 0 else high - ax if side == 1 else ay - low if side == 2 else high - ay
            if p == 0:
                if q < 0:
                    inside = False
            else:
                share = q / p
                if p < 0:
                    enter = max(enter, share)
                else:
                    leave = min(leave, share)
        begin = ends[pieces - 1] if pieces else 0
        if not inside or enter > leave:
            if open_:
                pieces, kept = _close(ends, pieces, begin, kept)
                open_ = False
            continue
        if not open_ or enter > 0.0:
            if open_:
                pieces, kept = _close(ends, pieces, begin, kept)
            qx[kept], qy[kept] = np.int64(np.rint(ax + enter * dx)), np.int64(np.rint(ay + enter * dy))
            kept += 1
        cx, cy = np.int64(np.rint(ax + leave * dx)), np.int64(np.rint(ay + leave * dy))
        if qx[kept - 1] != cx or qy[kept - 1] != cy:
            qx[kept], qy[kept] = cx, cy
            kept += 1
        open_ = True
        if leave < 1.0:
            pieces, kept = _close(ends, pieces, ends[pieces - 1] if pieces else 0, kept)
            open_ = False
    if open_:
        pieces, kept = _close(ends, pieces, ends[pieces - 1] if pieces else 0, kept)
    return pieces


@njit(nogil=True, cache=True)
def _close(ends, pieces, begin, kept):
    if kept - begin < 2:
        return pieces, begin
    ends[pieces] = kept
    return pieces + 1, kept
