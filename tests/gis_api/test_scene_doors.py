"""Bad scenes at every door (upload, watched folder, command line): refused with the value and the remedy, and nothing is left half-done."""

import asyncio
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from typer.testing import CliRunner

from gis_api.__main__ import app
from grid.database import connect, make_pool, rows
from imagery.scenes import catalogue, dropped, sky
from imagery.scenes.raster import copy_as_cog, file_hash, open_raster, write_geotiff
from tests.imagery.scenes import products

WHEN = "2026-09-01T10:45:00+08:00"
PLACE = from_origin(280_000, 4_005_000, 10, 10)
UTM51 = "EPSG:32651"


@dataclass(frozen=True)
class Bad:
    """A bad file: what the sender says beside it, the HTTP status, words of the refusal and of its remedy."""

    path: Path
    status: int
    says: str
    remedy: str
    said: dict = field(default_factory=dict)


def noise(bands: int = 4, size: int = 600) -> np.ndarray:
    return np.random.default_rng(5).integers(100, 9000, (bands, size, size)).astype(np.uint16)


def picture(path: Path, crs: str | None = UTM51, bands: int = 4, place: rasterio.Affine = PLACE) -> Path:
    return write_geotiff(path, noise(bands, 64), place, crs)


def sparse(path: Path) -> Path:
    profile = {"driver": "GTiff", "count": 1, "height": 30_000, "width": 30_000, "dtype": "uint8", "crs": UTM51, "tiled": True, "transform": PLACE}
    with rasterio.open(path, "w", **profile, sparse_ok=True):
        pass
    return path


def changed(source: Path, target: Path, at: float) -> Path:
    """A copy with one byte flipped, at that share of the file."""
    content = bytearray(source.read_bytes())
    content[int(len(content) * at)] ^= 0x10
    target.write_bytes(content)
    return target


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bad]:
    """The list of issue 4, by name."""
    folder = tmp_path_factory.mktemp("bad")
    cog = copy_as_cog(write_geotiff(folder / "plain.tif", noise(), PLACE, UTM51), folder / "cog.tif").path
    made = {}
    for share in (30, 60, 95):
        cut = folder / f"cut{share}.tif"
        cut.write_bytes(cog.read_bytes()[: cog.stat().st_size * share // 100])
        made[f"cut at {share} %"] = Bad(cut, 422, "truncated or damaged", "again")
    for share in (40, 70, 90):
        made[f"flipped at {share} %"] = Bad(changed(cog, folder / f"flip{share}.tif", share / 100), 422, "damaged", "again")
    plain = folder / "uncompressed.tif"
    with rasterio.open(plain, "w", driver="GTiff", count=4, height=64, width=64, dtype="uint16", crs=UTM51, transform=PLACE) as dataset:
        dataset.write(noise(4, 64))
    flipped = changed(plain, folder / "flipped.tif", 0.6)
    made["flipped, but readable"] = Bad(flipped, 422, f"SHA-256 {file_hash(flipped)}, not {file_hash(plain)}", "send it again", {"sha256": file_hash(plain)})
    vrt = folder / "trap.tif"
    vrt.write_text(f'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource><SourceFilename>{plain}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>')
    made["a VRT"] = Bad(vrt, 415, "'trap.tif' is not a GeoTIFF: it begins with b'<VRT'", "SAFE")
    made["sparse"] = Bad(sparse(folder / "sparse.tif"), 413, "30000 × 30000 pixels", "at most 400000000 pixels")
    made["far away"] = Bad(picture(folder / "far.tif", "EPSG:32618"), 422, r"UTM zone 18N, which puts it at -77.\d+, 36.\d+, \d{5} km from the city", "crs=EPSG:32651")
    made["no frame"] = Bad(picture(folder / "none.tif", None), 422, "declares no coordinate reference system", "crs=EPSG:32651")
    made["seven bands"] = Bad(picture(folder / "seven.tif", bands=7), 422, "7 bands without names", "name them in file order")
    made["no time"] = Bad(picture(folder / "untimed.tif"), 422, "does not say when", "2026-09-15T10:45:00", {"datetime": ""})
    made["no zone"] = Bad(picture(folder / "zoneless.tif"), 422, "has no zone", "Z or", {"datetime": "2026-09-01T10:45:00"})
    made["a product without a band"] = Bad(products.zipped(products.landsat(folder / "l8", without="6"), folder / "l8.zip"), 422, r"SR_B6.TIF' \(band 6, swir1\)", "bands=")
    return made


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decodes in this process: that the decoder is confined is test_engine's concern."""
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))


async def nothing_left(settings) -> None:
    folder = settings.data_dir / "scenes"
    assert not folder.is_dir() or list(folder.iterdir()) == []
    connection = await connect(settings.database_url)
    try:
        assert await rows(connection, "SELECT id FROM scenes") == []
        assert await rows(connection, "SELECT id FROM events WHERE kind = 'scene.registered'") == []
    finally:
        await connection.close()


async def post(client: httpx.AsyncClient, path: Path, **said: str) -> httpx.Response:
    return await client.post("/api/scenes", files={"file": (path.name, path.read_bytes(), "image/tiff")}, data={"datetime": WHEN, **said})


async def test_the_upload_refuses_each(app_client, login, settings, bad: dict[str, Bad]) -> None:
    await login(app_client, "shuju")
    for name, one in bad.items():
        answer = await post(app_client, one.path, **one.said)
        problem = answer.json()
        assert answer.status_code == one.status, f"{name}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert re.search(one.says, problem["detail"]) and one.remedy in problem["remedy"], f"{name}: {problem}"
        assert str(settings.data_dir) not in answer.text and ".upload." not in answer.text, f"{name}: {problem}"
        await nothing_left(settings)
    mended = await post(app_client, bad["no frame"].path, crs="EPSG:32651", id="mended")
    far = await post(app_client, bad["far away"].path, elsewhere="true", id="far")
    assert (mended.status_code, far.status_code) == (201, 201) and mended.json()["properties"]["proj:code"] == "EPSG:32651"


async def test_the_watched_folder_refuses_each_and_says_why_beside_it(settings, bad: dict[str, Bad], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    async with make_pool(settings.database_url, size=2) as pool:
        for name, one in bad.items():
            target = folder / one.path.name
            target.write_bytes(one.path.read_bytes())
            said = {"datetime": WHEN, **one.said}
            dropped.beside(target).write_text(json.dumps({key: value for key, value in said.items() if value}))
            (taken,) = await dropped.take(pool, settings.data_dir, folder, city_code="3702", max_bytes=1 << 30, quiet_s=0.0)
            assert re.search(one.says, taken.refusal), f"{name}: {taken}"
            (reason,) = (folder / "refused").glob(f"*-{one.path.name}.txt")
            assert re.search(one.says, reason.read_text()) and one.remedy in reason.read_text()
            await nothing_left(settings)
    assert sorted(path.name for path in folder.iterdir()) == ["refused"]


@pytest.fixture
def run(settings, monkeypatch) -> Callable:
    """Runs `hdq scene …` over this test's database."""
    monkeypatch.setenv("HDQ_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("HDQ_DATA_DIR", str(settings.data_dir))
    return lambda *arguments: CliRunner().invoke(app, ["scene", *map(str, arguments)])


def test_the_command_refuses_each_and_ends_with_one(run, settings, bad: dict[str, Bad]) -> None:
    for name, one in bad.items():
        said = {"datetime": WHEN, **one.said}
        options = [f"--{'time' if key == 'datetime' else key}={value}" for key, value in said.items() if value]
        done = run("add", one.path, *options)
        assert done.exit_code == 1 and re.search(one.says, done.output) and one.remedy in done.output, f"{name}: {done.output}"
    asyncio.run(nothing_left(settings))


def test_the_command_adds_products_and_finds_what_was_damaged_later(run, settings, tmp_path: Path) -> None:
    made = run("add", products.safe(tmp_path), products.tarred(products.landsat(tmp_path), tmp_path / "l8.tar"), products.gaofen(tmp_path)[0], "--height", "20")
    assert made.exit_code == 0, made.output
    assert "S2B_MSIL2A_20260503" in made.output and "LC08_L2SP" in made.output and "gaofen-20260503T030233" in made.output
    assert run("check").output.startswith("3 完好 whole, 0")
    (file,) = (settings.data_dir / "scenes").glob("LC08*T1.????????.tif")
    os.chmod(file, 0o600)
    changed(file, file, 0.5)
    found = run("check")
    assert found.exit_code == 1 and "LC08_L2SP" in found.output and "published was" in found.output and "2 完好" in found.output
    again = run("add", tmp_path / "l8.tar")
    assert again.exit_code == 1 and "exists already" in again.output


async def test_a_half_written_file_waits(settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    whole = picture(tmp_path / "whole.tif").read_bytes()

    async with make_pool(settings.database_url, size=2) as pool:

        async def take(quiet_s: float) -> list[dropped.Taken]:
            return await dropped.take(pool, settings.data_dir, folder, city_code="3702", max_bytes=1 << 30, quiet_s=quiet_s)

        with (folder / "a.tif").open("wb") as writing:
            writing.write(whole[:5000])
            writing.flush()
            assert await take(0.0) == []
            writing.write(whole[5000:])
        dropped.beside(folder / "a.tif").write_text(json.dumps({"datetime": WHEN, "id": "a"}))
        assert await take(60.0) == []
        products.safe(folder)
        (folder / "link.tif").symlink_to(tmp_path / "whole.tif")
        (late,) = folder.rglob("*_B03_10m.jp2")
        with late.open("ab"):
            assert [one.scene_id for one in await take(0.0)] == ["a"]
        old = time.time() - 3600
        for path in folder.rglob("*"):
            if not path.is_symlink():
                os.utime(path, (old, old))
        (safe,) = await take(5.0)
    assert safe.scene_id.startswith("S2B_MSIL2A") and sorted(path.name for path in folder.iterdir()) == ["link.tif", "taken"]


async def test_a_product_is_uploaded_as_zip(app_client, login, settings, tmp_path: Path) -> None:
    await login(app_client, "shuju")
    archive = products.zipped(products.safe(tmp_path, cloud=0.5), tmp_path / "s2.zip")
    answer = await app_client.post("/api/scenes", files={"file": ("s2.zip", archive.read_bytes(), "application/zip")}, data={"sha256": file_hash(archive), "tide_m": "1.25"})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["collection"] == "sentinel-2-l2a" and told["properties"]["datetime"].startswith("2026-05-03T02:51:07") and told["properties"]["hdq:sky"]["cloud"] == 0.5
    assert told["properties"]["hdq:tide_m"] == 1.25
    (mask,) = (settings.data_dir / "scenes").glob("S2B*.maker.tif")
    assert len(list((settings.data_dir / "scenes").iterdir())) == 2
    with open_raster(mask) as dataset:
        assert (dataset.read(1)[:, :60] == sky.CLOUD).all()
