"""One grid, one place, one radiometry: measured on scenes whose shift and gain are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import Affine, from_origin
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from grid.errors import InvalidInput
from imagery.scenes.masks import CLEAR
from imagery.scenes.pairs import Grid, Misaligned, Source, align, read, sample, windows
from imagery.scenes.raster import write_geotiff

UTM51 = "EPSG:32651"
ORIGIN = (240_000, 3_995_000)
BANDS = ("red", "nir")


def terrain(size: int = 320, seed: int = 5) -> np.ndarray:
    """Fields with edges and texture, (2, size, size) float64."""
    random = np.random.default_rng(seed)
    fields = random.integers(800, 3000, (2, size // 16, size // 16)).repeat(16, axis=1).repeat(16, axis=2)
    return ndimage.gaussian_filter(fields + random.normal(0, 60, fields.shape), (0, 1, 1))


def stored(path: Path, pixels: np.ndarray, origin: tuple[float, float] = ORIGIN, resolution: float = 10, **options) -> Source:
    transform = from_origin(*origin, resolution, resolution)
    write_geotiff(path, np.round(pixels).astype(np.uint16), transform, UTM51, bands=BANDS, **options)
    return Source(path, BANDS)


def moved(pixels: np.ndarray, east: float, south: float) -> np.ndarray:
    return np.stack([ndimage.shift(band, (south, east), order=3, mode="reflect") for band in pixels])


@pytest.mark.parametrize(("east", "south"), [(0.0, 0.0), (0.4, -0.7), (2.3, 1.6)])
def test_the_shift_is_measured_and_undone(tmp_path: Path, east: float, south: float) -> None:
    before = terrain()
    pair = align(stored(tmp_path / "a.tif", before), stored(tmp_path / "b.tif", moved(before, east, south) * 0.8 + 150))
    assert (pair.shift.east, pair.shift.south) == pytest.approx((east, south), abs=0.1)
    assert pair.shift.tiles > 0 and pair.shift.residual < 0.15
    old, new, valid = pair.read((20, 20, 200, 200))
    assert valid.all()
    assert np.abs(new - old).mean() < 25
    assert pair.normalisation.gain == pytest.approx([1.25, 1.25], rel=0.05)


def test_a_large_shift_is_refused_with_the_figure(tmp_path: Path) -> None:
    before = terrain()
    with pytest.raises(Misaligned, match=r"10\.\d+ pixels \(10\d\.\d m\) apart") as caught:
        align(stored(tmp_path / "a.tif", before), stored(tmp_path / "b.tif", moved(before, 8, 6)))
    assert caught.value.extra["shift_px"] == pytest.approx(10, abs=0.2)


def test_the_grid_is_the_overlap_on_the_pixels_of_before(tmp_path: Path) -> None:
    pixels = terrain()
    before = stored(tmp_path / "a.tif", pixels)
    after = stored(tmp_path / "b.tif", pixels[:, 40:, 100:], origin=(ORIGIN[0] + 1000, ORIGIN[1] - 400))
    pair = align(before, after)
    assert pair.grid.transform == from_origin(ORIGIN[0] + 1000, ORIGIN[1] - 400, 10, 10)
    assert (pair.grid.width, pair.grid.height) == (220, 280)
    old, new, valid = pair.read((0, 0, 280, 220))
    assert valid.all() and np.abs(old - new).max() < 2


def test_other_projections_and_resolutions_meet_on_a_utm_zone(tmp_path: Path) -> None:
    pixels = terrain()
    before = stored(tmp_path / "a.tif", pixels)
    degrees = Affine(0.00022, 0, 120.1, 0, -0.00018, 36.08)
    warped = np.zeros((2, 420, 420), np.float64)
    reproject(pixels, warped, src_transform=from_origin(*ORIGIN, 10, 10), src_crs=UTM51, dst_transform=degrees, dst_crs="EPSG:4326",
              resampling=Resampling.bilinear, init_dest_nodata=True, dst_nodata=0)  # fmt: skip
    path = tmp_path / "b.tif"
    write_geotiff(path, warped.astype(np.uint16), degrees, "EPSG:4326", bands=BANDS, nodata=0)
    pair = align(before, Source(path, BANDS))
    assert pair.grid.crs == UTM51 and pair.grid.resolution == pytest.approx(19.8, abs=0.3)
    old, new, valid = pair.read((0, 0, pair.grid.height, pair.grid.width))
    inside = ndimage.binary_erosion(valid, iterations=3)
    assert valid.mean() > 0.5 and np.corrcoef(old[0][inside], new[0][inside])[0, 1] > 0.97


def test_nodata_of_either_is_not_valid(tmp_path: Path) -> None:
    pixels = terrain()
    holed = pixels.copy()
    holed[:, 50:90, 60:100] = 0
    pair = align(stored(tmp_path / "a.tif", pixels), stored(tmp_path / "b.tif", holed, nodata=0))
    old, new, valid = pair.read((0, 0, 320, 320))
    assert not valid[52:88, 62:98].any() and valid[:48].all()
    assert (old[:, ~valid] == 0).all() and (new[:, ~valid] == 0).all()


def test_scenes_apart_and_missing_bands_are_refused(tmp_path: Path) -> None:
    pixels = terrain(160)
    before = stored(tmp_path / "a.tif", pixels)
    with pytest.raises(InvalidInput, match="do not overlap"):
        align(before, stored(tmp_path / "b.tif", pixels, origin=(ORIGIN[0] + 9000, ORIGIN[1])))
    with pytest.raises(InvalidInput, match="do not both have swir1"):
        align(before, stored(tmp_path / "c.tif", pixels), ("nir", "swir1"))


def test_the_sample_is_spread_and_valid_only(tmp_path: Path) -> None:
    pixels = terrain()
    pixels[:, :160] = 0
    pair = align(stored(tmp_path / "a.tif", pixels, nodata=0), stored(tmp_path / "b.tif", terrain()))
    old, new = sample(pair, 5000)
    assert old.shape == new.shape and 1500 < old.shape[1] < 4000 and (old > 0).all()


@pytest.mark.parametrize("mask_at", [(ORIGIN, 40.0), ((ORIGIN[0] - 203, ORIGIN[1] + 57), 20.0), ((ORIGIN[0] + 1501.3, ORIGIN[1] - 1201.7), 7.0), ((0.0, 0.0), 10.0)])
def test_a_mask_hides_what_a_warp_of_it_would(tmp_path: Path, mask_at: tuple[tuple[float, float], float]) -> None:
    source = stored(tmp_path / "a.tif", np.full((2, 320, 320), 1000.0))
    at = from_origin(*mask_at[0], mask_at[1], mask_at[1])
    classes = np.random.default_rng(1).integers(CLEAR, 3, (1, 90, 110)).astype(np.uint8)
    mask = write_geotiff(tmp_path / "mask.tif", classes, at, UTM51, nodata=0)
    grid = Grid(UTM51, from_origin(*ORIGIN, 10, 10), 320, 320)
    for row, col, height, width in ((0, 0, 320, 320), (100, 37, 64, 101)):
        warped = np.zeros((height, width), np.uint8)
        there = grid.transform @ Affine.translation(col, row)
        reproject(classes[0], warped, src_transform=at, src_crs=UTM51, dst_transform=there, dst_crs=UTM51, resampling=Resampling.nearest)
        pixels, valid = read(replace(source, mask=mask), grid, BANDS, (row, col, height, width))
        assert (valid == (warped == CLEAR)).all() and (pixels == 1000 * valid).all()


def test_windows_of_a_large_pair_lie_in_one_tile_each() -> None:
    found = windows(Grid(UTM51, from_origin(*ORIGIN, 10, 10), 10_980, 9000))
    assert len(found) == 9 and all(row // 512 == (row + tall - 1) // 512 and col // 512 == (col + wide - 1) // 512 for row, col, tall, wide in found)
    assert max(found)[0] > 9000 - 512 and windows(Grid(UTM51, from_origin(*ORIGIN, 10, 10), 300, 290))[-1] == (34, 44, 256, 256)


def test_the_real_landsat_pair_is_aligned(real_data) -> None:
    folder = real_data("satellite/landsat-cn")
    names = ("blue", "green", "red", "nir", "swir1", "swir2")
    first, second = folder / "taizhou_20000317_landsat_b123457.tif", folder / "taizhou_20030206_landsat_b123457.tif"
    pair = align(Source(first, names), Source(second, names))
    assert pair.shift.tiles > 0 and np.hypot(pair.shift.east, pair.shift.south) < 1
