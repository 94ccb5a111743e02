"""The surveys' figures on a small simulated city, the same at every run; and the tide, which is no change of a shore."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from rasterio.transform import from_origin
from scipy import ndimage

from benchmarks.surveys import SETTINGS, measure
from grid.errors import InvalidInput
from imagery.scenes import analyses, pairs, polygonize, second_look, simulated_city, survey, tide
from imagery.scenes.invariants import Normalisation
from imagery.scenes.raster import write_geotiff


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


def test_a_survey_tells_how_much_the_tide_explains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "measure_shift", lambda before, after: (0.0, 0.0, 0))
    sides = [np.repeat(np.repeat(beach(level), 2, axis=1), 2, axis=2).astype(np.uint16) for level in (0.5, -0.8)]
    names = ("green", "red", "nir", "swir1")
    files = [write_geotiff(tmp_path / f"{number}.tif", side, from_origin(240_000, 4_000_000, 10, 10), "EPSG:32651", bands=names) for number, side in enumerate(sides)]
    told = analyses.get("shoreline").with_parameters({"tide_before_m": 0.5, "tide_after_m": -0.8, "beach_slope": 0.005})
    result = survey.examine(*(pairs.Source(file, names) for file in files), told).result
    moved = 26 * 120 * 100
    assert result["patches"] == 0 and result["explained"] == {"tide": 1} and result["explained_m2"]["tide"] == pytest.approx(moved, rel=0.01)


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


@pytest.mark.parametrize("levels", [(0.5, -0.8), (-0.8, 0.5)])
@pytest.mark.parametrize("hidden", ["cloud", "picture"])
def test_the_sea_may_lie_under_a_cloud_or_beyond_the_picture(levels: tuple[float, float], hidden: str) -> None:
    before, after = (beach(level) for level in levels)
    valid = np.ones(before.shape[1:], bool)
    valid[:40, 30:] = hidden != "cloud"
    seen = np.s_[:] if hidden == "cloud" else np.s_[:, :, :30]
    mask = analyses.get("shoreline").informed(levels, 10.0, ()).examine(before[seen], after[seen], valid[seen[1:]] if hidden == "picture" else valid).mask
    assert not mask.any()
    assert analyses.get("shoreline").examine(before[seen], after[seen], np.ones(mask.shape, bool)).mask.any()


def test_a_beach_is_not_as_even_as_its_slope() -> None:
    before, after = beach(0.5), beach(-0.3)
    before[:, 5:15, 23:26] = before[:, 40:50, 15:26] = before[:, :1, -1:]
    found = analyses.get("shoreline").informed((0.5, -0.3), 10.0, ()).examine(before, after, np.ones((60, 80), bool)).mask
    assert not found[:30].any() and found[40:50, 15:22].all() and not found[:, 26:].any()


def test_a_flat_coast_is_read_as_far_as_the_tide_goes() -> None:
    flat = analyses.get("shoreline").with_parameters({"tide_before_m": 1.5, "tide_after_m": -1.5, "beach_slope": 0.001})
    assert flat.margin_px == 308 and analyses.get("shoreline").with_parameters({}).margin_px == 64


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


def seasons(random: np.random.Generator) -> second_look.Seasons:
    """Fields of which four in ten were harvested since, in nine places; a tenth are woods that stayed."""
    crop, fallow, wood = (np.array(colour, float) for colour in ((600, 880, 800, 2900, 2000, 1100), (850, 1080, 1330, 2050, 2600, 2050), (300, 520, 360, 3200, 1500, 650)))
    kind = random.choice(3, 9000, p=(0.5, 0.4, 0.1))
    was, now = np.array([crop, crop, wood])[kind], np.array([crop, fallow, wood])[kind]
    logs = [np.log(colour * random.normal(1, 0.05, colour.shape)) for colour in (was, now)]
    return second_look.Seasons(logs[0].T, logs[1], random.integers(0, 9, 9000), np.full(6, 20.0))


def test_a_building_on_a_harvested_field_is_not_the_harvest() -> None:
    random = np.random.default_rng(4)
    history = seasons(random)
    crop = np.array((600, 880, 800, 2900, 2000, 1100), float)[:, None]
    now = np.repeat(np.array((850, 1080, 1330, 2050, 2600, 2050), float)[:, None], 90, axis=1)
    now[:, 40:48] = np.array((1600, 1950, 2250, 2750, 3200, 2800), float)[:, None]
    before, after = (side * random.normal(1, 0.05, (6, 90)) for side in (crop, now))
    unusual = history.unusual(before, after)
    assert history.common(before.mean(axis=1), after.mean(axis=1))
    assert unusual[40:48].all() and unusual.sum() <= 10
    assert not history.common(before[:, 40:48].mean(axis=1), after[:, 40:48].mean(axis=1))
    assert not history.unusual(np.full((6, 5), 9000.0), np.full((6, 5), 200.0)).any()


BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")
CROP, FALLOW, SITE, LAKE = (np.array(colour, float)[:, None, None] for colour in (
    (600, 880, 800, 2900, 2000, 1100), (850, 1080, 1330, 2050, 2600, 2050), (1700, 2050, 2400, 2800, 3300, 2900), (700, 620, 400, 200, 110, 70),
))  # fmt: skip


def why(before: np.ndarray, after: np.ndarray, own: np.ndarray, *, beside: bool = False) -> str:
    """What explains a patch of a scene in which fields are harvested."""
    random = np.random.default_rng(6)
    pair = pairs.Pair(None, None, None, BANDS, None, Normalisation(np.ones(6), np.zeros(6), np.full(6, 30.0), 1.0))
    seen = [side * random.normal(1, 0.02, side.shape) for side in (before, after)]
    rim = np.full(own.shape, beside)
    return second_look._why(pair, *seen, np.ones(own.shape, bool), own, seasons(random), ("cloud", "shadow", "season", "shift"), rim)


def test_mixed_pixels_of_a_border_did_what_the_field_beside_them_did() -> None:
    across = np.arange(30)[None] + np.zeros((30, 1))
    water = np.clip((across - 14) / 2, 0, 1)
    before, after = CROP * (1 - water) + LAKE * water, FALLOW * (1 - water) + LAKE * water
    own = (across == 15) & (np.arange(30)[:, None] > 10) & (np.arange(30)[:, None] < 18)
    assert why(before, after, own) == "season"
    lane = np.roll(own, -10, axis=1)
    assert why(before, np.where(lane, SITE, before), lane) == ""


@pytest.mark.parametrize("share", [0.0, 0.35])
def test_a_harvest_under_a_shadow_is_a_harvest_and_a_site_is_a_site(share: float) -> None:
    own = np.zeros((40, 40), bool)
    own[16:24, 16:24] = True
    lit = CROP * np.ones((40, 40))
    dim = lit * (1 - share)
    assert why(dim, np.where(own, FALLOW, lit), own) in ("season", "shadow")
    assert why(dim, np.where(own, SITE, lit), own) == ""


def test_a_white_site_beside_a_cloud_or_on_a_harvested_field_is_no_cloud() -> None:
    own = np.zeros((40, 40), bool)
    own[16:24, 16:24] = True
    white = np.array((1900, 1850, 1900, 3000, 3000, 2400), float)[:, None, None]
    crop, fallow = CROP * np.ones((40, 40)), FALLOW * np.ones((40, 40))
    assert why(fallow, np.where(own, white, fallow), own, beside=True) == "" and why(crop, np.where(own, white, fallow), own) == ""
    veil = ndimage.gaussian_filter(own.astype(float), 5) * np.array((6200, 6200, 6300, 6600, 5200, 4200), float)[:, None, None]
    assert why(fallow, fallow + veil, own) == "cloud"


def test_few_pixels_must_be_surer() -> None:
    one = polygonize.Polygon(shapely.MultiPolygon(), 2000.0, 1.1, 1.35, 20)
    assert second_look.faint(one, 1.0) and not second_look.faint(replace(one, peak=1.45), 1.0) and not second_look.faint(replace(one, pixels=60), 1.0)
    assert second_look.faint(replace(one, peak=1.45, pixels=4), 1.0)


@pytest.mark.parametrize(
    ("was", "now", "cloud"),
    [
        ((386, 617, 344, 2990, 1475, 604), (1443, 1701, 1496, 3914, 2203, 1307), True),
        ((858, 1024, 858, 2634, 2128, 1220), (1561, 1821, 1933, 2966, 2826, 2260), False),
        ((785, 1174, 1036, 2860, 2549, 1422), (541, 763, 712, 1638, 2098, 1821), False),
    ],
    ids=["thin cloud over a wood", "a site on a field", "a burn"],
)
def test_white_with_green_beneath_is_a_cloud_and_a_site_or_burn_is_none(was: tuple[float, ...], now: tuple[float, ...], cloud: bool) -> None:
    names = ("blue", "green", "red", "nir", "swir1", "swir2")
    quiet = dict.fromkeys(names, 70.0)
    ways = [dict(zip(names, zip(*way, strict=True), strict=True)) for way in ((was, now), (now, was))]
    assert any(second_look.whitened(way, quiet) and second_look.shines_through(way) for way in ways) is cloud


def test_a_shadow_is_darkness_in_the_infrared_and_a_burn_or_water_is_not() -> None:
    names = ("red", "nir", "swir1", "swir2")
    for now, shadow in (((425, 842, 705, 410), True), ((712, 900, 1900, 1821), False), ((400, 120, 85, 45), False)):
        by_name = dict(zip(names, zip((718, 2648, 1984, 1082), now, strict=True), strict=True))
        assert second_look.dimmed(by_name) is shadow
