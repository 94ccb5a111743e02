"""How a frame is put before a model: once as it comes, or so that a thing without edges is placed by many boxes and believed from several views.

Smoke has no outline: the boxes that a detect head offers for one plume scatter widely, and suppression keeps the single strongest of them. Voting takes
their mean, weighted by score (Gidaris and Komodakis, ICCV 2015; Solovyev et al., Image and Vision Computing 107, 2021), at no further run of the model.
Where the first look suspects something, the frame is looked at again mirrored and from farther off: a plume is one there too, a pale rock or a cloud's
edge often is not. Scores are the mean over the looks, one that saw nothing counting as nought. Frames without suspicion cost one run.

Pure: an engine, pixels and numbers; nothing of a place or of earlier frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from imagery.cameras.engines import Box, Candidates, Engine, suppress

FLOOR = 0.01
"""Least score of a box that has a vote, whatever is asked for: the same frame has the same boxes at every threshold. Weaker ones are many and say little."""

JOINED = 0.5
"""IoU from which boxes are of one thing."""

THINNED = 0.7
"""IoU from which boxes say the same: the value that detect heads are published with."""

MOST = 300
"""Boxes of one run that vote, best first."""


@dataclass(frozen=True, slots=True)
class Look:
    """How often a frame is looked at. `vote`: boxes are means of their candidates; `mirrored`: a second run left to right; `smaller`: further runs with
    the frame shrunk to these shares of the model's input; `suspicion`: score of a box in the first run from which the others are made; `largest`: boxes
    over this share of the frame are none of what is looked for."""

    vote: bool = False
    mirrored: bool = False
    smaller: tuple[float, ...] = ()
    suspicion: float = 0.1
    largest: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.suspicion < 1 and 0 < self.largest <= 1 and all(0.2 <= share < 1 for share in self.smaller)):
            raise ValueError(f"a look with suspicion {self.suspicion} and shares {self.smaller}: 0–1, and 0.2–1 of the input; largest {self.largest}: a share")

    @property
    def runs(self) -> int:
        """Runs of the model that a frame under suspicion costs."""
        return 1 + self.mirrored + len(self.smaller)


ONCE = Look()


def boxes(engine: Engine, image: np.ndarray, threshold: float, how: Look = ONCE, *, overlap: float = 0.5, limit: int = 100) -> tuple[Box, ...]:
    """Boxes with score ≥ `threshold`, best first. `image`: H×W×3 uint8 RGB; `overlap`: IoU above which the weaker of a class goes, when nobody votes."""
    found = _voted(engine, image, threshold, how)[:limit] if how.vote else engine.boxes(image, threshold, overlap=overlap, limit=limit)
    most = how.largest * image.shape[0] * image.shape[1]
    return tuple(box for box in found if box.width * box.height <= most)


def _voted(engine: Engine, image: np.ndarray, threshold: float, how: Look) -> tuple[Box, ...]:
    first = engine.candidates(image, FLOOR)
    views = [first]
    if how.runs > 1 and len(first.scores) and first.scores[0] >= how.suspicion:
        views += [_mirrored(engine, image)] if how.mirrored else []
        views += [_smaller(engine, image, share) for share in how.smaller]
    found = joined([voted(view) for view in views])
    return tuple(Box(*corners, score, engine.labels[kind]) for corners, score, kind in found if score >= threshold)


Voted = tuple[tuple[float, float, float, float], float, int]
"""Corners in pixels (left, top, right, bottom), score, class number."""


def voted(found: Candidates) -> list[Voted]:
    """One box for each thing, best first: its strongest candidate's score, and the mean corners of those of one thing with it, weighted by score.

    Neighbouring cells of a detect head repeat each other, so that the strongest would outvote all others: of candidates that nearly coincide (THINNED) one
    votes. Each votes once, for the strongest that it belongs to; which that is is asked of the mean so far.
    """
    kept = suppress(found.corners, found.kinds, THINNED, MOST)
    things: list[list] = []
    for i in kept:
        corners, score, kind = found.corners[i].astype(float), float(found.scores[i]), int(found.kinds[i])
        near = _nearest(things, corners, kind)
        if near is None:
            things.append([corners * score, score, score, kind])
        else:
            near[0] = near[0] + corners * score
            near[1] += score
    return [(tuple(float(value) for value in total / weight), best, kind) for total, weight, best, kind in things]


def joined(views: Sequence[list[Voted]]) -> list[Voted]:
    """The boxes of several looks at one frame as one list, best first; a look that saw nothing there counts as score 0."""
    if len(views) == 1:
        return views[0]
    things: list[list] = []
    for corners, score, kind, number in sorted(((*each, number) for number, view in enumerate(views) for each in view), key=lambda each: -each[1]):
        near = _nearest(things, np.array(corners), kind)
        if near is None:
            things.append([np.array(corners) * score, score, {number: score}, kind])
        else:
            near[0] = near[0] + np.array(corners) * score
            near[1] += score
            near[2].setdefault(number, score)
    means = [(tuple(float(value) for value in total / weight), sum(said.values()) / len(views), kind) for total, weight, said, kind in things]
    return sorted(means, key=lambda each: -each[1])


def _nearest(things: list[list], corners: np.ndarray, kind: int) -> list | None:
    """The thing of the class whose mean box the corners overlap most, at IoU above JOINED; None for none."""
    same = [thing for thing in things if thing[3] == kind]
    if not same:
        return None
    means = np.stack([thing[0] / thing[1] for thing in same])
    side = np.clip(np.minimum(means[:, 2:], corners[2:]) - np.maximum(means[:, :2], corners[:2]), 0, None)
    shared = side.prod(axis=1)
    union = (means[:, 2:] - means[:, :2]).prod(axis=1) + (corners[2:] - corners[:2]).prod() - shared
    ratio = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    best = int(ratio.argmax())
    return same[best] if ratio[best] > JOINED else None


def _mirrored(engine: Engine, image: np.ndarray) -> Candidates:
    found = engine.candidates(np.ascontiguousarray(image[:, ::-1]), FLOOR)
    corners = found.corners.copy()
    corners[:, [0, 2]] = image.shape[1] - found.corners[:, [2, 0]]
    return Candidates(corners, found.scores, found.kinds)


def _smaller(engine: Engine, image: np.ndarray, share: float) -> Candidates:
    """The frame in the middle of a larger grey one, so that the model sees it at `share` of its usual scale."""
    height, width = image.shape[:2]
    high, wide = round(height / share), round(width / share)
    top, left = (high - height) // 2, (wide - width) // 2
    image = cv2.copyMakeBorder(image, top, high - height - top, left, wide - width - left, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    found = engine.candidates(image, FLOOR)
    corners = np.clip(found.corners - np.array([left, top, left, top]), 0, np.array([width, height, width, height]))
    solid = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return Candidates(corners[solid], found.scores[solid], found.kinds[solid])
