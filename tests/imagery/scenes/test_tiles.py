"""Decoded tiles: the right colours at the right place, transparent elsewhere."""

import io
from datetime import UTC, datetime
from pathlib import Path

import morecantile
import numpy as np
import pytest
import shapely
from PIL import Image
from rasterio.transform import from_origin

from grid.errors import InvalidInput, NotFound
from imagery.scenes.bands import Band
from imagery.scenes.catalogue import Scene
from imagery.scenes.raster import copy_as_cog, write_geotiff
from imagery.scenes.tiles import Cache, blank, chip, look_of, tile

NAMES = ("blue", "green", "red", "nir")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """West half red, east half green, near infrared everywhere; around 120.775°E 36.03°N."""
    pixels = np.full((4, 300, 300), 500, np.uint16)
    pixels[2, :, :150] = 3000
    pixels[1, :, 150:] = 3000
    pixels[3] = 4000
    write_geotiff(tmp_path / "raw.tif", pixels, from_origin(300_000, 3_990_000, 10, 10), "EPSG:32651", nodata=0)
    copy_as_cog(tmp_path / "raw.tif", tmp_path / "scenes" / "a.tif")
    bands = tuple(Band(name, number) for number, name in enumerate(NAMES, 1))
    now = datetime(2026, 10, 1, tzinfo=UTC)
    return Scene("a", "test", "", now, now, "a.tif", "", bands, 32651, 10.0, 0, {}, "3702", True, shapely.box(120.778, 36.01, 120.81, 36.036))


def decoded(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)).convert("RGBA"))


def at(lon: float, lat: float, z: int) -> tuple[int, int, int]:
    found = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, z)
    return z, found.x, found.y


def test_natural_colour_lies_where_it_should(scene: Scene, tmp_path: Path) -> None:
    look = look_of(scene, tmp_path)
    assert look.bands == ("red", "green", "blue")
    west, east = decoded(tile(scene, tmp_path, *at(120.7815, 36.022, 16), look)), decoded(tile(scene, tmp_path, *at(120.806, 36.022, 16), look))
    assert west.shape == (256, 256, 4)
    assert tuple(west[128, 128]) == (255, 0, 0, 255) and tuple(east[128, 128]) == (0, 255, 0, 255)


def test_outside_is_transparent(scene: Scene, tmp_path: Path) -> None:
    look = look_of(scene, tmp_path)
    assert tile(scene, tmp_path, *at(10.0, 50.0, 12), look) == blank()
    assert (decoded(blank())[..., 3] == 0).all()
    edge = decoded(tile(scene, tmp_path, *at(120.779, 36.034, 14), look))[..., 3]
    assert 0 < (edge > 0).mean() < 1


def test_other_bands_and_stretch(scene: Scene, tmp_path: Path) -> None:
    grey = decoded(tile(scene, tmp_path, *at(120.79, 36.022, 15), look_of(scene, tmp_path, ("nir",), ((0, 8000),))))
    assert abs(int(grey[128, 128, 0]) - 127) <= 1
    assert max(decoded(chip(scene, tmp_path, (120.79, 36.015, 120.80, 36.02), look_of(scene, tmp_path), 64)).shape) == 64


@pytest.mark.parametrize(("bands", "rescale"), [(("swir1",), ()), (("red", "nir"), ()), (("nir",), ((5.0, 5.0),)), (("nir",), ((0.0, 1.0), (0.0, 1.0)))])
def test_a_look_that_does_not_fit_is_refused(scene: Scene, tmp_path: Path, bands: tuple, rescale: tuple) -> None:
    with pytest.raises(InvalidInput):
        look_of(scene, tmp_path, bands, rescale)


def test_a_lost_file_is_said(scene: Scene, tmp_path: Path) -> None:
    look = look_of(scene, tmp_path)
    scene.path(tmp_path).unlink()
    with pytest.raises(NotFound, match="gone"):
        tile(scene, tmp_path, 14, 1, 1, look)


def test_the_cache_keeps_the_recent_and_its_size() -> None:
    cache = Cache(most_bytes=10)
    cache.put(("a",), b"12345")
    cache.put(("b",), b"12345")
    assert cache.get(("a",)) == b"12345"
    cache.put(("c",), b"123")
    assert cache.get(("b",)) is None and cache.get(("a",)) == b"12345" and cache.get(("c",)) == b"123"
