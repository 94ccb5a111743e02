"""A registered camera is calibrated from control points, a tracked vehicle or the horizon: the error of the fit is kept and shown, and only what is applied changes its pose."""

import asyncio
import json

import numpy as np
import psycopg
import pytest
from shapely import Point
from typer.testing import CliRunner

from gis_api.commands import camera as command
from gis_api.wire.calibrations import points_of
from grid.errors import InvalidInput
from grid.geometry import GEOD
from grid.world.cameras import Camera
from imagery.cameras import posing
from imagery.cameras.locate import Pose, pixels

CODE = "37020200001310000001"
TRUE = Pose(120.38, 36.06, 8.0, 70.0, -12.0, 62.0, 1920, 1080)


def control(count: int = 9) -> list[dict]:
    """Points on level ground before the lens, as they appear in its picture."""
    made = np.random.default_rng(2)
    azimuth, away = TRUE.azimuth_deg + made.uniform(-24, 24, count), made.uniform(22, 75, count)
    lon, lat, _ = GEOD.fwd(np.full(count, TRUE.lon), np.full(count, TRUE.lat), azimuth, away)
    a = np.radians(azimuth)
    x, y = pixels(away * np.sin(a), away * np.cos(a), np.full(count, -TRUE.lens_m), TRUE, TRUE.azimuth_deg, TRUE.pitch_deg, TRUE.focal_px)
    return [{"x": float(u / 1920), "y": float(v / 1080), "lon": float(p), "lat": float(q)} for u, v, p, q in zip(x, y, lon, lat, strict=True)]


@pytest.fixture
def camera(settings, people) -> int:
    """A moved camera whose registered pose is 25° off."""
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute(
            f"""INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, height_m, region_code, geom, state)
            VALUES ('{CODE}', '灯杆', 'street', 95, -15, 70, 80, 8, '370202001001', ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326), 'moved') RETURNING id"""
        ).fetchone()[0]


async def test_control_points_tell_the_pose_with_its_error_and_applying_makes_a_moved_camera_well(app_client, login, camera, monkeypatch):
    monkeypatch.setattr(posing, "FOLDS", 2)
    where = f"/api/cameras/{camera}/calibrations"
    await login(app_client, "suanfa")
    for wrong in ({}, {"control": control(3)}, {"control": control(), "horizon": [{"x": 0.1, "y": 0.2}]}, {"control": [{"x": 2, "y": 0, "lon": 0, "lat": 0}]}):
        assert (await app_client.post(where, json=wrong)).status_code == 422, wrong
    made = await app_client.post(where, json={"control": control()})
    assert made.status_code == 201, made.text
    said = made.json()
    assert abs(said["pose"]["azimuth_deg"] - 70.0) < 1.0 and abs(said["pose"]["pitch_deg"] + 12.0) < 1.0 and said["was"]["azimuth_deg"] == 95.0
    assert said["fit"]["rms_m"] < 0.5 and said["fit"]["mean_m"] < 1.5 and said["fit"]["points"] == 9 and said["applied_at"] is None
    assert (await app_client.get(f"/api/cameras/{camera}")).json()["azimuth_deg"] == 95.0
    assert (await app_client.post(f"{where}/{said['id']}/apply")).json()["applied_at"]
    after = (await app_client.get(f"/api/cameras/{camera}")).json()
    assert abs(after["azimuth_deg"] - 70.0) < 1.0 and after["state"] == "online" and after["pose_sigma_deg"] < 5
    held = (await app_client.get(f"/api/cameras/{camera}/control")).json()
    assert len(held["points"]) == 9 and held["rms_m"] < 0.5
    assert (await app_client.post(f"{where}/999/apply")).status_code == 404
    assert [each["id"] for each in (await app_client.get(where)).json()] == [said["id"]]
    await login(app_client, "laoshan")
    assert (await app_client.get(where)).status_code == 404


def drive(lift: float = 0.7) -> dict:
    """A van that crosses the picture twice, its receiver on the roof, with a log at another rhythm, a gap in it, and a box that the edge cuts."""
    log, boxes = [], []
    for start, far in ((0.0, 32.0), (100.0, 55.0)):
        for second in np.arange(start, start + 20.0, 1.0):
            log.append([second, *_where(start, far, second)])
        for second in np.arange(start + 0.5, start + 19.0, 1.5):
            lon, lat = _where(start, far, second)
            azimuth, _, away = GEOD.inv(TRUE.lon, TRUE.lat, lon, lat)
            a = np.radians(azimuth)
            (x, foot), (_, top) = (
                np.ravel(pixels(np.array([away * np.sin(a)]), np.array([away * np.cos(a)]), np.array([up - TRUE.lens_m]), TRUE, TRUE.azimuth_deg, TRUE.pitch_deg, TRUE.focal_px))
                for up in (0.0, 2.0)
            )
            half = (foot - top) / 2
            if x - half > 20 and x + half < 1900 and foot < 1060:
                boxes.append([second, (x - half) / 1920, top / 1080, (x + half) / 1920, foot / 1080])
    boxes += [[2.0, 0.0, 0.4, 0.05, 0.6], [60.0, 0.4, 0.4, 0.5, 0.6], [500.0, 0.4, 0.4, 0.5, 0.6]]
    at = lambda second: f"2026-05-01T08:{int(second) // 60:02d}:{second % 60:06.3f}+08:00"  # noqa: E731
    return {
        "boxes": [{"at": at(s), "left": a, "top": b, "right": c, "bottom": d} for s, a, b, c, d in boxes],
        "positions": [{"at": at(s), "lon": lon, "lat": lat} for s, lon, lat in log],
    }


def _where(start: float, far: float, second: float) -> tuple[float, float]:
    """Across the view at `far` metres and then a little away, 3 m/s."""
    across = (second - start - 10.0) * 3.0
    along = far + (second - start) * 0.8
    lon, lat, _ = GEOD.fwd(TRUE.lon, TRUE.lat, TRUE.azimuth_deg + np.degrees(np.arctan2(across, along)), np.hypot(across, along))
    return float(lon), float(lat)


async def test_a_tracked_vehicle_of_known_position_tells_the_pose_and_what_could_not_be_used(app_client, login, camera):
    where = f"/api/cameras/{camera}/calibrations"
    await login(app_client, "suanfa")
    given = drive()
    made = await app_client.post(where, json={"vehicle": given})
    assert made.status_code == 201, made.text
    said = made.json()
    assert said["method"] == "vehicle" and said["fit"]["drives"] == 2 and said["fit"]["left_out"] == 3
    assert said["fit"]["points"] == len(given["boxes"]) - 3
    kept = {"boxes": [each for each in said["given"] if "left" in each], "positions": [each for each in said["given"] if "lon" in each]}
    assert len(kept["boxes"]) == len(given["boxes"]) and 0 < len(kept["positions"]) <= len(given["positions"])
    again = await app_client.post(where, json={"vehicle": kept})
    assert again.json()["pose"] == said["pose"] and again.json()["fit"] == said["fit"]
    assert abs(said["pose"]["azimuth_deg"] - 70.0) < 1.5 and abs(said["pose"]["pitch_deg"] + 12.0) < 2.5
    assert said["fit"]["rms_m"] < 0.6 and said["fit"]["mean_m"] < 5.0 and said["fit"]["coverage90"] is not None
    late = {**given, "positions": [{**each, "at": each["at"].replace("2026-05-01", "2026-05-02")} for each in given["positions"]]}
    refused = await app_client.post(where, json={"vehicle": late})
    assert refused.status_code == 422 and "0" in refused.json()["detail"] and "same clock" in refused.json()["remedy"]
    assert (await app_client.post(where, json={"vehicle": given, "control": control()})).status_code == 422
    assert (await app_client.post(where, json={"vehicle": {"boxes": [], "positions": []}})).status_code == 422
    await app_client.post(f"{where}/{said['id']}/apply")
    after = (await app_client.get(f"/api/cameras/{camera}")).json()
    assert abs(after["azimuth_deg"] - 70.0) < 1.5 and after["state"] == "online"


def test_a_real_vehicle_file_is_read_and_its_drives_placed_by_the_others(real_data):
    rows = []
    for line in (real_data("camera-calibration/helsinki-traffic/demo_data.csv")).read_text().splitlines():
        left, top, right, bottom, second, lat, lon = (float(part) for part in line.split(",")[:7])
        rows.append(f"{second},{left},{top},{right},{bottom},{np.degrees(lon):.10f},{np.degrees(lat):.10f}")
    body = points_of("at,left,top,right,bottom,lon,lat\n" + "\n".join(rows), 1024, 768)
    drive_in = body.vehicle
    mast = Camera(
        1, CODE, "路口", "traffic", 0.0, 8.0, 90.0, -10.0, 60.0, 200.0, 1.0, 1024, 768, None, [], "online", None, "3702", None, False,
        geom=Point(np.mean([each.lon for each in drive_in.positions]), np.mean([each.lat for each in drive_in.positions])), view=None,
    )  # fmt: skip
    posed = posing.from_vehicle(
        mast,
        np.array([[box.at.timestamp(), box.left, box.top, box.right, box.bottom] for box in drive_in.boxes]),
        np.array([[each.at.timestamp(), each.lon, each.lat] for each in drive_in.positions]),
    )
    assert posed.fit["points"] + posed.fit["left_out"] == len(rows) == 43 and posed.fit["points"] > 30
    assert posed.fit["mean_m"] < 5.0 and 0 < posed.fit["height_m"] < 40, posed
    assert posed.fit["coverage90"] < 0.8 and posed.fit["widened"] > 1.5, "drives disagree by more than the points of one drive show"


async def test_a_level_horizon_corrects_the_pitch_and_leaves_the_azimuth(app_client, login, camera):
    await login(app_client, "suanfa")
    azimuths = np.radians(95.0 + np.linspace(-28, 28, 8))
    level = Pose(120.38, 36.06, 8.0, 95.0, -9.0, 70.0, 1920, 1080)
    x, y = pixels(np.sin(azimuths), np.cos(azimuths), np.zeros(8), level, 95.0, -9.0, level.focal_px)
    marks = [{"x": float(u / 1920), "y": float(v / 1080)} for u, v in zip(x, y, strict=True)]
    said = (await app_client.post(f"/api/cameras/{camera}/calibrations", json={"horizon": marks})).json()
    assert abs(said["pose"]["pitch_deg"] + 9.0) < 0.3 and "azimuth_deg" not in said["pose"] and said["fit"]["azimuth_known"] is False and said["fit"]["rms_deg"] < 0.1
    old = control(5)
    assert (await app_client.put(f"/api/cameras/{camera}/control", json={"points": old})).json()["points"] == old
    await app_client.post(f"/api/cameras/{camera}/calibrations/{said['id']}/apply")
    assert (await app_client.get(f"/api/cameras/{camera}/control")).json()["points"] == [], "points of the pose before no longer hold"


async def test_the_command_reads_a_file_keeps_the_fit_and_applies_it(settings, camera, tmp_path, monkeypatch):
    file = tmp_path / "points.csv"
    file.write_text("x,y,lon,lat\n" + "\n".join(f"{p['x'] * 1920:.2f},{p['y'] * 1080:.2f},{p['lon']:.8f},{p['lat']:.8f}" for p in control(5)))
    monkeypatch.setattr(command, "ready", lambda: settings)
    told = await asyncio.to_thread(CliRunner().invoke, command.group, ["calibrate", CODE, str(file), "--apply"])
    last = json.loads(told.output.strip().splitlines()[-1])
    assert told.exit_code == 0 and last["applied"] and last["rms_m"] < 0.5 and last["mean_m"] is None
    with psycopg.connect(settings.database_url) as connection:
        assert abs(connection.execute("SELECT azimuth_deg FROM cameras").fetchone()[0] - 70.0) < 2.0
    refused = await asyncio.to_thread(CliRunner().invoke, command.group, ["calibrate", "1" * 20, str(file)])
    assert refused.exit_code == 1


def test_points_are_read_as_pixels_or_fractions_and_nonsense_is_named():
    assert points_of("0.5,0.5,120.3,36.1\n0.2,0.9,120.3,36.1", 1920, 1080).control[1].y == 0.9
    assert points_of("x,y\n960,540\n1920,270", 1920, 1080).horizon[0].x == 0.5
    assert points_of('{"horizon": [{"x": 0.1, "y": 0.2}]}', 10, 10).horizon[0].y == 0.2
    for wrong in ("a,b\nc,d", "0.1,0.2,120.3,36.1\n0.1,0.2", '{"control": 3}', "99999,5,120,36"):
        with pytest.raises(InvalidInput):
            points_of(wrong, 1920, 1080)
