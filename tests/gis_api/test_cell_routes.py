"""Grids over HTTP: asked for by place and day, planned, changed by those who may inside their region, and by nobody else."""

import asyncio
import time

import httpx
import psycopg
import pytest

from grid.settings import Settings

CODE, REGION = "370202001001001", "370202001001"


@pytest.fixture
def grid_id(settings: Settings, people: dict[str, int]) -> int:
    """One management grid over half of the community of `people`, kept by `wangge`."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET cell_codes = %s WHERE username = 'wangge'", [[CODE]])
        return connection.execute(
            "INSERT INTO cells (code, name, region_code, geom) VALUES (%s, '网格 001', %s, ST_Multi(ST_MakeEnvelope(120.37, 36.055, 120.38, 36.07, 4326))) RETURNING id",
            [CODE, REGION],
        ).fetchone()[0]


SPLIT = {"action": "split", "line": [[120.375, 36.05], [120.375, 36.08]]}


async def test_a_data_administrator_plans_and_splits(app_client: httpx.AsyncClient, login, grid_id: int):
    await login(app_client, "shuju")
    (found,) = (await app_client.get("/api/cells/at", params={"lon": 120.372, "lat": 36.06})).json()
    assert (found["code"], found["until"], [k["name"] for k in found["keepers"]]) == (CODE, None, ["测试 wangge"])
    assert (await app_client.get("/api/cells/at", params={"lon": 120.372, "lat": 36.06, "on": "2019-01-01"})).json() == []
    listed = (await app_client.get("/api/cells", params={"bbox": "120.3,36,120.4,36.1"})).json()
    assert [c["id"] for c in listed["items"]] == [grid_id] and listed["items"][0]["geometry"]["type"] == "MultiPolygon" and not listed["truncated"]
    plan = (await app_client.post("/api/cells/plan", json=SPLIT | {"ids": [grid_id]})).json()
    assert plan["possible"] and [c["code"] for c in plan["after"]] == ["370202001001002", "370202001001003"] and plan["tolerance_m"] == 0.05
    bad = (await app_client.post("/api/cells/plan", json={"action": "split", "ids": [grid_id], "line": [[120.375, 36.06], [120.375, 36.08]]})).json()
    assert not bad["possible"] and bad["objections"][0]["geometry"]["type"] == "LineString"
    refused = await app_client.post("/api/cells/changes", json={"action": "split", "ids": [grid_id], "line": [[120.375, 36.06], [120.375, 36.08]]})
    assert refused.status_code == 409 and refused.json()["problems"][0]["kind"] == "uncut" and refused.json()["remedy"]
    made = await app_client.post("/api/cells/changes", json=SPLIT | {"ids": [grid_id], "note": "试"})
    assert made.status_code == 201 and made.json()["applied"] and made.json()["moved"]["staff"] == 1, made.text
    assert (await app_client.post("/api/cells/changes", json=SPLIT | {"ids": [grid_id]})).status_code == 409
    assert [c["action"] for c in (await app_client.get("/api/cells/changes")).json()] == ["split"]
    (old,) = (await app_client.get(f"/api/cells/{CODE}")).json()
    assert old["until"] == plan["effective"]
    await login(app_client, "wangge")
    assert sorted((await app_client.get("/api/me")).json()["cell_codes"]) == ["370202001001002", "370202001001003"]
    assert (await app_client.post("/api/cells/plan", json=SPLIT | {"ids": [grid_id]})).status_code == 403


async def test_another_district_neither_sees_nor_changes_it(app_client: httpx.AsyncClient, login, grid_id: int, settings: Settings):
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE staff SET role = 'data_admin' WHERE username = 'laoshan'")
    await login(app_client, "laoshan")
    assert (await app_client.get("/api/cells/at", params={"lon": 120.372, "lat": 36.06})).json() == []
    assert (await app_client.get("/api/cells")).json()["items"] == [] and (await app_client.get(f"/api/cells/{CODE}")).status_code == 404
    for path in ("/api/cells/plan", "/api/cells/changes"):
        assert (await app_client.post(path, json=SPLIT | {"ids": [grid_id]})).status_code == 404


async def test_a_code_is_judged_with_its_reason(app_client: httpx.AsyncClient, login):
    await login(app_client, "linye")
    right = (await app_client.get("/api/cells/code", params={"code": CODE, "region": REGION})).json()
    assert right == {"valid": True, "reason": "", "remedy": "", "digits": 15, "parts": "6+3+3+3"}
    wrong = (await app_client.get("/api/cells/code", params={"code": CODE, "kind": "unit"})).json()
    assert not wrong["valid"] and wrong["digits"] == 16 and "16" in wrong["reason"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "split", "ids": []},
        {"action": "split", "ids": [2**70]},
        {"action": "split", "ids": [1], "line": [[120.3, 36.0], [120.3, 36.0]]},
        {"action": "redraw", "ids": [1], "shapes": [{"id": 1, "geometry": {"type": "Polygon", "coordinates": [[["a", 1]]]}}]},
        {"action": "split", "ids": [1], "line": [[500, 36.0], [120.3, 36.0]]},
    ],
)
async def test_nonsense_is_refused_by_name(app_client: httpx.AsyncClient, login, body: dict):
    await login(app_client, "shuju")
    assert (await app_client.post("/api/cells/plan", json=body)).status_code == 422


async def test_a_split_is_on_the_map_at_once(app_client: httpx.AsyncClient, login, grid_id: int):
    await login(app_client, "shuju")
    tile = "/tiles/cells/15/27340/12860.mvt"
    before = await app_client.get(tile)
    assert before.status_code == 200 and CODE.encode() in before.content
    assert (await app_client.post("/api/cells/changes", json=SPLIT | {"ids": [grid_id]})).status_code == 201
    deadline = time.monotonic() + 60
    while CODE.encode() in (now := await app_client.get(tile)).content and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert b"370202001001002" in now.content and CODE.encode() not in now.content
