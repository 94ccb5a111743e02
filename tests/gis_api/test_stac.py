"""The STAC API: every document is sound by pystac's bundled schemas, both searches find the same, and nobody sees scenes of another region."""

import json

import httpx
import psycopg
import pystac
import pytest
from pystac.validation import RegisteredValidator
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from grid.settings import Settings


@pytest.fixture
def scenes(settings: Settings, people: dict[str, int]) -> Settings:
    """Three scenes of two origins, two of them in 市南."""
    with psycopg.connect(settings.database_url) as connection:
        for number, (collection, region, lon) in enumerate((("sentinel-2-l2a", "370202", 120.3), ("uav", "370202", 120.35), ("sentinel-2-l2a", "370212", 120.6)), 1):
            connection.execute(
                """
                INSERT INTO scenes (id, collection, title, taken_at, file, sha256, bands, epsg, gsd_m, properties, region_code, simulated, geom)
                VALUES (%s, %s, '影像', %s, 'x.tif', 'x', '[{"name": "red", "index": 1}]', 32651, 10, '{}', %s, false, ST_MakeEnvelope(%s, 36.0, %s, 36.1, 4326))
                """,
                [f"s{number}", collection, f"2026-0{number}-01T02:00:00Z", region, lon, lon + 0.05],
            )
    return settings


class Bundled(JsonSchemaSTACValidator):
    """Core schemas as pystac ships them; extensions' schemas live on the network and are left alone."""

    def validate_extension(self, *args: object, **kwargs: object) -> None:
        """Nothing is fetched."""
        return None


def sound(document: dict) -> None:
    RegisteredValidator.set_validator(Bundled())
    pystac.validation.validate_dict(document)


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    return [feature["id"] for feature in answer.json()["features"]]


async def test_every_document_is_sound(app_client: httpx.AsyncClient, login, scenes: Settings):
    landing = await app_client.get("/stac")
    assert landing.status_code == 200 and "s1" not in landing.text
    sound(landing.json())
    assert (await app_client.get("/stac/collections")).status_code == 401
    await login(app_client, "linye")
    found = (await app_client.get("/stac/collections")).json()["collections"]
    assert [one["id"] for one in found] == ["sentinel-2-l2a", "uav"]
    for one in found:
        sound(one)
        assert (await app_client.get(f"/stac/collections/{one['id']}")).json() == one
        for item in (await app_client.get(f"/stac/collections/{one['id']}/items")).json()["features"]:
            sound(item)
            here = next(link["href"] for link in item["links"] if link["rel"] == "self")
            assert (await app_client.get(here)).json() == item
            assert {link["rel"] for link in item["links"]} >= {"self", "root", "parent", "collection", "xyz"}
    promised = landing.json()["conformsTo"]
    assert (await app_client.get("/stac/conformance")).json()["conformsTo"] == promised
    assert (await app_client.get("/stac/api")).json()["openapi"].startswith("3.0")
    for rel in ("self", "root", "conformance", "data", "search", "service-desc"):
        for link in landing.json()["links"]:
            if link["rel"] == rel and link.get("method") != "POST":
                assert (await app_client.get(link["href"])).status_code == 200, link


SEARCHES = [
    ({}, ["s3", "s2", "s1"]),
    ({"bbox": [120.29, 36.0, 120.36, 36.05]}, ["s2", "s1"]),
    ({"datetime": "2026-02-01T00:00:00Z/.."}, ["s3", "s2"]),
    ({"datetime": "../2026-01-31"}, ["s1"]),
    ({"ids": ["s1", "s3", "none"]}, ["s3", "s1"]),
    ({"collections": ["uav"]}, ["s2"]),
    ({"intersects": {"type": "Point", "coordinates": [120.62, 36.05]}}, ["s3"]),
    ({"collections": ["sentinel-2-l2a"], "bbox": [120.29, 36.0, 120.36, 36.05]}, ["s1"]),
]


@pytest.mark.parametrize("body, wanted", SEARCHES, ids=lambda value: json.dumps(value)[:40])
async def test_both_searches_find_the_same(app_client: httpx.AsyncClient, login, scenes: Settings, body: dict, wanted: list[str]):
    await login(app_client, "linye")
    del app_client.headers["X-HDQ-Client"]
    assert ids(await app_client.post("/stac/search", json=body)) == wanted
    query = {name: json.dumps(value) if isinstance(value, dict) else ",".join(map(str, value)) if isinstance(value, list) else value for name, value in body.items()}
    assert ids(await app_client.get("/stac/search", params=query)) == wanted


async def test_pages_lead_on(app_client: httpx.AsyncClient, login, scenes: Settings):
    await login(app_client, "linye")
    for method in ("GET", "POST"):
        found, asked = [], ("/stac/search?limit=2", {"limit": 2})
        while asked:
            answer = await app_client.get(asked[0]) if method == "GET" else await app_client.post("/stac/search", json=asked[1])
            found += ids(answer)
            assert answer.json()["numberMatched"] == 3
            following = next((link for link in answer.json()["links"] if link["rel"] == "next"), None)
            asked = following and (following["href"], following.get("body"))
        assert found == ["s3", "s2", "s1"]


async def test_scenes_of_another_region_are_not_there(app_client: httpx.AsyncClient, login, scenes: Settings):
    await login(app_client, "laoshan")
    assert ids(await app_client.get("/stac/search")) == ["s3"]
    assert ids(await app_client.post("/stac/search", json={"ids": ["s1", "s2"]})) == []
    assert [one["id"] for one in (await app_client.get("/stac/collections")).json()["collections"]] == ["sentinel-2-l2a"]
    for path in ("/stac/collections/uav", "/stac/collections/uav/items", "/stac/collections/sentinel-2-l2a/items/s1"):
        assert (await app_client.get(path)).status_code == 404, path


@pytest.mark.parametrize(
    "body",
    [
        {"bbox": [1, 2, 3]}, {"bbox": [36, 120, 37, 121]}, {"datetime": "soon"}, {"intersects": {"type": "Point", "coordinates": ["a", "b"]}}, {"limit": 0}, {"filter": {"op": "="}},
        {"bbox": [120, 36, 121, 37], "intersects": {"type": "Point", "coordinates": [120, 36]}}, {"intersects": {"op": "=", "args": [1, 1]}}, {"ids": ["a\x00b"]},
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_400(app_client: httpx.AsyncClient, login, scenes: Settings, body: dict):
    await login(app_client, "linye")
    answer = await app_client.post("/stac/search", json=body)
    assert answer.status_code == 400 and answer.headers["content-type"] == "application/problem+json", answer.text
