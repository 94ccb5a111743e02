"""A look at a JPEG without decoding it: an eighth of each side, grey, is all that the difference gate needs, at a third of the cost.

JPEG stores blocks of 8×8 with their mean first, so the reduced picture is read from the means (libjpeg's scaled decoding). Only what has changed is
decoded in full, and judged for damage there.
"""

import cv2
import numpy as np

from imagery.cameras.health import THUMB, Thumb, changed

MARKER = b"\xff\xd8\xff"


def glance(content: bytes) -> Thumb | None:
    """The grey thumb of a JPEG of at least 640 pixels (its sharpness unknown, NaN); None for what must be decoded to be seen."""
    if not content.startswith(MARKER):
        return None
    grey = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if grey is None or max(grey.shape) < 80:
        return None
    return Thumb(cv2.resize(grey, THUMB, interpolation=cv2.INTER_AREA), float("nan"))


class Glances:
    """The gate of one camera that sends JPEGs: whether a picture is worth decoding."""

    def __init__(self) -> None:
        self._last: Thumb | None = None

    def passes(self, content: bytes) -> bool:
        """Whether the picture differs from the last that passed; always true for the first, and for what cannot be glanced at."""
        current = glance(content)
        if current is not None and not changed(current, self._last):
            return False
        self._last = current
        return True
