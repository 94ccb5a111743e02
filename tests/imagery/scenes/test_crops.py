"""Crops by their year: made calendars with clouds and noise, and growth against the field's own years."""

from datetime import date, timedelta

import numpy as np
import pytest

from grid.errors import InvalidInput
from imagery.scenes.crops import CROPS, growth, year


def hump(days: np.ndarray, peak: float, width: float, height: float) -> np.ndarray:
    return height * np.exp(-0.5 * ((days - peak) / width) ** 2)


CALENDARS = {
    "double": lambda d: 0.18 + hump(d, 118, 22, 0.6) + hump(d, 228, 22, 0.62),
    "winter": lambda d: 0.18 + hump(d, 118, 22, 0.6),
    "summer": lambda d: 0.17 + hump(d, 215, 28, 0.6),
    "evergreen": lambda d: 0.5 + hump(d, 200, 70, 0.25),
    "fallow": lambda d: 0.15 + hump(d, 200, 40, 0.1),
}


def series(crop: str, of: int, seed: int, *, every: int = 5, scale: float = 1.0) -> tuple[list[date], list[float]]:
    """Scenes every five days, a third of them lost to clouds, some half clouded and too low, noise of 0.02."""
    random = np.random.default_rng(seed)
    days = np.arange(0, 365, every)
    values = CALENDARS[crop](days) * scale + random.normal(0, 0.02, len(days))
    haze = random.random(len(days))
    values = np.where(haze < 0.35, np.nan, np.where(haze < 0.45, values - 0.2, values))
    return [date(of, 1, 1) + timedelta(days=int(day)) for day in days], values.tolist()


@pytest.mark.parametrize("crop", CALENDARS)
def test_crops_are_told_by_their_calendar(crop: str) -> None:
    found = [year(*series(crop, 2025, seed), 2025) for seed in range(20)]
    assert sum(one.crop == crop for one in found) >= 19, [one.crop for one in found]
    assert all(one.crop in CROPS and len(one.curve) == 73 for one in found)


def test_seasons_have_their_days() -> None:
    found = year(*series("double", 2025, 3), 2025)
    wheat, maize = found.seasons
    assert abs((wheat.peak - date(2025, 4, 28)).days) <= 10 and abs((maize.peak - date(2025, 8, 16)).days) <= 10
    assert wheat.start < wheat.peak < wheat.end <= maize.start + timedelta(days=15) and maize.height == pytest.approx(0.8, abs=0.06)


def test_a_missing_may_is_not_no_wheat() -> None:
    days, values = series("winter", 2025, 1)
    holed = [float("nan") if date(2025, 4, 1) <= day <= date(2025, 6, 5) else value for day, value in zip(days, values, strict=True)]
    with pytest.raises(InvalidInput, match="longest gap"):
        year(days, holed, 2025)
    with pytest.raises(InvalidInput, match="NDVI 3"):
        year(days, [3.0, *values[1:]], 2025)


def test_growth_against_the_fields_own_years() -> None:
    past = {of: series("double", of, of, scale=1 + 0.02 * ((of % 3) - 1)) for of in range(2019, 2025)}
    usual, poor, good = (growth(past | {2025: series("double", 2025, 9, scale=scale)}, date(2025, 5, 20)) for scale in (1.0, 0.75, 1.2))
    assert [one.word[1] for one in (usual, poor, good)] == ["as usual", "worse than usual", "better than usual"]
    assert poor.sigmas < -2 < usual.sigmas < 2 < good.sigmas and usual.years == 6
    young = growth({2024: past[2024], 2025: series("double", 2025, 9)}, date(2025, 5, 20))
    assert young.sigmas is None and young.word[1] == "too few years"
    with pytest.raises(InvalidInput, match="no series of 2025"):
        growth(past, date(2025, 5, 20))
