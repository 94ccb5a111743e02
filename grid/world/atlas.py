"""Regions and management grids of one day in memory: where each of many points lies, as grid.world.places says it one by one."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from grid.world.assign import CellIndex

CITY = "3702"
"""Where a point belongs that no district holds: at sea, outside, or before the districts are loaded."""


class Atlas:
    """`regions`: (code, level, name, shape) of levels 2 to 4; `cells`: (code, region code, name, shape). On a border the lower code has the point.

    >>> import shapely
    >>> box = shapely.box
    >>> atlas = Atlas([("370202", 2, "市南区", box(0, 0, 4, 4)), ("370202001", 3, "某街道", box(0, 0, 2, 4))], [("370202001001001", "370202001001", "网格 001", box(0, 0, 1, 1))])
    >>> [found.tolist() for found in atlas.places([0.5, 1.5, 3.0, 9.0], [0.5, 0.5, 3.0, 9.0])]
    [['370202001001', '370202001', '370202', '3702'], ['370202001001001', None, None, None]]
    >>> [found.to_pylist() for found in atlas.codes(np.array([0.5, 1.5]), np.array([0.5, 0.5]))]
    [['370202001001', '370202001'], ['370202001001001', None]]
    >>> atlas.name("370202001001", "370202001001001"), atlas.name("370202001", None), atlas.name("3702", None)
    ('市南区 · 某街道 · 网格 001', '市南区 · 某街道', '')
    """

    def __init__(self, regions: Iterable[tuple[str, int, str, BaseGeometry]], cells: Iterable[tuple[str, str, str, BaseGeometry]]) -> None:
        known = sorted(regions, key=lambda r: r[0])
        own = sorted(cells, key=lambda c: c[0])
        self._levels = [_Sheet([r[0] for r in known if r[1] == level], [r[3] for r in known if r[1] == level]) for level in (2, 3, 4)]
        self._cells = _Sheet([c[0] for c in own], [c[3] for c in own])
        codes = [region for _, region, _, _ in own]
        self._first = list(np.cumsum([len(codes), *(len(sheet) for sheet in self._levels)]))
        self._regions = np.array([*codes, *(code for sheet in self._levels for code in sheet.codes[:-1]), CITY], dtype=object)
        self._arrow = pa.array(self._regions, pa.string()), pa.array(self._cells.codes, pa.string())
        self._names = {(code, level): name for code, level, name, _ in known}
        self._cell_names = {code: name for code, _, name, _ in own}
        self._said: dict[tuple[str, str | None], str] = {}

    def places(self, lons: ArrayLike, lats: ArrayLike) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Region code (of the grid, else the deepest region, else the city) and grid code (or None) of points in degrees."""
        region, cell = self._numbers(np.asarray(lons, dtype=np.float64), np.asarray(lats, dtype=np.float64))
        return self._regions[region], self._cells.codes[cell]

    def codes(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[pa.StringArray, pa.StringArray]:
        """`places` as Arrow has it."""
        region, cell = self._numbers(lon, lat)
        cell[cell < 0] = len(self._cells)
        return tuple(codes.take(pa.array(found)) for codes, found in zip(self._arrow, (region, cell), strict=True))

    def _numbers(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each point: number in `_regions`, and of the cell or −1. Regions stand there by cell, then by level, then the city."""
        cell = self._cells.find(lon, lat)
        region = np.array(cell, dtype=np.int64)
        loose = np.flatnonzero(cell < 0)
        for sheet, first in reversed(list(zip(self._levels, self._first, strict=False))):
            if not len(loose):
                break
            found = sheet.find(lon[loose], lat[loose])
            region[loose] = first + found
            loose = loose[found < 0]
        region[loose] = self._first[-1]
        return region, cell

    def name(self, region_code: str, cell_code: str | None) -> str:
        """District, street, and grid or community in words; empty outside every district."""
        key = (region_code, cell_code)
        if key not in self._said:
            last = self._cell_names[cell_code] if cell_code else self._names.get((region_code, 4))
            parts = (self._names.get((region_code[:6], 2)), self._names.get((region_code[:9], 3)), last)
            self._said[key] = " · ".join(part for part in parts if part is not None)
        return self._said[key]


class _Sheet:
    """Codes and shapes that do not nest, in order of their codes."""

    def __init__(self, codes: Sequence[str], shapes: Sequence[BaseGeometry]) -> None:
        self.codes = np.array([*codes, None], dtype=object)
        self._index = CellIndex(shapes)

    def __len__(self) -> int:
        return len(self.codes) - 1

    def find(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
        """The number in `codes` of what lies over each point; -1, where `codes` has None, for nothing."""
        return self._index.covers(lon, lat)
