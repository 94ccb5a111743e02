"""Zones over HTTP: drawn in a picture or on the map, refused by name, seen in every camera, changed with a version and a line of audit."""

import json

import numpy as np
import psycopg
import pytest

from grid.geometry import destination
from imagery.cameras import posing
from imagery.cameras.locate import Pose, project
from tests.imagery.cameras.conftest import jpeg, picture

LON, LAT = 120.60, 36.20


@pytest.fixture
def cameras(settings, people) -> list[int]:
    """Two towers that look east from one hill and one that looks west, in 崂山."""
    with psycopg.connect(settings.database_url) as connection:
        return [
            connection.execute(
                """
                INSERT INTO cameras (code, name, kind, ground_m, height_m, azimuth_deg, pitch_deg, hfov_deg, range_m, pose_sigma_deg, region_code, geom, view)
                VALUES (%s, %s, 'tower', 0, 60, %s, -6, 60, 2000, 0.3, '370212', ST_SetSRID(ST_MakePoint(%s, %s), 4326), ST_Buffer(ST_SetSRID(ST_MakePoint(%s, %s), 4326), 0.02)) RETURNING id
                """,
                [f"{number:020d}", f"塔 {number}", azimuth, LON, LAT, LON, LAT],
            ).fetchone()[0]
            for number, azimuth in enumerate((90, 90, 270))
        ]


def ring(near: float = 400, far: float = 800, left: float = 80, right: float = 95) -> dict:
    corners = [destination(LON, LAT, azimuth, metres) for azimuth, metres in ((left, near), (left, far), (right, far), (right, near), (left, near))]
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}


def zone(**changes) -> dict:
    return {"name": "东侧水面", "purpose": "forbidden", "detector": "boats", "shape": ring()} | changes


SQUARE = {"type": "Polygon", "coordinates": [[[0.2, 0.4], [0.8, 0.4], [0.8, 0.9], [0.2, 0.9], [0.2, 0.4]]]}


async def test_a_zone_on_the_map_is_a_polygon_in_every_camera_that_sees_it(app_client, login, cameras):
    await login(app_client, "suanfa")
    made = (await app_client.post("/api/zones", json=zone(min_dwell_s=20))).json()
    assert (made["kind"], made["version"], made["active"], made["changed_by"] is not None, made["region_code"]) == ("boat_no_go", 1, True, True, "370212")
    pictures = (await app_client.get(f"/api/zones/{made['id']}/pictures")).json()
    assert [p["camera_id"] for p in pictures] == cameras[:2]  # the third looks away
    assert pictures[0]["visible"] == 1.0 and pictures[0]["by"] == "pose" and 0 < pictures[0]["border_sigma"] < 0.05
    corner = np.array(project(Pose(LON, LAT, 60, 90, -6, 60, 1920, 1080), *made["shape"]["coordinates"][0][1], 0.0)) / (1920, 1080)
    assert np.abs(np.array(pictures[0]["outline"]["coordinates"][0]) - corner).sum(axis=1).min() < 0.01
    (seen,) = (await app_client.get(f"/api/cameras/{cameras[0]}/zones")).json()
    assert seen == pictures[0]
    (away,) = (await app_client.get(f"/api/cameras/{cameras[2]}/zones")).json()
    assert away["outline"] is None and away["visible"] == 0.0
    assert [z["id"] for z in (await app_client.get(f"/api/zones?camera_id={cameras[1]}")).json()] == [made["id"]]


async def test_what_will_not_do_is_refused_with_the_reason_and_the_remedy(app_client, login, cameras):
    await login(app_client, "suanfa")
    bow = {"type": "Polygon", "coordinates": [[[0.2, 0.4], [0.8, 0.9], [0.8, 0.4], [0.2, 0.9], [0.2, 0.4]]]}
    outside = {"type": "Polygon", "coordinates": [[[0.2, 0.4], [1.2, 0.4], [0.8, 0.9], [0.2, 0.4]]]}
    line = {"type": "LineString", "coordinates": [[0.1, 0.5], [0.9, 0.5]]}
    first = {"camera_id": cameras[0]}
    for body, word in (
        (zone(shape=bow, **first), "自相交"),
        (zone(shape=outside, **first), "画面之外"),
        (zone(shape=line, **first), "一个多边形"),
        (zone(shape=SQUARE, purpose="count", **first), "一条线"),
        (zone(shape={"type": "Polygon", "coordinates": [[[0.2, 0.4], [0.201, 0.4], [0.2, 0.401], [0.2, 0.4]]]}, **first), "area is too small"),
        (zone(classes=["submarine"]), "submarine"),
        (zone(detector="radar"), "radar"),
        (zone(detector="crowd", purpose="crowd", least=10), "成群"),
        (zone(detector="crowd", purpose="count", shape=line, **first), "成群"),
        (zone(name="  "), "名称"),
        (zone(from_time="08:00"), "成对"),
        (zone(from_time="08:00Z", until_time="18:00Z"), "时区偏移"),
        (zone(shape=ring(100, 40_000, 45, 135)), "过大"),
        (zone(shape={"type": "Polygon", "coordinates": "x"}), "GeoJSON"),
    ):
        answer = await app_client.post("/api/zones", json=body)
        assert answer.status_code == 422 and word in answer.json()["detail"] and answer.json()["remedy"], (word, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")
    assert (await app_client.post("/api/zones", json=zone(shape=SQUARE, camera_id=987654))).status_code == 404
    assert (await app_client.post("/api/zones", json=zone(days=[8]))).status_code == 422
    assert (await app_client.get("/api/zones")).json() == []


async def test_an_edit_needs_the_version_and_every_step_is_audited(app_client, login, cameras, settings):
    await login(app_client, "zhihui")
    made = (await app_client.post("/api/zones", json=zone(shape=SQUARE, camera_id=cameras[0], from_time="22:00", until_time="05:00"))).json()
    assert (made["camera_name"], made["shape"], made["from_time"]) == ("塔 0", SQUARE, "22:00:00")
    changed = await app_client.put(f"/api/zones/{made['id']}", json=zone(shape=SQUARE, camera_id=cameras[0], name="夜间", classes=["boat"], version=1))
    assert (changed.json()["version"], changed.json()["name"], changed.json()["classes"], changed.json()["from_time"]) == (2, "夜间", ["boat"], None)
    assert (await app_client.put(f"/api/zones/{made['id']}", json=zone(version=1))).status_code == 409
    assert (await app_client.delete(f"/api/zones/{made['id']}?version=1")).status_code == 409
    assert (await app_client.delete(f"/api/zones/{made['id']}?version=2")).status_code == 200
    assert (await app_client.delete(f"/api/zones/{made['id']}?version=2")).status_code == 404
    with psycopg.connect(settings.database_url) as connection:
        audit = connection.execute("SELECT action, staff_id, detail FROM audit WHERE entity = %s ORDER BY id", [f"zone/{made['id']}"]).fetchall()
    assert [(action, staff is not None) for action, staff, _ in audit] == [("zone.created", True), ("zone.changed", True), ("zone.removed", True)]
    assert audit[1][2]["before"]["name"] == "东侧水面" and audit[1][2]["after"]["name"] == "夜间" and "POLYGON" in json.dumps(audit[1][2])


async def test_a_district_draws_in_itself_only_and_an_inspector_nowhere(app_client, login, cameras):
    await login(app_client, "shinan")
    assert "超出辖区" in (await app_client.post("/api/zones", json=zone())).json()["detail"]
    assert (await app_client.post("/api/zones", json=zone(shape=SQUARE, camera_id=cameras[0]))).status_code == 404
    await login(app_client, "laoshan")
    assert (await app_client.post("/api/zones", json=zone())).status_code == 403


async def test_control_points_calibrate_a_camera_and_zones_go_by_them(app_client, login, cameras, monkeypatch):
    monkeypatch.setattr(posing, "FOLDS", 2)
    await login(app_client, "suanfa")
    pose = Pose(LON, LAT, 60, 92.0, -6.5, 58.0, 1920, 1080)  # it is turned a little otherwise than the register says
    places = [destination(LON, LAT, azimuth, metres) for azimuth in (80, 92, 105) for metres in (250, 400, 800)]
    points = [{"x": x / 1920, "y": y / 1080, "lon": lon, "lat": lat} for lon, lat in places for x, y in [project(pose, lon, lat, 0.0)]]
    given = (await app_client.put(f"/api/cameras/{cameras[0]}/control", json={"points": points})).json()
    assert given["rms_m"] < 2.0 and len(given["points"]) == 9
    posed = (await app_client.get(f"/api/cameras/{cameras[0]}")).json()
    assert abs(posed["azimuth_deg"] - 92.0) < 0.5 and abs(posed["hfov_deg"] - 58.0) < 2.0, "what is seen is placed by the same camera"
    (kept,) = (await app_client.get(f"/api/cameras/{cameras[0]}/calibrations")).json()
    assert kept["applied_at"] and kept["was"]["azimuth_deg"] == 90.0
    made = (await app_client.post("/api/zones", json=zone())).json()
    seen = {p["camera_id"]: p for p in (await app_client.get(f"/api/zones/{made['id']}/pictures")).json()}
    assert (seen[cameras[0]]["by"], seen[cameras[1]]["by"]) == ("control", "pose")
    corner = np.array(project(pose, *made["shape"]["coordinates"][0][1], 0.0)) / (1920, 1080)
    assert np.abs(np.array(seen[cameras[0]]["outline"]["coordinates"][0]) - corner).sum(axis=1).min() < 0.01
    assert (await app_client.put(f"/api/cameras/{cameras[0]}/control", json={"points": points[:3]})).status_code == 422
    assert (await app_client.put(f"/api/cameras/{cameras[0]}/control", json={"points": []})).json()["points"] == []
    assert (await app_client.get(f"/api/cameras/{cameras[0]}/control")).json() == {"points": [], "rms_m": None, "changed_at": None}


async def test_the_newest_picture_is_asked_for_in_the_copy_that_people_may_see(app_client, login, cameras, settings):
    await login(app_client, "suanfa")
    path = f"/api/cameras/{cameras[0]}/picture"
    assert (await app_client.post(path)).json() == {"sha256": None, "recorded_at": None, "ready": False}
    sent = (await app_client.post(f"/api/cameras/{cameras[0]}/frames", files={"file": ("a.jpg", jpeg(picture(())), "image/jpeg")})).json()
    asked = (await app_client.post(path)).json()
    assert (asked["sha256"], asked["ready"]) == (sent["sha256"], False)
    with psycopg.connect(settings.database_url) as connection:
        jobs = connection.execute("SELECT args ->> 'sha256' FROM procrastinate_jobs WHERE task_name = 'blur'").fetchall()
        connection.execute("UPDATE evidence SET shown_sha256 = sha256")
        connection.execute("UPDATE cameras SET stream = 'file:x' WHERE id = %s", [cameras[1]])
    assert jobs == [(sent["sha256"],)] and (await app_client.post(path)).json()["ready"] is True
    assert [c["id"] for c in (await app_client.get("/api/cameras?streaming=true")).json()] == [cameras[1]]
