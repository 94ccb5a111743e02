"""WMTS for other programs: GDAL's own driver reads a scene through it, exceptions are reports, and a region sees its own scenes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
import shapely

from imagery.scenes import catalogue, simulate
from imagery.scenes.raster import write_geotiff

BOUNDS = (120.555, 36.160, 120.570, 36.172)
TILE = {
    "service": "WMTS", "request": "GetTile", "version": "1.0.0", "layer": "before", "style": "default", "format": "image/png",
    "tilematrixset": "WebMercatorQuad", "tilematrix": "14", "tilerow": "6416", "tilecol": "13680",
}  # fmt: skip
OWS, WMTS = "{http://www.opengis.net/ows/1.1}", "{http://www.opengis.net/wmts/1.0}"
DRIVER = """
import json, sys
import rasterio
from rasterio.warp import transform_bounds
from rasterio.windows import from_bounds
with rasterio.open(f"WMTS:{sys.argv[1]},layer=before,tilematrix=15") as found:
    box = transform_bounds("EPSG:4326", found.crs, *json.loads(sys.argv[2]))
    pixels = found.read(window=from_bounds(*box, found.transform).round_offsets().round_lengths())
    print(json.dumps([found.crs.to_epsg(), found.count, pixels.shape, float(pixels[3].mean()), float(pixels[:3].std()), pixels[:3].mean(axis=(1, 2)).tolist()]))
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    made = simulate.pair(BOUNDS, 10, [("forest", shapely.box(*BOUNDS))], [], 3)
    return write_geotiff(tmp_path_factory.mktemp("scene") / "a", made.before, made.transform, made.crs, nodata=0).read_bytes()


def form(scene: bytes) -> dict:
    data = {"datetime": "2026-09-01T10:45:00+08:00", "bands": "blue,green,red,nir,swir1,swir2", "id": "before", "collection": "sim-s2", "title": "林地 <&> 一"}
    return {"files": {"file": ("scene.tif", scene, "image/tiff")}, "data": data}


@pytest.fixture
async def published(app_client: httpx.AsyncClient, login, scene: bytes, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """A client signed in as linye; the scene lies in 崂山 (370212)."""
    monkeypatch.setattr(catalogue, "isolated", lambda function, *arguments, **limits: function(*arguments))
    await login(app_client, "shuju")
    assert (await app_client.post("/api/scenes", **form(scene))).status_code == 201
    await login(app_client, "linye")
    return app_client


async def test_capabilities_name_layers_and_their_tiles(published: httpx.AsyncClient):
    by_path = await published.get("/wmts/1.0.0/WMTSCapabilities.xml")
    by_parameters = await published.get("/wmts", params={"Service": "WMTS", "Request": "GetCapabilities"})
    assert by_path.content == by_parameters.content and by_path.headers["content-type"].startswith("application/xml")
    document = ElementTree.fromstring(by_path.content)
    (layer,) = document.iter(f"{WMTS}Layer")
    assert (layer.findtext(f"{OWS}Identifier"), layer.findtext(f"{OWS}Title")) == ("before", "林地 <&> 一")
    west, south = map(float, layer.findtext(f"{OWS}WGS84BoundingBox/{OWS}LowerCorner").split())
    assert (west, south) == pytest.approx(BOUNDS[:2], abs=0.001)
    template = layer.find(f"{WMTS}ResourceURL").get("template")
    address = template.replace("{TileMatrix}", "14").replace("{TileRow}", "6416").replace("{TileCol}", "13680")
    one, other = await published.get(address), await published.get("/wmts", params=TILE)
    assert one.status_code == 200 and one.content == other.content == (await published.get("/rasters/before/14/13680/6416.png")).content


@pytest.mark.parametrize(
    "change, code, locator",
    [
        ({"service": ""}, "MissingParameterValue", "SERVICE"),
        ({"service": "WMS"}, "InvalidParameterValue", "SERVICE"),
        ({"request": "GetFeatureInfo"}, "OperationNotSupported", "REQUEST"),
        ({"layer": None}, "MissingParameterValue", "LAYER"),
        ({"layer": "none"}, "InvalidParameterValue", "LAYER"),
        ({"layer": "../../etc/passwd"}, "InvalidParameterValue", "LAYER"),
        ({"tilematrixset": "EPSG:4326"}, "InvalidParameterValue", "TILEMATRIXSET"),
        ({"format": "image/jpeg"}, "InvalidParameterValue", "FORMAT"),
        ({"tilematrix": "23"}, "InvalidParameterValue", "TILEMATRIX"),
        ({"tilematrix": "<x>"}, "InvalidParameterValue", "TILEMATRIX"),
        ({"tilecol": "99999"}, "TileOutOfRange", "TILECOL"),
        ({"tilerow": "-1"}, "InvalidParameterValue", "TILEROW"),
        ({"tilerow": "٣"}, "InvalidParameterValue", "TILEROW"),
    ],
)
async def test_a_wrong_question_is_answered_by_a_report(app_client: httpx.AsyncClient, login, change: dict, code: str, locator: str):
    await login(app_client, "linye")
    answer = await app_client.get("/wmts", params={name: text for name, text in (TILE | change).items() if text is not None})
    report = ElementTree.fromstring(answer.content)
    assert answer.status_code == 400 and report.tag == f"{OWS}ExceptionReport"
    assert (report[0].get("exceptionCode"), report[0].get("locator")) == (code, locator)


async def test_control_characters_do_not_break_the_report(app_client: httpx.AsyncClient, login):
    await login(app_client, "linye")
    answer = await app_client.get("/wmts/a%01b/default/WebMercatorQuad/1/1/1.png")
    assert answer.status_code == 404 and ElementTree.fromstring(answer.content).tag == f"{OWS}ExceptionReport"


async def test_a_region_sees_its_own_scenes(published: httpx.AsyncClient, login):
    await login(published, "laoshan")
    assert b"before" in (await published.get("/wmts/1.0.0/WMTSCapabilities.xml")).content
    await login(published, "shinan")
    assert b"before" not in (await published.get("/wmts/1.0.0/WMTSCapabilities.xml")).content
    assert (await published.get("/wmts", params=TILE)).status_code == 400
    assert (await published.get("/wmts/before/default/WebMercatorQuad/14/6416/13680.png")).status_code == 404
    published.cookies.clear()
    unknown = await published.get("/wmts", params=TILE)
    assert unknown.status_code == 401


def test_gdal_reads_a_scene_through_it(live, scene: bytes, tmp_path: Path):
    client = live.login("shuju")
    assert client.post("/api/scenes", **form(scene)).status_code == 201
    inside = (120.560, 36.164, 120.566, 36.169)
    environment = {name: text for name, text in os.environ.items() if name != "GDAL_SKIP"} | {
        "GDAL_HTTP_USERPWD": "linye:haidongqing-demo", "GDAL_HTTP_AUTH": "BASIC", "GDAL_ENABLE_WMS_CACHE": "NO", "HOME": str(tmp_path), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, f"{live.url}/wmts/1.0.0/WMTSCapabilities.xml", json.dumps(inside)], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    epsg, bands, shape, alpha, spread, means = json.loads(ran.stdout)
    assert (epsg, bands, alpha) == (3857, 4, 255.0) and min(shape[1:]) > 50
    assert spread > 0 and np.argmax(means) == 1, "a forest in natural colour is green"
