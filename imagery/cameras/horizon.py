"""A camera's azimuth, pitch and roll from the horizon: points of the skyline marked in its picture against the skyline of the terrain.

The line between ground and sky is where rays graze the highest ground along each azimuth (`skyline.profile`, curvature and refraction included). Azimuth,
pitch and roll are fitted so that the marked points lie on it, from starts all around the azimuth that was registered, with wide priors. A level horizon, the
sea's, says pitch and roll and nothing of the azimuth: its sigma then stays that of the prior, and several azimuths that fit alike count as one uncertain one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from grid.errors import InvalidInput
from imagery.cameras import skyline
from imagery.cameras.locate import Pose, directions
from imagery.terrain import Terrain

Array = NDArray[np.float64]

LEAST = 4
SEARCH_DEG = 20.0
"""How far from the registered azimuth the true one may lie."""
PRIOR_DEG = (10.0, 15.0, 2.0)
"""Sigmas of what is registered, before a look: azimuth, pitch, roll (of a level mount)."""
STEP_DEG = 0.2
STARTS = 21
MARK_DEG = 0.03
"""Least error of a marked point against a terrain model: it has trees and houses, the model has not."""
NEAR = np.geomspace(20.0, 2_000.0, 100)
FAR = np.concatenate([np.arange(2_060.0, 12_000.0, 60.0), np.arange(12_000.0, 40_000.0, 120.0)])


@dataclass(frozen=True, slots=True)
class Fit:
    """What the horizon says, degrees; sigmas are one standard deviation, `rms_deg` is by how much the marked points miss the terrain's skyline."""

    azimuth_deg: float
    pitch_deg: float
    roll_deg: float
    azimuth_sigma_deg: float
    pitch_sigma_deg: float
    rms_deg: float
    points: int


def fit(pose: Pose, marks: Array, terrain: Terrain) -> Fit:
    """The fit of marked points (n × 2 pixels, x right, y down). Raises InvalidInput for fewer than 4, or where no pose brings them onto the skyline."""
    marks = np.asarray(marks, float)
    if marks.ndim != 2 or marks.shape[1] != 2 or len(marks) < LEAST or not np.isfinite(marks).all():
        raise InvalidInput(f"地平线点太少 · {len(marks)} points of the horizon", remedy=f"at least {LEAST}, spread over the width of the picture")
    if np.ptp(marks[:, 0]) < pose.width / 4:
        raise InvalidInput("地平线点太集中 · the points lie too close together", remedy="spread them over at least a quarter of the picture's width")
    azimuths = pose.azimuth_deg + np.arange(-SEARCH_DEG - pose.hfov_deg, SEARCH_DEG + pose.hfov_deg + STEP_DEG, STEP_DEG)
    line = skyline.profile(pose.lon, pose.lat, pose.lens_m, azimuths, np.concatenate([NEAR, FAR]), terrain).skyline_deg[:, -1]

    def misses(said: Array) -> Array:
        azimuth, elevation = directions(marks[:, 0], marks[:, 1], replace(pose, roll_deg=float(said[2])), said[0], said[1], pose.focal_px)
        beside = (azimuth - pose.azimuth_deg + 180.0) % 360.0 - 180.0 + pose.azimuth_deg
        return elevation - np.interp(beside, azimuths, line)

    registered = np.array([pose.azimuth_deg, pose.pitch_deg, pose.roll_deg])
    found = [
        least_squares(
            lambda said: np.concatenate([misses(said) / MARK_DEG, (said - registered) / PRIOR_DEG]), registered + [off, 0.0, 0.0], loss="soft_l1", x_scale=PRIOR_DEG, max_nfev=60
        )
        for off in np.linspace(-SEARCH_DEG, SEARCH_DEG, STARTS)
    ]
    best = min(found, key=lambda each: each.cost)
    rms = float(np.sqrt(np.mean(misses(best.x) ** 2)))
    if rms > 1.0:
        raise InvalidInput(f"地平线与地形不符 · the marked points miss the terrain's skyline by {rms:.1f}°", remedy="mark the line between ground and sky; check place, height and field of view")
    scale = max(rms / MARK_DEG, 1.0) ** 2
    spread = scale * np.linalg.inv(best.jac.T @ best.jac)
    weights = np.exp(-np.array([each.cost - best.cost for each in found]) / scale)
    off = np.array([each.x[0] for each in found]) - best.x[0]
    alike = float((weights * off**2).sum() / weights.sum())
    return Fit(
        float(best.x[0] % 360), float(best.x[1]), float(best.x[2]), float(np.sqrt(spread[0, 0] + alike)), float(np.sqrt(spread[1, 1])), rms, len(marks)
    )  # fmt: skip
