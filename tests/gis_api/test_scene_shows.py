"""Indices, hillshade and the mosaic of a day as tiles: by name from a list, with the values that the formula gives, and the newest clear scene on top."""

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from rasterio.transform import from_origin

from imagery.scenes import catalogue, masks, shows, tiles
from imagery.scenes.raster import write_geotiff
from tests.gis_api.test_scene_doors import UTM51, post

LEFT, TOP = 280_000.0, 4_005_000.0
Z = 14


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decodes in this process: that the decoder is confined is test_engine's concern."""
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))


def flat(path: Path, *levels: int, size: int = 400) -> Path:
    """A scene whose bands are each of one value."""
    return write_geotiff(path, np.stack([np.full((size, size), level, np.uint16) for level in levels]), from_origin(LEFT, TOP, 10, 10), UTM51, nodata=0)


async def at_middle(client: httpx.AsyncClient, address: str) -> tuple[int, ...]:
    """The colour in the middle of the scenes, of the tile at an address with {place}."""
    place = tiles.WEB_MERCATOR.tile(120.5773, 36.148, Z)
    answer = await client.get(address.format(place=f"{Z}/{place.x}/{place.y}"))
    assert answer.status_code == 200, answer.text
    bounds = tiles.WEB_MERCATOR.bounds(place)
    col = int((120.5773 - bounds.left) / (bounds.right - bounds.left) * 256)
    row = int((bounds.top - 36.148) / (bounds.top - bounds.bottom) * 256)
    at_middle.headers = answer.headers
    return tuple(int(value) for value in np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA"))[row, col])


def colour(show_id: str, value: float) -> tuple[int, ...]:
    """What an index value is drawn as."""
    show = shows.get(show_id)
    high = np.array([[[1 + value]], [[1 - value]]], np.float32)
    one = shows.Show("x", "", "", "", upper=("a",), lower=("b",), scale=show.scale, span=show.span)
    return (*(int(channel) for channel in shows.colours(one, high, (1, 1))[0][0, 0]), 255)


async def test_shows_are_drawn_by_name(app_client, login, tmp_path: Path) -> None:
    await login(app_client, "shuju")
    listed = {one["id"]: one for one in (await app_client.get("/api/shows")).json()}
    assert listed.keys() >= {"true_colour", "false_colour", "ndvi", "ndwi", "mndwi", "nbr", "ndbi", "bsi", "hillshade"}
    assert listed["ndvi"]["bands"] == ["nir", "red"] and listed["ndvi"]["legend"][-1]["value"] == 0.9
    made = await post(app_client, flat(tmp_path / "a.tif", 500, 800, 1000, 3000, 2000, 1200), id="six", bands="blue,green,red,nir,swir1,swir2")
    assert made.status_code == 201 and "bsi" in made.json()["properties"]["hdq:shows"] and "hillshade" not in made.json()["properties"]["hdq:shows"]
    for show_id, value in (("ndvi", 0.5), ("ndwi", -2200 / 3800), ("mndwi", -1200 / 2800), ("nbr", 1800 / 4200), ("ndbi", -0.2), ("bsi", -500 / 6500)):
        drawn = await at_middle(app_client, f"/rasters/six/{{place}}.png?show={show_id}")
        assert np.abs(np.subtract(drawn, colour(show_id, value))).max() <= 3, show_id
    place = "14/13683/6416"
    for wrong, status, says in (
        ("show=(nir-red)/nir", 422, "no way to show"),
        ("show=hillshade", 422, "needs height, which six has not"),
        ("show=ndvi&bands=nir", 422, "does not go with"),
    ):
        answer = await app_client.get(f"/rasters/six/{place}.png?{wrong}")
        assert answer.status_code == status and says in answer.text


async def test_a_surface_model_is_shaded(app_client, login, tmp_path: Path) -> None:
    await login(app_client, "shuju")
    across = np.tile(np.arange(400, dtype=np.float32) * 10, (400, 1))
    for name, heights in (("level", np.full((400, 400), 30, np.float32)), ("lit", across), ("dark", -across)):
        path = write_geotiff(tmp_path / f"{name}.tif", heights[None], from_origin(LEFT, TOP, 10, 10), UTM51)
        assert (await post(app_client, path, id=name, bands="dsm")).status_code == 201
    level, lit, dark = [(await at_middle(app_client, f"/rasters/{name}/{{place}}.webp?show=hillshade"))[0] for name in ("level", "lit", "dark")]
    assert level == 180
    assert lit == pytest.approx(255 * (0.5 + 0.5 * np.cos(np.radians(45))), abs=2) and dark == pytest.approx(255 * (0.5 - 0.5 * np.cos(np.radians(45))), abs=2)


async def test_the_mosaic_of_a_day_has_the_newest_clear_scene_on_top(app_client, login, settings, tmp_path: Path) -> None:
    await login(app_client, "shuju")
    for number, (name, when) in enumerate((("may", "2026-05-01T10:45:00+08:00"), ("june", "2026-06-01T10:45:00+08:00"), ("july", "2026-07-01T23:30:00+08:00"))):
        path = flat(tmp_path / f"{name}.tif", 1000, 1000 + 1000 * number)
        assert (await post(app_client, path, id=name, bands="red,nir", datetime=when)).status_code == 201
    (june,) = (settings.data_dir / "scenes").glob("june.*.tif")
    classes = np.full((1, 400, 400), masks.CLEAR, np.uint8)
    classes[:, 100:300, 100:300] = masks.CLOUD
    write_geotiff(masks.maker_of(june), classes, from_origin(LEFT, TOP, 10, 10), UTM51)
    address = "/rasters/mosaic/{day}/{{place}}.webp?show=ndvi"
    for day, value, first in (("2026-07-01", 0.5, "july;2026-07-01"), ("2026-06-30", 0.0, "june;2026-06-01, may;2026-05-01"), ("2026-05-01", 0.0, "may;2026-05-01")):
        drawn = await at_middle(app_client, address.format(day=day))
        assert np.abs(np.subtract(drawn, colour("ndvi", value))).max() <= 1, day
        assert at_middle.headers["hdq-scenes"] == first
    assert (await at_middle(app_client, address.format(day="2026-04-30")))[3] == 0
    assert (await app_client.get("/rasters/mosaic/yesterday/14/13683/6416.webp")).status_code == 422
    await login(app_client, "shinan")
    assert (await at_middle(app_client, address.format(day="2026-07-01")))[3] == 0
    await app_client.post("/api/logout")
    assert (await app_client.get("/rasters/mosaic/2026-07-01/14/13683/6416.webp?show=ndvi")).status_code == 401
