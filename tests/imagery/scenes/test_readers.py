"""Products as their makers deliver them become one raster on one grid, with time, sun and clouds; what is broken is refused by name."""

import io
import tarfile
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from defusedxml import ElementTree
from rasterio.transform import from_origin

from grid.bundles import unpack_tree
from grid.errors import HdqError, InvalidInput, TooLarge, UnsupportedMedia
from imagery.scenes import arrivals, readers, rpc, sky
from imagery.scenes.raster import open_raster, write_geotiff
from imagery.scenes.readers import Said
from tests.imagery.scenes import products


def read(place: Path, workspace: Path, said: Said = Said()) -> readers.Reading:
    workspace.mkdir(parents=True, exist_ok=True)
    files = readers.files_of(place)
    return readers.of(files, place.name).read(files, workspace, said)


@pytest.mark.parametrize("reader", readers.catalogue().values(), ids=lambda reader: reader.id)
def test_every_reader_says_what_it_reads_and_lets_others_alone(reader: readers.Reader, tmp_path: Path) -> None:
    assert reader.title and reader.title_en and reader.id
    (tmp_path / "notes.txt").write_text("nothing of interest")
    assert not reader.holds(readers.files_of(tmp_path)) and not reader.holds(())


def test_a_sentinel_2_product_lies_on_its_ten_metre_grid(tmp_path: Path) -> None:
    found = read(products.safe(tmp_path, cloud=0.25), tmp_path / "work")
    assert found.bands == ("coastal", "blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "nir09", "swir1", "swir2")
    assert found.taken_at == datetime(2026, 5, 3, 2, 51, 7, 456000, UTC) and found.collection == "sentinel-2-l2a"
    assert found.scene_id.startswith("S2B_MSIL2A_20260503") and found.properties["s2:processing_baseline"] == "05.11"
    assert found.properties["view:sun_elevation"] == 65.5 and found.properties["view:sun_azimuth"] == 138.25 and found.properties["platform"] == "sentinel-2b"
    with open_raster(found.raster) as dataset:
        assert (dataset.width, dataset.height, dataset.res, dataset.crs.to_epsg()) == (120, 120, (10.0, 10.0), 32651)
        assert dataset.descriptions == found.bands and dataset.nodata == 0
        red, swir1, coastal = dataset.read([4, 11, 1])
    assert (red == products.ground(10, 3) - 1000).all()
    assert (swir1 == np.kron(products.ground(20, 10), np.ones((2, 2), np.uint16)) - 1000).all()
    assert (coastal[:6, :6] == products.ground(60, 0)[0, 0] - 1000).all()
    with open_raster(found.classes) as dataset:
        classes = dataset.read(1)
    assert classes.shape == (120, 120) and (classes[:, :30] == sky.CLOUD).all() and (classes[:, 30:] == sky.CLEAR).all()
    assert found.properties["hdq:sky"] == {"cloud": 0.25, "shadow": 0.0}


@pytest.mark.parametrize(("level", "baseline", "offsets", "shift"), [("1C", "05.11", True, 1000), ("1C", "02.09", False, 0), ("2A", "04.00", False, 1000)])
def test_the_offset_of_the_processing_baseline_is_taken_off(tmp_path: Path, level: str, baseline: str, offsets: bool, shift: int) -> None:
    found = read(products.safe(tmp_path, level=level, baseline=baseline, offsets=offsets), tmp_path / "work", Said(bands=("red", "B8")))
    assert found.bands == ("red", "nir") and (found.classes is None) == (level == "1C")
    with open_raster(found.raster) as dataset:
        assert (dataset.read(1) == products.ground(10, 3) - shift).all()


def test_a_band_that_the_product_lists_and_lacks_is_named_and_may_be_left_out(tmp_path: Path) -> None:
    place = products.safe(tmp_path, without="B11")
    with pytest.raises(InvalidInput, match=r"lacks 'T51SUV_20260503T024549_B11_20m.jp2' \(band B11\)") as caught:
        read(place, tmp_path / "work")
    assert "bands=" in caught.value.remedy
    assert read(place, tmp_path / "work", Said(bands=("red", "nir"))).bands == ("red", "nir")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_landsat_scene_becomes_reflectance(tmp_path: Path, as_json: bool) -> None:
    found = read(products.landsat(tmp_path, as_json=as_json, cloud=0.5), tmp_path / "work")
    assert found.bands == ("coastal", "blue", "green", "red", "nir", "swir1", "swir2") and found.collection == "landsat-c2-l2"
    assert found.taken_at == datetime(2026, 5, 3, 2, 31, 45, 123456, UTC) and found.scene_id == "LC08_L2SP_120035_20260503_20260510_02_T1"
    assert found.properties["platform"] == "landsat-8" and found.properties["view:sun_elevation"] == 62.25 and found.properties["eo:cloud_cover"] == 3.21
    with open_raster(found.raster) as dataset:
        assert [int(band[0, 0]) for band in dataset.read()] == [round((7000 + 1000 * band) * 0.275 - 2000) for band in range(1, 8)]
    assert found.properties["hdq:sky"]["cloud"] == 0.5


def test_a_landsat_band_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"SR_B6.TIF' \(band 6, swir1\)"):
        read(products.landsat(tmp_path, without="6"), tmp_path / "work")


@pytest.mark.parametrize("side", ["rpb", "tags"])
def test_a_gaofen_picture_is_laid_on_the_ground(tmp_path: Path, side: str) -> None:
    place, (lon, lat) = products.gaofen(tmp_path, side=side)
    found = read(place, tmp_path / "work", Said(height_m=20.0))
    assert found.bands == ("blue", "green", "red", "nir") and found.taken_at == datetime(2026, 5, 3, 3, 2, 33, tzinfo=UTC)
    assert found.properties["platform"] == "gf1" and found.properties["hdq:metres_per_metre_of_height"] == pytest.approx(0.3, abs=0.01)
    assert found.properties["hdq:accuracy_m"] == pytest.approx(np.hypot(5, 0.3 * 50), abs=0.3)
    with open_raster(found.raster) as dataset:
        assert dataset.crs.to_epsg() == 32651 and dataset.nodata == 0
        rows, cols = np.nonzero(dataset.read(1) > 800)
        x, y = dataset.transform @ (cols.mean() + 0.5, rows.mean() + 0.5)
    assert np.hypot(*np.subtract((x, y), products.utm(lon, lat))) < 4.0


def test_height_and_terrain_move_a_tilted_picture(tmp_path: Path) -> None:
    place, (lon, lat) = products.gaofen(tmp_path)
    x0, y0 = products.utm(lon, lat)
    dem = write_geotiff(tmp_path / "dem.tif", np.full((1, 80, 80), 120, np.float32), from_origin(x0 - 4000, y0 + 4000, 100, 100), products.UTM51)
    for name, said in (("level", Said(height_m=120.0)), ("dem", Said(terrain=dem))):
        with open_raster(read(place, tmp_path / name, said).raster) as dataset:
            rows, cols = np.nonzero(dataset.read(1) > 800)
            x, y = dataset.transform @ (cols.mean() + 0.5, rows.mean() + 0.5)
        assert x - x0 == pytest.approx(30.0, abs=4.0) and y - y0 == pytest.approx(0.0, abs=4.0), name


def test_a_model_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    place, _ = products.gaofen(tmp_path)
    side = next(place.glob("*.rpb"))
    side.write_text(side.read_text().replace("latOffset", "latOff"))
    with pytest.raises(InvalidInput, match="LAT_OFF"):
        read(place, tmp_path / "work")


def test_a_camera_model_of_a_stranger_is_read_in_time(tmp_path: Path) -> None:
    for number, text in enumerate(("a" * 60_000, "\n" * 60_000, "a=(" * 20_000)):
        side = tmp_path / f"{number}.rpb"
        side.write_text(text)
        began = time.process_time()
        with pytest.raises(InvalidInput, match="no whole camera model"):
            rpc.read_model(side)
        assert time.process_time() - began < 5, "squared it takes minutes"


@pytest.mark.parametrize("said", ["NaN", "inf", "abc"])
def test_a_number_that_is_none_is_refused_with_its_name(said: str) -> None:
    with pytest.raises(InvalidInput, match="CloudPercent"):
        readers.number_of(ElementTree.fromstring(f"<a><CloudPercent>{said}</CloudPercent></a>"), "CloudPercent")


def test_xml_with_entities_is_refused(tmp_path: Path) -> None:
    place = products.safe(tmp_path)
    (place / "MTD_MSIL2A.xml").write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>')
    with pytest.raises(InvalidInput, match="no sound XML: EntitiesForbidden"):
        read(place, tmp_path / "work")


def test_a_cut_jp2_is_refused(tmp_path: Path) -> None:
    place = products.safe(tmp_path)
    (band,) = place.rglob("*_B04_10m.jp2")
    band.write_bytes(band.read_bytes()[:6000])
    with pytest.raises(InvalidInput, match="B04_10m.jp2"):
        read(place, tmp_path / "work")


def test_archives_of_products_are_read(tmp_path: Path) -> None:
    for number, archive in enumerate((products.zipped(products.safe(tmp_path / "a"), tmp_path / "s2.zip"), products.tarred(products.landsat(tmp_path / "b"), tmp_path / "l8.tar"), products.tarred(products.gaofen(tmp_path / "c")[0], tmp_path / "gf.tar.gz"))):
        made = arrivals.store(archive, tmp_path / f"w{number}", tmp_path / f"{number}.tif", Said(), None)
        assert made.published.path.is_file() and made.reading.taken_at.year == 2026
        assert (made.classes is not None) == (number < 2)


def tar_with(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as bundle:
        for info, content in members:
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return made.getvalue()


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (tarfile.TarInfo("../outside.tif"), "leaves it"),
        (tarfile.TarInfo("/etc/outside.tif"), "leaves it"),
        (link("a.tif", "/etc/passwd", tarfile.SYMTYPE), "or a link"),
        (link("a.tif", "b.tif", tarfile.LNKTYPE), "or a link"),
        (link("a.tif", "", tarfile.CHRTYPE), "or a link"),
    ],
)
def test_a_tar_that_reaches_out_is_refused(tmp_path: Path, member: tarfile.TarInfo, says: str) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_with((member, b"")))
    with pytest.raises(InvalidInput, match=says):
        unpack_tree(archive, tmp_path / "in", arrivals.UNPACKED)
    assert not (tmp_path / "outside.tif").exists()


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path, name: str) -> None:
    archive, content = tmp_path / name, b"\0" * (64 << 20)
    if name.endswith("zip"):
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("MTD_MSIL2A.xml", content)
    else:
        with tarfile.open(archive, "w:gz") as bundle:
            info = tarfile.TarInfo("a_MTL.txt")
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    with pytest.raises(TooLarge, match="unpacks to too much"):
        unpack_tree(archive, tmp_path / "in", arrivals.UNPACKED)


def test_two_products_and_none_are_refused(tmp_path: Path) -> None:
    products.safe(tmp_path / "both")
    products.landsat(tmp_path / "both")
    with pytest.raises(InvalidInput, match="several products"):
        read(tmp_path / "both", tmp_path / "w")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "readme.txt").write_text("hello")
    with pytest.raises(HdqError) as caught:
        read(tmp_path / "none", tmp_path / "w")
    assert isinstance(caught.value, UnsupportedMedia) and "SAFE" in caught.value.remedy


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.tif"
    with rasterio.open(secret, "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8", crs=products.UTM51, transform=from_origin(300_000, 3_990_000, 10, 10)):
        pass
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").symlink_to(secret)
    assert readers.files_of(tmp_path / "in") == ()
