"""Bearings of several masts to one place with its covariance; lines that hardly cross are refused, for they only pretend to know how far.

The place where the squared misfits of all bearings, each in its own sigma, are least (Gauss-Newton on a plane true at the place); the covariance is the
inverse of the information there. Bearings are as the geodesic leaves the mast, degrees clockwise from true north.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid import geometry
from grid.errors import InvalidInput
from grid.sensing.likelihood import Grid

PARALLEL_DEG = 8.0
SAME_MAST_M = 100.0
FAR_M = 60_000.0
_STEPS = 12


@dataclass(frozen=True, slots=True)
class Bearing:
    """A direction seen from a mast (lon, lat), with one standard deviation; degrees."""

    lon: float
    lat: float
    bearing_deg: float
    sigma_deg: float

    def __post_init__(self) -> None:
        if not np.isfinite((self.lon, self.lat, self.bearing_deg, self.sigma_deg)).all() or self.sigma_deg <= 0:
            raise InvalidInput(f"方位无效 · bearing {self}", remedy="finite degrees, and a sigma above 0")


@dataclass(frozen=True, slots=True)
class Fix:
    """Where bearings cross. `covariance`: east², east·north, north² in m²; `crossing_deg`: the widest angle between two of them (0–90);
    `misfit`: mean squared misfit in sigmas per bearing beyond two (None for two): far above 1, they do not see one thing."""

    lon: float
    lat: float
    covariance: tuple[float, float, float]
    crossing_deg: float
    misfit: float | None


def acute_deg(first: float, second: float) -> float:
    """Angle at which two lines of these bearings cross, 0–90.

    >>> acute_deg(10.0, 350.0), acute_deg(0.0, 180.0), acute_deg(45.0, 315.0)
    (20.0, 0.0, 90.0)
    """
    turn = abs(first - second) % 180.0
    return min(turn, 180.0 - turn)


def cross(bearings: Sequence[Bearing]) -> Fix:
    """The fix of two bearings or more.

    Raises InvalidInput where no two masts at least 100 m apart look at angles that differ by 8° or more, and where the lines meet behind a mast
    or farther than 60 km.
    """
    pairs = [
        (acute_deg(a.bearing_deg, b.bearing_deg), a, b)
        for i, a in enumerate(bearings)
        for b in bearings[:i]
        if geometry.inverse(a.lon, a.lat, b.lon, b.lat)[1] >= SAME_MAST_M
    ]
    widest = max(pairs, key=lambda pair: pair[0], default=None)
    if widest is None or widest[0] < PARALLEL_DEG:
        angle = "—" if widest is None else f"{widest[0]:.1f}°"
        raise InvalidInput(
            f"方位线近于平行，不能定位 · the bearings hardly cross ({angle})",
            remedy=f"a second mast ≥ {SAME_MAST_M:.0f} m away whose line differs by ≥ {PARALLEL_DEG:.0f}°",
        )
    place = _begin(widest[1], widest[2])
    for _ in range(_STEPS):
        slopes, misfit = _at(bearings, *place)
        step = np.linalg.lstsq(slopes, misfit, rcond=None)[0]
        length = float(np.hypot(*step))
        place = geometry.destination(*place, float(np.degrees(np.arctan2(step[0], step[1]))) % 360.0, min(length, 5000.0))
        if length < 0.01:
            break
    slopes, misfit = _at(bearings, *place)
    for each in bearings:
        azimuth, metres = geometry.inverse(each.lon, each.lat, *place)
        if abs((azimuth - each.bearing_deg + 180.0) % 360.0 - 180.0) > 90.0 or metres > FAR_M:
            raise InvalidInput("方位线在前方不相交 · the bearings do not meet before the masts", remedy="check that they see one thing")
    covariance = np.linalg.inv(slopes.T @ slopes)
    more = len(bearings) - 2
    return Fix(
        float(place[0]),
        float(place[1]),
        (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])),
        widest[0],
        float(misfit @ misfit) / more if more else None,
    )


def _begin(a: Bearing, b: Bearing) -> tuple[float, float]:
    """Where two lines cross on the plane about the first mast."""
    azimuth, metres = geometry.inverse(a.lon, a.lat, b.lon, b.lat)
    t, own, other = np.radians(azimuth), np.radians(a.bearing_deg), np.radians(b.bearing_deg)
    along = metres * np.sin(t - other) / np.sin(own - other)
    return geometry.destination(a.lon, a.lat, a.bearing_deg, float(np.clip(along, 10.0, FAR_M)))


def _at(bearings: Sequence[Bearing], lon: float, lat: float) -> tuple[Grid, Grid]:
    """How each bearing, in its sigma, changes with metres east and north of a place, and its misfit there."""
    slopes, misfit = [], []
    for each in bearings:
        azimuth, metres = geometry.inverse(each.lon, each.lat, lon, lat)
        back, _ = geometry.inverse(lon, lat, each.lon, each.lat)
        t, sigma = np.radians(back + 180.0), np.radians(each.sigma_deg)
        slopes.append((np.cos(t) / max(metres, 1.0) / sigma, -np.sin(t) / max(metres, 1.0) / sigma))
        misfit.append(np.radians((each.bearing_deg - azimuth + 180.0) % 360.0 - 180.0) / sigma)
    return np.array(slopes), np.array(misfit)
