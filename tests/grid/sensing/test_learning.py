"""Learning from verdicts: scores become chances, cameras are shrunk, the audit stream keeps it unbiased, minutes set the threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.sensing import audit_stream, learning
from grid.sensing.learning import Count, Labels, Learnt


def labels(score, truth, *, propensity=1.0, camera="camera:1", scene="street", condition="day") -> Labels:
    size = len(score)
    named = [np.broadcast_to(np.array(name), size) for name in (camera, scene, condition)]
    return Labels(np.asarray(score, float), np.asarray(truth, bool), np.broadcast_to(np.asarray(propensity, float), size), *named)


def one(learnt: Learnt, score: float, camera: str = "camera:1", scene: str = "street", condition: str = "day") -> float:
    return float(learnt.chance(np.array([score]), *(np.array([name]) for name in (camera, scene, condition)))[0])


def test_without_labels_a_score_speaks_for_itself():
    assert one(Learnt(), 0.7) == pytest.approx(0.7)
    assert learning.fit(labels([0.9] * 5, [True] * 5)).score.x == ()


def test_an_overconfident_score_is_brought_down():
    rng = np.random.default_rng(1)
    score = rng.random(4000)
    learnt = learning.fit(labels(score, rng.random(4000) < score**3))
    for value in (0.3, 0.6, 0.9):
        assert one(learnt, value) == pytest.approx(value**3, abs=0.05)


def test_a_bad_camera_is_known_and_a_new_one_is_taken_for_its_scene():
    rng = np.random.default_rng(2)
    rate = np.repeat([0.1, 0.8, 0.8, 0.8, 0.3, 0.3], 200)
    camera = np.repeat([f"camera:{i}" for i in range(6)], 200)
    scene = np.repeat(["street", "street", "street", "street", "tower", "tower"], 200)
    learnt = learning.fit(labels(rng.random(1200), rng.random(1200) < rate, camera=camera, scene=scene))
    assert learnt.precision("camera:0", "street", "day") == pytest.approx(0.1, abs=0.05)
    assert learnt.precision("camera:1", "street", "day") == pytest.approx(0.8, abs=0.08)
    new_street, new_tower = learnt.precision("camera:99", "street", "day"), learnt.precision("camera:99", "tower", "day")
    assert 0.5 < new_street < 0.75 and 0.25 < new_tower < 0.5
    assert learnt.precision("camera:99", "roof", "night") == pytest.approx(learnt.base)


def test_weights_undo_the_choice_of_what_is_shown():
    """Above a score of 0.5 all is judged and half is true, below 0.5 one of twenty is judged and one of ten is true."""
    rng = np.random.default_rng(3)
    size = 40_000
    score = rng.random(size)
    truth = rng.random(size) < np.where(score >= 0.5, 0.5, 0.1)
    shown, propensity = audit_stream.draws(score, 0.5, rng.random(size))
    kept = learning.fit(labels(score[shown], truth[shown], propensity=propensity[shown]))
    assert kept.base == pytest.approx(0.3, abs=0.02)
    blind = learning.fit(labels(score[shown], truth[shown]))
    assert blind.base > 0.45


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=60))
def test_a_curve_never_falls_and_stays_a_probability(pairs):
    value, truth = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], float)
    curve = learning.isotonic(value, truth, np.ones(len(pairs)))
    told = curve.at(np.linspace(0, 1, 50))
    assert (np.diff(told) >= -1e-12).all() and (told >= 0).all() and (told <= 1).all()


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0.01, 0.99), st.floats(0.5, 100))
def test_a_shrunk_precision_lies_between_record_and_parent(hits, misses, mean, strength):
    told = Count(hits, hits + misses).shrunk(mean, strength)
    rate = hits / (hits + misses) if hits + misses > 0 else mean
    assert min(rate, mean) - 1e-9 <= told <= max(rate, mean) + 1e-9


def test_a_budget_of_minutes_buys_the_likeliest_first():
    chance, minutes = np.array([0.9, 0.6, 0.6, 0.2]), np.array([1.0, 1.0, 3.0, 1.0])
    assert learning.price(chance, minutes, 2.0) == pytest.approx(0.6)
    assert learning.price(chance, minutes, 0.5) == float("inf")
    assert learning.price(chance, minutes, 100.0) == 0.0
    dearer = learning.price(np.linspace(0, 1, 1000), np.ones(1000), 300.0, share=0.05)
    assert dearer > learning.price(np.linspace(0, 1, 1000), np.ones(1000), 300.0), "the audit stream is paid from the same minutes"


def test_five_of_a_hundred_below_the_threshold_are_drawn_and_say_so():
    numbers = np.array([audit_stream.lot(f"alert:{i}") for i in range(20_000)])
    shown, propensity = audit_stream.draws(np.full(20_000, 0.1), 0.5, numbers)
    assert shown.mean() == pytest.approx(0.05, abs=0.006) and set(propensity) == {0.05}
    assert audit_stream.draws(np.array([0.5]), 0.5, np.array([0.99])) == (np.array([True]), np.array([1.0]))
