"""A scene's mask: the maker's and ours joined with the reason kept, as a derived item that links its scene, drawn, downloaded, found by STAC."""

import io
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from psycopg import AsyncConnection
from rasterio.transform import from_origin

from gis_api.tasks import JobContext
from gis_api.tasks.scenes import TASKS
from grid.database import Scope, make_pool, rows
from grid.settings import Settings
from imagery.scenes import catalogue, items, masking, masks, sky, tiles, veils
from imagery.scenes.raster import open_raster, write_geotiff
from tests.imagery.scenes import products

CITY = Scope("3702")


def test_joined_is_the_union_and_says_by_whom(tmp_path: Path) -> None:
    scene = tmp_path / "scene.tif"
    place = from_origin(300_000, 3_990_000, 10, 10)
    write_geotiff(scene, np.full((4, 64, 64), 900, np.uint16), place, products.UTM51, nodata=0)
    maker = np.full((1, 64, 64), sky.CLEAR, np.uint8)
    maker[:, :10], maker[:, 10:20], maker[:, 60:] = sky.CLOUD, sky.SHADOW, sky.NODATA
    write_geotiff(masks.maker_of(scene), maker, place, products.UTM51, nodata=sky.NODATA)
    ours = np.full((1, 32, 32), sky.CLEAR, np.uint8)
    ours[:, :, :8] = sky.CLOUD
    write_geotiff(masks.ours_of(scene), ours, from_origin(300_000, 3_990_000, 20, 20), products.UTM51, nodata=sky.NODATA)
    path = veils.beside(scene, ("blue", "green", "red", "nir"))
    assert path == masks.joined_of(scene) == masks.known_of(scene) == veils.beside(scene, ("blue", "green", "red", "nir"))
    with open_raster(path) as dataset:
        classes, reasons = dataset.read()
        assert dataset.res == (10.0, 10.0) and dataset.descriptions == ("classes", "reasons")
    assert (classes[:10] == sky.CLOUD).all() and (classes[10:20, 16:] == sky.SHADOW).all() and (classes[20:60, 16:] == sky.CLEAR).all() and (classes[60:] == sky.NODATA).all()
    assert (reasons[:10, :16] == veils.MAKER_CLOUD | veils.OUR_CLOUD).all() and (reasons[30:60, :16] == veils.OUR_CLOUD).all() and (reasons[60:] == 0).all()
    said = veils.told(path)
    seen = 60 * 64
    assert said.said_by == ("maker", "hdq") and said.shares["cloud"] == pytest.approx((10 * 64 + 50 * 16) / seen, abs=1e-4)
    assert said.shares["ours_only"] == pytest.approx(40 * 16 / seen, abs=1e-4) and said.shares["both"] == pytest.approx(20 * 16 / seen, abs=1e-4)


def test_a_mask_alone_is_what_there_is(tmp_path: Path) -> None:
    scene = write_geotiff(tmp_path / "scene.tif", np.full((1, 64, 64), 9, np.uint8), from_origin(300_000, 3_990_000, 10, 10), products.UTM51)
    assert veils.beside(scene, ("red",)) is None
    maker = write_geotiff(masks.maker_of(scene), np.full((1, 64, 64), sky.CLOUD, np.uint8), from_origin(300_000, 3_990_000, 10, 10), products.UTM51)
    assert veils.beside(scene, ("red",)) == maker and veils.told(maker).said_by == ("maker",) and veils.told(maker).shares == {"cloud": 1.0, "shadow": 0.0}


async def test_a_product_gets_an_item_that_links_it(app_client: httpx.AsyncClient, login, conn: AsyncConnection, settings: Settings, tmp_path: Path, monkeypatch) -> None:
    for module in (catalogue, masking):
        monkeypatch.setattr(module, "isolated", lambda function, *arguments, **limits: function(*arguments))
    monkeypatch.setattr(masking.os, "nice", lambda by: 0)
    scene = await catalogue.register(conn, settings.data_dir, products.safe(tmp_path, cloud=0.25), scene_id="s2", city_code="3702", elsewhere=True)
    plain = write_geotiff(tmp_path / "plain.tif", np.full((1, 64, 64), 7, np.uint8), from_origin(300_000, 3_990_000, 10, 10), products.UTM51)
    await catalogue.register(conn, settings.data_dir, plain, scene_id="plain", taken_at=datetime(2026, 5, 1, tzinfo=UTC), bands=("gray",))
    await conn.commit()
    asked = await rows(conn, "SELECT args ->> 'scene_id' AS scene FROM procrastinate_jobs WHERE task_name = 'mask_scene' ORDER BY id")
    assert [row["scene"] for row in asked] == ["s2", "plain"] and await masking.lacking(conn, CITY) == ["s2", "plain"]
    async with make_pool(settings.database_url, size=2) as pool:
        for name in ("s2", "s2", "plain", "nowhere"):
            await TASKS["mask_scene"](JobContext(settings, pool), name)
    assert await masking.lacking(conn, CITY) == ["plain"]

    await login(app_client, "linye")
    (item,) = (await app_client.get("/api/scenes/s2/derived")).json()["features"]
    assert item["id"] == "s2.mask" and item["collection"] == "hdq-masks" and [link["href"] for link in item["links"] if link["rel"] == "derived_from"] == ["/api/scenes/s2"]
    assert item["properties"]["hdq:said_by"] == ["maker", "hdq"] and item["properties"]["hdq:methods"] == ["Sen2Cor SCL", "HOT"]
    assert item["properties"]["hdq:shares"]["cloud"] >= 0.25 and {band["name"] for band in item["assets"]["data"]["bands"]} == {"classes", "reasons"}
    file = await app_client.get(item["assets"]["data"]["href"])
    (tmp_path / "got.tif").write_bytes(file.content)
    with open_raster(tmp_path / "got.tif") as dataset:
        assert dataset.count == 2 and set(np.unique(dataset.read(1)[:, :30])) == {sky.CLOUD}
    assert (await items.get(conn, CITY, "s2.mask")).sha256 in file.headers["etag"] and "attachment" in file.headers["content-disposition"]

    found = (await app_client.get("/stac/search?collections=hdq-masks")).json()
    assert [one["id"] for one in found["features"]] == ["s2.mask"] and found["numberMatched"] == 1
    one = await app_client.get("/stac/collections/hdq-masks/items/s2.mask")
    assert one.status_code == 200 and any(link["rel"] == "derived_from" and link["title"] == "s2" for link in one.json()["links"])
    assert {one["id"] for one in (await app_client.get("/stac/collections")).json()["collections"]} == {"hdq-masks", "sentinel-2-l2a", "uploads"}
    layers = {layer["id"]: layer for layer in (await app_client.get("/api/layers")).json()["layers"]}
    assert layers["mask_s2"]["source"]["url"] == "/rasters/s2/{z}/{x}/{y}.png?show=mask" and "mask_plain" not in layers and layers["mask_s2"]["legend"]

    for path, status in (("/api/items/nowhere", 404), ("/api/items/nowhere/file", 404), ("/api/scenes/nowhere/derived", 404)):
        assert (await app_client.get(path)).status_code == status
    west, south, east, north = scene.geom.bounds
    place = tiles.WEB_MERCATOR.tile(west + 0.15 * (east - west), (south + north) / 2, 15)
    drawn = await app_client.get(f"/rasters/s2/15/{place.x}/{place.y}.png?show=mask")
    colours = {tuple(pixel) for pixel in np.asarray(Image.open(io.BytesIO(drawn.content)).convert("RGBA")).reshape(-1, 4)}
    assert drawn.status_code == 200 and (0xF0, 0xB2, 0x4A, veils.OPACITY) in colours and (0, 0, 0, 0) in colours
    nothing = await app_client.get(f"/rasters/plain/15/{place.x}/{place.y}.png?show=mask")
    assert nothing.content == tiles.blank()
    await login(app_client, "shinan")
    assert (await app_client.get("/api/items/s2.mask")).status_code == 404 and (await app_client.get("/api/items/s2.mask/file")).status_code == 404
    assert (await app_client.get("/stac/search?collections=hdq-masks")).json()["features"] == []
