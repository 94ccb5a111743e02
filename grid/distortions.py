"""GCJ-02 and BD-09: the two distortions of coordinates found on Chinese maps. They are not reference systems and are never stored.

All functions take and return degrees, longitude before latitude, as float64 arrays of one shape; they are vectorised and pure. NaN stays NaN.
GCJ-02 moves a point by 0.1–0.7 km (440–470 m in Qingdao); BD-09 adds a second step, about 1.25 km in all.
Source: the formulas published as eviltransform / coordTransform (MIT); the official algorithm is not public.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Forward = Callable[[Floats, Floats], tuple[Floats, Floats]]

CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north of the rectangle in which the distortion applies; outside it the coordinates are the true ones."""

_A = 6378245.0
_EE = 0.00669342162296594323
_X_PI = np.pi * 3000.0 / 180.0
_ITERATIONS = 12


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """The map position of a true position.

    >>> [round(float(v), 6) for v in wgs84_to_gcj02(120.3826, 36.0671)]
    [120.387733, 36.067376]
    >>> [float(v) for v in wgs84_to_gcj02(-179.9, 10.0)]
    [-179.9, 10.0]
    """
    x, y = _floats(lon, lat)
    inside = (x >= CHINA_BOX[0]) & (x <= CHINA_BOX[2]) & (y >= CHINA_BOX[1]) & (y <= CHINA_BOX[3])
    dx, dy = _gcj_shift(np.where(inside, x, 105.0), np.where(inside, y, 35.0))
    return np.where(inside, x + dx, x), np.where(inside, y + dy, y)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """The true position of a map position, by iteration: the way back and forth differs by less than a millimetre.

    >>> lon, lat = gcj02_to_wgs84(*wgs84_to_gcj02(120.3826, 36.0671))
    >>> bool(abs(lon - 120.3826) < 1e-9 and abs(lat - 36.0671) < 1e-9)
    True
    >>> [v.size for v in gcj02_to_wgs84([], [])]
    [0, 0]
    """
    x, y = _floats(lon, lat)
    inside_lon, inside_lat = _inverse(lambda a, b: _plus(a, b, _gcj_shift(a, b)), x, y)
    inside = (inside_lon >= CHINA_BOX[0]) & (inside_lon <= CHINA_BOX[2]) & (inside_lat >= CHINA_BOX[1]) & (inside_lat <= CHINA_BOX[3])
    return np.where(inside, inside_lon, x), np.where(inside, inside_lat, y)


def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """The Baidu position of a true position: GCJ-02, then a second twist."""
    return _gcj02_to_bd09(*wgs84_to_gcj02(lon, lat))


def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """The true position of a Baidu position, both steps inverted by iteration.

    >>> lon, lat = bd09_to_wgs84(*wgs84_to_bd09(120.3826, 36.0671))
    >>> bool(abs(lon - 120.3826) < 1e-9 and abs(lat - 36.0671) < 1e-9)
    True
    """
    x, y = _floats(lon, lat)
    return gcj02_to_wgs84(*_inverse(_gcj02_to_bd09, x, y))


def _gcj02_to_bd09(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _X_PI)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _X_PI)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _gcj_shift(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _EE * np.sin(phi) ** 2
    return (
        np.degrees(east * np.sqrt(magic) / (_A * np.cos(phi))),
        np.degrees(north * magic * np.sqrt(magic) / (_A * (1.0 - _EE))),
    )


def _plus(x: Floats, y: Floats, shift: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return x + shift[0], y + shift[1]


def _inverse(forward: Forward, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Fixed point of `p = target - (forward(p) - p)`; the shift's gradient is about 1e-3, so each round gains three digits."""
    lon, lat = x.copy(), y.copy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(_ITERATIONS):
            there_lon, there_lat = forward(lon, lat)
            lon, lat = lon + (x - there_lon), lat + (y - there_lat)
    return lon, lat


def _floats(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
