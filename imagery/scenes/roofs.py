"""What tells a new roof from new ground of its colour: it was not there before, it throws a shadow, its corners are square.

All three judge connected pieces of a mask, at pixels of about half a metre.
"""

import cv2
import numpy as np

RIM_PX = 7
"""How far around a piece its edges and its shadow are sought."""
SHADE = 0.5
"""Of a scene's median brightness: what is darker may be shadow."""
SHADED = 0.1
"""Least share of the rim of a piece that is dark where roofs stand."""
SUNLESS = 0.01
"""Share of dark pixels below which a scene has no shadows to go by."""
ALIKE = 0.8
"""Mean |cos| between the gradients of two dates from which they show the same edges: chance gives 2/π, or 0.67 at the best of 25 shifts."""
SQUARE = 0.75
"""Least share that a piece fills of its rectangle: a disc fills π/4, and so does the smallest roof that an opening by a disc leaves."""


def shadow_below(bright: np.ndarray) -> float:
    """The brightness below which a scene's valid pixels, of these brightnesses, may lie in shadow, in their units; 0 where none does.

    >>> shadow_below(np.r_[np.full(90, 100.0), np.full(10, 20.0)]), shadow_below(np.full(100, 100.0)), shadow_below(np.empty(0))
    (50.0, 0.0, 0.0)
    """
    if not bright.size:
        return 0.0
    dark = SHADE * float(np.median(bright))
    return dark if (bright < dark).mean() >= SUNLESS else 0.0


def standing(mask: np.ndarray, before: np.ndarray, after: np.ndarray, valid: np.ndarray, dark: float, shift_px: int) -> np.ndarray:
    """The pieces of a mask (rows, cols) that are new and throw shadow; before and after (bands, rows, cols), valid (rows, cols).

    New: the directions of the gradients around the piece differ between the dates, at every shift up to `shift_px` (directions stay where light and
    colour change: Ye et al., IEEE TGRS 55(5), 2017). Shadow: some of the rim is darker than `dark`, in the units of after (Huang & Zhang, IEEE JSTARS
    5(1), 2012); 0 leaves it out. Roads fail the second, old roofs in another light the first.

    >>> ground = np.full((3, 60, 60), 100.0); later = ground.copy(); later[:, 20:40, 20:40] = 180; later[:, 40:44, 20:40] = 10
    >>> mask, valid = later[0] > 150, np.ones((60, 60), bool)
    >>> [int(standing(mask, old, later, valid, dark, 2).sum()) for old, dark in ((ground, 50), (later, 50), (ground, 5), (ground, 0))]
    [400, 0, 0, 400]
    """
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    if count == 1:
        return mask
    around = _around(labels)
    inside = cv2.erode(valid.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=1) > 0
    kept = _likeness(before, after, around * inside, count, shift_px) < ALIKE
    if dark > 0:
        rim = around * ((labels == 0) & valid)
        shaded = np.bincount(rim.ravel(), (after.max(axis=0) < dark).ravel(), count)
        kept &= shaded >= SHADED * np.maximum(np.bincount(rim.ravel(), minlength=count), 1)
    kept[0] = False
    return kept[labels]


def squared(mask: np.ndarray) -> np.ndarray:
    """The pieces of a mask (rows, cols) that nearly fill their smallest rectangle, filled up to it; others as they are (the first step of Kwak & Habib,
    ISPRS J. Photogramm. 93, 2014: minimum bounding rectangles).

    >>> disc = np.hypot(*np.mgrid[-20:21, -20:21]) <= 15
    >>> bool(squared(disc).sum() > 900), bool((squared(disc) >= disc).all())
    (True, True)
    """
    filled = mask.astype(np.uint8)
    outlines, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        box = cv2.minAreaRect(outline)
        if cv2.contourArea(outline) > SQUARE * max(box[1][0] * box[1][1], 1):
            cv2.fillPoly(filled, [np.rint(cv2.boxPoints(box)).astype(np.int32)], 1)
    return filled > 0


def _around(labels: np.ndarray) -> np.ndarray:
    """Labels (rows, cols) grown by the rim; where two meet, the higher."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM_PX + 1, 2 * RIM_PX + 1))
    grown = cv2.dilate(labels.astype(np.float32), disc).astype(np.int32)
    return np.where(labels > 0, labels, grown)


def _likeness(before: np.ndarray, after: np.ndarray, labels: np.ndarray, count: int, shift_px: int) -> np.ndarray:
    """Of every label the mean |cos| of the angle between the dates' gradients, weighted by those of after, at the best of all shifts (count,)."""
    (was_down, was_right, _), (down, right, strength) = _directions(before), _directions(after)
    weight = np.maximum(np.bincount(labels.ravel(), strength.ravel(), count), 1e-6)
    best = np.zeros(count)
    for row in range(-shift_px, shift_px + 1):
        for column in range(-shift_px, shift_px + 1):
            moved = (np.roll(part, (row, column), (0, 1)) for part in (was_down, was_right))
            along = np.abs(next(moved) * down + next(moved) * right) * strength
            best = np.maximum(best, np.bincount(labels.ravel(), along.ravel(), count) / weight)
    return best


def _directions(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradient of the logarithm of the band in which it is longest (Dalal & Triggs, CVPR 2005): its direction down and right as a unit vector, shorter
    on plain ground, and its length."""
    least = max(0.02 * float(pixels.max()), 1e-6)
    levels = [cv2.GaussianBlur(np.log(np.maximum(band, 0) + least).astype(np.float32), (0, 0), 1.0) for band in pixels]
    down, right = (np.stack([cv2.Sobel(level, cv2.CV_32F, *way) for level in levels]) for way in ((0, 1), (1, 0)))
    lengths = np.hypot(down, right)
    longest = lengths.argmax(axis=0)[None]
    down, right, length = (np.take_along_axis(each, longest, 0)[0] for each in (down, right, lengths))
    unit = np.maximum(length, 0.05)
    return down / unit, right / unit, length
