"""Is the camera still seeing? Dark, blurred and frozen pictures, judged on one small grey copy; thresholds are in the signature.

Truncated pictures never reach here: `frames.decode` refuses them.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

THUMB = (160, 96)


class Fault(StrEnum):
    """What is wrong with a picture; the values are those of cameras.state."""

    DARK = "dark"
    BLURRED = "blurred"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True, eq=False)
class Thumb:
    """A grey copy of 160×96 for comparing frames; `sharpness`: variance of the Laplacian of a copy with its longer side 640."""

    grey: np.ndarray
    sharpness: float


def thumb(image: np.ndarray) -> Thumb:
    """`image`: H×W×3 uint8 RGB of any size from 16×16."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = 640 / max(height, width)
    middle = grey if scale >= 1 else cv2.resize(grey, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
    return Thumb(cv2.resize(grey, THUMB, interpolation=cv2.INTER_AREA), float(cv2.Laplacian(middle, cv2.CV_64F).var()))


def faults(current: Thumb, previous: Thumb | None = None, *, dark: float = 18.0, flat: float = 6.0, frozen: float = 0.02) -> tuple[Fault, ...]:
    """Faults of `current`; `dark`: mean luminance (0–255) below it; `flat`: sharpness below it; `frozen`: mean difference from `previous` below it.

    A real sensor is never noise free, so two equal pictures mean a frozen encoder. A dark picture is not also called blurred.
    """
    found = []
    if float(current.grey.mean()) < dark:
        found.append(Fault.DARK)
    elif current.sharpness < flat:
        found.append(Fault.BLURRED)
    if previous is not None and difference(current, previous) < frozen:
        found.append(Fault.FROZEN)
    return tuple(found)


def difference(current: Thumb, previous: Thumb) -> float:
    """Mean absolute grey difference, 0–255."""
    return float(cv2.absdiff(current.grey, previous.grey).mean())


def changed(current: Thumb, previous: Thumb | None, *, level: int = 12, share: float = 0.0005) -> bool:
    """The difference gate: whether at least `share` of the thumb differs by more than `level`; always true for a first frame."""
    if previous is None:
        return True
    return bool((cv2.absdiff(current.grey, previous.grey) > level).mean() >= share)
