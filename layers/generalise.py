"""Buildings drawn from further away: neighbours melt into blocks, corners and specks that no screen shows go. Pure geometry, no database."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

LEVELS = range(15, 8, -1)
UNIT_ZOOM = 14
WORLD = 40075016.685578488
TILE_BUDGET = 400_000
"""Bytes that a tile of a level should not exceed before compression; 500 kB is the promise."""

_COARSER = (1.0, 1.6, 2.6, 4.2, 7.0)
_BAND = np.log(1.35)


@dataclass(frozen=True, slots=True)
class Shapes:
    """Parallel columns: polygons in EPSG:3857, mean height (m), the use and the region of most of the area, number of buildings inside."""

    geom: NDArray[np.object_]
    height_m: NDArray[np.float64]
    use: NDArray[np.object_]
    region: NDArray[np.object_]
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.geom)

    def at(self, index: NDArray) -> "Shapes":
        """The rows of an index or mask."""
        return Shapes(self.geom[index], self.height_m[index], self.use[index], self.region[index], self.count[index])


def pixel_m(zoom: int) -> float:
    """Side of a screen pixel in EPSG:3857 metres where a tile is 512 pixels wide.

    >>> round(pixel_m(14), 2)
    4.78
    """
    return WORLD / (512 * 2**zoom)


def pyramid(buildings: Shapes) -> dict[int, Shapes]:
    """The levels of one unit (a z14 tile), each made from the finer one, coarser where a tile would exceed its budget.

    A block never crosses a region, so a tile can be cut to what its caller may see. From z14 up only buildings of like height melt together, so that a
    skyline keeps its towers.
    """
    made: dict[int, Shapes] = {}
    finer = buildings
    for level in LEVELS:
        share = TILE_BUDGET / 4 ** max(0, UNIT_ZOOM - max(level, 12))
        for factor in _COARSER:
            finer = generalise(finer, pixel_m(level) * factor, skyline=level >= 14)
            if estimated_bytes(finer) <= share * (4 if level > UNIT_ZOOM else 1) and _fullest_quarter(finer, level) <= share:
                break
        made[level] = finer
    return made


def generalise(shapes: Shapes, pixel: float, *, skyline: bool) -> Shapes:
    """Closes gaps under 0.8 pixels between neighbours of one region, drops corners under 0.35 pixels, holes and blocks under 1.5 square pixels.

    `pixel` in metres of EPSG:3857. The result is ordered along a Hilbert curve. Nothing gives nothing.
    """
    if not len(shapes):
        return shapes
    gap, corner, speck = 0.4 * pixel, 0.35 * pixel, 1.5 * pixel * pixel
    band = np.floor(np.log(np.maximum(shapes.height_m, 1.0)) / _BAND).astype(int) if skyline else np.zeros(len(shapes), int)
    _, group = np.unique(np.char.add(np.char.add(shapes.region.astype(str), "/"), band.astype(str)), return_inverse=True)
    order = np.argsort(group, kind="stable")
    swollen = shapely.buffer(shapes.geom, gap, quad_segs=1, join_style="mitre", cap_style="square", mitre_limit=2.0)
    area = shapely.area(shapes.geom)
    inside = shapely.point_on_surface(shapes.geom)
    parts = []
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        parts.append(_melt(shapes, members, swollen[members], inside[members], area[members], gap, corner, speck))
    whole = Shapes(*(np.concatenate([getattr(part, name) for part in parts]) for name in Shapes.__slots__))
    if not len(whole):
        return whole
    return whole.at(np.argsort(hilbert(shapely.centroid(whole.geom)), kind="stable"))


def _melt(shapes: Shapes, members: NDArray, swollen: NDArray, inside: NDArray, area: NDArray, gap: float, corner: float, speck: float) -> Shapes:
    blocks = shapely.get_parts(shapely.buffer(shapely.get_parts(shapely.disjoint_subset_union_all(swollen)), -gap, quad_segs=1, join_style="mitre", mitre_limit=2.0))
    blocks = shapely.simplify(blocks, corner, preserve_topology=True)
    blocks = blocks[(shapely.get_type_id(blocks) == 3) & (shapely.area(blocks) >= speck)]
    blocks = _without_small_holes(blocks, speck)
    blocks = np.where(shapely.is_valid(blocks), blocks, shapely.buffer(blocks, 0))
    blocks = shapely.get_parts(blocks)
    blocks = blocks[(shapely.get_type_id(blocks) == 3) & ~shapely.is_empty(blocks)]
    point, block = shapely.STRtree(blocks).query(inside, predicate="intersects")
    n = len(blocks)
    weight = np.bincount(block, area[point], n)
    known = weight > 0
    height = np.divide(np.bincount(block, area[point] * shapes.height_m[members][point], n), weight, out=np.full(n, 3.0), where=known)
    uses, code = np.unique(shapes.use[members].astype(str), return_inverse=True)
    by_use = np.bincount(block * len(uses) + code[point], area[point], n * len(uses)).reshape(n, len(uses))
    count = np.bincount(block, shapes.count[members][point], n).astype(np.int64)
    result = Shapes(blocks, np.round(height, 0).clip(1), uses[by_use.argmax(1)].astype(object), np.repeat(shapes.region[members[:1]], n), count)
    return result.at(known)


def _without_small_holes(blocks: NDArray, speck: float) -> NDArray:
    for number in np.flatnonzero(shapely.get_num_interior_rings(blocks)):
        holes = [ring for ring in blocks[number].interiors if shapely.area(shapely.polygons(ring)) >= 4 * speck]
        blocks[number] = shapely.polygons(shapely.get_exterior_ring(blocks[number]), holes or None)
    return blocks


def hilbert(points: NDArray, bits: int = 16) -> NDArray[np.int64]:
    """Place of points along a Hilbert curve over their own box: neighbours in space become neighbours on disk."""
    xy = shapely.get_coordinates(points)
    low = xy.min(0)
    span = np.maximum((xy.max(0) - low).max(), 1e-9)
    x, y = ((xy - low) / span * (2**bits - 1)).astype(np.int64).T
    distance = np.zeros(len(xy), np.int64)
    side = 1 << (bits - 1)
    while side:
        right, up = (x & side) > 0, (y & side) > 0
        distance += side * side * ((3 * right) ^ up)
        flip = ~up
        mirror = flip & right
        x, y = np.where(mirror, side - 1 - (x & (side - 1)), x & (side - 1)), np.where(mirror, side - 1 - (y & (side - 1)), y & (side - 1))
        x, y = np.where(flip, y, x), np.where(flip, x, y)
        side >>= 1
    return distance


def estimated_bytes(shapes: Shapes) -> float:
    """Size in a vector tile, from above: measured 22 bytes a feature and 3.2 a vertex."""
    return 22.0 * len(shapes) + 3.2 * float(shapely.get_num_coordinates(shapes.geom).sum())


def _fullest_quarter(shapes: Shapes, level: int) -> float:
    if level <= UNIT_ZOOM or not len(shapes):
        return 0.0
    side = WORLD / 2**level
    x, y = np.floor(shapely.get_coordinates(shapely.centroid(shapes.geom)) / side).astype(np.int64).T
    _, tile = np.unique(x * 2**20 + y, return_inverse=True)
    return float(np.bincount(tile, 22.0 + 3.2 * shapely.get_num_coordinates(shapes.geom)).max())
