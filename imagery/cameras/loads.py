"""Whether the load of a truck lies open: what the colours and the roughness of a box say, without training. An attribute of pixels, not a class of a model.

A tipper body stands in the middle of its box, a hand's breadth below the upper edge. Loose soil and rubble have dull yellow to brown colours and are rough at
the scale of a few pixels; tarpaulins and closed covers are even, and green, blue, black or grey of one tone. What is read is the share of the band where the
load would show that is soil-coloured and rough at once. Paint in earth colours, rust, shadows of leaves and a load of sand under dust deceive it, and no
labelled pictures of muck trucks were to be had: nobody has measured how often. So it opens nothing by itself (see the detector that uses it).
"""

import cv2
import numpy as np

from imagery.cameras.engines import Box

LEAST_PX = 48
"""Shorter side of a box in pixels below which nothing is read: the load would be a few pixels high."""

BAND = (0.08, 0.45)
"""Part of the box's height, from the top, where an open load shows over the sideboards."""

HUE_DEG = (35.0, 95.0)
"""Hue angle of CIE Lab of soil, rubble and sand: orange to yellow."""

CHROMA = (8.0, 45.0)
LIGHT = (20.0, 80.0)
"""Chroma and lightness of CIE Lab (0–100)."""

ROUGH = 2.0
"""Standard deviation of lightness within 5 × 5 pixels, of a box brought to 128 pixels across; even cloth stays below it."""


def open_load(image: np.ndarray, box: Box) -> float | None:
    """Share (0–1) of the load's band that is soil-coloured and rough; None where the box is too small to tell. `image`: H×W×3 uint8 RGB."""
    left, top, right, bottom = (round(value) for value in (box.left, box.top, box.right, box.bottom))
    cut = image[max(top, 0) : bottom, max(left, 0) : right]
    if min(cut.shape[:2]) < LEAST_PX:
        return None
    scale = 128 / cut.shape[1]
    cut = cv2.resize(cut, (128, max(round(cut.shape[0] * scale), 32)), interpolation=cv2.INTER_AREA)
    band = cut[round(BAND[0] * len(cut)) : round(BAND[1] * len(cut)), 13:115]
    lab = cv2.cvtColor(band.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light, hue, chroma = lab[..., 0], np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360, np.hypot(lab[..., 1], lab[..., 2])
    soil = (hue >= HUE_DEG[0]) & (hue <= HUE_DEG[1]) & (chroma >= CHROMA[0]) & (chroma <= CHROMA[1]) & (light >= LIGHT[0]) & (light <= LIGHT[1])
    mean = cv2.blur(light, (5, 5))
    rough = np.sqrt(np.maximum(cv2.blur(light * light, (5, 5)) - mean * mean, 0)) >= ROUGH
    return float((soil & rough).mean())
