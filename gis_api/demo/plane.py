"""The metric plane in which the demo city is drawn: CGCS2000 / 3-degree Gauss-Kruger CM 120E (EPSG:4549), metres, x east, y north.

Also its dice: one generator per thing, from one seed, so that a thing stays as it is when another changes.
"""

import zlib
from functools import cache

import numpy as np
import shapely
from pyproj import Transformer

SEED = 20260101


@cache
def _transformer(forward: bool) -> Transformer:
    return Transformer.from_crs(4326, 4549, always_xy=True) if forward else Transformer.from_crs(4549, 4326, always_xy=True)


def to_plane(shapes):
    """Geometry or array of geometries from degrees (EPSG:4326) to plane metres."""
    return shapely.transform(shapes, lambda x, y: _transformer(True).transform(x, y), interleaved=False)


def to_degrees(shapes):
    """Geometry or array of geometries from plane metres to degrees (EPSG:4326), rounded to 1e-8 degree (1 mm)."""
    return shapely.transform(shapes, lambda x, y: tuple(np.round(v, 8) for v in _transformer(False).transform(x, y)), interleaved=False)


def xy(lon, lat):
    """Plane metres of degrees, as two floats or arrays."""
    return _transformer(True).transform(lon, lat)


def lonlat(x, y):
    """Degrees of plane metres, as two floats or arrays."""
    return _transformer(False).transform(x, y)


def dice(name: str) -> np.random.Generator:
    """The generator of a named thing: the same numbers on every run."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def polygonal(shape):
    """The MultiPolygon of all areas in a shape; what is no area is dropped."""
    parts = [p for p in shapely.get_parts(shapely.get_parts(shape)) if p.geom_type == "Polygon" and not p.is_empty]
    return shapely.MultiPolygon(parts)


def clipped(pieces, area):
    """The polygons of many pieces inside an area; only those on its edge are cut."""
    shapely.prepare(area)
    pieces = pieces[shapely.intersects(area, pieces)]
    whole = shapely.contains_properly(area, pieces)
    cut = shapely.get_parts(shapely.get_parts(shapely.intersection(pieces[~whole], area)))
    return np.concatenate([pieces[whole], cut[(shapely.get_type_id(cut) == 3) & (shapely.area(cut) > 0)]])
