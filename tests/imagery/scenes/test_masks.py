"""Clouds and shadows are found on a simulated sky, kept beside the scene, and what they hide is not valid in a pair."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imagery.scenes import masks, pairs, simulated_city
from imagery.scenes.raster import open_raster, write_geotiff
from imagery.scenes.simulate import BANDS
from imagery.scenes.simulated_sky import Sky
from imagery.scenes.sky import CLEAR, CLOUD, NODATA, SHADOW

CLOUDY = Sky(cloud_share=0.08, base_m=900, haze=150)
SUN = masks.Sun(CLOUDY.sun_azimuth, CLOUDY.sun_elevation)


@pytest.fixture(scope="module")
def city() -> simulated_city.City:
    return simulated_city.city(7, size=300, changes=12, skies=(CLOUDY, Sky()))


def halved(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(len(pixels), 150, 2, 150, 2).mean(axis=(2, 4))


@pytest.mark.parametrize("sun", [SUN, None], ids=["sun known", "sun unknown"])
def test_clouds_and_shadows_of_a_known_sky_are_found(city: simulated_city.City, sun: masks.Sun | None) -> None:
    mask = masks.classify(halved(city.before), BANDS, 20, sun)
    hidden = ~city.clear.reshape(150, 2, 150, 2).all(axis=(1, 3))
    found = mask.classes != CLEAR
    assert mask.method == "hot" and {CLEAR, CLOUD, SHADOW} <= set(np.unique(mask.classes))
    land = np.zeros_like(found)
    land[:, :100] = True
    assert found[hidden & land].mean() > 0.85
    assert found[~hidden & land].mean() < 0.12
    assert mask.shares()["cloud"] == pytest.approx(0.13, abs=0.05)


def test_a_clear_sky_has_no_mask(city: simulated_city.City) -> None:
    assert (masks.classify(halved(city.after), BANDS, 20, SUN).classes == CLEAR).mean() > 0.995


def test_the_mask_lies_beside_its_scene_and_hides_in_a_pair(city: simulated_city.City, tmp_path: Path) -> None:
    paths = [write_geotiff(tmp_path / f"{name}.tif", getattr(city, name), city.transform, city.crs, bands=BANDS, nodata=0) for name in ("before", "after")]
    made = masks.beside(paths[0], BANDS, SUN)
    assert made == masks.beside(paths[0], BANDS, SUN) == tmp_path / "before.sky-1.tif"
    with open_raster(made) as dataset:
        assert dataset.shape == (150, 150) and dataset.nodata == NODATA
    plain = pairs.align(*(pairs.Source(path, BANDS) for path in paths))
    masked = pairs.align(pairs.Source(paths[0], BANDS, made), pairs.Source(paths[1], BANDS))
    window = (0, 0, 300, 300)
    assert plain.read(window)[2].all()
    valid = masked.read(window)[2]
    assert not valid.all() and valid[city.clear].mean() > 0.85 and valid[~city.clear].mean() < 0.35
    assert (masked.indexed("ndvi").codes(window)[0][~valid] == 0).all()


@pytest.mark.parametrize(
    ("bands", "dtype", "gsd_m", "reason"),
    [
        (("red", "green", "blue"), "uint16", 10, "no band nir"),
        (BANDS, "uint8", 30, "numbers of type uint8"),
        (BANDS, "uint16", 0.5, "roofs"),
        (BANDS, "uint16", 10, ""),
    ],
)
def test_what_cannot_be_masked_says_why(bands: tuple[str, ...], dtype: str, gsd_m: float, reason: str) -> None:
    assert reason in masks.reason_against(bands, dtype, gsd_m)
    assert bool(masks.reason_against(bands, dtype, gsd_m)) == bool(reason)


def test_a_scene_of_bytes_has_no_mask(city: simulated_city.City, tmp_path: Path) -> None:
    path = write_geotiff(tmp_path / "bytes.tif", (city.before // 64).astype(np.uint8), city.transform, city.crs, bands=BANDS)
    assert masks.beside(path, BANDS) is None and list(tmp_path.iterdir()) == [path]


def test_ten_bands_are_judged_by_the_trees_of_s2cloudless() -> None:
    if masks.trees() is None:
        pytest.skip("s2cloudless or lightgbm is not installed")
    ground = dict(zip(masks.S2, (1200, 900, 700, 1000, 3000, 3200, 900, 12, 1800, 900), strict=True))
    cloud = dict(zip(masks.S2, (5500, 5400, 5300, 5600, 6000, 6100, 2800, 400, 4200, 3300), strict=True))
    names = (*masks.S2, "green")
    pixels = np.empty((len(names), 60, 60), np.float32)
    pixels[:] = np.array([*ground.values(), 900], np.float32)[:, None, None]
    pixels[:, 20:35, 20:35] = np.array([*cloud.values(), 5350], np.float32)[:, None, None]
    mask = masks.classify(pixels, names, 20)
    assert mask.method == "s2cloudless"
    assert (mask.classes[21:34, 21:34] == CLOUD).all() and (mask.classes[:12] == CLEAR).all()


def test_the_city_is_the_same_again() -> None:
    first, again = (simulated_city.city(3, size=128, changes=6, skies=(Sky(), replace(CLOUDY, shift_px=(1.5, -0.5)))) for _ in range(2))
    assert (first.after == again.after).all() and first.planted == again.planted and first.planted
    assert all(one.area_m2 >= 400 for one in first.planted)
