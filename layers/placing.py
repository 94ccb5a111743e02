"""Region codes of many shapes at once, from the outlines in memory: a hundred thousand in a second or two."""

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.world.places import CITY
from grid.world.regions import LEVELS, Region

_SMALL_DEG = 0.005
_RING_POINTS = 8
_SHRINK = 0.8


def region_codes(shapes: NDArray[np.object_], regions: list[Region]) -> list[str]:
    """The deepest region that holds each shape (EPSG:4326), `3702` where none does.

    Points and small shapes count by one inner point. A larger one counts by eight points of its outline too, drawn in a fifth towards that
    inner point, so that a district's outline from another source still belongs to its district: the code is what all of them share.

    >>> region_codes(np.array([], dtype=object), [])
    []
    """
    if not len(shapes):
        return []
    inner = shapely.point_on_surface(shapes)
    deepest = _deepest(inner, regions)
    bounds = shapely.bounds(shapes)
    for i in np.flatnonzero((bounds[:, 2:] - bounds[:, :2]).max(axis=1) > _SMALL_DEG):
        outline = shapely.get_coordinates(shapes[i])
        picked = outline[np.linspace(0, len(outline) - 1, _RING_POINTS).astype(int)]
        middle = shapely.get_coordinates(inner[i])[0]
        seen = [c for c in _deepest(shapely.points(middle + _SHRINK * (picked - middle)), regions) if c != CITY]
        deepest[i] = shared([deepest[i], *seen])
    return deepest


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


def _deepest(points: NDArray[np.object_], regions: list[Region]) -> list[str]:
    found = [CITY] * len(points)
    if not regions:
        return found
    tree = shapely.STRtree([region.geom for region in regions])
    for point, region in zip(*tree.query(points, predicate="intersects").tolist(), strict=True):
        code = regions[region].code
        if (-len(code), code) < (-len(found[point]), found[point]):
            found[point] = code
    return found
