"""N of M: what makes a sequence, what does not, and that order of arrival does not matter."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.errors import InvalidInput
from imagery.cameras.tracking import Run, Sighting, join

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
BOX = (0.4, 0.4, 0.5, 0.5)


def sighting(number: int, seconds: float, box=BOX, kind: str = "smoke", score: float = 0.5, frame: int | None = None) -> Sighting:
    return Sighting(number, number if frame is None else frame, kind, score, box, START + timedelta(seconds=seconds))


def run_all(frames: list[list[Sighting]], rule: Run = Run()) -> list[list]:
    """Feeds frames one after another, storing what each became, as the database does."""
    stored: list[Sighting] = []
    outcome = []
    for new in frames:
        joined = join(stored, new, rule)
        stored += [
            Sighting(j.sighting.id, j.sighting.frame_id, j.sighting.kind, j.sighting.score, j.sighting.box, j.sighting.recorded_at, j.track, j.report)
            for j in joined
        ]
        outcome.append(list(joined))
    return outcome


def test_the_third_in_five_minutes_completes() -> None:
    outcome = run_all([[sighting(1, 0)], [sighting(2, 100)], [sighting(3, 299)]])
    assert [one[0].complete for one in outcome] == [False, False, True]
    assert {one[0].track for one in outcome} == {1}
    assert len(outcome[2][0].members) == 3


def test_three_in_more_than_five_minutes_do_not() -> None:
    assert not any(one[0].complete for one in run_all([[sighting(1, 0)], [sighting(2, 200)], [sighting(3, 401)]]))


@pytest.mark.parametrize(("left", "joins"), [(0.549, True), (0.551, False)])
def test_boxes_join_up_to_a_twentieth_of_the_frame(left: float, joins: bool) -> None:
    near = (left, 0.4, left + 0.1, 0.5)
    (one,) = run_all([[sighting(1, 0)], [sighting(2, 10, near)]])[1]
    assert (one.track == 1) is joins


def test_other_kinds_and_forgotten_tracks_do_not_join() -> None:
    assert run_all([[sighting(1, 0)], [sighting(2, 10, kind="forest_fire")]])[1][0].track == 2
    assert run_all([[sighting(1, 0)], [sighting(2, 7201)]])[1][0].track == 2


def test_one_track_takes_one_box_a_frame_the_nearest() -> None:
    close, far = (0.41, 0.41, 0.51, 0.51), (0.53, 0.4, 0.63, 0.5)
    joined = run_all([[sighting(1, 0)], [sighting(2, 10, far, frame=2), sighting(3, 10, close, frame=2)]])[1]
    assert [one.track for one in joined] == [2, 1]


def test_a_lasting_track_is_reported_again_after_a_minute_only() -> None:
    outcome = run_all([[sighting(n, 10 * n)] for n in range(1, 12)])
    assert [n for n, one in enumerate(outcome, 1) if one[0].report] == [3, 9]


def test_the_median_score_decides_for_street_objects() -> None:
    rule = Run(median_score=0.7)
    assert not run_all([[sighting(1, 0, score=0.9)], [sighting(2, 5, score=0.6)], [sighting(3, 9, score=0.6)]], rule)[2][0].complete
    assert run_all([[sighting(1, 0, score=0.9)], [sighting(2, 5, score=0.5)], [sighting(3, 9, score=0.8)]], rule)[2][0].complete


def test_frames_of_two_moments_at_once_are_refused() -> None:
    with pytest.raises(InvalidInput):
        join([], [sighting(1, 0), sighting(2, 1)], Run())
    with pytest.raises(InvalidInput):
        Run(need=0)


@given(st.permutations([0.0, 60.0, 120.0, 180.0]))
def test_late_frames_count_alike(order: list[float]) -> None:
    outcome = run_all([[sighting(number, seconds)] for number, seconds in enumerate(order, 1)])
    assert outcome[-1][0].complete
    assert sum(one[0].report for one in outcome) >= 1


def test_a_restarted_worker_continues_where_the_other_stopped() -> None:
    frames = [[sighting(n, 20 * n)] for n in range(1, 4)]
    whole = run_all(frames)
    stored = list(itertools.chain.from_iterable(run_all(frames[:2])))
    members = [Sighting(j.sighting.id, j.sighting.frame_id, "smoke", 0.5, BOX, j.sighting.recorded_at, j.track, j.report) for j in stored]
    assert join(members, frames[2], Run()) == tuple(whole[2])
