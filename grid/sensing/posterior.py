"""Where it is and how likely it is true, from all that was seen: a product of likelihoods on a small local grid.

Each sight gives a likelihood over the ground (`grid.sensing.likelihood`), and so does who looked and saw nothing.
Logarithms are summed with weights, because sights share errors: all of one sensor together count once (its pose is wrong every time
alike), and so do bearings that cannot cross well: masts less than 100 m apart, or lines that meet at less than 8° and know nothing of the
terrain. So two near-parallel wedges stay as long as one, and forty frames of one camera are no surer than one. The grid turns and closes in
on where the mass is; metres live on a plane true at the middle of the sights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import contourpy
import numpy as np
import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from grid import geometry
from grid.errors import InvalidInput
from grid.sensing.bearings import PARALLEL_DEG, SAME_MAST_M, acute_deg
from grid.sensing.likelihood import R90, Grid, Plane, Sight, Silence, of_sight, of_silence, plain

CELLS = 80
MOST_SIGHTS = 24
MOST_OF_ONE = 4
PRIOR = 0.2
"""Share of findings of an unknown sensor that are true; what independent agreement is measured against."""
_SURE = (0.01, 0.995)
_REFINEMENTS = 7
_REACH = 9.0
"""A place whose log-likelihood is this much below the best of its own sight needs no cell."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What one sensor changed: how far (m) the mean place lies from where the others alone put it, and by which factor it shrank the area."""

    sensor: str
    metres: float
    times: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """Best point (degrees), the radius about it that holds 90 %, the probability that it is true, and the smallest areas that hold 50 and 90 %.

    `crossing_deg` is the angle at which bearings cross when they do localise, else None. `moved`: what each sensor changed, most first; empty for one.
    """

    lon: float
    lat: float
    accuracy_m: float
    probability: float
    region50: shapely.MultiPolygon
    region90: shapely.MultiPolygon
    crossing_deg: float | None
    moved: tuple[Moved, ...] = ()


def localise(sights: Sequence[Sight], silent: Sequence[Silence] = ()) -> Posterior:
    """The posterior of 1 to many sights of one thing, in time order; the last 4 of each sensor count, 24 in all. Raises InvalidInput for none.

    `silent`: who looked there meanwhile and reported nothing; what it saw clearly becomes less likely, and so does the whole.

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
    sights = newest(sights)
    if len(sights) == 1 and not silent and not sights[0].is_bearing and sights[0].footprint is None:
        return _round(sights[0], probability)
    plane = Plane.about(sights)
    if len(sights) == 1 and not silent and not sights[0].is_bearing and sights[0].footprint.area > 0:
        return _within(plane, sights[0], probability)
    frame, mass, heard, moved = _refine(plane, sights, weights(sights), silent)
    density = mass / mass.sum()
    mean = float((density.sum(axis=0) * frame.u).sum()), float((density.sum(axis=1) * frame.v).sum())
    at_mean = density[np.abs(frame.v - mean[1]).argmin(), np.abs(frame.u - mean[0]).argmin()]
    row, column = np.unravel_index(density.argmax(), density.shape)
    best = mean if at_mean >= 0.5 * density.max() else (float(frame.u[column]), float(frame.v[row]))
    lon, lat = plane.degrees(*frame.turned(*best))
    return Posterior(
        lon=float(lon),
        lat=float(lat),
        accuracy_m=max(1.0, _radius(frame.u, frame.v, density, best, 0.9)),
        probability=less(probability, heard) if silent else probability,
        region50=_region(plane, frame, density, 0.5),
        region90=_region(plane, frame, density, 0.9),
        crossing_deg=_crossing(sights),
        moved=moved,
    )


def less(probability: float, heard: float) -> float:
    """The probability that a thing is there after silence that has the likelihood `heard` (0–1) if it is, and 1 if there is nothing.

    >>> round(less(0.8, 0.5), 4), less(0.8, 1.0), less(0.0, 0.1)
    (0.6667, 0.8, 0.0)
    """
    return probability * heard / (probability * heard + 1.0 - probability)


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


def newest(sights: Sequence[Sight]) -> list[Sight]:
    """Those that count, in their order: the last 4 of each sensor, 24 in all."""
    kept: list[Sight] = []
    counts: dict[str, int] = {}
    for sight in reversed(sights):
        counts[sight.sensor] = counts.get(sight.sensor, 0) + 1
        if counts[sight.sensor] <= MOST_OF_ONE and len(kept) < MOST_SIGHTS:
            kept.append(sight)
    return kept[::-1]


def _logit(p: float) -> float:
    return float(np.log(p / (1.0 - p)))


def _alike(a: Sight, b: Sight) -> bool:
    """Whether two sights share their errors: one sensor, one mast, or lines that hardly cross."""
    if a.sensor == b.sensor:
        return True
    if not (a.is_bearing and b.is_bearing):
        return False
    if geometry.inverse(*a.mast, *b.mast)[1] < SAME_MAST_M:
        return True
    return (a.polar is None or b.polar is None) and acute_deg(a.bearing_deg, b.bearing_deg) < PARALLEL_DEG


def weights(sights: Sequence[Sight]) -> Grid:
    """One over the number of sights that share a sight's errors, itself among them; (n,)."""
    alike = np.array([[_alike(a, b) for b in sights] for a in sights])
    return 1.0 / alike.sum(axis=1)


def _crossing(sights: Sequence[Sight]) -> float | None:
    angles = [
        acute_deg(a.bearing_deg, b.bearing_deg)
        for i, a in enumerate(sights)
        for b in sights[:i]
        if a.is_bearing and b.is_bearing and not _alike(a, b) and acute_deg(a.bearing_deg, b.bearing_deg) >= PARALLEL_DEG
    ]
    return max(angles, default=None)


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """Cell centres `u` (columns) and `v` (rows) in metres, on axes turned counter-clockwise by the angle of `cos` and `sin`."""

    cos: float
    sin: float
    u: Grid
    v: Grid

    @classmethod
    def over(cls, turn: float, box: Sequence[float]) -> "_Frame":
        u0, v0, u1, v1 = box
        step = np.arange(CELLS) + 0.5
        return cls(float(np.cos(turn)), float(np.sin(turn)), u0 + step * (u1 - u0) / CELLS, v0 + step * (v1 - v0) / CELLS)

    @property
    def cells(self) -> tuple[float, float]:
        return float(self.u[1] - self.u[0]), float(self.v[1] - self.v[0])

    def turned(self, u: Grid | float, v: Grid | float) -> tuple[Grid | float, Grid | float]:
        """East and north of places given on the axes."""
        return self.cos * u - self.sin * v, self.sin * u + self.cos * v

    def centres(self) -> tuple[Grid, Grid]:
        return self.turned(self.u[None, :], self.v[:, None])


def _corners(plane: Plane, sights: Sequence[Sight]) -> Grid:
    """Places (n × 2, m) whose hull, with room, holds all where the truth can lie for any sight."""
    found = []
    for sight in sights:
        x, y = plane.metres(sight.lon, sight.lat)
        reach = 2.0 * sight.accuracy_m
        if sight.is_bearing:
            mx, my = plane.metres(*sight.mast)
            spread = np.radians(sight.bearing_sigma_deg)
            if sight.polar is not None:
                table = sight.polar.log.max(axis=0)
                r = sight.polar.distances()[table > table.max() - _REACH]
                for turn in (-4.0 * spread, 4.0 * spread):
                    a = np.radians(sight.bearing_deg) + turn
                    found.append(np.stack([mx + r[[0, -1]] * np.sin(a), my + r[[0, -1]] * np.cos(a)], axis=1))
                continue
            reach += 4.0 * np.hypot(x - mx, y - my) * spread
        found.append(np.array([(x - reach, y - reach), (x - reach, y + reach), (x + reach, y - reach), (x + reach, y + reach)]))
        if sight.footprint is not None:
            west, south, east, north = plane.shape(sight.footprint).bounds
            found.append(np.array([(west, south), (west, north), (east, south), (east, north)]))
    return np.concatenate(found)


def _first(plane: Plane, sights: Sequence[Sight]) -> tuple[float, Grid]:
    """The turn of the axes that suits the narrowest sight, and the box of every corner on them; of polar sights, where the one that reaches least reaches."""
    wedges = [s for s in sights if s.is_bearing]
    turn = float(np.radians(90.0 - wedges[0].bearing_deg)) if len(wedges) == 1 or (wedges and all(s.sensor == wedges[0].sensor for s in wedges)) else 0.0
    c, s = np.cos(turn), np.sin(turn)
    boxes = []
    groups = [[sight] for sight in sights] if sights and all(sight.polar is not None for sight in sights) else [sights]
    for group in groups:
        at = _corners(plane, group) @ np.array([[c, -s], [s, c]])
        boxes.append((*(at.min(axis=0)), *(at.max(axis=0))))
    box = np.array(boxes)
    meet = np.concatenate([box[:, :2].max(axis=0), box[:, 2:].min(axis=0)])
    if (meet[2:] > meet[:2]).all():
        return turn, meet
    return turn, np.concatenate([box[:, :2].min(axis=0), box[:, 2:].max(axis=0)])


def _refine(plane: Plane, sights: Sequence[Sight], weights: Grid, silent: Sequence[Silence]) -> tuple[_Frame, Grid, float, tuple[Moved, ...]]:
    """The grid that has closed in on the mass, the unnormalised mass on it, the likelihood of the silence under it, and what each sensor changed.

    Sights that exclude each other still leave a best place."""
    turn, box = _first(plane, sights)
    shapes = [None if s.footprint is None or s.is_bearing else plain(plane.shape(s.footprint)) for s in sights]
    moved: tuple[Moved, ...] = ()
    for step in range(_REFINEMENTS):
        frame = _Frame.over(turn, box)
        x, y = frame.centres()
        du, dv = frame.cells
        logs = np.stack([w * of_sight(plane, s, shape, x, y, max(du, dv)) for s, shape, w in zip(sights, shapes, weights, strict=True)])
        whole = logs.sum(axis=0)
        for silence in silent:
            whole = whole + of_silence(plane, silence, x, y)
        mass = np.exp(whole - whole.max())
        if step == 0:
            moved = _moved(frame, sights, logs, mass)
        columns, rows = np.flatnonzero(mass.max(axis=0) > 2e-4), np.flatnonzero(mass.max(axis=1) > 2e-4)
        kept = (frame.u[columns[0]] - 1.5 * du, frame.v[rows[0]] - 1.5 * dv, frame.u[columns[-1]] + 1.5 * du, frame.v[rows[-1]] + 1.5 * dv)
        if (kept[2] - kept[0]) > 0.75 * (frame.u[-1] - frame.u[0]) and (kept[3] - kept[1]) > 0.75 * (frame.v[-1] - frame.v[0]):
            axis, along = _axis(frame, mass)
            if step == _REFINEMENTS - 1 or along < 2.0 or abs(np.sin(2.0 * axis)) < 0.25:
                break
            turn, box = turn + axis, _around(frame, mass, axis)
            continue
        box = kept
    free = logs.sum(axis=0)
    prior = np.exp(free - free.max())
    heard = float((np.exp(whole - free.max())).sum() / prior.sum())
    return frame, mass, min(1.0, heard), moved


def _axis(frame: _Frame, mass: Grid) -> tuple[float, float]:
    """The turn from the grid's axes to the mass's own long axis (radians), and how many times longer it is than wide."""
    p = mass / mass.sum()
    cu, cv = p.sum(axis=0), p.sum(axis=1)
    u, v = frame.u - cu @ frame.u, frame.v - cv @ frame.v
    covariance = np.array([[cu @ u**2, v @ p @ u], [v @ p @ u, cv @ v**2]])
    values, vectors = np.linalg.eigh(covariance)
    return float(np.arctan2(vectors[1, 1], vectors[0, 1])), float(np.sqrt(values[1] / max(values[0], 1e-9)))


def _around(frame: _Frame, mass: Grid, turn: float) -> tuple[float, float, float, float]:
    """The box on axes turned once more that holds all cells that count."""
    rows, columns = np.nonzero(mass > 2e-4)
    c, s = np.cos(turn), np.sin(turn)
    u, v = c * frame.u[columns] + s * frame.v[rows], c * frame.v[rows] - s * frame.u[columns]
    room = 1.5 * max(frame.cells)
    return u.min() - room, v.min() - room, u.max() + room, v.max() + room


def _moved(frame: _Frame, sights: Sequence[Sight], logs: Grid, mass: Grid) -> tuple[Moved, ...]:
    names = list(dict.fromkeys(sight.sensor for sight in sights))
    if len(names) < 2:
        return ()

    def told(mass: Grid) -> tuple[Grid, float]:
        p = mass / mass.sum()
        return np.array([p.sum(axis=0) @ frame.u, p.sum(axis=1) @ frame.v]), float(np.exp(-(p * np.log(np.maximum(p, 1e-300))).sum()))

    place, area = told(mass)
    whole = logs.sum(axis=0)
    changes = []
    for name in names:
        others = whole - logs[[i for i, sight in enumerate(sights) if sight.sensor == name]].sum(axis=0)
        there, wider = told(np.exp(others - others.max()))
        changes.append(Moved(name, float(np.hypot(*(place - there))), wider / area))
    return tuple(sorted(changes, key=lambda change: -change.times))


def _radius(x: Grid, y: Grid, density: Grid, best: tuple[float, float], share: float) -> float:
    """Radius about `best` that holds `share` of the mass, between the rings of cells."""
    distance = np.hypot(x[None, :] - best[0], y[:, None] - best[1]).ravel()
    order = distance.argsort()
    return float(np.interp(share, density.ravel()[order].cumsum(), distance[order]))


def _region(plane: Plane, frame: _Frame, density: Grid, share: float) -> shapely.MultiPolygon:
    """Smallest area that holds `share` of the mass, as contours of the density, in degrees."""
    x, y = frame.u, frame.v
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
    there = shapely.transform(shapely.union_all(shapely.make_valid(np.array(parts))), lambda c: np.column_stack(frame.turned(c[:, 0], c[:, 1])))
    return _degrees(plane, there)


def _degrees(plane: Plane, shape: BaseGeometry) -> shapely.MultiPolygon:
    polygons = [part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon" and not part.is_empty]
    there = shapely.transform(shapely.MultiPolygon(polygons), lambda c: np.column_stack(plane.degrees(c[:, 0], c[:, 1])))
    return shapely.set_srid(there, 4326)


def _within(plane: Plane, sight: Sight, probability: float) -> Posterior:
    """A single footprint needs no grid: anywhere inside alike, so 50 % is its middle half and 90 % (and a little more) the whole."""
    shape = plain(plane.shape(sight.footprint))
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
