"""Published scenes: what others read in the file and what is served are the same pixels; nothing half-written or damaged is served."""

import io
import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.transform import from_origin
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from grid.errors import InvalidInput
from imagery.scenes import blocks, published, tiles
from imagery.scenes.bands import Band
from imagery.scenes.blocks import Blocks, Extent, pyramid
from imagery.scenes.catalogue import Scene
from imagery.scenes.raster import copy_as_cog, footprint, open_raster, write_geotiff


def scene_of(folder: Path, name: str = "a", side: int = 2000, crs: str = "EPSG:32651", corner: tuple[float, float, float] = (300_000, 3_990_000, 10)) -> Scene:
    """Three bands of 16 bits with a slope and noise, a corner of nothing."""
    ramp = np.add.outer(np.arange(side), np.arange(side)) / 4
    pixels = np.stack([ramp + 500, ramp[::-1] + 500, np.full((side, side), 900.0)]) + np.random.default_rng(1).normal(0, 20, (3, side, side))
    pixels = pixels.clip(1, 9999).astype(np.uint16)
    pixels[:, : side // 4, : side // 3] = 0
    west, north, step = corner
    write_geotiff(folder / "raw.tif", pixels, from_origin(west, north, step, step), crs, nodata=0)
    copy_as_cog(folder / "raw.tif", folder / "scenes" / f"{name}.tif")
    with open_raster(folder / "scenes" / f"{name}.tif") as dataset:
        outline = footprint(dataset)
    now = datetime(2026, 10, 1, tzinfo=UTC)
    bands = tuple(Band(band, number) for number, band in enumerate(("red", "green", "blue"), 1))
    return Scene(name, "test", "", now, now, f"{name}.tif", "00", bands, 32651, step, 0, {}, "3702", True, outline)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Path, Path]:
    folder = tmp_path_factory.mktemp("published")
    scene = scene_of(folder)
    return scene, folder, published.make(scene, folder)


def rgba(content: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_what_is_served_is_what_gdal_reads_on_every_level(made: tuple[Scene, Path, Path]) -> None:
    scene, folder, path = made
    found = Blocks(path)
    assert sorted(found.levels) == [12, 13, 14] and path.parent == folder / "scenes" / "published"
    seen = 0
    for number, z in enumerate(sorted(found.levels, reverse=True)):
        extent = found.levels[z].extent
        with rasterio.open(path, **({"overview_level": number - 1} if number else {})) as dataset:
            assert dataset.crs.to_epsg() == 3857 and (dataset.width, dataset.height) == (extent.wide * 256, extent.tall * 256)
            assert dataset.bounds[0] == pytest.approx(tiles.tile_bounds(z, extent.x, extent.y)[0], abs=1e-3)
            assert dataset.bounds[3] == pytest.approx(tiles.tile_bounds(z, extent.x, extent.y)[3], abs=1e-3)
            for row in range(extent.tall):
                for col in range(extent.wide):
                    theirs = dataset.read(window=Window(col * 256, row * 256, 256, 256)).transpose(1, 2, 0)
                    ours = rgba(published.tile(scene, folder, z, extent.x + col, extent.y + row))
                    assert (theirs == ours).all()
                    seen += bool(ours[..., 3].any())
    assert seen > 20


def test_a_published_tile_looks_like_the_drawn_one(made: tuple[Scene, Path, Path]) -> None:
    scene, folder, _ = made
    look = tiles.look_of(scene, folder)
    for z in (12, 13, 14):
        place = tiles.WEB_MERCATOR.tile(scene.geom.centroid.x, scene.geom.centroid.y, z)
        ours, drawn = rgba(published.tile(scene, folder, z, place.x, place.y)), rgba(tiles.tile(scene, folder, z, place.x, place.y, look))
        assert (ours[..., 3] == drawn[..., 3]).all() and np.abs(ours.astype(int) - drawn).mean() < 1.5


def test_the_file_is_a_cloud_optimised_geotiff(made: tuple[Scene, Path, Path]) -> None:
    valid, errors, _ = cog_validate(str(made[2]))
    assert valid, errors


def test_outside_and_other_zooms(made: tuple[Scene, Path, Path]) -> None:
    scene, folder, _ = made
    assert published.tile(scene, folder, 14, 0, 0) == tiles.blank("webp") and (rgba(tiles.blank("webp")) == 0).all()
    assert published.tile(scene, folder, 15, 0, 0) is None and published.tile(scene, folder, 2, 0, 0) is None


def test_it_is_made_once_and_older_looks_go(made: tuple[Scene, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    scene, folder, path = made
    before = path.stat().st_mtime_ns
    assert published.make(scene, folder) == path and path.stat().st_mtime_ns == before
    other = path.with_name("ab.012345678901.tif")
    other.write_bytes(b"of another scene")
    monkeypatch.setattr(published, "DRAWING", 2)
    newer = published.make(scene, folder)
    assert newer != path and newer.is_file() and not path.exists() and other.is_file()
    newer.rename(path)
    assert sorted(found.name for found in path.parent.iterdir()) == sorted([other.name, path.name])


def test_a_failed_draft_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(tmp_path, side=600)
    whole = blocks.write

    def cut(path: Path, *rest: object) -> None:
        whole(path, *rest)
        content = path.read_bytes()
        path.write_bytes(content[:-2000])

    monkeypatch.setattr(published.blocks, "write", cut)
    with pytest.raises(InvalidInput, match="damaged"):
        published.make(scene, tmp_path)
    assert list((tmp_path / "scenes" / "published").iterdir()) == []
    assert published.tile(scene, tmp_path, 14, 1, 1) is None


@pytest.mark.parametrize("harm", ["cut", "header", "block", "offset", "circle", "empty"])
def test_a_damaged_file_is_taken_away(tmp_path: Path, harm: str) -> None:
    scene = scene_of(tmp_path, side=600)
    path = published.make(scene, tmp_path)
    level = Blocks(path).levels[14]
    number = int(np.argmax(level.counts))
    place = 14, level.extent.x + number % level.extent.wide, level.extent.y + number // level.extent.wide
    content = bytearray(path.read_bytes())
    if harm == "cut":
        del content[-1000:]
    elif harm == "header":
        content[2] = 42
    elif harm == "block":
        content[level.offsets[number] : level.offsets[number] + 8] = bytes(8)
    elif harm == "offset":
        at = content.index(level.offsets.astype("<u8").tobytes())
        content[at : at + 8] = struct.pack("<Q", 1 << 60)
    elif harm == "circle":
        (tags,) = struct.unpack_from("<Q", content, 16)
        struct.pack_into("<Q", content, 24 + 20 * tags, 16)
    else:
        content.clear()
    path.write_bytes(content)
    published.SHELF = published.Shelf()
    assert published.tile(scene, tmp_path, *place) is None and not path.exists()
    published.make(scene, tmp_path)
    assert rgba(published.tile(scene, tmp_path, *place))[..., 3].any()


def test_many_files_do_not_stay_open(tmp_path: Path) -> None:
    shelf = published.Shelf(most=2)
    block = tiles.encode(np.full((256, 256, 4), 255, np.uint8), "webp")
    for name in "abcd":
        blocks.write(tmp_path / f"{name}.tif", Extent(3, 4, 4, 2, 2), 2, lambda level: iter([block] * (level.wide * level.tall)), {})
        assert shelf.tile(tmp_path / f"{name}.tif", 3, 5, 5) == block and shelf.tile(tmp_path / f"{name}.tif", 2, 2, 2) == block
        assert shelf.tile(tmp_path / f"{name}.tif", 3, 6, 5) == b""
    assert len(shelf._open) == 2 and shelf.tile(tmp_path / "none.tif", 1, 1, 1) is None


@pytest.mark.parametrize(
    ("crs", "corner", "zoom"), [("EPSG:32651", (300_000, 3_990_000, 10), 14), ("EPSG:4490", (120.0, 36.5, 0.0001), 14), ("EPSG:4528", (40_500_000, 4_000_000, 0.5), 18)]
)
def test_the_finest_zoom_is_the_nearest_to_the_scene(tmp_path: Path, crs: str, corner: tuple, zoom: int) -> None:
    extent, levels = published.native_extent(scene_of(tmp_path, side=300, crs=crs, corner=corner), tmp_path)
    coarsest = pyramid(extent, levels)[-1]
    assert extent.z == zoom and max(coarsest.wide, coarsest.tall) <= published.COARSEST_TILES + 1


def test_an_extent_that_does_not_end_where_the_next_does_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not end"):
        pyramid(Extent(5, 3, 2, 2, 2), 2)


def test_a_scene_across_one_place_only_has_one_level(tmp_path: Path) -> None:
    scene = scene_of(tmp_path, side=64)
    extent, levels = published.native_extent(scene, tmp_path)
    assert levels == 1 and shapely.box(*tiles.WEB_MERCATOR.bounds(extent.x, extent.y, extent.z)).intersects(scene.geom)
    published.make(scene, tmp_path)
    assert published.tile(scene, tmp_path, extent.z, extent.x, extent.y) is not None
