"""Shapes in storage coordinates (EPSG:4326, degrees, longitude before latitude): cleaning, boxes, geodesic measures, constructed shapes.

Lengths are metres, areas square metres, both on the ellipsoid. Azimuths are degrees clockwise from true north. Constructed shapes that
cross the antimeridian come back cut in two (RFC 7946 §3.1.9); measures of a cut shape equal those of the whole.
"""

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from grid.errors import InvalidInput

GEOD = Geod(ellps="WGS84")
"""CGCS2000's ellipsoid differs from it by 0.1 mm in the polar axis."""

BBox = tuple[float, float, float, float]


def clean(geometry: BaseGeometry | None) -> BaseGeometry | None:
    """A valid, two-dimensional copy of the same dimension, or None where there is nothing (None, empty, collapsed).

    Raises InvalidInput for NaN or infinite coordinates and for longitudes or latitudes outside ±180/±90.

    >>> clean(shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))")).geom_type
    'MultiPolygon'
    >>> clean(None) is None, clean(shapely.Point()) is None
    (True, True)
    >>> clean(shapely.from_wkt("POLYGON ((0 0, 1 1, 0 0, 0 0))")) is None
    True
    """
    if geometry is None or geometry.is_empty:
        return None
    coordinates = shapely.get_coordinates(geometry)
    if not np.isfinite(coordinates).all():
        raise InvalidInput("坐标含 NaN 或无穷大 · coordinates hold NaN or infinity", remedy="修正该要素的坐标 · mend this feature's coordinates")
    beyond = (np.abs(coordinates[:, 0]) > 180.0) | (np.abs(coordinates[:, 1]) > 90.0)
    if beyond.any():
        lon, lat = coordinates[beyond][0]
        raise InvalidInput(
            f"坐标超出经纬度范围 · outside ±180/±90: {lon:.10g}, {lat:.10g}",
            remedy="检查坐标系与坐标轴顺序 · check the reference system and the axis order",
        )
    shape = shapely.force_2d(geometry)
    if shape.is_valid:
        return shape
    mended = shapely.make_valid(shape)
    kept = _of_dimension(mended, shapely.get_dimensions(shape))
    return None if kept is None or kept.is_empty else kept


def bbox(geometry: BaseGeometry | None) -> BBox | None:
    """West, south, east, north; west > east where the shape is cut at the antimeridian; None for nothing.

    >>> bbox(shapely.LineString([(120.0, 36.0), (121.0, 35.0)]))
    (120.0, 35.0, 121.0, 36.0)
    >>> bbox(circle(180.0, 0.0, 1000.0))[0] > 0 > bbox(circle(180.0, 0.0, 1000.0))[2]
    True
    >>> bbox(None) is None, bbox(shapely.Point()) is None
    (True, True)
    """
    if geometry is None or geometry.is_empty:
        return None
    west, south, east, north = (float(v) for v in geometry.bounds)
    if west == -180.0 and east == 180.0:
        lons = shapely.bounds(shapely.get_parts(geometry))
        right, left = lons[lons[:, 0] >= 0.0], lons[lons[:, 2] <= 0.0]
        if len(right) and len(left) and len(right) + len(left) == len(lons):
            return float(right[:, 0].min()), south, float(left[:, 2].max()), north
    return west, south, east, north


def area_m2(geometry: BaseGeometry | None) -> float:
    """Geodesic area in m²; holes are taken off, ring direction does not matter; 0 for points, lines, None and empty.

    >>> round(area_m2(shapely.box(120.0, 36.0, 120.01, 36.01)) / 1e4, 1)
    100.0
    >>> area_m2(None), area_m2(shapely.Point(120, 36))
    (0.0, 0.0)
    """
    if geometry is None or geometry.is_empty:
        return 0.0
    total = 0.0
    for part in _leaves(geometry):
        if part.geom_type == "Polygon":
            total += abs(GEOD.geometry_area_perimeter(part.exterior)[0])
            total -= sum(abs(GEOD.geometry_area_perimeter(ring)[0]) for ring in part.interiors)
    return total


def length_m(geometry: BaseGeometry | None) -> float:
    """Geodesic length in m of lines, perimeter (with holes) of polygons; 0 for points, None and empty.

    >>> round(length_m(shapely.LineString([(179.5, 0.0), (-179.5, 0.0)])))
    111319
    >>> length_m(None), length_m(shapely.LineString())
    (0.0, 0.0)
    """
    if geometry is None or geometry.is_empty:
        return 0.0
    lines = [part.boundary if part.geom_type == "Polygon" else part for part in _leaves(geometry)]
    return float(sum(GEOD.geometry_length(line) for line in lines))


def destination(lon: ArrayLike, lat: ArrayLike, azimuth_deg: ArrayLike, distance_m: ArrayLike) -> tuple[float, float]:
    """Where one arrives: (lon, lat). Scalars in, floats out; arrays (broadcast) in, arrays out.

    >>> lon, lat = destination(120.0, 36.0, 90.0, 1000.0)
    >>> round(lon, 5), round(lat, 5)
    (120.01109, 36.0)
    >>> destination(179.999, 0.0, 90.0, 1000.0)[0] < 0
    True
    """
    x, y, azimuth, distance = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (lon, lat, azimuth_deg, distance_m)))
    lons, lats, _ = GEOD.fwd(x.ravel(), y.ravel(), azimuth.ravel(), distance.ravel())
    if x.ndim == 0:
        return float(lons[0]), float(lats[0])
    return np.asarray(lons).reshape(x.shape), np.asarray(lats).reshape(x.shape)


def inverse(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> tuple[float, float]:
    """(azimuth_deg in [0, 360), distance_m) from the first point to the second; arrays broadcast. Azimuth of no distance is 0.

    >>> azimuth, distance = inverse(120.0, 36.0, 120.0, 36.01)
    >>> round(azimuth, 6), round(distance, 1)
    (0.0, 1109.6)
    >>> inverse(120.0, 36.0, 120.0, 36.0)
    (0.0, 0.0)
    """
    a, b, c, d = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (lon1, lat1, lon2, lat2)))
    azimuths, _, distances = GEOD.inv(a.ravel(), b.ravel(), c.ravel(), d.ravel())
    distances = np.asarray(distances)
    azimuths = np.where(distances == 0.0, 0.0, np.mod(azimuths, 360.0))
    azimuths = np.where(azimuths >= 360.0, 0.0, azimuths)
    if a.ndim == 0:
        return float(azimuths[0]), float(distances[0])
    return azimuths.reshape(a.shape), distances.reshape(a.shape)


def view_sector(lon: float, lat: float, azimuth_deg: float, fov_deg: float, range_m: float, n: int = 24) -> BaseGeometry:
    """What a camera can see on flat ground: a sector of the given opening, `n` chords on its arc. An opening of 360 or more is a circle.

    >>> sector = view_sector(120.4, 36.1, 90.0, 60.0, 1000.0)
    >>> round(area_m2(sector) / (np.pi * 1000.0**2 / 6), 2)
    1.0
    >>> view_sector(120.4, 36.1, 0.0, 0.0, 1000.0)
    Traceback (most recent call last):
    grid.errors.InvalidInput: 视场角须大于 0 · field of view must be above 0: 0.0
    """
    _positive("视场角", "field of view", fov_deg)
    _positive("可视距离", "range", range_m)
    if fov_deg >= 360.0:
        return circle(lon, lat, range_m, n=max(n, 24))
    azimuths = azimuth_deg + np.linspace(-fov_deg / 2.0, fov_deg / 2.0, max(n, 1) + 1)
    lons, lats = destination(np.full(azimuths.shape, lon), np.full(azimuths.shape, lat), azimuths, np.full(azimuths.shape, range_m))
    return _polygon(lon, np.concatenate([[lon], lons, [lon]]), np.concatenate([[lat], lats, [lat]]))


def circle(lon: float, lat: float, radius_m: float, n: int = 48) -> BaseGeometry:
    """A polygon of `n` corners at a geodesic distance from a point.

    >>> round(area_m2(circle(120.4, 36.1, 100.0, n=360)) / (np.pi * 100.0**2), 3)
    1.0
    >>> circle(180.0, 0.0, 1000.0).geom_type
    'MultiPolygon'
    """
    return ellipse(lon, lat, radius_m, radius_m, 0.0, n)


def ellipse(lon: float, lat: float, semi_major_m: float, semi_minor_m: float, azimuth_deg: float, n: int = 48) -> BaseGeometry:
    """An uncertainty ellipse whose major axis points along an azimuth. Not for shapes that hold a pole.

    >>> round(area_m2(ellipse(120.4, 36.1, 200.0, 50.0, 30.0, n=360)) / (np.pi * 200.0 * 50.0), 3)
    1.0
    """
    _positive("半径", "radius", semi_major_m)
    _positive("半径", "radius", semi_minor_m)
    angle = np.linspace(0.0, 2.0 * np.pi, max(n, 8), endpoint=False)
    along, across = semi_major_m * np.cos(angle), semi_minor_m * np.sin(angle)
    azimuths = azimuth_deg + np.degrees(np.arctan2(across, along))
    lons, lats = destination(np.full(angle.shape, lon), np.full(angle.shape, lat), azimuths, np.hypot(along, across))
    return _polygon(lon, np.append(lons, lons[0]), np.append(lats, lats[0]))


def _positive(zh: str, en: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0.0):
        raise InvalidInput(f"{zh}须大于 0 · {en} must be above 0: {value}", remedy="给出一个正数 · give a positive number")


def _polygon(lon0: float, lons: NDArray[np.float64], lats: NDArray[np.float64]) -> BaseGeometry:
    """Closed ring to polygon, unwrapped around `lon0`, then cut where it leaves ±180."""
    whole = shapely.Polygon(np.column_stack([lon0 + np.mod(lons - lon0 + 180.0, 360.0) - 180.0, lats]))
    west, _, east, _ = whole.bounds
    if west >= -180.0 and east <= 180.0:
        return whole
    parts = [
        affinity.translate(whole.intersection(shapely.box(turn - 180.0, -90.0, turn + 180.0, 90.0)), xoff=-turn) for turn in (-360.0, 0.0, 360.0)
    ]
    return shapely.MultiPolygon([leaf for part in parts for leaf in _leaves(part) if leaf.geom_type == "Polygon"])


def _leaves(geometry: BaseGeometry) -> list[BaseGeometry]:
    parts = shapely.get_parts(geometry)
    if len(parts) == 1 and parts[0] is geometry:
        return [geometry]
    return [leaf for part in parts for leaf in (_leaves(part) if hasattr(part, "geoms") else [part]) if not leaf.is_empty]


def _of_dimension(geometry: BaseGeometry, dimension: int) -> BaseGeometry | None:
    """The parts of one dimension: make_valid of a polygon may leave lines and points behind."""
    parts = [part for part in _leaves(geometry) if shapely.get_dimensions(part) == dimension]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return {0: shapely.MultiPoint, 1: shapely.MultiLineString, 2: shapely.MultiPolygon}[dimension](parts)
