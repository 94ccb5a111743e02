"""The surveys' figures on a small simulated city, the same at every run; and the tide, which is no change of a shore."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.surveys import SETTINGS, measure
from grid.errors import InvalidInput
from imagery.scenes import analyses, second_look, simulated_city, tide
from imagery.scenes.invariants import Normalisation


def test_planted_changes_are_found_and_little_else(tmp_path: Path) -> None:
    first, second, tides = SETTINGS[1]
    city = simulated_city.city(21, size=400, changes=60, skies=(first, second), tides=tides)
    seen = measure(city, tmp_path)
    assert seen.wanted >= 25 and seen.found >= 0.85 * seen.wanted, seen
    assert seen.false <= 0.1 * seen.patches, seen
    assert seen.tidal > 500 and seen.tidal_reported <= 0.03 * seen.tidal, seen
    assert seen.shift_error_px < 0.15 and seen.explained["season"] > 20, seen


def beach(level: float) -> np.ndarray:
    """Sea in the east, a flat of 1 m in 100 m; green, red, near and shortwave infrared under a water `level`."""
    height = np.broadcast_to((30 - np.arange(80)) * 0.1, (60, 80))
    wet = height < level
    water, flat, dry = (np.array(colour, np.float32)[:, None, None] for colour in ((620, 400, 200, 110), (880, 980, 1020, 900), (1800, 2150, 2500, 2950)))
    return np.where(wet, water, np.where(height < level + 1.5, flat, dry)).astype(np.float32)


@pytest.mark.parametrize(("name", "levels"), [("shoreline", (0.5, -0.8)), ("shoreline", (-0.8, 0.5)), ("reclamation", (0.5, -0.8))])
def test_what_the_tide_explains_is_no_change(name: str, levels: tuple[float, float]) -> None:
    before, after = (beach(level) for level in levels)
    valid = np.ones(before.shape[1:], bool)
    told = analyses.get(name).informed(levels, 10.0, ())
    assert not told.examine(before, after, valid).mask.any()
    if name == "shoreline":
        assert analyses.get(name).examine(before, after, valid).mask.sum() > 500
    doubtful = analyses.get(name).informed((None, levels[1]), 10.0, ())
    assert doubtful.tide_doubt_m == 5.0 and not doubtful.examine(before, after, valid).mask.any()


def test_fill_is_found_on_a_bared_flat_and_beyond_it() -> None:
    before, after = beach(0.5), beach(-0.8)
    filled = np.zeros(before.shape[1:], bool)
    filled[20:30, 33:39] = filled[40:50, 55:65] = True
    after[:, filled] = np.array((1850, 2150, 2550, 3050), np.float32)[:, None]
    for name in ("shoreline", "reclamation"):
        mask = analyses.get(name).informed((0.5, -0.8), 10.0, ()).examine(before, after, np.ones(filled.shape, bool)).mask
        assert mask[filled].mean() > 0.8 and mask[~filled].mean() < 0.02


def test_a_rising_tide_lays_no_ground_bare() -> None:
    before, after = beach(0.0), beach(0.6)
    after[:, 20:30, 45:55] = np.array((1850, 2150, 2550, 3050), np.float32)[:, None, None]
    mask = analyses.get("shoreline").informed((0.0, 0.6), 10.0, ()).examine(before, after, np.ones((60, 80), bool)).mask
    assert mask[20:30, 45:55].all() and mask.sum() == 100


def test_given_stages_stay_and_wrong_ones_are_named() -> None:
    given = {"tide_before_m": 1.0, "tide_after_m": 0.2}
    told = analyses.get("shoreline").with_parameters(given).informed((None, None), 30.0, given)
    assert (told.tide_before_m, told.tide_after_m, told.tide_doubt_m, told.resolution_m) == (1.0, 0.2, 0.0, 30.0)
    assert tide.stage({"hdq:tide_m": 2}) == 2.0
    for wrong in ("high", 40, True):
        with pytest.raises(InvalidInput, match="water level"):
            tide.stage({"hdq:tide_m": wrong})


def test_a_shifted_border_vanishes_and_a_true_change_stays() -> None:
    random = np.random.default_rng(2)
    ground = ndimage.gaussian_filter(np.where(np.arange(40) < 20, 500.0, 2500.0)[None] + random.normal(0, 20, (40, 40)), 0.7)
    before = np.stack([ground, ground * 1.2])
    after = np.stack([ndimage.shift(band, (0, 0.6), order=3, mode="nearest") for band in before])
    border = np.zeros((40, 40), bool)
    border[10:20, 18:22] = True
    noise = Normalisation(np.ones(2), np.zeros(2), np.full(2, 20.0), 1.0).noise
    assert second_look.left_after_moving(before, after, border, noise) < 0.35
    changed = before.copy()
    changed[:, 8:11, 8:11] += 900
    place = np.zeros((40, 40), bool)
    place[6:13, 6:13] = True
    assert second_look.left_after_moving(before, changed, place, noise) > 0.6
