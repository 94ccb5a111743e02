"""How well a detector's boxes agree with labelled ones: recall, precision and mean average precision.

Average precision as COCO counts it: boxes of all pictures by falling score, each matched to the best free label of its class at IoU ≥ `overlap`;
precision made monotone and averaged at 101 levels of recall (Lin et al., ECCV 2014; Everingham et al., IJCV 88, 2010).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from grid.errors import InvalidInput
from imagery.cameras import frames, looks
from imagery.cameras.engines import Box, Engine
from imagery.cameras.labelled import Labelled, Picture

LEAST_SCORE = 0.001
CROWDED = 300
"""Boxes a picture, as the published figures count."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of a model on labelled pictures. `recall`, `precision`: at `threshold`, shares 0–1 (None: nothing labelled, nothing found).

    `map50`: mean over the labelled classes of the average precision at IoU 0.5; `by_class` gives each; `ms_per_frame`: decoding left out, median.
    Pictures without labels, `unlabelled` by nobody or labelled as empty, are `empty_frames`: every box in them is false. `silent_boxes`: boxes at
    `threshold` in unlabelled ones; `false_alarms_per_frame`: boxes an empty frame; `alarming_frames`: empty frames with a box, a share.
    As a guard counts: `frame_recall`, labelled frames with a right box; `frame_precision`, frames with a box that do show something of its class.
    """

    recall: float | None
    precision: float | None
    map50: float | None
    ms_per_frame: float
    threshold: float
    overlap: float
    pictures: int
    labels: int
    unlabelled: int
    silent_boxes: int
    empty_frames: int
    false_alarms_per_frame: float | None
    alarming_frames: float | None
    frame_recall: float | None
    frame_precision: float | None
    by_class: dict[str, float]


def score(
    engine: Engine, pictures: Sequence[Picture], *, threshold: float = 0.25, overlap: float = 0.5, suppress: float = 0.7, look: looks.Look = looks.ONCE,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:  # fmt: skip
    """Runs `engine` over the pictures. `overlap`: IoU at which a box counts as right; `suppress`: IoU above which the weaker box of a class goes;
    `look`: how a frame is put before the model.

    Labels of classes that the model does not know count as missed. Raises InvalidInput when nothing is labelled and nothing unlabelled is given.
    """
    if not pictures:
        raise InvalidInput("no pictures to score on", remedy="Give a folder with pictures and one with labels.")
    judged: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    at50: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    labels: dict[str, int] = defaultdict(int)
    silent, took, views = 0, [], []
    for number, picture in enumerate(pictures):
        if progress:
            progress(number, len(pictures))
        image = frames.decode(picture.path.read_bytes())
        began = time.perf_counter()
        boxes = looks.boxes(engine, image, LEAST_SCORE, look, overlap=suppress, limit=CROWDED)
        took.append(time.perf_counter() - began)
        truth = picture.boxes or ()
        for each in truth:
            labels[each.label] += 1
        rights, shown = matched(boxes, truth, image.shape[:2], overlap), {each.label for each in truth}
        for box, right, right50 in zip(boxes, rights, matched(boxes, truth, image.shape[:2], 0.5), strict=True):
            judged[box.label].append((box.score, right))
            at50[box.label].append((box.score, right50))
        said = [(box, right) for box, right in zip(boxes, rights, strict=True) if box.score >= threshold]
        silent += len(said) if picture.boxes is None else 0
        views.append((bool(truth), len(said), any(right for _, right in said), any(box.label in shown for box, _ in said)))
    decided = [right for found in judged.values() for value, right in found if value >= threshold]
    full, empty, loud = [view for view in views if view[0]], [view for view in views if not view[0]], [view for view in views if view[1]]
    total = sum(labels.values())
    by_class = {name: round(average_precision(at50[name], count), 4) for name, count in sorted(labels.items())}
    return Scores(
        recall=_share(sum(decided), total),
        precision=_share(sum(decided), len(decided)),
        map50=round(float(np.mean(list(by_class.values()))), 4) if by_class else None,
        ms_per_frame=round(1000 * float(np.median(took)), 1), threshold=threshold, overlap=overlap, pictures=len(pictures), labels=total,
        unlabelled=sum(picture.boxes is None for picture in pictures), silent_boxes=silent, by_class=by_class, empty_frames=len(empty),
        false_alarms_per_frame=_share(sum(view[1] for view in empty), len(empty)), alarming_frames=_share(sum(view[1] > 0 for view in empty), len(empty)),
        frame_recall=_share(sum(view[2] for view in full), len(full)), frame_precision=_share(sum(view[3] for view in loud), len(loud)),
    )  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def matched(boxes: Sequence[Box], truth: Sequence[Labelled], shape: tuple[int, int], overlap: float) -> list[bool]:
    """Whether each box (best first) is right: the label of its class that it covers best, not yet taken, at IoU ≥ `overlap`. `shape`: height, width in pixels."""
    free = {number: _corners(each, shape) for number, each in enumerate(truth)}
    right = []
    for box in boxes:
        near = [(_iou(box, free[number]), number) for number in free if truth[number].label == box.label]
        best, number = max(near, default=(0.0, -1))
        right.append(best >= overlap)
        if right[-1]:
            del free[number]
    return right


def _corners(each: Labelled, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    high, wide = shape
    return (each.x - each.width / 2) * wide, (each.y - each.height / 2) * high, (each.x + each.width / 2) * wide, (each.y + each.height / 2) * high


def _iou(box: Box, other: tuple[float, float, float, float]) -> float:
    left, top, right, bottom = other
    shared = max(0.0, min(box.right, right) - max(box.left, left)) * max(0.0, min(box.bottom, bottom) - max(box.top, top))
    union = box.width * box.height + (right - left) * (bottom - top) - shared
    return shared / union if union > 0 else 0.0


def average_precision(found: Sequence[tuple[float, bool]], labels: int) -> float:
    """Area under precision over recall of (score, right) pairs against `labels` labels, at 101 levels.

    >>> average_precision([(0.9, True), (0.8, False), (0.7, True)], 2)
    0.8350...
    >>> average_precision([], 3), average_precision([(0.9, True)], 0)
    (0.0, 0.0)
    """
    if not found or not labels:
        return 0.0
    order = sorted(found, key=lambda pair: -pair[0])
    right = np.cumsum([hit for _, hit in order])
    precision = np.maximum.accumulate((right / np.arange(1, len(order) + 1))[::-1])[::-1]
    places = np.searchsorted(right / labels, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())
