"""Tiles over real HTTP doors and real PostGIS: what is in them, whose they are, how long they are kept."""

import asyncio
import dataclasses
import json
import math
from collections.abc import Awaitable, Callable

import httpx
import mapbox_vector_tile
import psycopg
import pytest
from psycopg import AsyncConnection

from gis_api.tilecache import ENTRY_OVERHEAD, TileCache, pack
from gis_api.tiles import TileApp
from grid import events
from grid.database import Scope, connect
from grid.settings import Settings
from layers import tiles
from layers.catalog import catalog
from layers.pyramid import LAYERS_CHANGED

Login = Callable[[httpx.AsyncClient, str], Awaitable[dict]]
LON, LAT = 120.38, 36.06


def tile_of(lon: float, lat: float, z: int) -> tiles.Tile:
    n = 2**z
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return tiles.Tile(z, int((lon + 180) / 360 * n), int(y * n))


def address(layer: str, z: int = 16, lon: float = LON, lat: float = LAT) -> str:
    tile = tile_of(lon, lat, z)
    return f"/tiles/{layer}/{tile.z}/{tile.x}/{tile.y}.mvt"


def add_building(url: str, number: int, lon: float = LON, lat: float = LAT, region: str = "370202001001", use: str = "office") -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            INSERT INTO buildings (id, name, use, height_m, floors, region_code, geom)
            VALUES (%s, %s, %s, 30, 10, %s, ST_MakeEnvelope(%s, %s, %s, %s, 4326))
            """,
            [number, f"楼{number}", use, region, lon, lat, lon + 0.0004, lat + 0.0003],
        )


@pytest.fixture
async def city(app_client: httpx.AsyncClient, login: Login, database_url: str) -> httpx.AsyncClient:
    add_building(database_url, 7)
    await login(app_client, "zhihui")
    return app_client


async def test_a_tile_holds_the_building_with_its_attributes(city: httpx.AsyncClient) -> None:
    answer = await city.get(address("buildings"))
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    layer = mapbox_vector_tile.decode(answer.content)["buildings"]
    (feature,) = layer["features"]
    assert layer["extent"] == 4096 and feature["id"] == 7
    assert feature["properties"] == {"use": "office", "height_m": 30.0, "count": 1, "name": "楼7", "floors": 10, "households": 0}
    tile = tile_of(LON, LAT, 16)
    west, south, east, north = tile.bounds()
    x = (LON / 180 * tiles.HALF - west) / (east - west) * 4096
    y = (math.asinh(math.tan(math.radians(LAT))) / math.pi * tiles.HALF - south) / (north - south) * 4096
    ring = feature["geometry"]["coordinates"][0]
    assert min(abs(px - x) + abs(py - y) for px, py in ring) < 2
    assert len(ring) == 5


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/tiles/buildings/16/0/65536.mvt", 400, "65535"),
        ("/tiles/buildings/23/0/0.mvt", 400, "22"),
        ("/tiles/buildings/-1/0/0.mvt", 400, "-1"),
        ("/tiles/buildings/1/0.5/0.mvt", 400, "0.5"),
        ("/tiles/buildings/1/0/99999999999.mvt", 400, "999"),
        ("/tiles/nothing/1/0/0.mvt", 404, "nothing"),
        ("/tiles/alerts/1/0/0.mvt", 404, "alerts"),
        ("/tiles/dataset_absent/1/0/0.mvt", 404, "dataset_absent"),
        ("/tiles/nothing.json", 404, "nothing"),
        ("/tiles/buildings", 404, "address"),
        ("/tiles/buildings/16/0/0.mvt?detail=some", 400, "some"),
        ("/tiles/buildings/16/0/0.mvt", 204, ""),
        ("/tiles/buildings/3/0/0.mvt", 204, ""),
    ],
)
async def test_edges(city: httpx.AsyncClient, path: str, status: int, says: str) -> None:
    answer = await city.get(path)
    assert answer.status_code == status, answer.text
    if status == 204:
        assert answer.content == b""
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert says in answer.json()["detail"] and answer.json()["status"] == status and answer.json()["remedy"]


async def test_nobody_reads_tiles_without_a_session(app_client: httpx.AsyncClient) -> None:
    for path in (address("buildings"), "/tiles/buildings.json"):
        answer = await app_client.get(path)
        assert answer.status_code == 401 and answer.json()["type"] == "/problems/not-signed-in"
    assert (await app_client.get(address("land"), headers={"cookie": "hdq_session=wrong; ;==,\x7f"})).status_code == 401


async def test_each_sees_only_the_own_region_also_from_memory(city: httpx.AsyncClient, login: Login, database_url: str) -> None:
    add_building(database_url, 8, LON + 0.001, region="370212001001")

    async def seen(path: str = address("buildings")) -> set[int]:
        answer = await city.get(path)
        return {feature["id"] for feature in mapbox_vector_tile.decode(answer.content)["buildings"]["features"]} if answer.status_code == 200 else set()

    assert await seen() == {7, 8}
    for username, allowed in (("shinan", {7}), ("laoshan", {8}), ("wangge", {7}), ("zhihui", {7, 8})):
        await login(city, username)
        assert await seen() == allowed


async def test_a_session_of_no_region_sees_nothing(conn: AsyncConnection) -> None:
    for prefix in ("", "%", "_", "37%"):
        assert await tiles.render(conn, catalog().layers["land"], tiles.Tile(0, 0, 0), Scope("")) == b""
        assert Scope(prefix).like == "∅"


async def test_tags_304_and_compression(city: httpx.AsyncClient) -> None:
    first = await city.get(address("buildings"), headers={"accept-encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip" and "Cookie" in first.headers["vary"] and "private" in first.headers["cache-control"]
    plain = await city.get(address("buildings"), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.content == first.content and plain.headers["etag"] != first.headers["etag"]
    refused = await city.get(address("buildings"), headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers
    for tag in (first.headers["etag"], f'"x", W/{plain.headers["etag"]}', "*"):
        again = await city.get(address("buildings"), headers={"if-none-match": tag})
        assert again.status_code == 304 and again.content == b""
    assert (await city.get(address("buildings"), headers={"if-none-match": '"other"'})).status_code == 200
    head = await city.head(address("buildings"))
    assert head.status_code == 200 and head.content == b"" and int(head.headers["content-length"]) > 0
    assert (await city.post(address("buildings"))).status_code == 400


async def test_an_event_makes_the_next_tile_new(settings: Settings, database_url: str) -> None:
    app = TileApp(settings)
    await app.startup()
    try:
        spec, tile, city = catalog().layers["buildings"], tile_of(LON, LAT, 16), Scope("3702")
        async with asyncio.timeout(60):
            await app.listening.wait()
        assert (await app.fetch(spec, tile, city)).body is None
        add_building(database_url, 9)
        assert (await app.fetch(spec, tile, city)).body is None, "kept until somebody says so"
        publisher = await connect(database_url)
        await events.publish(publisher, "alert.opened", 1, "3702")
        await events.publish(publisher, LAYERS_CHANGED, "buildings", "3702")
        await publisher.commit()
        await publisher.close()
        async with asyncio.timeout(60):
            while app.cache.generation("buildings") == 0:
                await asyncio.sleep(0.01)
        packed = await app.fetch(spec, tile, city)
        assert [f["id"] for f in mapbox_vector_tile.decode(packed.plain())["buildings"]["features"]] == [9]
    finally:
        await app.shutdown()


async def test_identical_misses_ask_once(settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    real = tiles.render

    async def counted(*given: object, **named: object) -> bytes:
        nonlocal asked
        asked += 1
        return await real(*given, **named)

    monkeypatch.setattr("gis_api.tiles.tiles.render", counted)
    app = TileApp(settings)
    await app.pool.open()
    try:
        spec, tile = catalog().layers["buildings"], tile_of(LON, LAT, 16)
        waiting = [asyncio.create_task(app.fetch(spec, tile, Scope("3702"))) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        found = await asyncio.gather(*waiting[1:])
        assert asked == 1 and len({id(packed) for packed in found}) == 1
    finally:
        await app.pool.close()


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    cache = TileCache(40 * (ENTRY_OVERHEAD + 100))
    tile = pack(b"").__class__(b"x" * 100, "t", 300)
    for number in range(50):
        cache.put(("a", 0, number, 0, "3702"), tile, 10.0, 0)
    assert len(cache) == 40 and cache.size <= cache.limit
    assert cache.get(("a", 0, 0, 0, "3702"), 0.0) is None and cache.get(("a", 0, 49, 0, "3702"), 0.0) is tile
    assert cache.get(("a", 0, 49, 0, "370202"), 0.0) is None, "another scope is another tile"
    assert cache.get(("a", 0, 49, 0, "3702"), 11.0) is None, "outlived"
    before = cache.generation("a")
    assert cache.forget("a") == 39 and len(cache) == 0 and cache.size == 0
    assert not cache.put(("a", 0, 1, 0, "3702"), tile, 10.0, before), "read before the event, finished after it"
    assert not cache.put(("b", 0, 1, 0, "3702"), pack(bytes(range(256)) * 9).__class__(b"x" * cache.limit, "t", 1), 10.0, 0)


def test_an_edit_costs_only_the_tiles_it_touches() -> None:
    cache, tile = TileCache(2**20), pack(b"x" * 300)
    keys = [("a", *dataclasses.astuple(tile_of(lon, LAT, z)), "3702", False) for z in (10, 16) for lon in (LON, LON + 0.02)]
    for key in keys:
        cache.put(key, tile, 10.0, 0)
    west, south, east, north = tile_of(LON, LAT, 16).bounds()
    assert cache.forget("a", [(west + 90, south + 90, west + 91, south + 91)]) == 2, "one tile of z16, and the one of z10 that holds both"
    assert cache.get(keys[3], 0.0) is tile and cache.generation("a") == 1
    assert cache.forget("a", []) == 0


def test_the_same_tile_always_gives_the_same_bytes() -> None:
    assert pack(b"abc") == pack(b"abc") and pack(b"abc").plain() == b"abc" and pack(b"").body is None and pack(b"").plain() == b""


async def test_tilejson(city: httpx.AsyncClient) -> None:
    document = (await city.get("/tiles/buildings.json")).json()
    assert document["tilejson"] == "3.0.0" and document["tiles"] == ["/tiles/buildings/{z}/{x}/{y}.mvt"]
    assert document["vector_layers"][0]["fields"].keys() >= {"use", "height_m"} and document["minzoom"] == 9


async def test_a_dataset_is_a_layer_and_ends_with_it(city: httpx.AsyncClient, conn: AsyncConnection, login: Login) -> None:
    await conn.execute(
        """
        INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, attributes, feature_count, region_code)
        VALUES ('wells', '水井', 'Point', 'EPSG:4326', 'wells.geojson', repeat('0', 64), '[{"name": "深度", "type": "number"}]', 1, '3702')
        """
    )
    await conn.execute(
        "INSERT INTO dataset_features (dataset_id, id, properties, label, region_code, geom) VALUES ('wells', 1, '{\"深度\": 12.5}', '一号', '370202001001', ST_SetSRID(ST_Point(%(lon)s, %(lat)s), 4326))",
        {"lon": LON, "lat": LAT},
    )
    await conn.commit()
    answer = await city.get(address("dataset_wells"))
    (feature,) = mapbox_vector_tile.decode(answer.content)["dataset_wells"]["features"]
    assert feature["properties"] == {"label": "一号", "深度": 12.5}
    row = next(row for row in (await city.get("/api/layers")).json()["layers"] if row["id"] == "dataset_wells")
    assert row["title"] == "水井" and row["tooltip"][0]["field"] == "深度" and row["source"]["url"] == "/tiles/dataset_wells/{z}/{x}/{y}.mvt"
    await login(city, "laoshan")
    assert (await city.get(address("dataset_wells"))).status_code == 204


async def test_live_features_are_geojson_of_the_own_region(city: httpx.AsyncClient, conn: AsyncConnection, login: Login) -> None:
    for severity, region, lon in ((1, "370202001001", LON), (3, "370212", LON + 0.2)):
        await conn.execute(
            """
            INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom, region50, region90)
            SELECT 'forest_fire', '疑似山火', 'Possible fire', %(severity)s, 0.8, 'forest_fire', '1', %(region)s, 120, now(), now(), point,
                   ST_Multi(ST_Buffer(point::geography, 60)::geometry), ST_Multi(ST_Buffer(point::geography, 150)::geometry)
            FROM (SELECT ST_SetSRID(ST_Point(%(lon)s, %(lat)s), 4326) AS point) AS given
            """,
            {"severity": severity, "region": region, "lon": lon, "lat": LAT},
        )
    await conn.commit()
    answer = await city.get("/api/layers/alerts/features")
    assert answer.headers["content-type"].startswith("application/geo+json")
    document = json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert document["type"] == "FeatureCollection" and document["numberReturned"] == 2 and not document["truncated"]
    assert [feature["properties"]["symbol"] for feature in document["features"]] == ["circle", "diamond"]
    regions = (await city.get("/api/layers/alert_regions/features")).json()["features"]
    assert [feature["properties"]["share"] for feature in regions].count(90) == 2 and len({feature["id"] for feature in regions}) == 4
    ring = regions[0]["geometry"]["coordinates"][0][0]
    assert sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ring[1:], strict=False)) > 0, "counter-clockwise (RFC 7946 §3.1.6)"
    inside = await city.get("/api/layers/alerts/features", params={"bbox": f"{LON - 0.01},{LAT - 0.01},{LON + 0.01},{LAT + 0.01}"})
    assert inside.json()["numberReturned"] == 1
    assert (await city.get("/api/layers/buildings/features")).status_code == 404
    one = document["features"][1]["id"]
    assert (await city.get(f"/api/layers/alerts/features/{one}")).json()["properties"]["title"] == "疑似山火"
    await login(city, "laoshan")
    assert (await city.get("/api/layers/alerts/features")).json()["numberReturned"] == 1
    assert (await city.get(f"/api/layers/alerts/features/{one}")).status_code == 404
    assert (await city.get("/api/layers/buildings/features/7")).status_code == 404


async def test_one_building_style_and_symbols(city: httpx.AsyncClient) -> None:
    building = (await city.get("/api/layers/buildings/features/7")).json()
    assert building["geometry"]["type"] == "Polygon" and building["properties"]["name"] == "楼7"
    for theme in ("dark", "light"):
        document = (await city.get(f"/api/style/{theme}")).json()
        assert document["version"] == 8 and document["sources"]["places"]["tiles"] == ["/tiles/places/{z}/{x}/{y}.mvt"]
    assert (await city.get("/api/style/pink")).status_code == 422
    atlas = await city.get("/api/symbols.png")
    assert atlas.headers["content-type"] == "image/png" and atlas.content[:4] == b"\x89PNG"
    assert (await city.get("/api/symbols.png", headers={"if-none-match": atlas.headers["etag"]})).status_code == 304
