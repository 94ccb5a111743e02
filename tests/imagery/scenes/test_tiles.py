"""Decoded tiles: the right colours at the right place, transparent elsewhere."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import morecantile
import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.env import get_gdal_config
from rasterio.transform import from_origin

from grid.errors import InvalidInput, NotFound
from imagery.scenes.bands import Band
from imagery.scenes.catalogue import Scene
from imagery.scenes.handles import Handles
from imagery.scenes.raster import QUIET, copy_as_cog, write_geotiff
from imagery.scenes.tiles import Cache, Look, blank, chip, draw, look_of, positions, tile, tile_bounds

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


@pytest.mark.parametrize("crs", ["EPSG:32651", "EPSG:4490", "EPSG:4528"])
def test_places_between_the_worked_out_ones_are_right(crs: str) -> None:
    onto = Transformer.from_crs("EPSG:3857", crs, always_xy=True)
    for z in range(3, 20):
        _, x, y = at(120.4, 36.1, z)
        bounds = tile_bounds(z, x, y)
        side = bounds[2] - bounds[0]
        east, north = np.meshgrid(bounds[0] + side * (np.arange(256) + 0.5) / 256, bounds[3] - side * (np.arange(256) + 0.5) / 256)
        middle = onto.transform((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
        pixel = side / 256 * (0.8 if crs != "EPSG:4490" else 9e-6)
        transform = from_origin(*middle, pixel, pixel)
        col, row, _ = positions(CRS.from_string(crs), transform, bounds, (256, 256))
        exact_x, exact_y = onto.transform(east, north)
        exact = ~transform @ (exact_x, exact_y)
        assert max(np.abs(col - exact[0]).max(), np.abs(row - exact[1]).max()) < (0.1 if z > 4 else 0.5), z


def test_each_form_holds_the_same_pixels(scene: Scene, tmp_path: Path) -> None:
    look = look_of(scene, tmp_path)
    for place in (at(120.79, 36.022, 15), at(120.779, 36.034, 14), at(120.79, 36.022, 2), at(120.79, 36.022, 20)):
        png, webp = tile(scene, tmp_path, *place, look), tile(scene, tmp_path, *place, look, "webp")
        assert webp[8:12] == b"WEBP" and (decoded(png) == decoded(webp)).all()
    assert (decoded(tile(scene, tmp_path, *at(10.0, 50.0, 12), look, "webp")) == 0).all()


def test_nothing_stays_nothing_and_its_border_keeps_its_colour(tmp_path: Path, scene: Scene) -> None:
    pixels = np.full((1, 300, 300), 8.0, np.float32)
    pixels[:, 100:200, 100:200] = -9999
    pixels[:, :20, :20] = np.nan
    write_geotiff(tmp_path / "scenes" / "b.tif", pixels, from_origin(300_000, 3_990_000, 10, 10), "EPSG:32651", nodata=-9999)
    look = Look(("nir",), ((0.0, 16.0),))
    for z in (13, 14, 16):
        lon, lat = Transformer.from_crs("EPSG:32651", "EPSG:4326", always_xy=True).transform(301_000, 3_989_000)
        drawn = draw(tmp_path / "scenes" / "b.tif", [1], tile_bounds(*at(lon, lat, z)), (256, 256), look)
        assert set(np.unique(drawn[..., 3])) == {0, 255} and set(np.unique(drawn[..., :3])) <= {0, *range(126, 131)}
        assert (drawn[drawn[..., 3] == 255][:, :3] > 120).all() and (drawn[drawn[..., 3] == 0] == 0).all()


def test_an_open_dataset_is_lent_to_one_and_dropped_when_its_file_changes(tmp_path: Path) -> None:
    handles, path = Handles(most=2), tmp_path / "a.tif"
    write_geotiff(path, np.full((1, 8, 8), 1, np.uint8), from_origin(300_000, 3_990_000, 10, 10), "EPSG:32651")
    with handles.reading(path) as one, handles.reading(path) as other:
        assert one is not other
    with handles.reading(path) as again:
        assert again is one or again is other
    write_geotiff(tmp_path / "new.tif", np.full((1, 8, 8), 2, np.uint8), from_origin(300_000, 3_990_000, 10, 10), "EPSG:32651")
    (tmp_path / "new.tif").replace(path)
    with handles.reading(path) as changed:
        assert changed.read().max() == 2
    assert one.closed and other.closed and len(handles) == 1
    for name in "bcd":
        write_geotiff(tmp_path / f"{name}.tif", np.full((1, 8, 8), 1, np.uint8), from_origin(300_000, 3_990_000, 10, 10), "EPSG:32651")
        with handles.reading(tmp_path / f"{name}.tif"):
            pass
    assert len(handles) == 2 and changed.closed
    path.unlink()
    with pytest.raises(NotFound, match="gone"), handles.reading(path):
        pass
    handles.close()
    assert len(handles) == 0


def test_many_threads_draw_the_same_tile(scene: Scene, tmp_path: Path) -> None:
    look = look_of(scene, tmp_path)
    places = [at(120.79, 36.022, z) for z in (12, 13, 14, 15, 16)]
    alone = [tile(scene, tmp_path, *place, look) for place in places]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: tile(scene, tmp_path, *places[number % 5], look), range(100))) == alone * 20


def test_gdal_keeps_more_than_a_few_bytes_of_blocks() -> None:
    with rasterio.Env(**QUIET):
        assert get_gdal_config("GDAL_CACHEMAX") == 256 << 20
