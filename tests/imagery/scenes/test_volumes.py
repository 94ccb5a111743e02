"""Volumes between two surface models whose heaps, shift and errors are known."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from rasterio import Affine
from scipy import ndimage

from grid.errors import InvalidInput
from imagery.scenes.raster import write_geotiff
from imagery.scenes.volumes import findings, measure

CRS, CELL, SIDE = "EPSG:32651", 0.25, 400
ORIGIN = (265_000.0, 4_010_000.0)


def surface(seed: int, *, east: float = 0.0, south: float = 0.0, noise: float = 0.03) -> np.ndarray:
    """Terraces and mounds 100 m wide, moved by metres, with noise alike over a metre."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] * CELL
    x, y = x - east, y - south
    ground = 20 + 0.03 * x + 3 * np.sin(x / 9) * np.cos(y / 7) + 1.5 * np.sin(y / 3.1)
    return (ground + ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE)), 2) * noise * 7).astype(np.float32)


def cone(heights: np.ndarray, row: float, col: float, radius: float, height: float) -> float:
    """Adds a cone (metres from the corner); returns its volume in m³."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] * CELL
    rise = np.clip(1 - np.hypot(x - col, y - row) / radius, 0, None) * height
    heights += rise.astype(np.float32)
    return float(rise.sum() * CELL**2)


def write(path: Path, heights: np.ndarray) -> Path:
    return write_geotiff(path, heights[None], Affine(CELL, 0, ORIGIN[0], 0, -CELL, ORIGIN[1]), CRS, bands=("gray",), nodata=-9999)


def test_heap_and_pit_within_their_errors(tmp_path: Path) -> None:
    later = surface(2) + 0.6
    heap, pit = cone(later, 30, 30, 8, 4), cone(later, 70, 60, 6, -3)
    found = measure(write(tmp_path / "a.tif", surface(1)), write(tmp_path / "b.tif", later))
    assert found.offset_m == pytest.approx(0.6, abs=0.02)
    big, small = [one for one in found.heaps if one.certain]
    assert big.volume_m3 == pytest.approx(heap, abs=max(3 * big.volume_sigma_m3, 0.03 * heap)) and big.peak_m == pytest.approx(4, abs=0.3)
    assert small.volume_m3 == pytest.approx(pit, abs=max(3 * small.volume_sigma_m3, 0.05 * abs(pit))) and small.height_m < 0
    assert 0 < big.volume_sigma_m3 < 0.1 * heap and found.stable_share > 0.9
    lon, lat = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform(ORIGIN[0] + 30, ORIGIN[1] - 30)
    assert big.patch.geom.contains(shapely.Point(lon, lat))
    (told,) = findings(found, source="flight-2", seen_at=datetime(2026, 9, 1, 3, tzinfo=UTC))
    assert told.kind == "spoil_heap" and told.score > 0.95 and told.properties["volume_m3"] == pytest.approx(heap, rel=0.05), "a pit is no heap"


def test_a_model_in_web_mercator_tells_the_volume_on_the_ground(tmp_path: Path) -> None:
    stretch = 1 / np.cos(np.radians(36.2))
    place = Affine(CELL * stretch, 0, 13_400_000, 0, -CELL * stretch, 4_330_000)
    later = surface(2)
    heap = cone(later, 30, 30, 8, 4)
    flights = [write_geotiff(tmp_path / f"{n}.tif", heights[None], place, "EPSG:3857", bands=("gray",), nodata=-9999) for n, heights in enumerate((surface(1), later))]
    big = max(measure(*flights).heaps, key=lambda one: one.volume_m3)
    assert big.volume_m3 == pytest.approx(heap, rel=0.06)


def test_a_shifted_flight_is_laid_back(tmp_path: Path) -> None:
    later = surface(2, east=0.5, south=-0.4) - 1.0
    heap = cone(later, 30, 30, 8, 4)
    found = measure(write(tmp_path / "a.tif", surface(1)), write(tmp_path / "b.tif", later))
    assert (found.east_m, found.south_m) == pytest.approx((0.5, -0.4), abs=0.05)
    assert found.heaps[0].volume_m3 == pytest.approx(heap, rel=0.04)
    with pytest.raises(InvalidInput, match="apart"):
        measure(write(tmp_path / "a.tif", surface(1)), write(tmp_path / "c.tif", surface(2, east=1.4)))


def test_the_error_is_true_over_many_flights(tmp_path: Path) -> None:
    """The same nothing, thirty times: the mean change over a square of ten metres is within its stated error two times of three."""
    inside = 0
    for seed in range(30):
        found = measure(write(tmp_path / "a.tif", surface(seed)), write(tmp_path / "b.tif", surface(1000 + seed)))
        side = 40
        mean = float(found.change[100 : 100 + side, 200 : 200 + side].mean())
        stated = np.interp(side * CELL, *zip(*found.curve, strict=True))
        inside += abs(mean) <= stated
        assert not [heap for heap in found.heaps if heap.certain and abs(heap.volume_m3) > 20]
    assert 13 <= inside <= 28, inside


def test_nothing_stable_is_said(tmp_path: Path) -> None:
    later = surface(2)
    cone(later, 30, 30, 8, 4)
    corner = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform(ORIGIN[0] + 2, ORIGIN[1] - 2)
    with pytest.raises(InvalidInput, match="stable ground"):
        measure(write(tmp_path / "a.tif", surface(1)), write(tmp_path / "b.tif", later), stable=shapely.Point(corner).buffer(2e-5))
    wide = shapely.box(corner[0], corner[1] - 0.0009, corner[0] + 0.0002, corner[1])
    found = measure(tmp_path / "a.tif", tmp_path / "b.tif", stable=wide)
    assert found.heaps[0].volume_m3 == pytest.approx(np.pi * 64 * 4 / 3, rel=0.06)
