"""What control points or the horizon say of a registered camera's pose, with the error of the fit in words that a person can judge."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from grid.errors import InvalidInput
from grid.geometry import GEOD
from grid.world.cameras import Camera
from imagery.cameras import horizon
from imagery.cameras.calibrate import NAMES, Points, calibrate
from imagery.cameras.calibrate_points import leave_out
from imagery.cameras.locate import Pose
from imagery.terrain import Terrain

Array = NDArray[np.float64]
FOLDS = 5
"""Control points are placed by calibrations that did not know them, a fifth at a time."""
TOLD_FROM = 6
SURE_DEG = 2.0
"""An azimuth that is less sure than this is left as it is registered."""


@dataclass(frozen=True, slots=True)
class Posed:
    """`pose`: what is known now, by the names of Camera's columns; `fit`: its errors."""

    method: str
    pose: dict[str, float]
    fit: dict[str, float | int | bool | None]


def from_control(camera: Camera, points: Array) -> Posed:
    """The pose from control points (n × 4: x, y as fractions of the frame, lon, lat). Raises InvalidInput for fewer than 4, or where no camera explains them.

    `mean_m`, `max_m`, `coverage90` are of points placed by a camera that did not know them; `off_m` is how far the fitted camera stands from the registered place.
    """
    points = np.asarray(points, float).reshape(-1, 4)
    azimuth, _, away = GEOD.inv(np.full(len(points), camera.lon), np.full(len(points), camera.lat), points[:, 2], points[:, 3])
    ground = np.stack([away * np.sin(np.radians(azimuth)), away * np.cos(np.radians(azimuth))], axis=1)
    if len(points) and np.max(away) > 20_000.0:
        raise InvalidInput(f"控制点距摄像机 {np.max(away) / 1000:.0f} 公里 · a control point lies far from the camera", remedy="check longitude and latitude")
    at = points[:, :2] * [camera.image_width, camera.image_height]
    given = Points(np.concatenate([at, at], axis=1), ground, camera.image_width, camera.image_height)
    fitted = calibrate(given)
    best = max(fitted.members, key=lambda member: member.weight)
    sigma = np.degrees(np.sqrt(np.clip(np.diag(fitted.stretch * best.spread), 0.0, None)))
    found = fitted.camera
    judged = leave_out(given, np.arange(len(given)) % FOLDS).as_dict() if len(given) >= TOLD_FROM else {}
    pose = {
        "azimuth_deg": float(np.degrees(found["azimuth"]) % 360), "pitch_deg": float(np.degrees(found["pitch"])),
        "hfov_deg": float(np.degrees(2 * np.arctan(camera.image_width / 2 / fitted.focal_px))),
        "pose_sigma_deg": float(np.clip(max(sigma[NAMES.index("azimuth")], sigma[NAMES.index("pitch")]), 0.05, 90.0)),
    }  # fmt: skip
    fit = {"rms_m": fitted.rms_m, "mean_m": judged.get("mean_m"), "max_m": judged.get("max_m"), "coverage90": judged.get("coverage90")}
    told = {"off_m": float(np.hypot(found["east_m"], found["north_m"])), "height_m": found["height_m"], "roll_deg": float(np.degrees(found["roll"])), "points": len(given)}
    return Posed("control_points", _rounded(pose), _rounded(fit | told))


def from_horizon(camera: Camera, marks: Array, pose: Pose, terrain: Terrain) -> Posed:
    """The pose from points of the skyline (n × 2 fractions of the frame), over the camera's terrain. Raises InvalidInput as horizon.fit does."""
    found = horizon.fit(pose, np.asarray(marks, float).reshape(-1, 2) * [camera.image_width, camera.image_height], terrain)
    known = found.azimuth_sigma_deg <= SURE_DEG
    said = {"pitch_deg": found.pitch_deg}
    if known:
        said |= {"azimuth_deg": found.azimuth_deg, "pose_sigma_deg": max(found.azimuth_sigma_deg, found.pitch_sigma_deg, 0.05)}
    fit = {name: value for name, value in asdict(found).items() if name not in ("azimuth_deg", "pitch_deg")}
    return Posed("horizon", _rounded(said), _rounded(fit | {"azimuth_known": known}))


def _rounded(values: dict) -> dict:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
