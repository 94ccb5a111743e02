"""Analyses that know a ground or a season: forest, farmland, sea and rivers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from grid.errors import InvalidInput
from imagery.scenes import analyses
from imagery.scenes.analyses.algae import Algae
from imagery.scenes.analyses.clear_cut import ClearCut
from imagery.scenes.analyses.farmland import Farmland
from imagery.scenes.analyses.river_colour import FOREL_ULE, forel_ule, hue, weights

JUNE = datetime(2024, 6, 10, 2, 50, tzinfo=UTC)


def test_a_harvest_is_no_conversion() -> None:
    example = Farmland.example()
    found = Farmland().examine(example.before, example.after, example.valid)
    assert found.mask[example.truth].mean() > 0.95
    assert not found.mask[:, 8:16].any(), "the strip harvested in the later scene"
    lost = (example.before[2] - example.before[1]) / (example.before[2] + example.before[1]) > 0.4
    assert lost[:, 8:16].all(), "which was green and is bare: loss of green alone would have marked it"


def test_in_the_growing_season_lost_green_counts() -> None:
    example = Farmland.example()
    before = np.where(np.arange(48) < 16, example.before[:, :, 16:17], example.before)
    after = np.where(np.arange(48) < 16, before, example.after)
    assert Farmland().fit(before.reshape(4, -1), after.reshape(4, -1)) is None
    found = Farmland().examine(before, after, example.valid)
    assert found.mask[example.truth].mean() > 0.95 and found.mask[~example.truth].mean() < 0.01


@pytest.mark.parametrize(("days", "ok"), [(0, True), (365, True), (40, True), (365 + 40, True), (730 - 44, True), (46, False), (182, False), (365 + 120, False)])
def test_scenes_of_farmland_are_of_one_season(days: int, ok: bool) -> None:
    if ok:
        Farmland().check(JUNE, JUNE + timedelta(days=days))
    else:
        with pytest.raises(InvalidInput, match="seasons are"):
            Farmland().check(JUNE, JUNE + timedelta(days=days))
    analyses.get("burn").check(JUNE, JUNE + timedelta(days=days))


def test_dry_or_burnt_forest_is_not_felled() -> None:
    example = ClearCut.example()
    dry = example.before * np.array([1.1, 0.9, 1.25], np.float32)[:, None, None]
    burnt = example.before * np.array([0.9, 0.3, 1.2], np.float32)[:, None, None]
    for after in (dry, burnt):
        assert not ClearCut().examine(example.before, after, example.valid).mask.any()


def test_algae_stand_out_of_haze_and_land_is_none() -> None:
    example = Algae.example()
    hazy = example.after + np.array([500, 480, 400], np.float32)[:, None, None]
    found = Algae().examine(example.before, hazy, example.valid)
    assert found.mask[example.truth].mean() > 0.95 and found.mask[~example.truth].mean() < 0.01
    island = example.before.copy()
    island[:, :10] = np.array([600, 500, 3000], np.float32)[:, None, None]
    later = example.after.copy()
    later[:, :10] = island[:, :10] * 1.3
    assert not Algae().examine(island, later, example.valid).mask[:10].any()


def test_hue_by_hand() -> None:
    assert weights().sum(axis=1) == pytest.approx([1, 1, 1])
    assert hue(np.array([2.0, 1.5, 1.0])) > 180 > hue(np.array([1.0, 2.0, 1.0])) > 60 > hue(np.array([1.0, 1.5, 1.8]))
    assert hue(np.array([2.0, 1.5, 1.0]) * 7) == hue(np.array([2.0, 1.5, 1.0])), "brightness is no colour"
    assert [forel_ule(angle) for angle in FOREL_ULE] == list(range(1, 22))
