"""The sequential test of a canary: worse versions end soon, equal ones are left alone, silence counts as worse."""

import numpy as np
import pytest

from grid.sensing import rollout
from grid.sensing.rollout import Trial, judged


def verdicts(rng, precision: float, found: float = 1.0, standing: float = 0.8, size: int = 3000) -> list[tuple[bool, bool]]:
    rates = np.array([0.1 * found, 0.1 * found * (1 - precision) / precision, 0.9, 0.9 * (1 - standing) / standing])
    return [(bool(kind < 2), bool(kind % 2 == 0)) for kind in rng.choice(4, p=rates / rates.sum(), size=size)]


@pytest.mark.parametrize(("precision", "found"), [(0.55, 1.0), (0.8, 0.4)])
def test_a_worse_version_is_rolled_back_within_200_verdicts(precision, found):
    trials = [judged(verdicts(np.random.default_rng(seed), precision, found), record=0.8) for seed in range(20)]
    assert all(trial.worse and trial.rolled_back_at <= 200 for trial in trials)


@pytest.mark.parametrize("precision", [0.8, 0.9])
def test_one_that_is_not_worse_is_left_alone(precision):
    trials = [judged(verdicts(np.random.default_rng(seed), precision), record=0.8) for seed in range(40)]
    assert sum(trial.worse for trial in trials) <= 4


def test_a_wrong_record_of_the_standing_version_costs_no_validity():
    trials = [judged(verdicts(np.random.default_rng(seed), 0.5, standing=0.5), record=0.95) for seed in range(40)]
    assert sum(trial.worse for trial in trials) <= 5


def test_once_worse_always_worse_and_nothing_told_is_no_evidence():
    trial = Trial()
    assert trial.evidence == pytest.approx(1.0) and not trial.worse
    for _ in range(40):
        trial.tell(False, True)
        trial.tell(True, False)
    ended = trial.rolled_back_at
    assert trial.worse and ended is not None
    for _ in range(200):
        trial.tell(True, True)
    assert trial.worse and trial.rolled_back_at == ended


def test_camera_hours_are_drawn_alike_everywhere_and_in_their_share():
    drawn = [rollout.arm("3", f"camera:{i}", hour) for i in range(200) for hour in range(50)]
    assert np.mean(drawn) == pytest.approx(rollout.SHARE, abs=0.01)
    assert drawn[:50] == [rollout.arm("3", "camera:0", hour) for hour in range(50)]
