"""Attention: yield rises with age and record, the floor bounds every age, and choosing good hours teaches nothing wrong about them."""

import numpy as np
import pytest

from grid.sensing import attention
from grid.sensing.attention import Watch


def watch(size: int = 100, cost: float = 1.0) -> Watch:
    return Watch(np.zeros(size, int), np.full(size, cost), np.ones(size), 2)


def test_what_is_pending_grows_with_age_up_to_what_stays():
    ages = np.array([0.0, 0.5, 1.0, 100.0])
    held = attention.pending(np.full(4, 2.0), ages, 1.0)
    assert held[0] == 0 and (np.diff(held) > 0).all() and held[-1] == pytest.approx(2.0)


def test_a_camera_that_found_much_is_worth_more_and_a_dear_one_less():
    eyes = watch(3)
    eyes.cost_s[2] = 4.0
    eyes.cameras.found[0], eyes.cameras.hours[:] = 30.0, 100.0
    worth = eyes.worth(0, 1.0, np.array([False, False, False]))
    assert worth[0] > worth[1] > worth[2]
    assert eyes.worth(0, 1.0, np.array([False, True, False]))[1] == pytest.approx(attention.NEAR_OPEN * worth[1])
    assert eyes.worth(0, 0.5, np.array([False, False, False]))[0] == pytest.approx(0.5 * worth[0])


def test_the_floor_bounds_the_age_of_a_camera_that_never_finds_anything():
    eyes, budget = watch(100), 5.0
    eyes.cameras.found[:20], eyes.cameras.hours[:] = 500.0, 100.0
    worst = 0.0
    for _ in range(800):
        chosen = eyes.choose(budget, eyes.worth(0, 1.0, np.zeros(100, bool)), floor=0.2)
        assert len(set(chosen.tolist())) == len(chosen) and eyes.cost_s[chosen].sum() <= budget
        eyes.looked(chosen, np.zeros(len(chosen), int), 0, 1.0, 0.1)
        worst = max(worst, float(eyes.age_h.max()))
    bound = 0.1 * 100 / (0.2 * budget)
    assert worst <= 24.0 + bound and eyes.age_h.max() <= bound + 0.1


def test_a_situation_with_many_events_is_learnt_against_what_its_cameras_usually_hold():
    rng = np.random.default_rng(1)
    eyes = watch(200)
    for tick in range(600):
        slot = tick % 2
        chosen = rng.choice(200, 20, replace=False)
        eyes.looked(chosen, rng.poisson(attention.pending(np.full(20, 0.3 if slot else 0.1), eyes.age_h[chosen], 1.0)), slot, 1.0, 0.5)
    ratio = eyes.effect(1)[0] / eyes.effect(0)[0]
    assert ratio == pytest.approx(3.0, rel=0.2)
