"""Observations in, alerts out, over HTTP: roles, regions, refusals by name, and idempotence."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gis_api.tasks import JobContext
from gis_api.tasks.sensing import fuse
from grid.database import make_pool


def sighting(event: str, lon: float = 120.60, lat: float = 36.20, **changes) -> dict:
    base = {
        "source": "viirs-snpp",
        "source_event_id": event,
        "sensor_kind": "satellite",
        "kind": "hotspot",
        "score": 0.8,
        "recorded_at": datetime.now(UTC).isoformat(),
        "position": {"lon": lon, "lat": lat, "accuracy_m": 300},
    }
    return base | changes


@pytest.fixture
async def judge(settings):
    """Runs the worker's fuse job."""
    async with make_pool(settings.database_url, size=2) as pool:

        async def run() -> None:
            await fuse(JobContext(settings, pool))

        yield run


async def post(client, *observations):
    return await client.post("/api/observations", json={"observations": list(observations)})


async def test_from_observation_to_alert(app_client, login, judge):
    await login(app_client, "suanfa")
    pixel = {"type": "Polygon", "coordinates": [[[120.598, 36.198], [120.602, 36.198], [120.602, 36.202], [120.598, 36.202], [120.598, 36.198]]]}
    answer = await post(app_client, sighting("1", footprint=pixel), sighting("2", 120.40, 36.07, kind="garbage", sensor_kind="person"))
    assert answer.status_code == 202 and answer.json()["new"] == 2
    assert [a["region_code"] for a in answer.json()["accepted"]] == ["370212", "370202001"]
    assert (await post(app_client, sighting("1"))).json()["accepted"][0]["new"] is False
    await judge()
    await login(app_client, "linye")
    page = (await app_client.get("/api/alerts", params={"order": "oldest"})).json()
    assert page["total"] == 2 and {a["kind"] for a in page["items"]} == {"forest_fire", "garbage"}
    fire = next(a for a in page["items"] if a["kind"] == "forest_fire")
    assert fire["place"]["name"] == "崂山区" and fire["sensor_kinds"] == ["satellite"] and fire["simulated"] is False
    detail = (await app_client.get(f"/api/alerts/{fire['id']}")).json()
    assert detail["actions"] == ["acknowledge", "verdict"] and detail["region90"]["type"] == "MultiPolygon"
    assert detail["observations"][0]["footprint"]["type"] == "Polygon" and detail["reasons"][0]["text"].startswith("卫星") and "viirs-snpp" in detail["reasons"][0]["text"]
    first = await app_client.post(f"/api/alerts/{fire['id']}/acknowledge")
    again = await app_client.post(f"/api/alerts/{fire['id']}/acknowledge")
    assert first.json() == again.json() and first.json()["state"] == "acknowledged"
    listed = (await app_client.get("/api/observations", params={"alert_id": fire["id"]})).json()["items"]
    assert [o["source_event_id"] for o in listed] == ["1"]


async def test_regions(app_client, login, judge):
    await login(app_client, "suanfa")
    await post(app_client, sighting("1"), sighting("2", 120.40, 36.07, kind="garbage", sensor_kind="person"))
    await judge()
    page = (await app_client.get("/api/alerts")).json()
    garbage = next(a["id"] for a in page["items"] if a["kind"] == "garbage")
    await login(app_client, "laoshan")
    mine = (await app_client.get("/api/alerts")).json()
    assert [a["kind"] for a in mine["items"]] == ["forest_fire"] and mine["total"] == 1
    for answer in (
        await app_client.get(f"/api/alerts/{garbage}"),
        await app_client.post(f"/api/alerts/{garbage}/acknowledge"),
        await app_client.get("/api/alerts/999999"),
        await app_client.get("/api/alerts/99999999999999999999999"),
    ):
        assert answer.status_code == 404 and answer.headers["content-type"].startswith("application/problem+json")
    assert [o["kind"] for o in (await app_client.get("/api/observations")).json()["items"]] == ["hotspot"]
    assert (await app_client.get("/api/observations", params={"alert_id": garbage})).json()["items"] == []


async def test_roles(app_client, login):
    assert (await app_client.get("/api/alerts")).status_code == 401 and (await post(app_client, sighting("1"))).status_code == 401
    await login(app_client, "shenji")
    assert (await app_client.get("/api/alerts")).status_code == 200
    assert (await post(app_client, sighting("1"))).status_code == 403
    assert (await app_client.post("/api/alerts/1/acknowledge")).status_code == 403
    assert (await app_client.post("/api/suppressions", json={})).status_code in (403, 422)
    await login(app_client, "wangge")
    assert (await app_client.post("/api/alerts/1/acknowledge")).status_code == 403


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"position": {"lon": 36.2, "lat": 120.6, "accuracy_m": 9}}, "lat"),
        ({"position": {"lon": 36.2, "lat": 89.0, "accuracy_m": 0}}, "accuracy_m"),
        ({"score": 3}, "score"),
        ({"recorded_at": "2026-11-22T10:00:00"}, "recorded_at"),
        ({"recorded_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "recorded_at"),
        ({"footprint": {"type": "Polygon", "coordinates": [[["a", 36], [120, 36], [120, 36]]]}}, "footprint"),
        ({"footprint": {"type": "Nonsense"}}, "footprint"),
        ({"footprint": {"type": "Polygon", "coordinates": [[[120.0, 36.0], [120.1, 36.0]]]}}, "footprint"),
        ({"evidence": ["x"]}, "evidence"),
        ({"camera_id": 77}, "camera_id"),
        ({"surprise": 1}, "surprise"),
        ({"kind": "Nope!"}, "kind"),
    ],
)
async def test_refusals_name_the_value(app_client, login, changes, says):
    await login(app_client, "suanfa")
    answer = await post(app_client, sighting("1"), sighting("2", **changes))
    assert answer.status_code == 422 and answer.headers["content-type"].startswith("application/problem+json")
    assert says in answer.text and answer.json()["remedy"]
    assert (await app_client.get("/api/observations")).json()["items"] == []


async def test_nan_is_refused(app_client, login):
    await login(app_client, "suanfa")
    body = json.dumps({"observations": [sighting("1", score=float("nan"))]})
    answer = await app_client.post("/api/observations", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


async def test_too_many(app_client, login):
    await login(app_client, "suanfa")
    assert (await post(app_client, *[sighting(str(i)) for i in range(1001)])).status_code == 422
    assert (await post(app_client, *[sighting(str(i)) for i in range(1000)])).json()["new"] == 1000


@pytest.mark.parametrize("query", ["state=burning", "order=id", "severity=9", "bbox=1,2,3", "bbox=36,120,37,121", "since=2026-01-01T00:00:00", "limit=0"])
async def test_bad_queries(app_client, login, query):
    await login(app_client, "linye")
    answer = await app_client.get(f"/api/alerts?{query}")
    assert answer.status_code == 422 and answer.json()["status"] == 422


async def test_suppressions(app_client, login, judge):
    await login(app_client, "laoshan")
    area = {"type": "Polygon", "coordinates": [[[120.58, 36.18], [120.62, 36.18], [120.62, 36.22], [120.58, 36.22], [120.58, 36.18]]]}
    body = {"kind": "any", "reason": "计划烧除", "expires_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat(), "area": area}
    made = await app_client.post("/api/suppressions", json=body)
    assert made.status_code == 201 and made.json()["active"] and made.json()["area"]["type"] == "Polygon"
    await login(app_client, "suanfa")
    await post(app_client, sighting("1"))
    await judge()
    assert (await app_client.get("/api/alerts")).json()["total"] == 0
    (held,) = (await app_client.get("/api/observations")).json()["items"]
    assert held["properties"]["suppressed"]["reason"] == "计划烧除"
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/suppressions")).json()[0]["held"] == 1
    assert (await app_client.delete(f"/api/suppressions/{made.json()['id']}")).json()["active"] is False
    await judge()
    assert (await app_client.get("/api/alerts")).json()["total"] == 1
    assert (await app_client.get("/api/suppressions")).json() == []
    assert (await app_client.post("/api/suppressions", json=body | {"area": {"type": "Polygon", "coordinates": []}})).status_code == 422
    assert (await app_client.post("/api/suppressions", json=body | {"expires_at": "2026-11-22T10:00:00"})).status_code == 422


async def test_rules_are_listed(app_client, login):
    await login(app_client, "linye")
    listed = {r["id"]: r for r in (await app_client.get("/api/rules")).json()}
    assert listed["forest_fire"]["merge_m"] == 2000 and "smoke" in listed["forest_fire"]["kinds"]
    assert {e["expect"] for e in listed["street_litter"]["examples"]} == {"opens", "does not open", "extends"}
