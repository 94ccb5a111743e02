"""Cutting, joining and redrawing areas so that they cover the same ground exactly once: pure geometry, degrees in and out.

What counts is width: a gap, overlap or excess narrower than TOLERANCE_M anywhere it is rounding and is passed over; anything wider is a problem with
its shape, so that it can be shown. Widths are measured in a local plane in metres (true to 0.1 % over a community), areas on the ellipsoid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from grid import geometry

TOLERANCE_M = 0.05
"""Widest sliver that is taken for rounding. Stored corners are rounded to 1e-9 degree (0.1 mm)."""
SMALLEST_M2 = 100.0
"""A grid smaller than this is a slip of the hand."""
STEP = 1e-9
_METRES_A_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a proposed partition: kind `gap`, `overlap`, `outside` or `small`, the areas concerned by number, and where (polygons)."""

    kind: str
    which: tuple[int, ...]
    area_m2: float
    geom: BaseGeometry


def polygonal(shape: BaseGeometry) -> shapely.MultiPolygon:
    """Every area in a shape as one MultiPolygon; lines and points fall away.

    >>> polygonal(shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), POLYGON ((0 0, 1 0, 1 1, 0 0)))")).wkt
    'MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))'
    """
    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.MultiPolygon([p for p in parts if p.geom_type == "Polygon" and not p.is_empty])


def rounded(shape: BaseGeometry) -> shapely.MultiPolygon:
    """The areas of a shape, valid, with corners on multiples of STEP."""
    sound = shape if shape.is_valid else shapely.make_valid(shape)
    return polygonal(shapely.set_precision(polygonal(sound), STEP))


def cut(area: BaseGeometry, line: BaseGeometry) -> list[shapely.MultiPolygon]:
    """The pieces of an area on either side of a line, largest first; one piece when the line does not cut through. Parts of the area that the
    line does not reach go to the nearest piece.

    >>> [round(p.area, 2) for p in cut(shapely.box(0, 0, 4, 1), shapely.LineString([(1, -1), (1, 2)]))]
    [3.0, 1.0]
    >>> len(cut(shapely.box(0, 0, 4, 1), shapely.LineString([(1, 0.2), (1, 2)])))
    1
    """
    pieces: list[BaseGeometry] = []
    whole: list[BaseGeometry] = []
    for part in shapely.get_parts(area):
        noded = shapely.union_all([shapely.boundary(part), line])
        faces = [f for f in shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))) if part.contains(shapely.point_on_surface(f))]
        (pieces if len(faces) > 1 else whole).extend(faces if len(faces) > 1 else [part])
    if not pieces:
        return [polygonal(area)]
    for part in whole:
        nearest = min(range(len(pieces)), key=lambda i: pieces[i].distance(part))
        pieces[nearest] = shapely.union(pieces[nearest], part)
    return sorted((polygonal(p) for p in pieces), key=lambda p: -p.area)


def joined(areas: Sequence[BaseGeometry]) -> tuple[shapely.MultiPolygon, list[int]]:
    """All areas as one, and the numbers of those that share no border with the first, directly or through others.

    >>> box = shapely.box
    >>> joined([box(0, 0, 1, 1), box(2, 0, 3, 1), box(1, 0, 2, 1), box(3, 1, 4, 2)])[1]
    [3]
    """
    reached, waiting = {0}, [0]
    while waiting:
        here = areas[waiting.pop()]
        for i, other in enumerate(areas):
            if i not in reached and shapely.intersection(here, other).length > 0:
                reached.add(i)
                waiting.append(i)
    return polygonal(shapely.union_all(list(areas))), [i for i in range(len(areas)) if i not in reached]


def followed(edited: Sequence[BaseGeometry], before: Sequence[BaseGeometry], neighbours: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """The neighbours after areas `before` became `edited`: they give what was taken and take what was given up, each piece of it by the neighbour
    that shares most border with it.

    >>> box = shapely.box
    >>> [polygonal(p).bounds for p in followed([box(0, 0, 1.5, 1)], [box(0, 0, 1, 1)], [box(1, 0, 2, 1)])]
    [(1.5, 0.0, 2.0, 1.0)]
    >>> [polygonal(p).bounds for p in followed([box(0, 0, 0.5, 1)], [box(0, 0, 1, 1)], [box(1, 0, 2, 1)])]
    [(0.5, 0.0, 2.0, 1.0)]
    """
    claimed = shapely.union_all(list(edited))
    left = [shapely.difference(n, claimed) for n in neighbours]
    for piece in shapely.get_parts(polygonal(shapely.difference(shapely.union_all(list(before)), claimed))):
        borders = [shapely.intersection(shapely.boundary(piece), shapely.boundary(n)).length for n in left]
        if borders and max(borders) > 0:
            best = int(np.argmax(borders))
            left[best] = shapely.union(left[best], piece)
    return left


def flaws(before: Sequence[BaseGeometry], after: Sequence[BaseGeometry]) -> list[Flaw]:
    """What keeps `after` from covering the ground of `before` exactly once, and areas too small to be meant; numbers are of `after`.

    >>> box = shapely.box
    >>> [(f.kind, f.which) for f in flaws([box(0, 0, 2, 1)], [box(0, 0, 1, 1), box(0.9, 0, 1.8, 1)])]
    [('gap', ()), ('overlap', (0, 1))]
    >>> [(f.kind, f.which) for f in flaws([box(0, 0, 2, 1)], [box(0, 0, 1, 1), box(1, 0, 2.1, 1)])]
    [('outside', (1,))]
    >>> flaws([box(0, 0, 2, 1)], [box(0, 0, 1, 1), box(1, 0, 2 + 1e-8, 1)])
    []
    """
    ground = shapely.union_all(list(before))
    found = [_flaw("gap", (), shape) for shape in wide(shapely.difference(ground, shapely.union_all(list(after))))]
    for i, one in enumerate(after):
        for j in range(i + 1, len(after)):
            found += [_flaw("overlap", (i, j), shape) for shape in wide(shapely.intersection(one, after[j]))]
        found += [_flaw("outside", (i,), shape) for shape in wide(shapely.difference(one, ground))]
        if geometry.area_m2(one) < SMALLEST_M2:
            found.append(_flaw("small", (i,), polygonal(one)))
    return found


def wide(shape: BaseGeometry) -> list[BaseGeometry]:
    """The polygons of a shape that are wider than TOLERANCE_M somewhere."""
    parts = shapely.get_parts(polygonal(shape))
    if not len(parts):
        return []
    lon, lat = parts[0].bounds[:2]
    scale = np.array([np.cos(np.radians(lat)), 1.0]) * _METRES_A_DEGREE
    flat = shapely.transform(parts, lambda degrees: (degrees - [lon, lat]) * scale)
    return list(parts[~shapely.is_empty(shapely.buffer(flat, -TOLERANCE_M / 2))])


def _flaw(kind: str, which: tuple[int, ...], shape: BaseGeometry) -> Flaw:
    return Flaw(kind, which, geometry.area_m2(shape), polygonal(shape))
