"""Shapes in storage degrees checked and mended, all of a batch at once."""

import numpy as np
import shapely
from numpy.typing import NDArray

from grid import crs as frames
from grid import geometry


def clean(shapes: NDArray[np.object_], faults: dict[int, str]) -> int:
    """Checks and mends shapes in place; adds faults by index. Returns how many were mended. What comes out has no heights."""
    missing = shapely.is_missing(shapes)
    for i in np.flatnonzero(missing | shapely.is_empty(shapes)):
        faults.setdefault(int(i), "没有几何 · no geometry")
    xy = shapely.get_coordinates(shapes)
    if len(xy):
        _places(shapes, xy, faults)
    mended = 0
    for i in np.flatnonzero(~shapely.is_valid(shapes) & ~missing):
        if int(i) in faults:
            continue
        why = shapely.is_valid_reason(shapes[i])
        shapes[i] = geometry.clean(shapes[i])
        if shapes[i] is None:
            faults[int(i)] = f"几何无效且无法修复 · invalid beyond repair: {why[:80]}"
        else:
            mended += 1
    if shapely.has_z(shapes).any():
        shapes[:] = shapely.force_2d(shapes)
    return mended


def _places(shapes: NDArray[np.object_], xy: NDArray[np.float64], faults: dict[int, str]) -> None:
    x, y = xy[:, 0], xy[:, 1]
    west, south, east, north = frames.CHINA
    if x.min() >= west and x.max() <= east and y.min() >= south and y.max() <= north:
        return
    with np.errstate(invalid="ignore"):
        lost = ~np.isfinite(xy).all(axis=1)
        beyond = (np.abs(x) > 180.0) | (np.abs(y) > 90.0)
        at_home = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        west, south, east, north = frames.QINGDAO
        swapped = ~at_home & (y >= west) & (y <= east) & (x >= south) & (x <= north)
    owner: NDArray[np.int64] | None = None
    for test, reason in (
        (lost, "坐标为 NaN、无穷大或无法换算 · NaN, infinite or unconvertible coordinates"),
        (swapped, "坐标轴颠倒（纬度在前）· swapped axes (latitude first)"),
        ((x == 0.0) & (y == 0.0), "坐标为 0, 0 · coordinates are 0, 0"),
        (beyond, "超出经纬度范围 · outside ±180/±90"),
    ):
        places = np.flatnonzero(test)
        if not len(places):
            continue
        owner = shapely.get_coordinates(shapes, return_index=True)[1] if owner is None else owner
        _, first = np.unique(owner[places], return_index=True)
        for place in places[first]:
            faults.setdefault(int(owner[place]), f"{reason}: {x[place]:.8g}, {y[place]:.8g}")


def family(types: NDArray[np.integer]) -> str:
    """Point, LineString, Polygon, or Mixed, of shapely type ids."""
    kinds = {int(kind) for kind in np.unique(types)}
    dimensions = {_DIMENSION.get(kind, -1) for kind in kinds}
    return "Mixed" if len(dimensions) != 1 or -1 in dimensions else ("Point", "LineString", "Polygon")[dimensions.pop()]


_DIMENSION = {0: 0, 1: 1, 2: 1, 3: 2, 4: 0, 5: 1, 6: 2}
"""Dimension by shapely type id; a collection has none of its own."""
