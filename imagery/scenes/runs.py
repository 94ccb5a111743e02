"""Compiled work on masks as runs: connected pieces and their outlines from the stretches of marked pixels, not from the pixels. numba, nogil.

A run is (row, start, stop): marked pixels start … stop - 1 of a row. Runs stand in the order of their pixels; values go with their pixels.
Pieces: two-pass labelling over runs with union-find (He, Chao & Suzuki, IEEE Trans. Image Processing 17(5), 2008). Outlines follow pixel edges.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True, slots=True)
class Runs:
    """A mask of (height, width) as runs: `rows`, `starts`, `stops` int32 (runs,); `values` float32, one for each marked pixel in their order."""

    height: int
    width: int
    rows: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    values: np.ndarray

    @property
    def pixels(self) -> int:
        """How many pixels are marked."""
        return len(self.values)

    def painted(self, window: tuple[int, int, int, int] | None = None) -> np.ndarray:
        """The mask, (height, width) bool, or that of a window (row, col, height, width) of it."""
        top, left, height, width = window or (0, 0, self.height, self.width)
        some = slice(*np.searchsorted(self.rows, (top, top + height)))
        starts, stops = (np.clip(side[some] - left, 0, width) for side in (self.starts, self.stops))
        mask = np.zeros((height, width), np.uint8)
        _paint(mask, self.rows[some] - np.int32(top), starts, stops)
        return mask.view(bool)

    def counted(self, side: int) -> np.ndarray:
        """How many pixels are marked in each tile of side × side, (tiles down, tiles across) int64."""
        down, across = -(-self.height // side), -(-self.width // side)
        found = np.zeros(down * across)
        row, starts, stops = self.rows // side * across, self.starts, self.stops
        while len(row):
            ends = np.minimum(stops, (starts // side + 1) * side)
            found += np.bincount(row + starts // side, ends - starts, minlength=len(found))
            on = ends < stops
            row, starts, stops = row[on], ends[on], stops[on]
        return found.astype(np.int64).reshape(down, across)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Connected pieces in the order of their first pixel: `of` (runs,) the piece of each run; `pixels`, `sums` and `peaks` of its values."""

    of: np.ndarray
    pixels: np.ndarray
    sums: np.ndarray
    peaks: np.ndarray


@dataclass(frozen=True, slots=True)
class Rings:
    """Closed outlines along pixel edges: ring i has the corners `offsets[i]` … `offsets[i + 1]` (column, row; corners only, the first not repeated),
    belongs to run `run[i]` and has the area `area[i]` in pixels: positive around marked pixels, negative around a hole."""

    columns: np.ndarray
    rows: np.ndarray
    offsets: np.ndarray
    run: np.ndarray
    area: np.ndarray


def runs_of(mask: np.ndarray, score: np.ndarray) -> Runs:
    """The runs of `mask` (rows, cols) bool with `score` (rows, cols) of its pixels."""
    mask = np.ascontiguousarray(mask)
    return Runs(*mask.shape, *_scan(mask.view(np.uint8)), score[mask].astype(np.float32))


def looked_up(before: np.ndarray, after: np.ndarray, table: np.ndarray, scores: np.ndarray) -> tuple[Runs, int]:
    """The runs of the pixels whose pair of codes is in the table, and how many pixels have two codes other than 0. `before`, `after` (rows, cols) uint8;
    `table` uint8 and `scores` float32 (256, 256), indexed by the code before and the code after."""
    rows, starts, stops, values, seen = _look_up(before, after, table, scores)
    return Runs(*before.shape, rows, starts, stops, values), int(seen)


def stacked(parts: list[Runs]) -> Runs:
    """One mask of strips of it, from the north to the south; all of one width."""
    tops = np.cumsum([0, *(part.height for part in parts)])
    rows = [part.rows + np.int32(top) for part, top in zip(parts, tops[:-1], strict=True)]
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name in ("starts", "stops", "values")]
    return Runs(int(tops[-1]), parts[0].width, np.concatenate(rows), *joined)


def pieces(runs: Runs, *, corners: bool = True) -> Pieces:
    """The connected pieces; with `corners` pixels that touch at a corner are connected too."""
    of, count = _connect(runs.rows, runs.starts, runs.stops, corners)
    return Pieces(of, *_tally(of, count, runs.starts, runs.stops, runs.values))


def rings(runs: Runs, wanted: np.ndarray) -> Rings:
    """The outlines of the runs where `wanted` (runs,) bool: whole pieces. Every ring is simple: where pixels of one piece meet only at a corner,
    rings touch there and do not cross."""
    mask = np.zeros((runs.height, runs.width), np.uint8)
    rows, starts, stops = runs.rows[wanted], runs.starts[wanted], runs.stops[wanted]
    _paint(mask, rows, starts, stops)
    columns, lines, offsets, run, crossing = _trace(mask, rows, starts, stops)
    columns, lines, offsets, run = _parted(columns, lines, offsets, run, crossing, runs.width)
    return Rings(columns, lines, offsets, np.flatnonzero(wanted)[run], _areas(columns, lines, offsets))


def _parted(columns: np.ndarray, rows: np.ndarray, offsets: np.ndarray, run: np.ndarray, crossing: np.ndarray, width: int) -> tuple:
    """Parts rings that pass one corner twice: there both passes go on with the other's way, which leaves simple rings."""
    at = np.flatnonzero(crossing)
    ring = np.searchsorted(offsets, at, side="right") - 1
    place = rows[at].astype(np.int64) * (width + 1) + columns[at]
    order = np.lexsort((place, ring))
    at, ring, place = at[order], ring[order], place[order]
    twice = np.flatnonzero((ring[1:] == ring[:-1]) & (place[1:] == place[:-1]))
    if not len(twice):
        return columns, rows, offsets, run
    following = np.arange(1, len(columns) + 1)
    following[offsets[1:] - 1] = offsets[:-1]
    first, second = at[twice], at[twice + 1]
    following[first], following[second] = following[second], following[first]
    visit, ends, source = _cycles(following)
    owner = np.searchsorted(offsets, source, side="right") - 1
    return columns[visit], rows[visit], np.concatenate([[0], ends]), run[owner]


@njit(nogil=True, cache=True)
def _paint(mask: np.ndarray, rows: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> None:
    for i in range(len(rows)):
        mask[rows[i], starts[i] : stops[i]] = 1


@njit(nogil=True, cache=True)
def _longer(old: np.ndarray, more: int = 0) -> np.ndarray:
    new = np.empty(2 * len(old) + more, old.dtype)
    new[: len(old)] = old
    return new


@njit(nogil=True, cache=True)
def _scan(mask: np.ndarray) -> tuple:
    height, width = mask.shape
    flat = mask.reshape(-1)
    words = flat[: len(flat) // 8 * 8].view(np.uint64)
    rows, starts, stops = np.empty(4096, np.int32), np.empty(4096, np.int32), np.empty(4096, np.int32)
    count = 0
    for row in range(height):
        base, x = row * width, 0
        while x < width:
            at = base + x
            if at & 7 == 0 and x + 8 <= width and words[at >> 3] == 0:
                x += 8
            elif flat[at] == 0:
                x += 1
            else:
                start = x
                while x < width and flat[base + x] != 0:
                    x += 1
                if count == len(rows):
                    rows, starts, stops = _longer(rows), _longer(starts), _longer(stops)
                rows[count], starts[count], stops[count] = row, start, x
                count += 1
    return rows[:count].copy(), starts[:count].copy(), stops[:count].copy()


@njit(nogil=True, cache=True)
def _look_up(before: np.ndarray, after: np.ndarray, table: np.ndarray, scores: np.ndarray) -> tuple:
    """Most pixels are told apart by the difference of their codes alone, many at a time; only the others are looked up."""
    least, most = 512, -512
    for a in range(256):
        for b in range(256):
            if table[a, b] & 1:
                least, most = min(least, a - b), max(most, a - b)
    least, most = np.int16(least), np.int16(most)
    height, width = before.shape
    rows, starts, stops = np.empty(4096, np.int32), np.empty(4096, np.int32), np.empty(4096, np.int32)
    values = np.empty(65536, np.float32)
    near = np.zeros((width + 8) // 8 * 8, np.uint8)
    words = near.view(np.uint64)
    count, marked, seen = 0, 0, 0
    for row in range(height):
        old, new = before[row], after[row]
        for x in range(width):
            difference = np.int16(old[x]) - np.int16(new[x])
            near[x] = (difference >= least) & (difference <= most)
        known = np.int32(0)
        for x in range(width):
            known += np.int32((old[x] != 0) & (new[x] != 0))
        seen += known
        if count + width >= len(rows):
            rows, starts, stops = _longer(rows, width), _longer(starts, width), _longer(stops, width)
        if marked + width > len(values):
            values = _longer(values, width)
        start = -1
        for word in range(len(words)):
            if words[word] == 0:
                if start >= 0:
                    rows[count], starts[count], stops[count] = row, start, 8 * word
                    count += 1
                    start = -1
                continue
            for x in range(8 * word, min(8 * word + 8, width)):
                if near[x] and table[old[x], new[x]] & 1:
                    if start < 0:
                        start = x
                    values[marked] = scores[old[x], new[x]]
                    marked += 1
                elif start >= 0:
                    rows[count], starts[count], stops[count] = row, start, x
                    count += 1
                    start = -1
        if start >= 0:
            rows[count], starts[count], stops[count] = row, start, width
            count += 1
    return rows[:count].copy(), starts[:count].copy(), stops[:count].copy(), values[:marked].copy(), seen


@njit(nogil=True, cache=True)
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(nogil=True, cache=True)
def _connect(rows: np.ndarray, starts: np.ndarray, stops: np.ndarray, corners: bool) -> tuple:
    count, reach = len(rows), 1 if corners else 0
    parent = np.arange(count)
    above, first = 0, 0
    for i in range(count):
        if i and rows[i] != rows[i - 1]:
            above, first = first, i
        if first == above or rows[above] != rows[i] - 1:
            above = first
            continue
        while above < first and stops[above] + reach <= starts[i]:
            above += 1
        j = above
        while j < first and starts[j] < stops[i] + reach:
            a, b = _root(parent, i), _root(parent, j)
            parent[max(a, b)] = min(a, b)
            j += 1
    label = np.empty(count, np.int64)
    found = 0
    for i in range(count):
        root = _root(parent, i)
        if root == i:
            label[i] = found
            found += 1
        else:
            label[i] = label[root]
    return label, found


@njit(nogil=True, cache=True)
def _tally(of: np.ndarray, count: int, starts: np.ndarray, stops: np.ndarray, values: np.ndarray) -> tuple:
    pixels, sums, peaks = np.zeros(count, np.int64), np.zeros(count, np.float64), np.full(count, -np.inf)
    k = 0
    for i in range(len(of)):
        for _ in range(starts[i], stops[i]):
            pixels[of[i]] += 1
            if not np.isnan(values[k]):
                sums[of[i]] += values[k]
                peaks[of[i]] = max(peaks[of[i]], values[k])
            k += 1
    return pixels, sums, peaks


@njit(nogil=True, cache=True)
def _trace(mask: np.ndarray, rows: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> tuple:
    """Walks each outline with the marked pixels on its right, turning so as to stay with its own pixel where two meet at a corner only.

    Directions 0 east, 1 south, 2 west, 3 north; upper edges that were walked get the second bit. `crossing`: corners of such meetings."""
    height, width = mask.shape
    xs, ys, crossing = np.empty(65536, np.int32), np.empty(65536, np.int32), np.empty(65536, np.uint8)
    offsets, run = np.empty(4096, np.int64), np.empty(4096, np.int64)
    count, found = 0, 0
    for i in range(len(rows)):
        top = rows[i]
        for left in range(starts[i], stops[i]):
            if (top > 0 and mask[top - 1, left]) or mask[top, left] & 2:
                continue
            if found + 1 >= len(offsets):
                offsets, run = _longer(offsets), _longer(run)
            offsets[found], run[found] = count, i
            found += 1
            x, y, way = left, top, 0
            met_first = left > 0 and top > 0 and mask[top - 1, left - 1] != 0 and mask[top, left - 1] == 0
            xs[count], ys[count], crossing[count] = x, y, met_first
            count += 1
            while True:
                if way == 0:
                    mask[y, x] |= 2
                    x += 1
                    right_y, right_x, left_y, left_x = y, x, y - 1, x
                elif way == 1:
                    y += 1
                    right_y, right_x, left_y, left_x = y, x - 1, y, x
                elif way == 2:
                    x -= 1
                    right_y, right_x, left_y, left_x = y - 1, x - 1, y, x - 1
                else:
                    y -= 1
                    right_y, right_x, left_y, left_x = y - 1, x, y - 1, x - 1
                right = 0 <= right_y < height and 0 <= right_x < width and mask[right_y, right_x] != 0
                ahead = 0 <= left_y < height and 0 <= left_x < width and mask[left_y, left_x] != 0
                turned = way
                if not right:
                    turned = (way + 1) & 3
                elif ahead:
                    turned = (way + 3) & 3
                if x == left and y == top and turned == 0:
                    break
                if turned != way:
                    if count == len(xs):
                        xs, ys, crossing = _longer(xs), _longer(ys), _longer(crossing)
                    xs[count], ys[count], crossing[count] = x, y, ahead and not right
                    count += 1
                    way = turned
    offsets[found] = count
    return xs[:count].copy(), ys[:count].copy(), offsets[: found + 1].copy(), run[:found].copy(), crossing[:count].copy()


@njit(nogil=True, cache=True)
def _cycles(following: np.ndarray) -> tuple:
    count = len(following)
    seen, visit = np.zeros(count, np.uint8), np.empty(count, np.int64)
    ends, source = np.empty(count, np.int64), np.empty(count, np.int64)
    done, found = 0, 0
    for i in range(count):
        if seen[i]:
            continue
        at = i
        while not seen[at]:
            seen[at] = 1
            visit[done] = at
            done += 1
            at = following[at]
        ends[found], source[found] = done, i
        found += 1
    return visit, ends[:found].copy(), source[:found].copy()


@njit(nogil=True, cache=True)
def _areas(columns: np.ndarray, rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    area = np.zeros(len(offsets) - 1)
    for i in range(len(area)):
        previous = offsets[i + 1] - 1
        for at in range(offsets[i], offsets[i + 1]):
            area[i] += columns[previous] * float(rows[at]) - columns[at] * float(rows[previous])
            previous = at
        area[i] /= 2
    return area
