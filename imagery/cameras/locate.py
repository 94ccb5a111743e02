"""From a box in a picture to a place on the ground: a point with its accuracy, or a bearing wedge where the point cannot be known.

Camera model: pinhole, square pixels, no roll, principal point in the middle; the ray through the bottom centre of the box meets the terrain
(`Terrain.reach`: Earth curvature and refraction included).

Uncertainty: Monte Carlo with 128 fixed, antithetic draws of azimuth, pitch, field of view, mast position and height, box edge and terrain
height, each normal with the sigmas of the pose and the terrain. Errors of a terrain model are alike at near places (correlation length 1 km),
so only the difference between mast and target counts. A grazing ray is far from linear, so a Jacobian would claim metres where a
ridge makes it kilometres. Ground that a ridge hides behind the foot seen is a candidate as well, though no draw reaches it. The draws that meet the ground form distance intervals (a gap over 100 m or 15 % of the distance parts two):
one interval, met by at least 90 % of the draws and no wider than half its distance, is a point; anything else is a wedge with its candidates.
`accuracy_m` is the radius around the best point that holds 90 % of the draws, as intake asks.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from grid.errors import InvalidInput
from grid.geometry import GEOD, circle, ellipse, view_sector
from grid.sensing.likelihood import Polar
from imagery.cameras import skyline
from imagery.terrain import Terrain, drop_m

DRAWS = 128
NEAR_M = 500.0
"""A wedge that meets no ground begins here: nearer smoke would show its foot."""

FAR_M = 35_000.0
CORRELATION_M = 1000.0


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a camera stands and looks. Degrees; metres; `lens_m`: lens above the datum of the terrain; `width`, `height`: of the picture in pixels.

    Azimuth clockwise from true north; pitch above the horizontal (negative looks down); sigmas are one standard deviation;
    `hfov_sigma` is a share of the field of view. `roll_deg`: the camera turned clockwise about its axis as seen from behind it. `k1`: a picture
    point at radius r focal lengths lies at r (1 + k1 r²) in the picture of a perfect lens (radial distortion, straightened).
    """

    lon: float
    lat: float
    lens_m: float
    azimuth_deg: float
    pitch_deg: float
    hfov_deg: float
    width: int
    height: int
    angle_sigma_deg: float = 0.5
    hfov_sigma: float = 0.01
    position_sigma_m: float = 3.0
    lens_sigma_m: float = 1.0
    roll_deg: float = 0.0
    k1: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.lon, self.lat, self.lens_m, self.azimuth_deg, self.pitch_deg, self.hfov_deg)
        if not np.isfinite(numbers).all() or not 0 < self.hfov_deg < 180 or not -90 <= self.pitch_deg <= 90 or min(self.width, self.height) < 1:
            raise InvalidInput(f"相机姿态无效 · camera pose {self}", remedy="correct the camera's azimuth, pitch, field of view and picture size")

    @property
    def focal_px(self) -> float:
        return self.width / (2 * np.tan(np.radians(self.hfov_deg) / 2))


@dataclass(frozen=True, slots=True)
class Interval:
    """Distances in metres from the camera between which the thing may stand, and the share of the draws that say so."""

    near_m: float
    far_m: float
    share: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is. `kind` point: lon, lat with `covariance` (east², east·north, north² in m²). `kind` wedge: lon, lat is the likeliest of `candidates`.

    `polar`: how well each place of the wedge explains the foot, for fusion; None where the foot is out of sight. `accuracy_m`: 90 % radius; `footprint`: EPSG:4326, the 95 % ellipse of a point or the sectors of a wedge (two sigmas wide).
    """

    kind: Literal["point", "wedge"]
    lon: float
    lat: float
    accuracy_m: float
    distance_m: float
    bearing_deg: float
    bearing_sigma_deg: float
    covariance: tuple[float, float, float] | None
    candidates: tuple[Interval, ...]
    footprint: shapely.Geometry
    polar: Polar | None = None


def direction(pose: Pose, x, y) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth (0–360) and elevation in degrees of the ray through pixel x, y (from the top left corner, x right, y down)."""
    return directions(np.asarray(x, float), np.asarray(y, float), pose, pose.azimuth_deg, pose.pitch_deg, pose.focal_px)


def directions(x, y, pose: Pose, azimuth, pitch, focal) -> tuple[np.ndarray, np.ndarray]:
    """`direction` for a camera like `pose` with these azimuths, pitches (degrees) and focal lengths (pixels), all broadcast together."""
    right, up = (x - pose.width / 2) / focal, -(y - pose.height / 2) / focal
    straight = 1 + pose.k1 * (right * right + up * up)
    c, s = np.cos(np.radians(pose.roll_deg)) * straight, np.sin(np.radians(pose.roll_deg)) * straight
    right, up = c * right + s * up, c * up - s * right
    a, p = np.radians(azimuth), np.radians(pitch)
    forward = np.cos(p) - up * np.sin(p)
    east = np.sin(a) * forward + np.cos(a) * right
    north = np.cos(a) * forward - np.sin(a) * right
    return np.degrees(np.arctan2(east, north)) % 360, np.degrees(np.arctan2(np.sin(p) + up * np.cos(p), np.hypot(east, north)))


def project(pose: Pose, lon: float, lat: float, height_m: float) -> tuple[float, float] | None:
    """Pixel x, y at which a ground point appears, curvature and refraction included; None behind the camera. It may lie outside the picture."""
    azimuth, _, distance = GEOD.inv(pose.lon, pose.lat, lon, lat)
    rise = (height_m - pose.lens_m - drop_m(distance)) / max(distance, 1e-6)
    towards = np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth)), rise
    x, y = pixels(*towards, pose, pose.azimuth_deg, pose.pitch_deg, pose.focal_px)
    return None if np.isnan(x) else (float(x), float(y))


def pixels(east, north, up, pose: Pose, azimuth_deg, pitch_deg, focal_px) -> tuple[np.ndarray, np.ndarray]:
    """Pixels x, y of directions from the lens (any length), for a camera like `pose` with these azimuths, pitches and focal lengths, all broadcast together;
    NaN behind the camera. They may lie outside the picture."""
    a, p, r = np.radians(azimuth_deg), np.radians(pitch_deg), np.radians(pose.roll_deg)
    length = np.maximum(np.hypot(east, north), 1e-9)
    ahead, right, up = (east * np.sin(a) + north * np.cos(a)) / length, (east * np.cos(a) - north * np.sin(a)) / length, up / length
    depth = ahead * np.cos(p) + up * np.sin(p)
    depth = np.where(depth > 1e-9, depth, np.nan)
    above = up * np.cos(p) - ahead * np.sin(p)
    x, y = (np.cos(r) * right - np.sin(r) * above) / depth, (np.sin(r) * right + np.cos(r) * above) / depth
    bend = _bent(np.hypot(x, y), pose.k1)
    return pose.width / 2 + focal_px * x * bend, pose.height / 2 - focal_px * y * bend


def _bent(radius, k1: float):
    """By how much a real lens draws in what a perfect one shows at `radius` focal lengths: Newton steps on r (1 + k1 r²) = radius."""
    if k1 == 0.0:
        return 1.0
    r = radius
    for _ in range(12):
        r = r - (r * (1 + k1 * r * r) - radius) / np.maximum(1 + 3 * k1 * r * r, 0.1)
    return np.where(radius > 0, r / np.maximum(radius, 1e-12), 1.0)


def locate(pose: Pose, box: tuple[float, float, float, float], terrain: Terrain, *, far_m: float = FAR_M, draws: int = DRAWS) -> Place:
    """The place of `box` (left, top, right, bottom in pixels). The thing stands where the bottom centre of the box meets the ground.

    A box that the lower edge of the picture cuts has its foot out of sight: a wedge from the camera to where its edge meets the ground.
    """
    left, top, right, bottom = box
    if not np.isfinite(box).all() or right < left or bottom < top:
        raise InvalidInput(f"目标框无效 · box {box}", remedy="left ≤ right and top ≤ bottom, in pixels")
    x, y = (left + right) / 2, min(bottom, pose.height)
    noise = noise_of(draws)
    edge = 2.0 + 0.03 * np.array([right - left, bottom - top])
    focal = pose.width / (2 * np.tan(np.radians(np.clip(pose.hfov_deg * (1 + pose.hfov_sigma * noise[2]), 0.1, 179.0)) / 2))
    azimuths, elevations = directions(
        x + edge[0] * noise[3],
        y + edge[1] * noise[4],
        pose,
        pose.azimuth_deg + pose.angle_sigma_deg * noise[0],
        np.clip(pose.pitch_deg + pose.angle_sigma_deg * noise[1], -90, 90),
        focal,
    )
    bearing, elevation = (float(v) for v in direction(pose, x, y))
    best = float(terrain.reach(pose.lon, pose.lat, pose.lens_m, bearing, elevation, far_m=far_m))
    apart = best if np.isfinite(best) else far_m
    lens_sigma = float(np.hypot(pose.lens_sigma_m, terrain.sigma_m * np.sqrt(1 - np.exp(-apart / CORRELATION_M))))
    spread = float(np.std((azimuths - bearing + 180) % 360 - 180))
    lift = lens_sigma * noise[5]
    ground = float(terrain.elevation(pose.lon, pose.lat))
    lenses = np.maximum(pose.lens_m + lift, ground + 1.0) if np.isfinite(ground) else pose.lens_m + lift
    reach = terrain.reach(pose.lon, pose.lat, lenses, azimuths, elevations, far_m=far_m)
    met = np.isfinite(reach)
    intervals = _intervals(reach[met], len(reach))
    if bottom >= pose.height - 1 and met.any():
        intervals = (Interval(1.0, float(np.quantile(reach[met], 0.95)), 1.0),)
        return _wedge(pose, bearing, spread, intervals)
    tilt = float(np.std(elevations))
    polar = skyline.foot(pose.lon, pose.lat, pose.lens_m, bearing, spread, elevation, tilt, lens_sigma, terrain, near_m=min(NEAR_M, far_m / 20), far_m=far_m)
    intervals = _with_hidden(intervals, skyline.behind(pose.lon, pose.lat, pose.lens_m, bearing, elevation, tilt, lens_sigma, terrain, far_m=far_m))
    if met.mean() >= 0.9 and len(intervals) == 1:
        low, high = np.quantile(reach[met], [0.16, 0.84])
        centre = best if np.isfinite(best) and intervals[0].near_m <= best <= intervals[0].far_m else float(np.median(reach[met]))
        if high - low <= 0.5 * centre:
            return _point(pose, bearing, spread, centre, azimuths[met], reach[met], noise[6:8][:, met], intervals, polar)
    missed = float((~met).mean())
    if missed > 0.05:
        begin = max([NEAR_M, *(i.far_m for i in intervals)])
        intervals = (*intervals, Interval(min(begin, far_m * 0.9), far_m, missed))
    return _wedge(pose, bearing, spread, intervals, polar)


def noise_of(draws: int, rows: int = 8) -> np.ndarray:
    """Rows of normal draws (an even number, above twice the rows), the second half mirroring the first; the same every time, of exactly unit variance and no correlation."""
    half = np.random.default_rng(20240607).standard_normal((rows, draws // 2))
    half = np.linalg.solve(np.linalg.cholesky(half @ half.T / half.shape[1]), half)
    return np.concatenate([half, -half], axis=1)


def _intervals(reach: np.ndarray, total: int) -> tuple[Interval, ...]:
    if not len(reach):
        return ()
    ordered = np.sort(reach)
    cuts = np.flatnonzero(np.diff(ordered) > np.maximum(100.0, 0.15 * ordered[:-1])) + 1
    groups = [group for group in np.split(ordered, cuts) if len(group) / total >= 0.02]
    return tuple(Interval(float(group[0]), float(group[-1]), len(group) / total) for group in groups)


def _with_hidden(intervals: tuple[Interval, ...], hidden: list[tuple[float, float]]) -> tuple[Interval, ...]:
    """The intervals and the hidden grounds, in order of distance: one that overlaps hidden ground reaches over it."""
    merged: list[Interval] = []
    for each in sorted([*intervals, *(Interval(near, far, 0.0) for near, far in hidden)], key=lambda i: i.near_m):
        if merged and each.near_m <= merged[-1].far_m:
            last = merged.pop()
            each = Interval(last.near_m, max(last.far_m, each.far_m), min(1.0, last.share + each.share))
        merged.append(each)
    return tuple(merged)


def _point(pose, bearing, spread, distance, azimuths, reach, shift, intervals, polar) -> Place:
    lon, lat, _ = GEOD.fwd(pose.lon, pose.lat, bearing, distance)
    turn, own = np.radians(azimuths), np.radians(bearing)
    east = reach * np.sin(turn) - distance * np.sin(own) + pose.position_sigma_m * shift[0]
    north = reach * np.cos(turn) - distance * np.cos(own) + pose.position_sigma_m * shift[1]
    radius = float(np.quantile(np.hypot(east, north), 0.9))
    covariance = np.cov(np.stack([east, north]))
    values, vectors = np.linalg.eigh(covariance)
    minor, major = np.sqrt(np.maximum(values, 0.01) * 5.991)
    azimuth = float(np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1])) % 180)
    footprint = shapely.set_srid(ellipse(lon, lat, float(major), float(minor), azimuth), 4326)
    return Place(
        "point",
        float(lon),
        float(lat),
        max(radius, 0.1),
        distance,
        bearing,
        spread,
        (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])),
        intervals,
        footprint,
        polar,
    )


def _wedge(pose: Pose, bearing: float, spread: float, intervals: tuple[Interval, ...], polar: Polar | None = None) -> Place:
    """The likeliest interval gives the point: its middle, geometric because near places cover less ground."""
    likeliest = max(intervals, key=lambda interval: (interval.share, -interval.near_m))
    distance = float(np.sqrt(likeliest.near_m * likeliest.far_m))
    lon, lat, _ = GEOD.fwd(pose.lon, pose.lat, bearing, distance)
    reach = max(abs(interval.far_m - distance) for interval in intervals), max(abs(distance - interval.near_m) for interval in intervals)
    opening = max(4 * spread, 0.2)
    sectors = []
    for interval in intervals:
        sector = view_sector(pose.lon, pose.lat, bearing, opening, max(interval.far_m, 1.5))
        sectors.append(sector.difference(circle(pose.lon, pose.lat, interval.near_m)) if interval.near_m > 1.0 else sector)
    footprint = shapely.set_srid(shapely.union_all([sector for sector in sectors if not sector.is_empty]), 4326)
    accuracy = max(0.9 * max(reach), distance * float(np.radians(spread)), 1.0)
    return Place("wedge", float(lon), float(lat), accuracy, distance, bearing, spread, None, intervals, footprint, polar)
