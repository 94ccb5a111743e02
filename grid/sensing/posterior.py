"""Where it is and how likely it is true, from all that was seen: a product of likelihoods on a small local grid.

Each sight gives a likelihood over the ground: a Gaussian for a point (its accuracy is the radius that holds 90 %), a soft polygon for a
footprint, and for a bearing from a known mast a wedge that is as wide as the bearing's error and as long as its range is uncertain.
Logarithms are summed with weights, because sights share errors: all of one sensor together count once (its pose is wrong every time
alike), and so do bearings that cannot cross well: masts less than 100 m apart, or lines that meet at less than 8°. So two near-parallel
wedges stay as long as one, and forty frames of one camera are no surer than one. Metres live on a plane true at the middle of the sights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from grid import geometry
from grid.errors import InvalidInput

Grid = NDArray[np.float64]

CELLS = 64
R90 = 2.1460
"""Radius in standard deviations that holds 90 % of a round 2-D Gaussian: sqrt(2 ln 10)."""
Z90 = 1.6449
"""Half-width in standard deviations that holds 90 % of a 1-D Gaussian."""
WEDGE_M = (1.0, 35_000.0)
PARALLEL_DEG = 8.0
SAME_MAST_M = 100.0
MOST_SIGHTS = 24
MOST_OF_ONE = 4
PRIOR = 0.2
"""Share of findings of an unknown sensor that are true; what independent agreement is measured against."""
_SURE = (0.01, 0.995)
_REFINEMENTS = 6


@dataclass(frozen=True, slots=True)
class Sight:
    """One sensor's view of one thing. `probability` (0–1) that it is true, by score and record; `mast` (lon, lat) with a bearing in degrees.

    `accuracy_m` is the 90 % radius about the point; with a bearing, the 90 % half-length along it.
    """

    sensor: str
    lon: float
    lat: float
    accuracy_m: float
    probability: float
    footprint: BaseGeometry | None = None
    mast: tuple[float, float] | None = None
    bearing_deg: float | None = None
    bearing_sigma_deg: float | None = None

    @property
    def is_bearing(self) -> bool:
        """Whether it says a direction from a known mast."""
        return self.mast is not None and self.bearing_deg is not None and self.bearing_sigma_deg is not None


@dataclass(frozen=True, slots=True)
class Posterior:
    """Best point (degrees), the radius about it that holds 90 %, the probability that it is true, and the smallest areas that hold 50 and 90 %.

    `crossing_deg` is the angle at which bearings cross when they do localise, else None.
    """

    lon: float
    lat: float
    accuracy_m: float
    probability: float
    region50: shapely.MultiPolygon
    region90: shapely.MultiPolygon
    crossing_deg: float | None


def localise(sights: Sequence[Sight]) -> Posterior:
    """The posterior of 1 to many sights of one thing, in time order; the last 4 of each sensor count, 24 in all. Raises InvalidInput for none.

    >>> alone = localise([Sight("person:1", 120.4, 36.1, 50.0, 0.7)])
    >>> round(alone.lon, 6), round(alone.lat, 6), alone.accuracy_m, round(alone.probability, 6)
    (120.4, 36.1, 50.0, 0.7)
    >>> localise([])
    Traceback (most recent call last):
    grid.errors.InvalidInput: 没有任何观测 · nothing was seen
    """
    if not sights:
        raise InvalidInput("没有任何观测 · nothing was seen", remedy="give at least one sight")
    probability = agree(sights)
    sights = _newest(sights)
    if len(sights) == 1 and not sights[0].is_bearing and sights[0].footprint is None:
        return _round(sights[0], probability)
    plane = _Plane.about(sights)
    if len(sights) == 1 and not sights[0].is_bearing and sights[0].footprint.area > 0:
        return _within(plane, sights[0], probability)
    weights = _weights(sights)
    x, y, mass = _refine(plane, sights, weights)
    density = mass / mass.sum()
    mean = float((density.sum(axis=0) * x).sum()), float((density.sum(axis=1) * y).sum())
    at_mean = density[np.abs(y - mean[1]).argmin(), np.abs(x - mean[0]).argmin()]
    row, column = np.unravel_index(density.argmax(), density.shape)
    best = mean if at_mean >= 0.5 * density.max() else (float(x[column]), float(y[row]))
    lon, lat = plane.degrees(*best)
    return Posterior(
        lon=float(lon),
        lat=float(lat),
        accuracy_m=max(1.0, _radius(x, y, density, best, 0.9)),
        probability=probability,
        region50=_region(plane, x, y, density, 0.5),
        region90=_region(plane, x, y, density, 0.9),
        crossing_deg=_crossing(sights),
    )


def agree(sights: Sequence[Sight]) -> float:
    """Probability that the thing is real: sensors are independent, findings of one sensor are not (their mean log-odds count once).

    >>> one = Sight("camera:1", 120.4, 36.1, 50.0, 0.7)
    >>> two = Sight("satellite:x", 120.4, 36.1, 50.0, 0.7)
    >>> round(agree([one]), 3), round(agree([one, one, one]), 3), round(agree([one, two]), 3)
    (0.7, 0.7, 0.956)
    """
    base = _logit(PRIOR)
    by_sensor: dict[str, list[float]] = {}
    for sight in sights:
        by_sensor.setdefault(sight.sensor, []).append(_logit(float(np.clip(sight.probability, *_SURE))))
    means = [float(np.mean(values)) for values in by_sensor.values()]
    odds = means[0] if len(means) == 1 else base + sum(max(0.0, value - base) for value in means)
    return float(np.clip(1.0 / (1.0 + np.exp(-odds)), *_SURE))


def _newest(sights: Sequence[Sight]) -> list[Sight]:
    kept: list[Sight] = []
    counts: dict[str, int] = {}
    for sight in reversed(sights):
        counts[sight.sensor] = counts.get(sight.sensor, 0) + 1
        if counts[sight.sensor] <= MOST_OF_ONE and len(kept) < MOST_SIGHTS:
            kept.append(sight)
    return kept[::-1]


def _logit(p: float) -> float:
    return float(np.log(p / (1.0 - p)))


def acute_deg(first: float, second: float) -> float:
    """Angle at which two lines of these bearings cross, 0–90.

    >>> acute_deg(10.0, 350.0), acute_deg(0.0, 180.0), acute_deg(45.0, 315.0)
    (20.0, 0.0, 90.0)
    """
    turn = abs(first - second) % 180.0
    return min(turn, 180.0 - turn)


def _alike(a: Sight, b: Sight) -> bool:
    """Whether two sights share their errors: one sensor, one mast, or lines that hardly cross."""
    if a.sensor == b.sensor:
        return True
    if not (a.is_bearing and b.is_bearing):
        return False
    if geometry.inverse(*a.mast, *b.mast)[1] < SAME_MAST_M:
        return True
    return acute_deg(a.bearing_deg, b.bearing_deg) < PARALLEL_DEG


def _weights(sights: Sequence[Sight]) -> Grid:
    alike = np.array([[_alike(a, b) for b in sights] for a in sights])
    return 1.0 / alike.sum(axis=1)


def _crossing(sights: Sequence[Sight]) -> float | None:
    angles = [
        acute_deg(a.bearing_deg, b.bearing_deg)
        for i, a in enumerate(sights)
        for b in sights[:i]
        if a.is_bearing and b.is_bearing and not _alike(a, b)
    ]
    return max(angles, default=None)


@dataclass(frozen=True, slots=True)
class _Plane:
    """Metres east and north of a middle point; fine for some tens of kilometres."""

    lon0: float
    lat0: float
    mx: float
    my: float

    @classmethod
    def about(cls, sights: Sequence[Sight]) -> "_Plane":
        lon0 = float(np.mean([s.lon for s in sights]))
        lat0 = float(np.mean([s.lat for s in sights]))
        e2, a = 0.00669437999014, 6_378_137.0
        w = np.sqrt(1.0 - e2 * np.sin(np.radians(lat0)) ** 2)
        return cls(lon0, lat0, float(np.radians(1.0) * a / w * np.cos(np.radians(lat0))), float(np.radians(1.0) * a * (1.0 - e2) / w**3))

    def metres(self, lon: float, lat: float) -> tuple[float, float]:
        return (lon - self.lon0) * self.mx, (lat - self.lat0) * self.my

    def degrees(self, x: Grid | float, y: Grid | float) -> tuple[Grid | float, Grid | float]:
        return self.lon0 + x / self.mx, self.lat0 + y / self.my

    def shape(self, geom: BaseGeometry) -> BaseGeometry:
        return shapely.transform(geom, lambda c: (c - (self.lon0, self.lat0)) * (self.mx, self.my))


def _extent(plane: _Plane, sights: Sequence[Sight]) -> tuple[float, float, float, float]:
    """The box in which the truth can lie for every sight, with room: what no sight reaches needs no cell."""
    boxes = []
    for sight in sights:
        x, y = plane.metres(sight.lon, sight.lat)
        reach = 2.0 * sight.accuracy_m
        if sight.is_bearing:
            mx, my = plane.metres(*sight.mast)
            reach += 4.0 * np.hypot(x - mx, y - my) * np.radians(sight.bearing_sigma_deg)
        if sight.footprint is not None:
            west, south, east, north = plane.shape(sight.footprint).bounds
            boxes.append((min(west, x - reach), min(south, y - reach), max(east, x + reach), max(north, y + reach)))
        else:
            boxes.append((x - reach, y - reach, x + reach, y + reach))
    corners = np.array(boxes)
    return corners[:, 0].min(), corners[:, 1].min(), corners[:, 2].max(), corners[:, 3].max()


def _refine(plane: _Plane, sights: Sequence[Sight], weights: Grid) -> tuple[Grid, Grid, Grid]:
    """Cell centres and unnormalised mass on a grid that has closed in on where the mass is. Sights that exclude each other still leave a best place."""
    west, south, east, north = _extent(plane, sights)
    shapes = [None if s.footprint is None or s.is_bearing else _plain(plane.shape(s.footprint)) for s in sights]
    for _ in range(_REFINEMENTS):
        x = west + (np.arange(CELLS) + 0.5) * (east - west) / CELLS
        y = south + (np.arange(CELLS) + 0.5) * (north - south) / CELLS
        cell = max(east - west, north - south) / CELLS
        log = sum(w * _likelihood(plane, s, shape, x[None, :], y[:, None], cell) for s, shape, w in zip(sights, shapes, weights, strict=True))
        mass = np.exp(log - log.max())
        columns, rows = np.flatnonzero(mass.max(axis=0) > 2e-4), np.flatnonzero(mass.max(axis=1) > 2e-4)
        dx, dy = (east - west) / CELLS, (north - south) / CELLS
        box = (x[columns[0]] - 1.5 * dx, y[rows[0]] - 1.5 * dy, x[columns[-1]] + 1.5 * dx, y[rows[-1]] + 1.5 * dy)
        if (box[2] - box[0]) > 0.75 * (east - west) and (box[3] - box[1]) > 0.75 * (north - south):
            break
        west, south, east, north = box
    return x, y, mass


def _plain(shape: BaseGeometry) -> BaseGeometry:
    """The shape without corners too fine for any cell."""
    return shape.simplify(0.01 * np.sqrt(shape.area)) if shapely.get_num_coordinates(shape) > 100 else shape


def _likelihood(plane: _Plane, sight: Sight, shape: BaseGeometry | None, x: Grid, y: Grid, cell: float) -> Grid:
    """Log-likelihood on the cells of one sight. `cell` is their size in metres: nothing is sharper than half of it while the grid is coarse."""
    px, py = plane.metres(sight.lon, sight.lat)
    if sight.is_bearing:
        return _wedge(plane, sight, x, y, cell)
    spread = max(sight.accuracy_m / R90, 0.5 * cell)
    if shape is None:
        return -((x - px) ** 2 + (y - py) ** 2) / (2.0 * spread**2)
    xs, ys = np.broadcast_arrays(x, y)
    outside = shapely.distance(shape, shapely.points(xs.ravel(), ys.ravel())).reshape(xs.shape)
    size = np.sqrt(max(shape.area, cell**2) / np.pi)
    edge = max(0.1 * size, 0.5 * cell)
    middle = shape.centroid
    return -(outside**2) / (2.0 * edge**2) - ((x - middle.x) ** 2 + (y - middle.y) ** 2) / (2.0 * (1.5 * size) ** 2)


def _wedge(plane: _Plane, sight: Sight, x: Grid, y: Grid, cell: float) -> Grid:
    mx, my = plane.metres(*sight.mast)
    px, py = plane.metres(sight.lon, sight.lat)
    range_m = np.maximum(np.hypot(x - mx, y - my), 1.0)
    dlon = (x - mx) / plane.mx
    middle = np.radians(plane.lat0 + 0.5 * (y + my) / plane.my)
    narrowing = np.cos(middle) / np.cos(np.radians(plane.lat0))
    azimuth = np.degrees(np.arctan2((x - mx) * narrowing, y - my)) - 0.5 * dlon * np.sin(middle)
    off = (azimuth - sight.bearing_deg + 180.0) % 360.0 - 180.0
    sigma = np.hypot(sight.bearing_sigma_deg, np.degrees(np.arctan(0.5 * cell / range_m)))
    along = np.hypot(sight.accuracy_m / Z90, 0.5 * cell)
    known = np.hypot(px - mx, py - my)
    beyond = np.maximum(range_m - WEDGE_M[1], 0.0) / 1000.0
    return -0.5 * (off / sigma) ** 2 - 0.5 * ((range_m - known) / along) ** 2 - 0.5 * beyond**2


def _radius(x: Grid, y: Grid, density: Grid, best: tuple[float, float], share: float) -> float:
    """Radius about `best` that holds `share` of the mass, between the rings of cells."""
    distance = np.hypot(x[None, :] - best[0], y[:, None] - best[1]).ravel()
    order = distance.argsort()
    return float(np.interp(share, density.ravel()[order].cumsum(), distance[order]))


def _region(plane: _Plane, x: Grid, y: Grid, density: Grid, share: float) -> shapely.MultiPolygon:
    """Smallest area that holds `share` of the mass, as contours of the density, in degrees."""
    ranked = np.sort(density.ravel())[::-1]
    level = ranked[min(int(np.searchsorted(ranked.cumsum(), share)), ranked.size - 1)] * (1.0 - 1e-9)
    padded = np.pad(density, 1)
    xs = np.concatenate([[2 * x[0] - x[1]], x, [2 * x[-1] - x[-2]]])
    ys = np.concatenate([[2 * y[0] - y[1]], y, [2 * y[-1] - y[-2]]])
    generator = contourpy.contour_generator(xs, ys, padded, fill_type=contourpy.FillType.OuterOffset)
    parts = []
    for points, offsets in zip(*generator.filled(level, np.inf), strict=True):
        rings = [points[a:b] for a, b in zip(offsets[:-1], offsets[1:], strict=True) if b - a >= 4]
        if rings:
            parts.append(shapely.Polygon(rings[0], rings[1:]))
    if not parts:
        row, column = np.unravel_index(density.argmax(), density.shape)
        parts = [shapely.Point(x[column], y[row]).buffer(max(x[1] - x[0], y[1] - y[0]))]
    return _degrees(plane, shapely.union_all(shapely.make_valid(np.array(parts))))


def _degrees(plane: _Plane, shape: BaseGeometry) -> shapely.MultiPolygon:
    polygons = [part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon" and not part.is_empty]
    there = shapely.transform(shapely.MultiPolygon(polygons), lambda c: np.column_stack(plane.degrees(c[:, 0], c[:, 1])))
    return shapely.set_srid(there, 4326)


def _within(plane: _Plane, sight: Sight, probability: float) -> Posterior:
    """A single footprint needs no grid: anywhere inside alike, so 50 % is its middle half and 90 % (and a little more) the whole."""
    shape = _plain(plane.shape(sight.footprint))
    middle = shape.centroid if shape.contains(shape.centroid) else shape.representative_point()
    half = affinity.scale(shape, np.sqrt(0.5), np.sqrt(0.5), origin=middle).intersection(shape)
    reach = float(shapely.hausdorff_distance(middle, shapely.MultiPoint(shapely.get_coordinates(shape))))
    lon, lat = plane.degrees(middle.x, middle.y)
    return Posterior(float(lon), float(lat), max(1.0, 0.95 * reach), probability, _degrees(plane, half), _degrees(plane, shape), None)


def _round(sight: Sight, probability: float) -> Posterior:
    """A single point needs no grid: circles of its own accuracy."""
    half = sight.accuracy_m / R90 * float(np.sqrt(2.0 * np.log(2.0)))
    circles = [geometry.circle(sight.lon, sight.lat, radius) for radius in (half, sight.accuracy_m)]
    region50, region90 = (shapely.set_srid(shapely.MultiPolygon(shapely.get_parts(circle).tolist()), 4326) for circle in circles)
    return Posterior(sight.lon, sight.lat, sight.accuracy_m, probability, region50, region90, None)
