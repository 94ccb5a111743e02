"""An index over time at a point: golden values, holes, clouds, and scenes that do not say."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from imagery.scenes import indices, series
from imagery.scenes.bands import Band
from imagery.scenes.catalogue import Scene
from imagery.scenes.raster import write_geotiff

BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")
WEST, NORTH = 310_000.0, 4_000_000.0
SIDE = 120


def scene(folder: Path, name: str, month: int, values: tuple[int, ...], bands: tuple[str, ...] = BANDS, hole: bool = False) -> Scene:
    """A uniform scene of 20 m pixels in UTM 51N; `hole`: its upper half holds nothing."""
    pixels = np.repeat(np.array(values, np.uint16), SIDE * SIDE).reshape(len(values), SIDE, SIDE)
    if hole:
        pixels[:, : SIDE // 2] = 0
    (folder / "scenes").mkdir(exist_ok=True)
    write_geotiff(folder / "scenes" / f"{name}.tif", pixels, rasterio.Affine(20, 0, WEST, 0, -20, NORTH), "EPSG:32651", bands=bands, nodata=0)
    taken = datetime(2026, month, 1, tzinfo=UTC)
    named = tuple(Band(band, n) for n, band in enumerate(bands, 1))
    return Scene(name, "s2", "", taken, taken, f"{name}.tif", "", named, 32651, 20.0, 0, {}, "3702", True, shapely.box(120, 36, 121, 37))


def place(col: int, row: int) -> tuple[float, float]:
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:32651", "EPSG:4326", always_xy=True).transform(WEST + 20 * col + 10, NORTH - 20 * row - 10)


def test_values_stand_in_the_order_of_time_and_holes_say_so(tmp_path: Path) -> None:
    green = scene(tmp_path, "green", 7, (300, 500, 400, 3600, 1500, 800))
    bare = scene(tmp_path, "bare", 3, (900, 1000, 1000, 1500, 2000, 1800))
    torn = scene(tmp_path, "torn", 5, (300, 500, 400, 3600, 1500, 800), hole=True)
    blind = scene(tmp_path, "blind", 4, (300, 500, 400), bands=("blue", "green", "red"))
    found = series.read([green, torn, bare, blind], tmp_path, *place(60, 30), indices.get("ndvi"))
    assert [(point.scene, point.value) for point in found] == [("bare", pytest.approx(0.2)), ("torn", None), ("green", pytest.approx(0.8))]
    assert found[0].cloud is False and found[2].cloud is False and found[1].cloud is None
    assert series.read([green], tmp_path, 121.9, 36.1, indices.get("ndvi")) == [], "outside of it"


def test_a_white_patch_over_ground_is_flagged(tmp_path: Path) -> None:
    held = scene(tmp_path, "cloudy", 6, (300, 500, 400, 3600, 1500, 800))
    path = held.path(tmp_path)
    with rasterio.open(path) as dataset:
        pixels, transform = dataset.read(), dataset.transform
    rng = np.random.default_rng(4)
    pixels = (pixels * rng.uniform(0.8, 1.2, pixels.shape[1:])).astype(np.uint16)
    pixels[:, 20:50, 20:50] = np.array([6500, 6600, 6700, 7000, 5000, 4000], np.uint16)[:, None, None]
    path.unlink()
    write_geotiff(path, pixels, transform, "EPSG:32651", bands=BANDS, nodata=0)
    (over,) = series.read([held], tmp_path, *place(35, 35), indices.get("ndvi"))
    (beside,) = series.read([held], tmp_path, *place(100, 100), indices.get("ndvi"))
    assert (over.cloud, beside.cloud) == (True, False) and beside.value > 0.7 > over.value
