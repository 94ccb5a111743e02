"""OGC API Features and Tiles: pages, frames and their axis order, filters, scope, what is refused, and signing in as programs do."""

import base64
import json
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from gis_api.routes import auth
from grid.settings import Settings

CRS = "http://www.opengis.net/def/crs"
LON, LAT = 120.3826, 36.0671
ATTRIBUTES = [{"name": "名称", "type": "text"}, {"name": "层数", "type": "integer"}, {"name": "增长%", "type": "number"}, {"name": "在用", "type": "boolean"}]


@pytest.fixture
def stocked(settings: Settings, people: dict[str, int]) -> Settings:
    """A dataset of two districts: 25 points in 市南, 5 in 崂山; and a camera."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            """
            INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, attributes, feature_count, region_code, extent, format, crs_origin)
            VALUES ('parks', '公园', 'Point', 'EPSG:4326', 'a.geojson', 'x', %s, 30, '3702', ST_MakeEnvelope(120.3, 36.0, 120.7, 36.3, 4326), 'geojson', 'declared')
            """,
            [json.dumps(ATTRIBUTES)],
        )
        for number in range(1, 31):
            theirs = number > 25
            properties = {"名称": f"公园 {number}", "层数": number, "增长%": number / 4, "在用": number % 2 == 0} if number != 3 else {"名称": None, "层数": "三"}
            connection.execute(
                "INSERT INTO dataset_features (dataset_id, id, properties, label, region_code, geom) VALUES ('parks', %s, %s, '', %s, ST_SetSRID(ST_MakePoint(%s, %s), 4326))",
                [number, json.dumps(properties), "370212" if theirs else "370202", 120.6 if theirs else LON, 36.2 if theirs else LAT + (number - 1) / 10_000],
            )
    return settings


@pytest.fixture(autouse=True)
def forgotten_failures() -> Iterator[None]:
    """Failures of one test do not slow the next."""
    yield
    auth.by_person._failures.clear()
    auth.by_address._failures.clear()


ITEMS = "/ogc/collections/dataset_parks/items"


async def ids(client: httpx.AsyncClient, **parameters: object) -> list[int]:
    answer = await client.get(ITEMS, params={"limit": 100, **parameters})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    return [feature["id"] for feature in answer.json()["features"]]


async def test_the_entrance_is_open_and_names_no_data(app_client: httpx.AsyncClient, stocked: Settings):
    for path in ("/ogc", "/ogc/", "/ogc/conformance", "/ogc/api", "/ogc/tileMatrixSets", "/ogc/tileMatrixSets/WebMercatorQuad"):
        answer = await app_client.get(path)
        assert answer.status_code == 200 and "parks" not in answer.text and "公园" not in answer.text, path
    assert f"{CRS.replace('/def/crs', '')}/spec/ogcapi-features-3/1.0/conf/filter" in (await app_client.get("/ogc/conformance")).json()["conformsTo"]


async def test_pages_lead_from_one_to_the_next_until_the_last(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    found, address, pages = [], f"{ITEMS}?limit=7", 0
    while address:
        page = (await app_client.get(address)).json()
        found += [feature["id"] for feature in page["features"]]
        assert page["numberReturned"] == len(page["features"])
        if pages == 0:
            assert page["numberMatched"] == 30
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        pages += 1
    assert found == list(range(1, 31)) and pages == 5
    assert await ids(app_client, limit=3, offset=4) == [5, 6, 7]


@pytest.mark.parametrize(
    "uri, first, second",
    [
        (f"{CRS}/OGC/1.3/CRS84", LON, LAT), (f"{CRS}/EPSG/0/4326", LAT, LON), (f"{CRS}/EPSG/0/4490", LAT, LON),
        (f"{CRS}/EPSG/0/4528", 3993055.81, 40534467.46), (f"{CRS}/EPSG/0/3857", 13400929.73, 4309858.16),
    ],
)  # fmt: skip
async def test_each_frame_comes_in_its_own_axis_order(app_client: httpx.AsyncClient, login, stocked: Settings, uri: str, first: float, second: float):
    await login(app_client, "linye")
    answer = await app_client.get(ITEMS, params={"limit": 1, "crs": uri})
    assert answer.headers["content-crs"] == f"<{uri}>"
    assert answer.json()["features"][0]["geometry"]["coordinates"] == pytest.approx([first, second], abs=0.2 if first > 1000 else 1e-6)
    one = await app_client.get(f"{ITEMS}/1", params={"crs": uri})
    assert one.json()["geometry"] == answer.json()["features"][0]["geometry"] and one.headers["content-crs"] == f"<{uri}>"
    grow = 15 if first > 1000 else 0.00015
    box = ",".join(map(str, (first - grow, second - grow, first + grow, second + grow)))
    assert await ids(app_client, **{"bbox": box, "bbox-crs": uri}) == [1, 2]
    assert await ids(app_client, **{"filter": f"S_INTERSECTS(geometry, BBOX({box}))", "filter-crs": uri}) == [1, 2]


async def test_attributes_filter_by_name_by_text_and_by_json(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    assert await ids(app_client, 名称="公园 7") == [7]
    assert await ids(app_client, 层数=8) == [8]
    assert await ids(app_client, **{"增长%": "2.5"}) == [10]
    assert await ids(app_client, 在用="true", filter="层数 <= 6") == [2, 4, 6]
    assert await ids(app_client, filter="名称 IS NULL OR \"增长%\" > 7.4") == [3, 30]
    assert await ids(app_client, filter="NOT 层数 > 2") == [1, 2]
    document = {"op": "and", "args": [{"op": "in", "args": [{"property": "层数"}, [5, 6, 90]]}, {"op": "like", "args": [{"property": "名称"}, "%6"]}]}
    assert await ids(app_client, **{"filter": json.dumps(document), "filter-lang": "cql2-json"}) == [6]
    assert await ids(app_client, filter="id BETWEEN 28 AND 40") == [28, 29, 30]
    schema = (await app_client.get("/ogc/collections/dataset_parks/queryables")).json()
    assert set(schema["properties"]) == {"id", "geometry", "名称", "层数", "增长%", "在用"} and schema["additionalProperties"] is False


async def test_nobody_reads_beyond_their_region(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "laoshan")
    assert await ids(app_client) == [26, 27, 28, 29, 30]
    assert await ids(app_client, filter="层数 < 3 OR TRUE") == [26, 27, 28, 29, 30]
    assert (await app_client.get(f"{ITEMS}/1")).status_code == 404
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute("DELETE FROM dataset_features WHERE region_code = '370212'")
    assert (await app_client.get(ITEMS)).status_code == 404
    listed = {one["id"] for one in (await app_client.get("/ogc/collections")).json()["collections"]}
    assert "dataset_parks" not in listed and "buildings" in listed


async def test_a_layer_of_each_family_answers_as_a_collection(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "zhihui")
    found = (await app_client.get("/ogc/collections")).json()["collections"]
    assert len(found) > 15
    chosen = {**{one["id"].partition("_")[0]: one for one in reversed(found)}, "dataset": next(one for one in found if one["id"] == "dataset_parks")}
    assert len(chosen) > 10
    for one in chosen.values():
        here = f"/ogc/collections/{one['id']}"
        for path in (here, f"{here}/items?bbox=120,35,121,37&datetime=2026-01-01T00:00:00Z/..", f"{here}/queryables", f"{here}/items?crs={CRS}/EPSG/0/4528"):
            answer = await app_client.get(path)
            assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        assert (await app_client.get(here)).json()["extent"] == one["extent"]
        tiled = await app_client.get(f"{here}/tiles")
        assert tiled.status_code == (200 if any("tilesets-vector" in link["rel"] for link in one["links"]) else 404)
        if tiled.status_code == 200:
            template = next(link["href"] for link in tiled.json()["tilesets"][0]["links"] if link["rel"] == "item")
            tile = template.format(tileMatrix=12, tileCol=3417, tileRow=1607)
            assert (await app_client.get(tile)).status_code in (200, 204)
            assert (await app_client.get(f"{here}/tiles/WebMercatorQuad/tilejson")).json()["tilejson"] == "3.0.0"


@pytest.mark.parametrize(
    "query",
    [
        "limit=unlimited", "limit=0", "limit=-1", "ooga=booga", "bbox=1,2,3", "bbox=a,b,c,d", "bbox=120,37,121,36", "bbox=1000000,1000000,2000000,2000000", "bbox=36,120,37,121",
        "datetime=yesterday", "datetime=2026-02-01T00:00:00Z/2026-01-01T00:00:00Z", "crs=EPSG:32651", "bbox-crs=nonsense", "filter-crs=nonsense", "filter=", "filter=pg_sleep(9)=1",
        "filter=ooga=booga", "filter-lang=sql&filter=1=1", "filter-lang=cql2-json&filter=1=1", "层数=many", "geometry=POINT(1 1)", "limit=1&limit=2", "after=1e9", "在用=maybe",
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_400_with_a_remedy(app_client: httpx.AsyncClient, login, stocked: Settings, query: str):
    await login(app_client, "linye")
    answer = await app_client.get(f"{ITEMS}?{query}")
    assert answer.status_code == 400 and answer.headers["content-type"] == "application/problem+json" and answer.json()["remedy"], f"{query}: {answer.text[:200]}"


async def test_time_selects_and_what_has_none_stays(app_client: httpx.AsyncClient, login, stocked: Settings):
    await login(app_client, "linye")
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute(
            """
            INSERT INTO suppressions (kind, reason, created_at, expires_at, region_code, geom)
            SELECT 'smoke', 'x', at::timestamptz, '2999-01-01', '370202', ST_MakeEnvelope(120.38, 36.06, 120.39, 36.07, 4326) FROM unnest(ARRAY['2026-01-05', '2026-02-05']) AS at
            """
        )

    async def count(text: str) -> int:
        return (await app_client.get("/ogc/collections/suppressions/items", params={"datetime": text})).json()["numberMatched"]

    assert [await count(text) for text in ("2026-01-05", "2026-01-05T00:00:00Z", "../2026-01-31", "2026-01-01T00:00:00Z/..", "2027-01-01/..")] == [1, 1, 1, 2, 0]
    assert len(await ids(app_client, datetime="2026-01-05T00:00:00Z")) == 30


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


async def test_programs_sign_in_with_each_request(app_client: httpx.AsyncClient, stocked: Settings):
    from tests.conftest import PASSWORD

    del app_client.headers["X-HDQ-Client"]
    refused = await app_client.get(ITEMS)
    assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Basic ")
    for _ in range(3):
        assert (await app_client.get(ITEMS, headers=basic("linye", PASSWORD))).status_code == 200
    assert (await app_client.get("/tiles/dataset_parks/12/3417/1607.mvt", headers=basic("linye", PASSWORD))).status_code in (200, 204)
    with psycopg.connect(stocked.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM audit WHERE action = 'session.basic'").fetchone() == (1,)
    assert (await app_client.get("/api/alerts", headers=basic("linye", PASSWORD))).status_code == 401
    assert "set-cookie" not in (await app_client.get(ITEMS, headers=basic("linye", PASSWORD))).headers
    with psycopg.connect(stocked.database_url) as connection:
        connection.execute("UPDATE staff SET disabled = true WHERE username = 'linye'")
        connection.execute("DELETE FROM sessions")
    from gis_api.auth import _scopes

    _scopes.clear()
    assert (await app_client.get(ITEMS, headers=basic("linye", PASSWORD))).status_code == 401


async def test_guessing_is_slowed_as_at_the_sign_in_page(app_client: httpx.AsyncClient, stocked: Settings):
    from tests.conftest import PASSWORD

    answers = [(await app_client.get(ITEMS, headers=basic("guotu", f"wrong {n}"))).status_code for n in range(9)]
    assert answers == [401] * 8 + [429]
    assert (await app_client.get(ITEMS, headers=basic("guotu", PASSWORD))).status_code == 429
    for header in ("Basic", "Basic !!!", "Basic " + "A" * 2000, "Basic bm9jb2xvbg==", "Bearer x"):
        assert (await app_client.get(ITEMS, headers={"Authorization": header})).status_code == 401, header
