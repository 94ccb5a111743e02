"""How fast a track goes and where to, in metres a second over the ground, with its error. Pure.

The feet of the track are laid on the ground by each camera that the errors allow, and a straight course is fitted through them. What all feet have in common
(where the camera stands, how it is turned) cancels in the course; what is left is the error of the boxes and the scale, and their spread is the answer's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from imagery.cameras.eyes import DRAWS, Eye
from imagery.cameras.tracking import Fractions

MOST = 12
LEAST_S = 1.0
SURE = 2.0
"""Sigmas: a slower course is not told from standing still, and has no direction."""


@dataclass(frozen=True, slots=True)
class Motion:
    """`speed_ms` and its standard error over the ground; `course_deg` clockwise from true north with its standard error, None when it may stand still."""

    speed_ms: float
    speed_sigma_ms: float
    course_deg: float | None
    course_sigma_deg: float | None


def motion(eye: Eye, boxes: Sequence[Fractions], times: Sequence[datetime]) -> Motion | None:
    """The motion over the last boxes of a track (fractions, in order of time; at most MOST). None for fewer than two, for less than a second, where a
    foot is out of sight, or where too few rays meet the ground."""
    boxes, times = list(boxes)[-MOST:], list(times)[-MOST:]
    if len(boxes) < 2:
        return None
    seconds = np.array([(at - times[0]).total_seconds() for at in times])
    given = np.array(boxes, float)
    if seconds[-1] < LEAST_S or (given[:, 3] >= 1 - 1 / eye.height).any():
        return None
    wide, tall = (given[:, 2] - given[:, 0]) * eye.width, (given[:, 3] - given[:, 1]) * eye.height
    slip = np.random.default_rng(20261123).standard_normal((2, DRAWS + 1, len(given)))
    slip[:, 0] = 0.0
    x = (given[:, 0] + given[:, 2]) / 2 * eye.width + slip[0] * (2.0 + 0.03 * wide)
    y = given[:, 3] * eye.height + slip[1] * (2.0 + 0.03 * tall)
    ground = eye.ground(x, y)
    whole = np.isfinite(ground).all(axis=(1, 2))
    if whole[1:].mean() < 0.9:
        return None
    ground, centred = ground[whole], seconds - seconds.mean()
    velocity = np.einsum("n,dnk->dk", centred, ground) / (centred**2).sum()
    middle = velocity[0] if whole[0] else velocity.mean(axis=0)
    spread = np.cov(velocity.T)
    speed = float(np.hypot(*middle))
    along = middle / max(speed, 1e-9)
    sigma = float(np.sqrt(max(along @ spread @ along, 1e-8))) if speed > 1e-9 else float(np.sqrt(np.trace(spread) / 2))
    across = np.array([along[1], -along[0]])
    if speed < SURE * float(np.sqrt(np.linalg.eigvalsh(spread)[-1])):
        return Motion(speed, sigma, None, None)
    turn = float(np.degrees(np.sqrt(max(across @ spread @ across, 0.0)) / speed))
    return Motion(speed, sigma, float(np.degrees(np.arctan2(middle[0], middle[1])) % 360), max(turn, 0.1))
