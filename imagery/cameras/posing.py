"""What control points, a tracked vehicle or the horizon say of a registered camera's pose, with the error of the fit in words that a person can judge."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grid.errors import InvalidInput
from grid.geometry import GEOD
from grid.world.cameras import Camera
from imagery.cameras import horizon
from imagery.cameras.calibrate import CHI90, LEAST, NAMES, Points, calibrate
from imagery.cameras.calibrate_points import PASS_S, leave_out
from imagery.cameras.locate import Pose
from imagery.terrain import Terrain

Array = NDArray[np.float64]
FOLDS = 5
"""Control points are placed by calibrations that did not know them, a fifth at a time."""
TOLD_FROM = 6
GAP_S = 5.0
"""Between positions further apart than this a vehicle may have turned or stood."""
EDGE = 0.002
"""A box this near to the frame's edge, as a share of it, is only a part of the vehicle."""
MOST = 200
"""Of a longer drive so many boxes are used, evenly spread: the fit's price grows with their cube."""
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
    return _fitted("control_points", camera, points[:, [0, 1, 0, 1]], points[:, 2:], np.arange(len(points)) % FOLDS)


def from_vehicle(camera: Camera, boxes: Array, positions: Array) -> Posed:
    """The pose from a vehicle of known position that was tracked through the picture.

    `boxes`: n × 5, seconds and left, top, right, bottom as fractions of the frame; `positions`: m × 3, seconds (of the same clock), lon, lat of its
    receiver. A box is used where positions on both sides of its time lie no more than GAP_S apart and the frame's edge does not cut it. Errors are of
    drives placed by the other drives, of a fifth of the only drive by the rest; `lift` is the share of the box's height at which the receiver rides.
    A receiver errs alike all along a drive, which points of one drive cannot show: the pose's error is `widened` until nine in ten of the points left
    out are explained by it.
    Raises InvalidInput for fewer than 4 such boxes, or where no camera explains them.
    """
    boxes, positions = np.asarray(boxes, float).reshape(-1, 5), np.asarray(positions, float).reshape(-1, 3)
    boxes, positions = boxes[np.argsort(boxes[:, 0], kind="stable")], positions[np.unique(positions[:, 0], return_index=True)[1]]
    usable = _between(boxes[:, 0], positions[:, 0]) & (boxes[:, [1, 2]] > EDGE).all(axis=1) & (boxes[:, [3, 4]] < 1 - EDGE).all(axis=1)
    if usable.sum() < LEAST:
        raise InvalidInput(
            f"{len(boxes)} 个车辆框中只有 {usable.sum()} 个可用 · only {usable.sum()} of {len(boxes)} boxes can be used",
            remedy=f"whole boxes, with positions at most {GAP_S:g} s apart around their times, of the same clock; at least {LEAST}",
        )
    kept = boxes[usable]
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, MOST).round().astype(int))]
    drives = np.cumsum(np.concatenate([[False], np.diff(kept[:, 0]) > PASS_S]))
    groups = drives % FOLDS if drives[-1] else np.arange(len(kept)) * FOLDS // len(kept)
    places = np.stack([np.interp(kept[:, 0], positions[:, 0], positions[:, column]) for column in (1, 2)], axis=1)
    posed = _fitted("vehicle", camera, kept[:, 1:], places, groups)
    return replace(posed, fit=posed.fit | {"drives": int(drives[-1]) + 1, "left_out": int(len(boxes) - usable.sum())})


def _between(at: Array, known: Array) -> NDArray[np.bool_]:
    """Whether each time lies between two known ones that are close together."""
    if len(known) < 2:
        return np.zeros(len(at), bool)
    after = np.clip(np.searchsorted(known, at), 1, len(known) - 1)
    return (at >= known[0]) & (at <= known[-1]) & (known[after] - known[after - 1] <= GAP_S)


def _fitted(method: str, camera: Camera, boxes: Array, places: Array, groups: NDArray[np.int64]) -> Posed:
    """The camera that explains boxes (n × 4 fractions of the frame) at places (n × 2: lon, lat); `groups` are placed by the others to tell its error."""
    azimuth, _, away = GEOD.inv(np.full(len(places), camera.lon), np.full(len(places), camera.lat), places[:, 0], places[:, 1])
    ground = np.stack([away * np.sin(np.radians(azimuth)), away * np.cos(np.radians(azimuth))], axis=1)
    if len(places) and np.max(away) > 20_000.0:
        raise InvalidInput(f"控制点距摄像机 {np.max(away) / 1000:.0f} 公里 · a control point lies far from the camera", remedy="check longitude and latitude")
    at = boxes * ([camera.image_width, camera.image_height] * 2)
    given = Points(at, ground, camera.image_width, camera.image_height)
    fitted = calibrate(given)
    best = max(fitted.members, key=lambda member: member.weight)
    sigma = np.degrees(np.sqrt(np.clip(np.diag(fitted.stretch * best.spread), 0.0, None)))
    found = fitted.camera
    judgement = leave_out(given, groups) if len(given) >= TOLD_FROM else None
    judged = judgement.as_dict() if judgement else {}
    widened = max(1.0, float(np.sqrt(np.quantile(judgement.squared, 0.9) / CHI90))) if judgement and method == "vehicle" else 1.0
    pose = {
        "azimuth_deg": float(np.degrees(found["azimuth"]) % 360), "pitch_deg": float(np.degrees(found["pitch"])),
        "hfov_deg": float(np.degrees(2 * np.arctan(camera.image_width / 2 / fitted.focal_px))),
        "pose_sigma_deg": float(np.clip(widened * max(sigma[NAMES.index("azimuth")], sigma[NAMES.index("pitch")]), 0.05, 90.0)),
    }  # fmt: skip
    fit = {"rms_m": fitted.rms_m, "mean_m": judged.get("mean_m"), "max_m": judged.get("max_m"), "coverage90": judged.get("coverage90")}
    told = {"off_m": float(np.hypot(found["east_m"], found["north_m"])), "height_m": found["height_m"], "roll_deg": float(np.degrees(found["roll"])), "points": len(given)}
    lift = {"lift": found["lift"], "widened": widened} if method == "vehicle" else {}
    return Posed(method, _rounded(pose), _rounded(fit | told | lift))


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
