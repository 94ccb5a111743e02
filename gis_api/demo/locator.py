"""Regions and grids in memory while the demo city is drawn: which code each of many points gets."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.world.cells import Cell
from grid.world.places import CITY
from grid.world.regions import Region


class Locator:
    """Deepest region and grid of points in degrees; the same answer as grid.world.places, in bulk."""

    def __init__(self, regions: Sequence[Region], cells: Sequence[Cell]) -> None:
        self._levels = [self._tree([r.geom for r in regions if r.level == level], [r.code for r in regions if r.level == level]) for level in (2, 3, 4)]
        self._cells = self._tree([c.geom for c in cells], [c.code for c in cells])

    @staticmethod
    def _tree(shapes: list, codes: list[str]) -> tuple[shapely.STRtree, NDArray[np.object_]]:
        shapely.prepare(np.array(shapes, dtype=object))
        return shapely.STRtree(shapes), np.array(codes, dtype=object)

    def regions(self, points: NDArray[np.object_]) -> NDArray[np.object_]:
        """The deepest region code of each point; the city's where no district holds it."""
        found = np.full(len(points), CITY, dtype=object)
        for tree, codes in self._levels:
            self._fill(found, tree, codes, points)
        return found

    def cells(self, points: NDArray[np.object_]) -> NDArray[np.object_]:
        """The grid code of each point, None where there is none."""
        found = np.full(len(points), None, dtype=object)
        self._fill(found, *self._cells, points)
        return found

    @staticmethod
    def _fill(found: NDArray[np.object_], tree: shapely.STRtree, codes: NDArray[np.object_], points: NDArray[np.object_]) -> None:
        at, shape = tree.query(points, predicate="intersects")
        order = np.lexsort((codes[shape].astype(str), at)) if len(at) else at
        first = np.unique(at[order], return_index=True)[1]
        found[at[order][first]] = codes[shape[order][first]]
