"""The copy of a picture that people may see: persons and number plates made unrecognisable. It fails closed.

Where a model that knows people is at hand, each person and the lower part of each vehicle (where its plate is) are pixelated; without one
the whole picture is. Nothing here recognises anyone.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from imagery.cameras.engines import Box, Engine
from imagery.cameras.weights import list_models, load_engine

MODELS = ("coco", "obstacles")
PEOPLE = frozenset({"person", "Person"})
VEHICLES = frozenset({"car", "bus", "truck", "motorcycle", "Car"})
THRESHOLD = 0.12
"""Low on purpose: a blurred lamp post costs nothing."""

PLATE_SHARE = 0.6
WHOLE_BLOCKS = 64


def people_engine(models_dir: Path, threads: int) -> Engine | None:
    """An engine that finds people, or None."""
    present = {model.card.id: model for model in list_models(models_dir)}
    found = next((present[name] for name in MODELS if name in present and PEOPLE & set(present[name].card.classes)), None)
    return load_engine(found, threads) if found else None


def blurred(image: np.ndarray, engine: Engine | None) -> np.ndarray:
    """A copy of `image` (H×W×3 uint8 RGB) that may be shown; without an engine all of it is pixelated to 64 blocks across."""
    if engine is None:
        return pixelated(image, [(0, 0, image.shape[1], image.shape[0])], blocks=WHOLE_BLOCKS)
    return pixelated(image, [area for area in map(_area, engine.boxes(image, THRESHOLD, limit=300)) if area])


def _area(box: Box) -> tuple[float, float, float, float] | None:
    if box.label in PEOPLE:
        return box.left - 0.05 * box.width, box.top - 0.05 * box.height, box.right + 0.05 * box.width, box.bottom
    if box.label in VEHICLES:
        return box.left, box.bottom - PLATE_SHARE * box.height, box.right, box.bottom
    return None


def pixelated(image: np.ndarray, areas: Sequence[tuple[float, float, float, float]], blocks: int = 6) -> np.ndarray:
    """A copy with each area (left, top, right, bottom in pixels, clipped) averaged to at most `blocks` squares along its longer side."""
    copy = image.copy()
    height, width = image.shape[:2]
    for left, top, right, bottom in areas:
        x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
        x1, y1 = min(width, int(np.ceil(right))), min(height, int(np.ceil(bottom)))
        if x1 <= x0 or y1 <= y0:
            continue
        part = copy[y0:y1, x0:x1]
        share = min(1.0, blocks / max(part.shape[:2]))
        small = cv2.resize(part, (max(1, round((x1 - x0) * share)), max(1, round((y1 - y0) * share))), interpolation=cv2.INTER_AREA)
        copy[y0:y1, x0:x1] = cv2.resize(small, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return copy
