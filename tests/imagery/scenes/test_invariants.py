"""Relative radiometry from unchanged pixels, with part of the ground changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.errors import InvalidInput
from imagery.scenes.invariants import fit_alteration, fit_normalisation


def ground(seed: int = 0, samples: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two dates of three bands; a fifth of the samples changed."""
    random = np.random.default_rng(seed)
    before = random.normal([[900], [1200], [2800]], [[200], [300], [700]], (3, samples))
    after = before + random.normal(0, 30, before.shape)
    changed = np.arange(samples) < samples // 5
    after[:, changed] = random.normal([[2500], [2600], [900]], 200, (3, changed.sum()))
    return before, after, changed


@given(st.floats(0.3, 3), st.floats(-500, 500))
@settings(max_examples=10, deadline=None)
def test_a_linear_difference_is_undone_although_a_fifth_changed(gain: float, offset: float) -> None:
    before, after, changed = ground()
    normalised = fit_normalisation(before, after * gain + offset).apply(after * gain + offset)
    assert np.abs(normalised[:, ~changed] - before[:, ~changed]).mean() < 45
    assert np.abs(normalised[:, changed] - before[:, changed]).mean() > 500


def test_noise_is_that_of_the_unchanged() -> None:
    before, after, _ = ground()
    assert fit_normalisation(before, after).noise == pytest.approx([30, 30, 30], rel=0.5)


def test_changed_samples_lose_their_weight() -> None:
    before, after, changed = ground()
    weights = fit_alteration(before, after).weights
    assert weights[changed].mean() < 0.01 < 0.2 < weights[~changed].mean()


def test_identical_scenes_and_constant_bands_stay_finite() -> None:
    before, _, _ = ground()
    before[1] = 7
    fitted = fit_normalisation(before, before)
    assert np.isfinite([fitted.gain, fitted.offset, fitted.noise]).all() and (fitted.noise > 0).all()
    assert fitted.apply(before) == pytest.approx(before, abs=0.5)


def test_too_few_pixels_are_refused() -> None:
    with pytest.raises(InvalidInput, match="50 valid pixels"):
        fit_alteration(np.ones((3, 50)), np.ones((3, 50)))
