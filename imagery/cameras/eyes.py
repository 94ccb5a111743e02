"""How the pixels of one camera and the ground belong together, with their errors: by its pose over terrain, or by its control points.

An eye answers for its best camera and for DRAWS others that its errors allow, always the same ones. A pose's error is common to all that is seen at one
time, so what two places have in common (the border of a zone and a foot, two feet of one track) is judged draw by draw, never by two separate sigmas.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.geometry import GEOD, circle, view_sector
from imagery.cameras import skyline
from imagery.cameras.calibrate import NAMES, Calibration, Points, calibrate, ground_of
from imagery.cameras.locate import CORRELATION_M, Pose, directions, noise_of, pixels
from imagery.terrain import Terrain, drop_m

Array = NDArray[np.float64]
DRAWS = 32
FAR_M = 35_000.0
BESIDE_DEG = 10.0
"""Ground this far outside the field of view still counts as before the lens: an outline is cut by the frame, not by the best pose."""


class Eye(Protocol):
    """`width`, `height`: of the picture in pixels."""

    width: int
    height: int

    def pixels(self, lon: Array, lat: Array) -> Array:
        """Pixels of n ground places, (1 + DRAWS) × n × 2, the best camera's first; NaN where a place is behind the lens or its height unknown."""

    def ground(self, x: Array, y: Array) -> Array:
        """Where the rays of pixels x, y ((1 + DRAWS) × n) meet the ground: metres east and north of the eye's own origin, (1 + DRAWS) × n × 2; NaN where they meet none."""

    def before(self, shape: shapely.Geometry) -> shapely.Geometry:
        """The part of a shape on the map (EPSG:4326) that lies before the lens, within its range, and is not hidden. It may leave the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseEye:
    """A camera of known pose over a terrain. `range_m`: how far it is useful."""

    pose: Pose
    terrain: Terrain
    range_m: float

    @property
    def width(self) -> int:
        return self.pose.width

    @property
    def height(self) -> int:
        return self.pose.height

    def pixels(self, lon: Array, lat: Array) -> Array:
        pose, noise = self.pose, _noise()
        azimuths, _, away = GEOD.inv(np.full(len(lon), pose.lon), np.full(len(lat), pose.lat), lon, lat)
        azimuths, away = np.radians(np.asarray(azimuths)), np.asarray(away)
        east = away * np.sin(azimuths) - pose.position_sigma_m * noise[6][:, None]
        north = away * np.cos(azimuths) - pose.position_sigma_m * noise[7][:, None]
        up = self.terrain.elevation(lon, lat) - self._lens(away) - drop_m(away)
        azimuth, pitch, focal = (part[:, None] for part in self._cameras())
        return np.stack(np.broadcast_arrays(*pixels(east, north, up, pose, azimuth, pitch, focal)), axis=2)

    def ground(self, x: Array, y: Array) -> Array:
        pose, noise = self.pose, _noise()
        azimuth, pitch, focal = (part[:, None] for part in self._cameras())
        azimuths, elevations = directions(x, y, pose, azimuth, pitch, focal)
        far_m = min(FAR_M, 1.5 * self.range_m)
        lens = np.broadcast_to(self._lens(np.full(1, self.range_m / 2)), azimuths.shape)
        foot = float(self.terrain.elevation(pose.lon, pose.lat))
        reach = self.terrain.reach(pose.lon, pose.lat, np.maximum(lens, foot + 0.5) if np.isfinite(foot) else lens, azimuths, elevations, far_m=far_m)
        turn = np.radians(azimuths)
        shift = pose.position_sigma_m * noise[6:8][:, :, None]
        return np.stack([reach * np.sin(turn) + shift[0], reach * np.cos(turn) + shift[1]], axis=2)

    def before(self, shape: shapely.Geometry) -> shapely.Geometry:
        pose = self.pose
        reach = max(min(FAR_M, 1.5 * self.range_m), 10.0)
        seen = shape & (view_sector(pose.lon, pose.lat, pose.azimuth_deg, min(pose.hfov_deg + 2 * BESIDE_DEG, 175.0), reach) - circle(pose.lon, pose.lat, 1.0))
        if seen.is_empty:
            return seen
        return seen - skyline.hidden(pose.lon, pose.lat, pose.lens_m, seen, self.terrain)

    def _cameras(self) -> tuple[Array, Array, Array]:
        pose, noise = self.pose, _noise()
        hfov = np.clip(pose.hfov_deg * (1 + pose.hfov_sigma * noise[2]), 0.1, 179.0)
        pitch = np.clip(pose.pitch_deg + pose.angle_sigma_deg * noise[1], -90, 90)
        return pose.azimuth_deg + pose.angle_sigma_deg * noise[0], pitch, pose.width / (2 * np.tan(np.radians(hfov) / 2))

    def _lens(self, away: Array) -> Array:
        """Heights of the lens against the ground at distances, (1 + DRAWS) × n."""
        pose = self.pose
        sigma = np.hypot(pose.lens_sigma_m, self.terrain.sigma_m * np.sqrt(1 - np.exp(-away / CORRELATION_M)))
        return pose.lens_m + sigma * _noise()[5][:, None]


@dataclass(frozen=True, slots=True, eq=False)
class ControlEye:
    """A camera found from control points (`calibration`: metres east and north of `lon`, `lat`), on the sloping plane that they lie in."""

    lon: float
    lat: float
    calibration: Calibration
    range_m: float

    @property
    def width(self) -> int:
        return self.calibration.width

    @property
    def height(self) -> int:
        return self.calibration.height

    def pixels(self, lon: Array, lat: Array) -> Array:
        azimuths, _, away = GEOD.inv(np.full(len(lon), self.lon), np.full(len(lat), self.lat), lon, lat)
        east, north = np.asarray(away) * np.sin(np.radians(azimuths)), np.asarray(away) * np.cos(np.radians(azimuths))
        seen = []
        for camera in self._cameras():
            pose = self._pose(camera)
            up = camera["slope_east"] * (east - self._origin[0]) + camera["slope_north"] * (north - self._origin[1]) - camera["height_m"]
            seen.append(np.stack(pixels(east - camera["east_m"], north - camera["north_m"], up, pose, pose.azimuth_deg, pose.pitch_deg, pose.focal_px), axis=1))
        return np.stack(seen)

    def ground(self, x: Array, y: Array) -> Array:
        drawn = self.calibration.drawn(_noise(len(NAMES)))
        met = [ground_of(camera, np.stack([u, v, u, v], axis=1), self.width, self.height) for camera, u, v in zip(drawn, x, y, strict=True)]
        far = np.stack(met) + self._origin
        return np.where(np.hypot(*np.moveaxis(far, 2, 0))[:, :, None] > 1.5 * self.range_m + 100.0, np.nan, far)

    def before(self, shape: shapely.Geometry) -> shapely.Geometry:
        camera = next(self._cameras())
        pose = self._pose(camera)
        turn, away = np.degrees(np.arctan2(camera["east_m"], camera["north_m"])), np.hypot(camera["east_m"], camera["north_m"])
        lon, lat, _ = GEOD.fwd(self.lon, self.lat, float(turn), float(away))
        sector = view_sector(lon, lat, pose.azimuth_deg % 360, min(pose.hfov_deg + 2 * BESIDE_DEG, 175.0), max(1.5 * self.range_m, 10.0))
        return shape & (sector - circle(lon, lat, 1.0))

    @property
    def _origin(self) -> Array:
        return self.calibration.origin

    def _cameras(self) -> Iterator[dict[str, float]]:
        for values in self.calibration.drawn(_noise(len(NAMES))):
            camera = dict(zip(NAMES, values.tolist(), strict=True))
            yield camera | {"east_m": camera["east_m"] + float(self._origin[0]), "north_m": camera["north_m"] + float(self._origin[1])}

    def _pose(self, camera: dict[str, float]) -> Pose:
        hfov = 2 * np.degrees(np.arctan(self.width / 2 / np.exp(camera["log_focal"])))
        azimuth, pitch, roll = (float(np.degrees(camera[name])) for name in ("azimuth", "pitch", "roll"))
        return Pose(self.lon, self.lat, camera["height_m"], azimuth, float(np.clip(pitch, -90, 90)), float(hfov), self.width, self.height, roll_deg=roll, k1=camera["k1"])


@lru_cache(maxsize=256)
def control_eye(numbers: tuple[float, ...], width: int, height: int, range_m: float) -> ControlEye:
    """The eye of control points: x, y as fractions of the frame and lon, lat, one after the other. Raises InvalidInput for fewer than 4, or where no camera
    explains them. A fit takes about a second; the last are kept."""
    fractions, places = np.hsplit(np.array(numbers).reshape(-1, 4), 2)
    lon, lat = (float(v) for v in places.mean(axis=0))
    azimuths, _, away = GEOD.inv(np.full(len(places), lon), np.full(len(places), lat), places[:, 0], places[:, 1])
    ground = np.stack([np.asarray(away) * np.sin(np.radians(azimuths)), np.asarray(away) * np.cos(np.radians(azimuths))], axis=1)
    at = fractions * np.array([width, height])
    return ControlEye(lon, lat, calibrate(Points(np.concatenate([at, at], axis=1), ground, width, height)), range_m)


@lru_cache(maxsize=2)
def _noise(rows: int = 8) -> Array:
    """Rows of normal draws, the first column zero: the best camera's."""
    return np.concatenate([np.zeros((rows, 1)), noise_of(DRAWS, rows)], axis=1)
