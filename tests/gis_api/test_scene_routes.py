"""Walk 2 through HTTP up to intake: two uploads, a survey by the worker's job, patches, tiles; and what is refused."""

import io
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import shapely
from PIL import Image

from gis_api.routes import scenes
from gis_api.tasks import JobContext
from gis_api.tasks.scenes import TASKS as SCENE_TASKS
from gis_api.tasks.surveys import TASKS
from grid.database import make_pool
from imagery.scenes import analyses, catalogue, published, simulate, tiles
from imagery.scenes.blocks import Blocks
from imagery.scenes.raster import write_geotiff

BOUNDS = (120.555, 36.160, 120.570, 36.172)
CUT = shapely.box(120.560, 36.165, 120.5635, 36.167)
FIRES = """latitude,longitude,brightness,scan,track,acq_date,acq_time,satellite,confidence,version,bright_t31,frp,daynight
36.20000,120.60000,313.1,1.28,1.12,2026-11-01,256,T,86,6.1NRT,288.76,6.76,D
36.20000,abc,313.1,1.28,1.12,2026-11-01,256,T,36,6.1NRT,288.76,6.76,D
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [("clear_cut", CUT)], 3)
    folder = tmp_path_factory.mktemp("uploads")
    return tuple(
        write_geotiff(folder / name, pixels, made.transform, made.crs, nodata=0).read_bytes() for name, pixels in (("a", made.before), ("b", made.after))
    )


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decodes in this process: that the decoder is confined is test_engine's concern."""
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))


async def upload(client: httpx.AsyncClient, content: bytes, scene_id: str, **fields: str) -> httpx.Response:
    data = {"datetime": "2026-09-01T10:45:00+08:00", "bands": "blue,green,red,nir,swir1,swir2", "id": scene_id, "collection": "sim-s2", **fields}
    return await client.post("/api/scenes", files={"file": ("scene.tif", content, "image/tiff")}, data=data)


async def test_from_two_uploads_to_patches(app_client, login, settings, files) -> None:
    await login(app_client, "shuju")
    assert (await upload(app_client, files[0], "before")).status_code == 201
    made = await upload(app_client, files[1], "after", datetime="2026-09-20T10:45:00+08:00")
    assert made.status_code == 201 and made.json()["properties"]["hdq:region_code"] == "370212"
    asked = await app_client.post("/api/surveys", json={"analysis": "vegetation_loss", "before": "before", "after": "after"})
    assert asked.status_code == 202 and asked.json()["state"] == "queued"
    again = await app_client.post("/api/surveys", json={"analysis": "vegetation_loss", "before": "before", "after": "after"})
    assert again.status_code == 200 and again.json()["id"] == asked.json()["id"]
    async with make_pool(settings.database_url, size=2) as pool:
        await TASKS["survey"](JobContext(settings, pool), asked.json()["id"])
    done = (await app_client.get(f"/api/surveys/{asked.json()['id']}")).json()
    assert (done["state"], done["error"], done["result"]["patches"]) == ("done", None, 1)
    patches = (await app_client.get("/api/patches", params={"survey": done["id"]})).json()
    assert shapely.geometry.shape(patches["features"][0]["geometry"]).intersects(CUT)
    assert patches["features"][0]["properties"]["area_m2"] == pytest.approx(314.6 * 221.9, rel=0.15)
    await login(app_client, "linye")
    (seen,) = (await app_client.get("/api/observations")).json()["items"]
    assert seen["kind"] == "vegetation_loss" and (await app_client.get(f"/api/evidence/{seen['evidence'][0]}")).status_code == 200
    assert [item["id"] for item in (await app_client.get("/api/scenes")).json()["features"]] == ["after", "before"]
    await login(app_client, "shinan")
    assert (await app_client.get("/api/patches")).json()["features"] == [] and (await app_client.get("/api/surveys")).json() == []
    for hidden in ("/api/scenes/after", f"/api/surveys/{done['id']}", "/rasters/after/14/13683/6416.png"):
        assert (await app_client.get(hidden)).status_code == 404


async def test_tiles_are_pictures(app_client, login, files) -> None:
    await login(app_client, "shuju")
    await upload(app_client, files[0], "before")
    place = tiles.WEB_MERCATOR.tile(120.5625, 36.166, 14)
    address = f"/rasters/before/14/{place.x}/{place.y}.png"
    answer = await app_client.get(address)
    assert answer.headers["content-type"] == "image/png" and "private" in answer.headers["cache-control"]
    assert np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA"))[..., 3].max() == 255
    assert (await app_client.get(address, params={"bands": "nir", "rescale": "0,4000"})).content != answer.content
    strange = {f"{address}?bands=octarine": 422, f"{address}?rescale=ten": 422, "/rasters/before/3/9/9.png": 404, "/rasters/none/1/0/0.png": 404}
    for wrong, status in strange.items():
        assert (await app_client.get(wrong)).status_code == status
    await app_client.post("/api/logout")
    assert (await app_client.get(address)).status_code == 401


async def test_a_scene_that_is_looked_at_is_published_and_then_served_from_its_file(app_client, login, files, settings, conn, monkeypatch) -> None:
    monkeypatch.setattr(published, "isolated", lambda function, *arguments, seconds: published.make(*arguments))
    await login(app_client, "shuju")
    await upload(app_client, files[0], "before")
    place = tiles.WEB_MERCATOR.tile(120.5625, 36.166, 14)
    address = f"/rasters/before/14/{place.x}/{place.y}.webp"
    drawn = await app_client.get(address)
    assert drawn.headers["content-type"] == "image/webp"
    await app_client.get(f"/rasters/before/13/{place.x // 2}/{place.y // 2}.webp")
    asked = await (await conn.execute("SELECT args, queueing_lock FROM procrastinate_jobs WHERE task_name = 'publish_scene'")).fetchall()
    assert asked == [({"scene_id": "before"}, "publish-before")]
    async with make_pool(settings.database_url, size=2) as pool:
        for scene_id in ("before", "before", "gone"):
            await SCENE_TASKS["publish_scene"](JobContext(settings, pool), scene_id)
    (path,) = (settings.data_dir / "scenes" / "published").iterdir()
    scenes.CACHE = tiles.Cache()
    served = await app_client.get(address)
    assert served.content == Blocks(path).tile(14, place.x, place.y)
    ours, before = (np.array(Image.open(io.BytesIO(answer.content)).convert("RGBA")) for answer in (served, drawn))
    assert (ours[..., 3] == before[..., 3]).all() and np.abs(ours.astype(int) - before).mean() < 1.5
    png = await app_client.get(address.replace(".webp", ".png"))
    assert png.headers["content-type"] == "image/png" and (np.array(Image.open(io.BytesIO(png.content)).convert("RGBA")) == ours).all()
    again = await app_client.get(address, headers={"If-None-Match": f'"x", W/{served.headers["etag"]}'})
    assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == served.headers["etag"]
    assert (await app_client.get(address, params={"bands": "nir"})).content != served.content
    assert (await app_client.get(address.replace("/14/", "/10/").replace(f"/{place.x}/{place.y}", f"/{place.x >> 4}/{place.y >> 4}"))).status_code == 200
    await login(app_client, "shinan")
    assert (await app_client.get(address)).status_code == 404


async def test_what_is_refused(app_client, login, files, settings) -> None:
    await login(app_client, "linye")
    assert (await upload(app_client, files[0], "a")).status_code == 403
    await login(app_client, "shuju")
    assert (await upload(app_client, files[0], "a")).status_code == 201
    for content, fields, status, says in (
        (files[0], {}, 409, "exists already"),
        (files[0][:20_000], {"id": "b"}, 422, "damaged"),
        (b"<VRTDataset rasterXSize='1' rasterYSize='1'/>", {"id": "b"}, 415, "not a GeoTIFF"),
        (files[0], {"id": "b", "bands": "red,nir"}, 422, "6 bands"),
        (files[0], {"id": "b", "datetime": "2026-09-01T10:45:00"}, 422, "no zone"),
    ):
        answer = await upload(app_client, content, **{"scene_id": "a", **({"scene_id": fields.pop("id")} if "id" in fields else {}), **fields})
        assert answer.status_code == status and says in answer.text, answer.text
    assert len(list(Path(settings.data_dir / "scenes").iterdir())) == 1
    for body, status in (
        ({"analysis": "sorcery", "before": "a", "after": "a"}, 404),
        ({"analysis": "burn", "before": "a", "after": "a"}, 422),
        ({"analysis": "burn", "before": "a", "after": "a", "parameters": {"severity": 9}}, 422),
    ):
        assert (await app_client.post("/api/surveys", json=body)).status_code == status


async def test_analyses_describe_their_parameters(app_client, login) -> None:
    await login(app_client, "linye")
    listed = {one["id"]: one for one in (await app_client.get("/api/analyses")).json()}
    assert {"vegetation_loss", "built_up", "burn", "change_vector"} <= listed.keys()
    assert listed["burn"]["parameters"]["properties"]["severity"] | {} == {
        "default": 0.27, "exclusiveMinimum": 0, "maximum": 2, "title": "dNBR 阈值 · Least dNBR", "type": "number", "unit": "dNBR",
    }  # fmt: skip


async def test_fire_rows_enter(app_client, login) -> None:
    await login(app_client, "suanfa")
    answer = await app_client.post("/api/hotspots", files={"file": ("fires.csv", FIRES.encode(), "text/csv")})
    assert answer.status_code == 202 and answer.json()["new"] == 1
    assert [(bad["row"], bad["column"]) for bad in answer.json()["bad"]] == [(3, "longitude")]
    assert (await app_client.post("/api/hotspots", files={"file": ("fires.csv", b"nothing", "text/csv")})).status_code == 422


MINE = '''
"""Vegetation loss under another name."""

from typing import ClassVar

from imagery.scenes.analyses.vegetation_loss import VegetationLoss


class Mine(VegetationLoss):
    """The same with an id of its own."""

    id: ClassVar[str] = "mine"
    kind: ClassVar[str] = "mine_kind"


ANALYSIS = Mine()
'''


async def test_one_file_adds_an_analysis_that_is_served_and_run(app_client, login, settings, files, tmp_path, monkeypatch) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.setattr(analyses, "__path__", [*analyses.__path__, str(tmp_path)])
    analyses.catalogue.cache_clear()
    try:
        await login(app_client, "shuju")
        assert "mine" in {one["id"] for one in (await app_client.get("/api/analyses")).json()}
        await upload(app_client, files[0], "before")
        await upload(app_client, files[1], "after", datetime="2026-09-20T10:45:00+08:00")
        asked = (await app_client.post("/api/surveys", json={"analysis": "mine", "before": "before", "after": "after"})).json()
        async with make_pool(settings.database_url, size=2) as pool:
            await TASKS["survey"](JobContext(settings, pool), asked["id"])
        assert [seen["kind"] for seen in (await app_client.get("/api/observations")).json()["items"]] == ["mine_kind"]
    finally:
        analyses.catalogue.cache_clear()
        sys.modules.pop(f"{analyses.__name__}.mine", None)
