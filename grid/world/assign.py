"""Which of many cells does each of many things touch: a look-up table over the cells' plane, exact geometry only near a border.

The table marks every pixel that a border passes and names the one cell of every other pixel; an integral image counts the marked pixels of any
rectangle. A thing whose box holds no marked pixel, or in whose box no border segment of those pixels can lie, is in one cell, or in none, without
a test of shapes. All others are asked exactly (GEOS, prepared cells). Pairs equal ST_Intersects of PostGIS and covers equals ST_Covers; nothing is approximate.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

PIXELS = 1_000_000
"""Pixels of the table: about 6 m each over a district, 4 MiB (20 with what polygons want); finer costs more to build than it saves."""
MARGIN = 1e-6
"""By how much of a pixel a border is thickened, so that rounding of its crossings can never leave a pixel unmarked."""
_OUTSIDE, _BORDER = -1, -2


class CellIndex:
    """Cells of one day, built once and asked often. Shapes are polygons in degrees; where two claim a point, the one given first has it.

    >>> index = CellIndex([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)])
    >>> index.covers(np.array([0.5, 1.0, 1.5, 2.5]), np.array([0.5, 0.5, 1.0, 0.5])).tolist()
    [0, 0, 1, -1]
    >>> [pair.tolist() for pair in index.pairs([shapely.box(0.2, 0.2, 0.3, 0.3), shapely.box(0.9, 0.2, 1.1, 0.3), shapely.Point()])]
    [[0, 1, 1], [0, 0, 1]]
    >>> CellIndex([]).covers(np.array([0.0]), np.array([0.0])).tolist()
    [-1]
    """

    def __init__(self, shapes: Sequence[BaseGeometry], pixels: int = PIXELS) -> None:
        self._shapes = np.array(shapes, dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)
        west, south, east, north = shapely.total_bounds(self._shapes) if len(self._shapes) else (0.0, 0.0, 1.0, 1.0)
        flat = max(np.cos(np.radians((south + north) / 2)), 0.01)
        side = max(np.sqrt(max(east - west, 1e-9) * flat * max(north - south, 1e-9) / pixels), 1e-9)
        self._scale = np.array([flat / side, 1.0 / side])
        self._origin = np.array([west, south]) - 1.0 / self._scale
        self._columns, self._rows = (int(n) for n in np.ceil((np.array([east, north]) - self._origin) * self._scale) + 1)
        self._table = self._painted()

    def __len__(self) -> int:
        return len(self._shapes)

    @cached_property
    def _marked(self) -> NDArray[np.int32]:
        """Integral image of the marked pixels: how many lie below and left of each corner. Points do without it."""
        marked = np.zeros((self._rows + 1, self._columns + 1), dtype=np.int32)
        np.cumsum(self._table == _BORDER, axis=1, dtype=np.int32, out=marked[1:, 1:])
        for row in range(self._rows):
            np.add(marked[row + 1], marked[row], out=marked[row + 1])
        return marked

    @property
    def nbytes(self) -> int:
        """Memory of the table, its integral image and the borders."""
        return sum(array.nbytes for array in (self._table, self._marked, *self._segments, *self._touched, *self._borders))

    def covers(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
        """The number of the cell that covers each point (border included, the first given of several), −1 where none does or a degree is not finite."""
        at = self._place(lon, 0) + self._place(lat, 1) * self._columns
        found = self._table.ravel().take(at)
        near = np.flatnonzero(found == _BORDER)
        found[near] = self._asked(np.asarray(lon, dtype=np.float64)[near], np.asarray(lat, dtype=np.float64)[near])
        return found

    def pairs(self, shapes: Sequence[BaseGeometry] | NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(thing, cell) of every intersecting pair, a touch included, by thing and then by cell. Empty and missing shapes intersect nothing."""
        shapes = np.asarray(shapes, dtype=object)
        bounds = shapely.bounds(shapes)
        left, right = self._place(bounds[:, 0], 0), self._place(bounds[:, 2], 0)
        bottom, top = self._place(bounds[:, 1], 1), self._place(bounds[:, 3], 1)
        wide = self._columns + 1
        lower, upper = bottom * wide, (top + 1) * wide
        marked = self._marked.ravel()
        borders = marked.take(upper + right + 1) - marked.take(lower + right + 1) - marked.take(upper + left) + marked.take(lower + left)
        label = self._table.ravel().take(bottom * self._columns + left).astype(np.int64)
        unsure = np.flatnonzero(borders != 0)
        met = self._met(bounds[unsure], left[unsure], right[unsure], bottom[unsure], top[unsure])
        apart, near = unsure[~met], unsure[met]
        label[near] = _BORDER
        whole = np.flatnonzero(label >= 0)
        corner = apart[label[apart] == _BORDER]
        spot, over = self._over(bounds[corner, 0], bounds[corner, 1])
        thing, cell = self._tree.query(shapes[near])
        touching = shapely.intersects(self._shapes[cell], shapes[near[thing]])
        exact = np.concatenate([corner[spot], near[thing[touching]]])
        found = np.concatenate([over, cell[touching]])
        order = np.lexsort((found, exact))
        things, cells = np.concatenate([whole, exact[order]]), np.concatenate([label[whole], found[order]])
        merged = np.argsort(things, kind="stable")
        return things[merged], cells[merged]

    def _met(
        self, bounds: NDArray[np.float64], left: NDArray[np.int64], right: NDArray[np.int64], bottom: NDArray[np.int64], top: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether a border may meet each box; where none does, all of the box lies in what covers its corner."""
        start, end, offsets, lines = self._borders
        box, row = _each(bottom, top - bottom + 1)
        first = offsets.take(row * self._columns + left[box])
        run, at = _each(first, offsets.take(row * self._columns + right[box] + 1) - first)
        box, line = box[run], lines.take(at)
        low, high = (bounds[:, :2] - self._origin) * self._scale, (bounds[:, 2:] - self._origin) * self._scale
        half, away = (high - low)[box] / 2 + MARGIN, (high + low)[box] / 2 - start[line]
        step = end[line] - start[line]
        middle = away - step / 2
        close = np.all(np.abs(middle) <= half + np.abs(step) / 2, axis=1)
        close &= np.abs(step[:, 0] * away[:, 1] - step[:, 1] * away[:, 0]) <= np.abs(step[:, 0]) * half[:, 1] + np.abs(step[:, 1]) * half[:, 0]
        met = np.zeros(len(bounds), dtype=bool)
        met[box[close]] = True
        return met

    @cached_property
    def _borders(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Border segments in pixels (starts, ends), and those that touch each pixel: `lines[offsets[pixel] : offsets[pixel + 1]]`."""
        if not len(self._shapes):
            return np.empty((0, 2)), np.empty((0, 2)), np.zeros(self._rows * self._columns + 1, dtype=np.int64), np.empty(0, dtype=np.int64)
        start, end, _ = self._segments
        segment, first, past = self._touched
        run, pixel = _each(first, past - first)
        offsets = np.zeros(self._rows * self._columns + 1, dtype=np.int64)
        np.cumsum(np.bincount(pixel, minlength=len(offsets) - 1), out=offsets[1:])
        return start, end, offsets, segment[run[np.argsort(pixel.astype(np.int32))]]

    def _place(self, degrees: NDArray[np.float64], axis: int) -> NDArray[np.int64]:
        """The column (axis 0) or row (axis 1) of degrees; what lies beyond the table, or is NaN, falls into its empty rim."""
        steps = (np.asarray(degrees, dtype=np.float64) - self._origin[axis]) * self._scale[axis]
        last = float((self._columns if axis == 0 else self._rows) - 1)
        return np.fmax(np.fmin(steps, last, out=steps), 0.0, out=steps).astype(np.int64)

    def _asked(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
        point, cell = self._over(lon, lat)
        found = np.full(len(lon), len(self._shapes), dtype=np.int64)
        np.minimum.at(found, point, cell)
        found[found == len(self._shapes)] = _OUTSIDE
        return found

    def _over(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(point, cell) of every cell that covers a point, by geometry alone."""
        point, cell = self._tree.query(shapely.points(lon, lat))
        inside = shapely.intersects_xy(self._shapes[cell], lon[point], lat[point])
        return point[inside], cell[inside]

    def _painted(self) -> NDArray[np.int32]:
        """Cell of each pixel by its middle, −1 for none, −2 where a border touches the pixel or two cells share it.

        A running sum along each row gains `one` and the number of a cell where it begins and loses both where it ends: how many cells lie over a
        pixel stands above `one`, below it the number of the only one. `one` is so large that no sum of numbers reaches it.
        """
        few = len(self._shapes) < 1024
        one = 1 << (20 if few else 32)
        sums = np.zeros((self._rows, self._columns), dtype=np.int32 if few else np.int64)
        lines = np.zeros((self._rows, self._columns), dtype=np.int32)
        if len(self._shapes):
            at, upward, cell = self._crossings()
            np.add.at(sums.ravel(), at, np.where(upward, -one - cell, one + cell).astype(sums.dtype))
            _, first, past = self._touched
            step = np.ones(len(first), dtype=np.int32)
            np.add.at(lines.ravel(), first, step)
            np.subtract.at(lines.ravel(), past, step)
        np.cumsum(sums, axis=1, out=sums)
        np.cumsum(lines, axis=1, out=lines)
        sums -= one
        table = sums.astype(np.int32, copy=False) if few else np.clip(sums, _OUTSIDE, one).astype(np.int32)
        np.copyto(table, _OUTSIDE, where=sums < 0)
        np.copyto(table, _BORDER, where=(lines > 0) | (sums >= one))
        return table

    @cached_property
    def _segments(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """All border segments in pixels, exteriors counter-clockwise and holes clockwise, and the number of the cell of each."""
        oriented = shapely.orient_polygons(self._shapes, exterior_cw=False)
        parts, owner = shapely.get_parts(oriented, return_index=True)
        rings, part = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        points = (points - self._origin) * self._scale
        same = ring[1:] == ring[:-1]
        return points[:-1][same], points[1:][same], owner[part[ring[:-1][same]]]

    def _crossings(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
        """Where borders cross the middle lines of rows: flat pixel right of the crossing, whether the border runs north (its cell ends), the cell."""
        start, end, owner = self._segments
        low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
        first = np.ceil(low - 0.5).astype(np.int64)
        segment, row = _each(first, np.ceil(high - 0.5).astype(np.int64) - first)
        (x, y), (dx, dy) = start[segment].T, (end[segment] - start[segment]).T
        column = np.ceil(x + (row + 0.5 - y) * dx / dy - 0.5).astype(np.int64)
        return row * self._columns + column, dy > 0, owner[segment]

    @cached_property
    def _touched(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Runs of pixels that the borders touch, row by row: number of the segment, flat first pixel and the one past the last."""
        start, end, _ = self._segments
        low, high = np.minimum(start[:, 1], end[:, 1]) - MARGIN, np.maximum(start[:, 1], end[:, 1]) + MARGIN
        first = np.floor(low).astype(np.int64)
        segment, row = _each(first, np.floor(high).astype(np.int64) - first + 1)
        (x0, y0), (x1, y1) = start[segment].T, end[segment].T
        level = y1 == y0
        slope = (x1 - x0) / np.where(level, 1.0, y1 - y0)
        here = np.where(level, x0, x0 + (np.clip(row - MARGIN, np.minimum(y0, y1), np.maximum(y0, y1)) - y0) * slope)
        there = np.where(level, x1, x0 + (np.clip(row + 1 + MARGIN, np.minimum(y0, y1), np.maximum(y0, y1)) - y0) * slope)
        left = np.floor(np.minimum(here, there) - MARGIN).astype(np.int64)
        right = np.floor(np.maximum(here, there) + MARGIN).astype(np.int64)
        return segment, row * self._columns + left, row * self._columns + right + 1


def _each(first: NDArray[np.int64], count: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every (segment, row) of runs of rows that begin at `first`.

    >>> [part.tolist() for part in _each(np.array([5, 9]), np.array([2, 1]))]
    [[0, 0, 1], [5, 6, 9]]
    """
    segment = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    return segment, first[segment] + within
