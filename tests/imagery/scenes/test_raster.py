"""The only opener: hostile and broken files are refused by content, and nothing half-written is published."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from grid.errors import InvalidInput, NotFound, TooLarge, UnknownCrs, UnsupportedMedia
from imagery.scenes.raster import Limits, copy_as_cog, file_hash, footprint, open_raster, publish, read_through, write_geotiff

UTM51 = "EPSG:32651"


def noise(size: int = 700, bands: int = 2) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 10_000, (bands, size, size)).astype(np.uint16)


@pytest.fixture
def geotiff(tmp_path: Path) -> Path:
    return write_geotiff(tmp_path / "scene.tif", noise(), from_origin(240_000, 3_995_000, 10, 10), UTM51, bands=("red", "nir"))


def test_a_vrt_named_tif_is_refused(tmp_path: Path, geotiff: Path) -> None:
    trap = tmp_path / "trap.tif"
    trap.write_text(
        f'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f"<SourceFilename>{geotiff}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(UnsupportedMedia, match="not a GeoTIFF"), open_raster(trap):
        pass
    anywhere = f"import imagery.scenes.raster, rasterio; rasterio.open({str(trap)!r})"
    ran = subprocess.run([sys.executable, "-c", anywhere], capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "not recognized as being in a supported file format" in ran.stderr


@pytest.mark.parametrize("path", ["/vsicurl/http://127.0.0.1:9/a.tif", "/vsizip//tmp/a.zip/a.tif", "relative.tif", "/nowhere/at/all.tif"])
def test_remote_relative_and_missing_paths_are_refused(path: str) -> None:
    with pytest.raises(NotFound), open_raster(Path(path)):
        pass


def test_side_files_are_not_read(geotiff: Path) -> None:
    geotiff.with_name("scene.tif.aux.xml").write_text("<PAMDataset><Metadata><MDI key='HDQ'>planted</MDI></Metadata></PAMDataset>")
    with open_raster(geotiff) as dataset:
        assert "HDQ" not in dataset.tags()
        assert dataset.files == [str(geotiff)]


def test_a_truncated_cog_opens_but_does_not_read_through(tmp_path: Path, geotiff: Path) -> None:
    whole = copy_as_cog(geotiff, tmp_path / "cog.tif").path
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.8)])
    with open_raster(cut) as dataset:
        assert dataset.overviews(1)
    with pytest.raises(InvalidInput, match="truncated or damaged"):
        read_through(cut)
    with pytest.raises(InvalidInput):
        copy_as_cog(cut, tmp_path / "never.tif")
    assert not (tmp_path / "never.tif").exists()


def test_a_sparse_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.tif"
    profile = {"driver": "GTiff", "count": 1, "height": 60_000, "width": 60_000, "dtype": "uint8", "crs": UTM51, "tiled": True}
    with rasterio.open(bomb, "w", **profile, transform=from_origin(0, 0, 1, 1), sparse_ok=True):
        pass
    assert bomb.stat().st_size < 2_000_000
    with pytest.raises(TooLarge, match="60000 × 60000"), open_raster(bomb):
        pass
    with pytest.raises(TooLarge, match="swells"), open_raster(bomb, Limits(pixels=10**10)):
        pass


def test_limits_name_what_is_too_large(geotiff: Path) -> None:
    with pytest.raises(TooLarge, match="700 × 700"), open_raster(geotiff, Limits(bands=1)):
        pass


def test_complex_samples_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "radar.tif"
    with rasterio.open(path, "w", driver="GTiff", count=1, height=4, width=4, dtype="complex64") as dataset:
        dataset.write(np.zeros((1, 4, 4), np.complex64))
    with pytest.raises(UnsupportedMedia, match="complex64"), open_raster(path):
        pass


def written(path: Path, crs: str | None, transform: rasterio.Affine) -> Path:
    with rasterio.open(path, "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8", crs=crs, transform=transform) as dataset:
        dataset.write(np.ones((1, 4, 4), np.uint8))
    return path


@pytest.mark.parametrize(
    ("crs", "transform", "says"),
    [
        (None, from_origin(240_000, 3_995_000, 10, 10), "no coordinate reference system"),
        (UTM51, rasterio.Affine.identity(), "no georeference"),
        (UTM51, from_origin(120.3, 36.1, 0.001, 0.001), "look like degrees"),
        ("EPSG:4326", from_origin(240_000, 3_995_000, 10, 10), "look like metres"),
        (UTM51, from_origin(-39_000_000, 3_995_000, 10, 10), "outside the area"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_missing_or_wrong_georeference_is_refused(tmp_path: Path, crs: str | None, transform: rasterio.Affine, says: str) -> None:
    with open_raster(written(tmp_path / "a.tif", crs, transform)) as dataset, pytest.raises(UnknownCrs) as caught:
        footprint(dataset)
    assert says in f"{caught.value.detail} {caught.value.remedy}"


def test_the_footprint_is_lon_lat(tmp_path: Path) -> None:
    """UTM 51 has x 500,000 on the meridian 123°E; there 4,000,000 m of the equator is 36.144°N."""
    with open_raster(written(tmp_path / "a.tif", UTM51, from_origin(500_000, 4_000_000, 1000, 1000))) as dataset:
        west, south, east, north = footprint(dataset).bounds
    assert west == pytest.approx(123.0, abs=1e-9) and east == pytest.approx(123.0445, abs=1e-3)
    assert north == pytest.approx(36.144, abs=1e-3) and south == pytest.approx(36.144 - 4 / 111.0, abs=1e-3)


def test_a_published_cog_is_valid_equal_and_hashed(tmp_path: Path, geotiff: Path) -> None:
    published = copy_as_cog(geotiff, tmp_path / "scenes" / "a.tif")
    assert cog_validate(str(published.path))[0]
    assert published.sha256 == file_hash(published.path) == read_through(published.path)
    with open_raster(published.path) as dataset:
        assert (dataset.read() == noise()).all()
        assert dataset.descriptions == ("red", "nir")
    assert [path.name for path in published.path.parent.iterdir()] == ["a.tif"]


def test_a_failed_write_keeps_the_old_version_and_leaves_nothing(tmp_path: Path, geotiff: Path) -> None:
    target = copy_as_cog(geotiff, tmp_path / "scenes" / "a.tif").path
    before = file_hash(target)

    def half(draft: Path) -> None:
        draft.write_bytes(geotiff.read_bytes()[:5000])

    with pytest.raises(InvalidInput):
        publish(target, half)
    assert file_hash(target) == before
    assert [path.name for path in target.parent.iterdir()] == ["a.tif"]
