"""Which of many cells does each of many things touch: a look-up table over the cells' plane, exact geometry only near a border.

The table marks every pixel that a border passes and names the one cell of every other pixel; an integral image counts the marked pixels of any
rectangle. A thing whose box holds no marked pixel lies in one cell, or in none, without a single geometric test. All others are asked exactly
(GEOS, prepared cells). Pairs equal ST_Intersects of PostGIS and covers equals ST_Covers; nothing is approximate.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

PIXELS = 1_500_000
"""Pixels of the table: about 5 m each over a district, 7 MiB; finer costs more to build than it saves."""
MARGIN = 1e-6
"""By how much of a pixel a border is thickened, so that rounding of its crossings can never leave a pixel unmarked."""
_OUTSIDE, _BORDER = -1, -2
_ONE = 1 << 32
"""Above every cell number: a running sum of it counts how many cells lie over a pixel."""


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
        self._step = np.array([side / flat, side])
        self._origin = np.array([west, south]) - self._step
        self._columns, self._rows = (int(n) for n in np.ceil((np.array([east, north]) - self._origin) / self._step) + 1)
        self._table = self._painted()

    def __len__(self) -> int:
        return len(self._shapes)

    @cached_property
    def _marked(self) -> NDArray[np.int32]:
        """Integral image of the marked pixels: how many lie below and left of each corner. Points do without it."""
        marked = np.zeros((self._rows + 1, self._columns + 1), dtype=np.int32)
        inner = marked[1:, 1:]
        np.cumsum(self._table == _BORDER, axis=1, dtype=np.int32, out=inner)
        np.cumsum(inner, axis=0, out=inner)
        return marked

    @property
    def nbytes(self) -> int:
        """Memory of the table and its integral image."""
        return self._table.nbytes + self._marked.nbytes

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
        label = self._table.ravel().take(bottom * self._columns + left)
        clear = borders == 0
        whole = np.flatnonzero(clear & (label >= 0))
        unsure = np.flatnonzero(~clear)
        thing, cell = self._tree.query(shapes[unsure])
        touching = shapely.intersects(self._shapes[cell], shapes[unsure[thing]])
        thing, cell = thing[touching], cell[touching]
        order = np.lexsort((cell, thing))
        things = np.concatenate([whole, unsure[thing[order]]])
        cells = np.concatenate([label[whole].astype(np.int64), cell[order]])
        merged = np.argsort(things, kind="stable")
        return things[merged], cells[merged]

    def _place(self, degrees: NDArray[np.float64], axis: int) -> NDArray[np.int64]:
        """The column (axis 0) or row (axis 1) of degrees; what lies beyond the table, or is NaN, falls into its empty rim."""
        steps = (np.asarray(degrees, dtype=np.float64) - self._origin[axis]) / self._step[axis]
        last = (self._columns if axis == 0 else self._rows) - 1
        return np.nan_to_num(np.clip(steps, 0.0, last), copy=False, nan=0.0).astype(np.int64)

    def _asked(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
        point, cell = self._tree.query(shapely.points(lon, lat))
        inside = shapely.intersects_xy(self._shapes[cell], lon[point], lat[point])
        found = np.full(len(lon), len(self._shapes), dtype=np.int64)
        np.minimum.at(found, point[inside], cell[inside])
        found[found == len(self._shapes)] = _OUTSIDE
        return found

    def _painted(self) -> NDArray[np.int32]:
        """Cell of each pixel by its middle, −1 for none, −2 where a border touches the pixel or two cells share it."""
        sums = np.zeros((self._rows, self._columns), dtype=np.int64)
        lines = np.zeros((self._rows, self._columns), dtype=np.int32)
        if len(self._shapes):
            start, end, owner = self._segments()
            np.add.at(sums.ravel(), *self._crossings(start, end, owner))
            first, past = self._touched(start, end)
            np.add.at(lines.ravel(), first, 1)
            np.add.at(lines.ravel(), past, -1)
        np.cumsum(sums, axis=1, out=sums)
        np.cumsum(lines, axis=1, out=lines)
        table = (sums & (_ONE - 1)).astype(np.int32)
        np.copyto(table, _OUTSIDE, where=sums == 0)
        np.copyto(table, _BORDER, where=(lines > 0) | (sums >= 2 * _ONE))
        return table

    def _segments(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """All border segments in pixels, exteriors counter-clockwise and holes clockwise, and the number of the cell of each."""
        oriented = shapely.orient_polygons(self._shapes, exterior_cw=False)
        parts, owner = shapely.get_parts(oriented, return_index=True)
        rings, part = shapely.get_rings(parts, return_index=True)
        points, ring = shapely.get_coordinates(rings, return_index=True)
        points = (points - self._origin) / self._step
        same = ring[1:] == ring[:-1]
        return points[:-1][same], points[1:][same], owner[part[ring[:-1][same]]]

    def _crossings(self, start: NDArray[np.float64], end: NDArray[np.float64], owner: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where borders cross the middle lines of rows: flat pixel right of the crossing, and what the running sum of the row gains there."""
        low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
        first = np.ceil(low - 0.5).astype(np.int64)
        segment, row = _each(first, np.ceil(high - 0.5).astype(np.int64) - first)
        (x, y), (dx, dy) = start[segment].T, (end[segment] - start[segment]).T
        column = np.ceil(x + (row + 0.5 - y) * dx / dy - 0.5).astype(np.int64)
        return row * self._columns + column, np.where(dy < 0, _ONE + owner[segment], -_ONE - owner[segment])

    def _touched(self, start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Runs of pixels that the borders touch, row by row: flat first pixel and the one past the last."""
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
        return row * self._columns + left, row * self._columns + right + 1


def _each(first: NDArray[np.int64], count: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every (segment, row) of runs of rows that begin at `first`.

    >>> [part.tolist() for part in _each(np.array([5, 9]), np.array([2, 1]))]
    [[0, 0, 1], [5, 6, 9]]
    """
    segment = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    return segment, first[segment] + within
