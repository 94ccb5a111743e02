"""Many people close together in a street view; counted, never recognised."""

from statistics import median

from imagery.cameras.detectors import Detector
from imagery.cameras.engines import Box
from imagery.cameras.tracking import Run

LEAST = 8
"""People in one group that make a crowd."""

APART = 1.5
"""Two people belong together when their feet are at most this many heights of the taller apart."""


def gather(boxes: tuple[Box, ...], shape: tuple[int, int]) -> tuple[Box, ...]:
    """One box a group of at least `LEAST` people, score the median of theirs, largest first. `shape`: height, width of the frame."""
    groups: list[list[Box]] = []
    for box in boxes:
        near = [group for group in groups if any(_together(box, other) for other in group)]
        groups = [group for group in groups if group not in near] + [[box, *(member for group in near for member in group)]]
    crowds = sorted((group for group in groups if len(group) >= LEAST), key=len, reverse=True)
    return tuple(
        Box(
            min(box.left for box in group),
            min(box.top for box in group),
            max(box.right for box in group),
            max(box.bottom for box in group),
            median(box.score for box in group),
            group[0].label,
        )
        for group in crowds
    )


def _together(one: Box, other: Box) -> bool:
    apart = ((one.left + one.right - other.left - other.right) ** 2 / 4 + (one.bottom - other.bottom) ** 2) ** 0.5
    return apart <= APART * max(one.height, other.height)


DETECTOR = Detector(
    id="crowd",
    version="1.0",
    title="人群聚集",
    title_en="Crowd",
    models=("coco", "obstacles"),
    kinds={"person": "crowd", "Person": "crowd"},
    scenes=frozenset({"street"}),
    threshold=0.3,
    rule=Run(need=3),
    gather=gather,
)
