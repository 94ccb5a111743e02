"""Walk 3: a file -> readers (frame declared, detected or refused with candidates) -> dataset -> catalogue -> tile -> search -> deletion."""

import json
import time
import zipfile

import geopandas
import mapbox_vector_tile
import morecantile
import pytest
import shapely

from grid import crs

PARKS = [("中山公园", 120.345, 36.065, 81), ("五四广场", 120.3826, 36.0631, 10), ("八大关", 120.375, 36.058, 70), ("北九水", 120.58, 36.25, 20)]
GRID = morecantile.tms.get("WebMercatorQuad")


def shapes(epsg: int | str = 4326) -> list[tuple[str, int, shapely.Polygon]]:
    return [(name, area, crs.from_storage(shapely.box(lon, lat, lon + 0.004, lat + 0.003), epsg)) for name, lon, lat, area in PARKS]


def as_geojson(epsg: int | str = 4326) -> bytes:
    features = [
        {"type": "Feature", "properties": {"名称": name, "公顷": area}, "geometry": shapely.geometry.mapping(shape)} for name, area, shape in shapes(epsg)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def as_file(folder, kind: str, epsg: int) -> tuple[str, bytes]:
    frame = geopandas.GeoDataFrame({"名称": [n for n, _, _ in shapes()], "公顷": [a for _, a, _ in shapes()]}, geometry=[s for _, _, s in shapes(epsg)], crs=epsg)
    if kind == "gpkg":
        frame.to_file(folder / "p.gpkg", engine="pyogrio")
        return "公园.gpkg", (folder / "p.gpkg").read_bytes()
    frame.to_file(folder / "p.shp", engine="pyogrio", encoding="GBK")
    with zipfile.ZipFile(folder / "p.zip", "w") as bundle:
        for part in folder.glob("p.*"):
            if part.suffix in (".shp", ".shx", ".dbf", ".prj"):
                bundle.write(part, part.name)
    return "公园.zip", (folder / "p.zip").read_bytes()


KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>"""


def as_kml() -> bytes:
    marks = "".join(
        f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x},{y}" for x, y in shape.exterior.coords)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for name, _, shape in shapes()
    )
    return KML.format(marks).encode()


def as_csv(frame: str) -> bytes:
    lines = ["名称,x,y"]
    for name, lon, lat, _ in PARKS:
        x, y = crs.from_storage((lon, lat), frame)
        lines.append(f"{name},{float(x):.9f},{float(y):.9f}")
    return "\n".join(lines).encode("gb18030")


async def send(client, name: str, content: bytes, **fields):
    return await client.post("/api/datasets", files={"file": (name, content)}, data={"title": "公园", **fields})


@pytest.fixture
async def admin(app_client, login):
    await login(app_client, "shuju")
    return app_client


@pytest.mark.parametrize(
    ("name", "fields", "frame", "origin"),
    [
        ("公园.geojson", {}, "EPSG:4326", "format"),
        ("公园.geojson", {"crs": "GCJ-02"}, "GCJ-02", "declared"),
        ("公园.gpkg", {}, "EPSG:4490", "file"),
        ("公园.zip", {}, "EPSG:4528", "file"),
        ("公园.kml", {}, "EPSG:4326", "format"),
        ("公园.csv", {}, "EPSG:4528", "detected"),
        ("公园.csv", {"crs": "BD-09"}, "BD-09", "declared"),
    ],
)
async def test_a_file_becomes_a_layer_on_the_map_that_search_finds(admin, tmp_path, name, fields, frame, origin):
    kind = name.rpartition(".")[2]
    if kind in ("gpkg", "zip"):
        name, content = as_file(tmp_path, kind, int(frame[5:]))
    else:
        content = {"geojson": lambda: as_geojson(frame), "kml": as_kml, "csv": lambda: as_csv(frame)}[kind]()
    answer = await send(admin, name, content, **fields)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["crs"], made["crs_origin"], made["feature_count"], made["rejected"]) == (frame, origin, 4, [])

    listed = (await admin.get("/api/datasets")).json()
    assert [d["id"] for d in listed] == [made["id"]]

    hit = (await admin.get("/api/search", params={"q": "wsgc"})).json()["items"][0]
    assert hit["name"] == "五四广场" and hit["kind"] == "dataset" and hit["detail"] == "公园"
    assert (hit["lon"], hit["lat"]) == pytest.approx((120.3826, 36.0631), abs=0.005)

    tile = GRID.tile(120.3835, 36.0640, 15)
    drawn = await admin.get(f"/tiles/{made['layer']}/{tile.z}/{tile.x}/{tile.y}.mvt")
    assert drawn.status_code == 200, drawn.text
    (layer,) = mapbox_vector_tile.decode(drawn.content).values()
    assert "五四广场" in {f["properties"].get("名称") or f["properties"].get("name") for f in layer["features"]}

    gone = await admin.delete(f"/api/datasets/{made['id']}")
    assert gone.status_code == 204
    assert (await admin.get(f"/api/datasets/{made['id']}")).status_code == 404
    assert (await admin.get("/api/search", params={"q": "wsgc"})).json() == {"items": []}


async def test_the_layer_stands_beside_the_catalogue(admin):
    made = (await send(admin, "公园.geojson", as_geojson())).json()
    layers = {layer["id"]: layer for layer in (await admin.get("/api/layers")).json()["layers"]}
    assert layers[made["layer"]]["title"] == "公园" and layers[made["layer"]]["group"] == "imported"
    assert layers[made["layer"]]["source"]["url"].startswith(f"/tiles/{made['layer']}/")


async def test_wrong_and_missing_frames_are_refused_with_candidates(admin):
    wrong = await send(admin, "公园.geojson", as_geojson(4528))
    assert wrong.status_code == 422 and wrong.headers["content-type"] == "application/problem+json"
    problem = wrong.json()
    assert problem["type"] == "/problems/unknown-crs" and problem["candidates"][0]["crs"] == "EPSG:4528" and problem["candidates"][0]["swapped"] is False
    assert problem["candidates"][0]["reason"] and problem["candidates"][0]["reason_en"] and problem["remedy"]
    retried = await send(admin, "公园.geojson", as_geojson(4528), crs=problem["candidates"][0]["crs"])
    assert retried.status_code == 201

    swapped = json.loads(as_geojson())
    for feature in swapped["features"]:
        feature["geometry"]["coordinates"] = [[[y, x] for x, y in ring] for ring in feature["geometry"]["coordinates"]]
    refused = await send(admin, "颠倒.geojson", json.dumps(swapped).encode(), title="颠倒")
    assert refused.status_code == 422 and refused.json()["candidates"][0]["swapped"] is True
    assert (await send(admin, "颠倒.geojson", json.dumps(swapped).encode(), title="颠倒", crs="EPSG:4326", axes="yx")).status_code == 201

    missing = await send(admin, "公园.csv", as_csv("EPSG:4326"), title="缺坐标系")
    assert missing.status_code == 422
    assert [c["crs"] for c in missing.json()["candidates"]] == ["EPSG:4326", "GCJ-02", "BD-09"]
    unknown = await send(admin, "公园.csv", as_csv("EPSG:4326"), crs="北京54")
    assert unknown.status_code == 422 and "北京54" in unknown.json()["detail"]
    assert len((await admin.get("/api/datasets")).json()) == 2


async def test_bad_rows_are_reported_by_number(admin):
    document = json.loads(as_geojson())
    document["features"][1]["geometry"] = None
    document["features"].append({"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [36.06, 120.38]}})
    made = await send(admin, "公园.geojson", json.dumps(document).encode())
    assert made.status_code == 201
    assert [r["row"] for r in made.json()["rejected"]] == [2, 5] and made.json()["feature_count"] == 3


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.geojson", b"<OGRVRTDataSource><OGRVRTLayer/></OGRVRTDataSource>", 415),
        ("a.tif", b"<VRTDataset/>", 415),
        ("a.zip", b"PK\x03\x04 cut off", 422),
        ("a.kml", b'<!DOCTYPE k [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml>&x;</kml>', 422),
        ("a.geojson", b"[" * 1_000_000, 422),
        ("../../../../etc/cron.d/x", b"{}", 415),
        ("a.geojson", b"", 415),
    ],
)
async def test_hostile_files_get_a_clear_problem_and_leave_nothing(admin, settings, name, content, status):
    answer = await send(admin, name, content)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["detail"] and problem["remedy"] and "root:" not in answer.text
    assert (await admin.get("/api/datasets")).json() == []
    assert [p for p in (settings.data_dir / "datasets").rglob("*") if p.is_file()] == []
    assert (await admin.get("/api/health")).status_code == 200


async def test_roles_and_regions(app_client, login):
    assert (await send(app_client, "公园.geojson", as_geojson())).status_code == 401
    assert (await app_client.get("/api/search", params={"q": "公园"})).status_code == 401
    for username in ("wangge", "linye", "zhihui", "shenji"):
        await login(app_client, username)
        assert (await send(app_client, "公园.geojson", as_geojson())).status_code == 403
    await login(app_client, "shuju")
    made = (await send(app_client, "公园.geojson", as_geojson())).json()
    await login(app_client, "laoshan")
    assert [d["feature_count"] for d in (await app_client.get("/api/datasets")).json()] == [1]
    assert (await app_client.get("/api/search", params={"q": "五四广场"})).json() == {"items": []}
    assert [h["name"] for h in (await app_client.get("/api/search", params={"q": "北九水"})).json()["items"]] == ["北九水"]
    tile = GRID.tile(120.3835, 36.0640, 15)
    drawn = await app_client.get(f"/tiles/{made['layer']}/{tile.z}/{tile.x}/{tile.y}.mvt")
    assert drawn.status_code in (200, 204) and not mapbox_vector_tile.decode(drawn.content)
    assert (await app_client.delete(f"/api/datasets/{made['id']}")).status_code == 403


def test_through_the_real_server_and_worker(live, tmp_path):
    client = live.login("shuju")
    name, content = as_file(tmp_path, "zip", 4528)
    answer = client.post("/api/datasets", files={"file": (name, content)}, data={"title": "公园"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    original = live.settings.data_dir / "datasets" / made["source_sha256"][:2] / made["source_sha256"]
    assert original.read_bytes() == content
    tile = GRID.tile(120.3835, 36.0640, 15)
    assert mapbox_vector_tile.decode(client.get(f"/tiles/{made['layer']}/{tile.z}/{tile.x}/{tile.y}.mvt").content)
    assert client.get("/api/search", params={"q": "八大关"}).json()["items"]
    assert client.delete(f"/api/datasets/{made['id']}").status_code == 204
    deadline = time.monotonic() + 120
    while original.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not original.exists()
    assert client.get(f"/tiles/{made['layer']}/{tile.z}/{tile.x}/{tile.y}.mvt").status_code in (204, 404)


async def test_odd_fields_are_refused_as_input(admin):
    for fields in (
        {"title": "\x00"},
        {"title": "公园\x00"},
        {"title": "   "},
        {"title": "a" * 121},
        {"key": "\x00"},
        {"key": "没有"},
        {"crs": "\x00"},
        {"crs": "+proj=longlat +nadgrids=/etc/passwd"},
        {"encoding": "\x00"},
        {"axes": "zz"},
        {"licence": "\x00"},
    ):
        answer = await send(admin, "公园.geojson", as_geojson(), **fields)
        assert answer.status_code == 422 and answer.json()["detail"], (fields, answer.text)
    assert (await admin.get("/api/datasets")).json() == []


async def test_odd_words_and_ids_never_break_anything(admin):
    for word in ("\x00", "%", "_", "\ud83d", "'", "a" * 201, "青" * 65, "\\"):
        answer = await admin.get("/api/search", params={"q": word.encode("utf-8", "surrogatepass")})
        assert answer.status_code in (200, 422), answer.text
    for path in ("/api/datasets/%00", "/api/datasets/x%2e", "/api/datasets/'", "/api/datasets/" + "x" * 300):
        assert (await admin.get(path)).status_code in (404, 422)
