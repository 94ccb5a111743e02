"""Region codes of many shapes at once, from the outlines in memory: a hundred thousand in a tenth of a second."""

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.world.assign import CellIndex
from grid.world.places import CITY
from grid.world.regions import LEVELS, Region

_TINY_DEG = 0.0005
_SMALL_DEG = 0.005
_RING_POINTS = 8
_SHRINK = 0.8
_INDEXED_FROM = 5_000
_PIXELS = 400_000


class Placer:
    """The deepest region that holds each shape (EPSG:4326), `3702` where none does.

    Points and small shapes count by one inner point (the middle of the box of those below some 50 m). A larger one counts by eight points of its outline too,
    drawn in a fifth towards that inner point, so that a district's outline from another source still belongs to its district: the code is what all share.
    After some thousand shapes the outlines are put into look-up tables, one a level.
    """

    def __init__(self, regions: list[Region]) -> None:
        self.regions = sorted(regions, key=lambda r: (-len(r.code), r.code))
        self.codes = np.array([*(r.code for r in self.regions), CITY], dtype=object)
        self._tree = shapely.STRtree([r.geom for r in self.regions]) if self.regions else None
        self._asked = 0
        self._levels: list[tuple[int, CellIndex]] = []

    def place(self, shapes: NDArray[np.object_]) -> NDArray[np.int64]:
        """The number of each shape's region in `codes`."""
        if not len(shapes):
            return np.empty(0, dtype=np.int64)
        bounds = shapely.bounds(shapes)
        extent = (bounds[:, 2:] - bounds[:, :2]).max(axis=1)
        inner = np.empty((len(shapes), 2))
        tiny = extent <= _TINY_DEG
        inner[tiny] = (bounds[tiny, :2] + bounds[tiny, 2:]) / 2
        inner[~tiny] = shapely.get_coordinates(shapely.point_on_surface(shapes[~tiny]))
        found = self._deepest(inner)
        large = np.flatnonzero(extent > _SMALL_DEG)
        if len(large):
            picked = np.stack([_outline(shape) for shape in shapes[large]])
            middle = inner[large][:, None, :]
            ring = self._deepest((middle + _SHRINK * (picked - middle)).reshape(-1, 2)).reshape(len(large), -1)
            numbers = {code: i for i, code in enumerate(self.codes.tolist())}
            for i, around in zip(large, ring, strict=True):
                codes = [self.codes[found[i]], *(code for code in self.codes[around] if code != CITY)]
                found[i] = numbers.get(shared(codes), len(self.codes) - 1)
        return found

    def _deepest(self, points: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.full(len(points), len(self.regions), dtype=np.int64)
        if self._tree is None:
            return found
        self._asked += len(points)
        if self._asked < _INDEXED_FROM:
            point, region = self._tree.query(shapely.points(points), predicate="intersects")
            np.minimum.at(found, point, region)
            return found
        for first, index in self._indexes():
            open_ = np.flatnonzero(found == len(self.regions))
            if not len(open_):
                break
            cell = index.covers(points[open_, 0], points[open_, 1])
            found[open_[cell >= 0]] = first + cell[cell >= 0]
        return found

    def _indexes(self) -> list[tuple[int, CellIndex]]:
        if not self._levels:
            for length in sorted({len(r.code) for r in self.regions}, reverse=True):
                members = [i for i, r in enumerate(self.regions) if len(r.code) == length]
                self._levels.append((members[0], CellIndex([self.regions[i].geom for i in members], _PIXELS)))
        return self._levels


def region_codes(shapes: NDArray[np.object_], regions: list[Region]) -> list[str]:
    """The codes of shapes as `Placer` finds them.

    >>> region_codes(np.array([], dtype=object), [])
    []
    """
    placer = Placer(regions)
    return placer.codes[placer.place(shapes)].tolist()


def shared(codes: list[str]) -> str:
    """The deepest region that holds all regions given; the city where they have nothing else in common.

    >>> shared(["370202001001", "370202001002"]), shared(["370202", "370212001"]), shared([])
    ('370202001', '3702', '3702')
    """
    for length in sorted(LEVELS, reverse=True):
        heads = {code[:length] for code in codes}
        if len(heads) == 1 and len(head := heads.pop()) == length:
            return head
    return CITY


def _outline(shape: shapely.Geometry) -> NDArray[np.float64]:
    outline = shapely.get_coordinates(shape)
    return outline[np.linspace(0, len(outline) - 1, _RING_POINTS).astype(int)]
