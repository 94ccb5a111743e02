"""Walk 5, through real HTTP and a real worker: an alert on the wall, two vehicles and a drone, an order, arrival, a case."""

import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

FIRE = (120.60, 36.195)


@pytest.fixture
def fleet(live) -> dict[str, int]:
    """Roads around the fire, three vehicles (one of them stale) and two drones in 崂山, one vehicle in 市南."""
    with psycopg.connect(live.settings.database_url) as connection:
        lons = [120.56, 120.58, 120.60, 120.62]
        for row in range(2):
            for i in range(3):
                line = f"LINESTRING({lons[i]} {36.19 + row / 50}, {lons[i + 1]} {36.19 + row / 50})"
                connection.execute(
                    """
                    INSERT INTO roads (name, class, speed_kmh, source_node, target_node, length_m, region_code, geom)
                    VALUES ('试验路', 'secondary', 40, %s, %s, ST_Length(ST_GeomFromText(%s, 4326)::geography), '370212', ST_GeomFromText(%s, 4326))
                    """,
                    [row * 10 + i, row * 10 + i + 1, line, line],
                )
        made = {}
        for code, kind, speed, lon, region, age in (
            ("V1", "vehicle", 40, 120.565, "370212", 0),
            ("V2", "vehicle", 40, 120.615, "370212", 0),
            ("V3", "vehicle", 40, 120.60, "370212", 600),
            ("V4", "vehicle", 40, 120.38, "370202", 0),
            ("D1", "drone", 50, 120.57, "370212", 0),
            ("D2", "drone", 50, 120.68, "370212", 0),
        ):
            place = f"POINT({lon} {36.19 if lon > 120.5 else 36.06})"
            (made[code],) = connection.execute(
                """
                INSERT INTO units (code, name, kind, speed_kmh, region_code, home, geom, reported_at)
                VALUES (%s, %s, %s, %s, %s, ST_GeomFromText(%s, 4326), ST_GeomFromText(%s, 4326), now() - make_interval(secs => %s)) RETURNING id
                """,
                [code, code, kind, speed, region, place, place, age],
            ).fetchone()
    return made


def observation(key: str, **more) -> dict:
    return {
        "source": "satellite:test",
        "source_event_id": key,
        "sensor_kind": "satellite",
        "kind": "forest_fire",
        "score": 0.95,
        "recorded_at": datetime.now(UTC).isoformat(),
        "position": {"lon": FIRE[0], "lat": FIRE[1], "accuracy_m": 375.0},
        "algorithm": "viirs-active-fire",
        "model_version": "C2",
    } | more


def first_alert(client, seconds: float = 20.0) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if items := client.get("/api/alerts", params={"state": "open"}).json()["items"]:
            return items[0]
        time.sleep(0.05)
    raise AssertionError("no alert came")


def test_an_alert_brings_two_vehicles_and_a_drone_to_the_place(live, people, fleet):
    algorithm, command, south, mountain = (live.login(name) for name in ("suanfa", "zhihui", "shinan", "laoshan"))
    taken = algorithm.post("/api/observations", json={"observations": [observation("one")]})
    assert taken.status_code == 202, taken.text
    alert = first_alert(command)
    assert alert["kind"] == "forest_fire" and alert["place"]["region_code"].startswith("370212") and alert["place"]["accuracy_m"] > 0
    assert south.get("/api/alerts").json()["total"] == 0 and south.get(f"/api/alerts/{alert['id']}").status_code == 404
    assert mountain.get(f"/api/alerts/{alert['id']}").status_code == 200

    package = command.get(f"/api/alerts/{alert['id']}/package").json()
    assert [unit["code"] for unit in package["units"]] == ["V2", "V1", "D1"] and package["missing"] == []
    by_code = {unit["code"]: unit for unit in package["units"]}
    assert by_code["V2"]["along"] == "road" and by_code["D1"]["along"] == "straight" and 0 < by_code["V2"]["eta_s"] < by_code["V1"]["eta_s"]

    assert mountain.post(f"/api/alerts/{alert['id']}/orders", json={"unit_ids": [fleet["V1"]]}).status_code == 403
    ordered = command.post(f"/api/alerts/{alert['id']}/orders", json={"unit_ids": [unit["unit_id"] for unit in package["units"]]})
    assert ordered.status_code == 201, ordered.text
    orders = {order["unit_id"]: order for order in ordered.json()}
    assert len(orders) == 3 and all(order["state"] == "confirmed" for order in orders.values())
    seen = command.get(f"/api/alerts/{alert['id']}").json()
    assert seen["dispatched_at"] and seen["acknowledged_at"]
    twice = command.post(f"/api/alerts/{alert['id']}/orders", json={"unit_ids": [fleet["V2"], fleet["D2"]]})
    assert twice.status_code == 409 and not any(order["unit_id"] == fleet["D2"] for order in command.get("/api/orders").json())

    order = orders[fleet["V2"]]
    early = command.post(f"/api/orders/{order['id']}/steps", json={"action": "arrive", "version": order["version"]})
    assert early.status_code == 409
    for action, state in (("acknowledge", "acknowledged"), ("depart", "moving"), ("arrive", "arrived")):
        answer = command.post(f"/api/orders/{order['id']}/steps", json={"action": action, "version": order["version"]})
        assert answer.status_code == 200, answer.text
        order = answer.json()
        assert order["state"] == state
    moved = command.post(
        f"/api/units/{fleet['V2']}/positions",
        json={"position": {"lon": FIRE[0], "lat": FIRE[1], "accuracy_m": 5}, "heading_deg": 0, "recorded_at": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()},
    )
    assert moved.status_code == 202 and moved.json()["state"] == "on_site"
    assert len(command.get(f"/api/units/{fleet['V2']}/trail").json()) == 1

    verdict = command.post(f"/api/alerts/{alert['id']}/verdict", json={"verdict": "true", "note": "现场确认"})
    assert verdict.status_code == 200, verdict.text
    case = command.get(f"/api/cases/{verdict.json()['case_id']}").json()
    assert case["origin"] == "alert" and case["state"] == "filed" and case["category_code"] == "04080"
    figures = {figure["id"]: figure for figure in command.get("/api/kpis").json()}
    assert figures["free_units"]["value"] == 2 and figures["free_units"]["of"] == 6 and len(figures["open_alerts"]["line"]) == 24
    assert sum(command.get("/api/timeline").json()["cases"]) == 1


def test_a_verdict_can_be_taken_back_for_ten_seconds(live, people):
    algorithm, desk = live.login("suanfa"), live.login("linye")
    algorithm.post("/api/observations", json={"observations": [observation("two")]})
    alert = first_alert(desk)
    assert desk.post(f"/api/alerts/{alert['id']}/verdict", json={"verdict": "false"}).status_code == 422
    stale = desk.post(f"/api/alerts/{alert['id']}/verdict", json={"verdict": "true", "version": alert["version"] + 7})
    assert stale.status_code == 409
    judged = desk.post(f"/api/alerts/{alert['id']}/verdict", json={"verdict": "true"}).json()
    assert judged["alert"]["state"] == "confirmed"
    assert desk.post(f"/api/alerts/{alert['id']}/verdict", json={"verdict": "true"}).status_code == 409
    undone = desk.delete(f"/api/alerts/{alert['id']}/verdict")
    assert undone.status_code == 200 and undone.json()["state"] == "open"
    assert desk.get(f"/api/cases/{judged['case_id']}").json()["state"] == "cancelled"
    false = desk.post(f"/api/alerts/{alert['id']}/verdict", json={"verdict": "false", "reason": "cloud"})
    assert false.status_code == 200 and false.json()["alert"]["state"] == "dismissed" and false.json()["case_id"] is None
