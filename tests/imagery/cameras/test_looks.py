"""Looks at a frame: candidates vote for a place, several views for a belief, and a calm frame costs one run."""

import numpy as np
import pytest

from imagery.cameras import looks
from imagery.cameras.engines import Candidates, Engine
from imagery.cameras.looks import Look
from tests.imagery.cameras.conftest import picture


def said(*boxes: tuple[float, ...]) -> Candidates:
    """Candidates of (left, top, right, bottom, score, class number), best first."""
    table = np.array(sorted(boxes, key=lambda box: -box[4]), float).reshape(-1, 6)
    return Candidates(table[:, :4], table[:, 4], table[:, 5].astype(int))


class Head:
    """An engine that says what it is told, for the frame as it comes; mirrored and shrunk frames show it where it then is."""

    labels = ("smoke", "fire")

    def __init__(self, *boxes: tuple[float, ...], only_first: bool = False) -> None:
        self.boxes_said, self.only_first, self.runs = boxes, only_first, 0

    def candidates(self, image: np.ndarray, floor: float) -> Candidates:
        self.runs += 1
        if self.only_first and self.runs > 1:
            return said()
        corners = np.argwhere(image[:, :, 0] > 200)
        if not len(corners):
            return said()
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0) + 1
        return said(*((left + dl, top + dt, right + dl, bottom + dt, score, kind) for dl, dt, score, kind in self.boxes_said if score >= floor))


FRAME = picture(((100, 60, 160, 120),), 320, 240)


def test_boxes_of_one_thing_become_their_weighted_mean_and_keep_the_best_score() -> None:
    found = looks.voted(said((0, 0, 100, 100, 0.6, 0), (20, 0, 120, 100, 0.3, 0), (0, 0, 100, 100, 0.2, 1), (300, 0, 340, 40, 0.1, 0)))
    assert [(kind, round(score, 2)) for _, score, kind in found] == [(0, 0.6), (1, 0.2), (0, 0.1)]
    assert found[0][0] == pytest.approx((20 / 3, 0, 320 / 3, 100))


def test_near_copies_of_one_box_do_not_outvote_another() -> None:
    copies = [(n / 10, 0, 100 + n / 10, 100, 0.5, 0) for n in range(20)]
    (corners, score, _), *_ = looks.voted(said(*copies, (20, 0, 120, 100, 0.5, 0)))
    assert score == 0.5 and corners[0] == pytest.approx(10, abs=0.5)


def test_what_every_view_shows_is_believed_and_what_one_shows_is_less() -> None:
    everywhere, once = Head((0, 0, 0.6, 0)), Head((0, 0, 0.6, 0), only_first=True)
    how = Look(vote=True, mirrored=True, smaller=(0.75,))
    (box,) = looks.boxes(everywhere, FRAME, 0.3, how)
    assert box.score == pytest.approx(0.6) and (box.left, box.top, box.right, box.bottom) == pytest.approx((100, 60, 160, 120), abs=1.5)
    assert everywhere.runs == how.runs == 3
    assert looks.boxes(once, FRAME, 0.3, how) == ()
    (weak,) = looks.boxes(Head((0, 0, 0.6, 0), only_first=True), FRAME, 0.1, how)
    assert weak.score == pytest.approx(0.2)


def test_a_frame_without_suspicion_costs_one_run() -> None:
    head = Head((0, 0, 0.03, 0))
    assert looks.boxes(head, FRAME, 0.2, Look(vote=True, mirrored=True)) == () and head.runs == 1


def test_a_view_from_farther_off_says_nothing_outside_the_frame(white_model) -> None:
    engine = Engine(white_model, ("smoke", "fire"))
    found = looks.boxes(engine, np.full((90, 320, 3), 255, np.uint8), 0.05, Look(vote=True, mirrored=True, smaller=(0.5,)))
    assert found and all(0 <= box.left < box.right <= 320 and 0 <= box.top < box.bottom <= 90 for box in found)


def test_looks_that_cannot_be_are_refused() -> None:
    for wrong in ({"suspicion": 0.0}, {"smaller": (1.2,)}, {"largest": 0.0}):
        with pytest.raises(ValueError, match="a look"):
            Look(vote=True, **wrong)


def test_boxes_larger_than_what_is_looked_for_are_left_out() -> None:
    assert looks.boxes(Head((0, 0, 0.6, 0)), FRAME, 0.3, Look(vote=True, largest=0.02)) == ()
    assert len(looks.boxes(Head((0, 0, 0.6, 0)), FRAME, 0.3, Look(vote=True, largest=0.1))) == 1
