"""Zones in the pipeline: from frames to a finding with zone, stay and speed, once, and to an alert that names the zone."""

from datetime import UTC, datetime, time, timedelta

import pytest
import shapely

from grid.database import Scope, row, rows
from grid.sensing import fusion
from grid.world import camera_zones, cameras, zone_visits
from grid.world.camera_zones import Draft
from imagery.cameras import examine, weights
from imagery.cameras.backlog import accept_frame
from imagery.cameras.detectors import named
from imagery.cameras.examine import detect_frame
from tests.imagery.cameras.conftest import jpeg, picture, write_model

CITY = Scope("3702")


@pytest.fixture
def yard(settings, tmp_path):
    """A model of things that no detector of ours knows, in the registry: class digger, found where it is white."""
    write_model(tmp_path / "yard.onnx", labels=("digger",))
    return weights.add_model(weights.models_dir(settings.data_dir), tmp_path / "yard.onnx", model_id="yard", licence="", provenance="")


@pytest.fixture
def show(conn, settings):
    """Shows pictures to a camera, one for each list of white boxes, some seconds apart, and examines them; returns the findings of each."""

    async def run(camera, pictures, *, start=None, step_s=20, first=0):
        start = start or datetime.now(UTC) - timedelta(minutes=6)
        done = []
        for number, boxes in enumerate(pictures, first):
            accepted = await accept_frame(conn, settings, camera, jpeg(picture(boxes, seed=number)), start + timedelta(seconds=step_s * number))
            done.append((await detect_frame(conn, settings, accepted.frame_id)).findings)
            await conn.commit()
        return done

    return run


async def draw(conn, camera, shape, **changes):
    on_map = shapely.get_srid(shape) == 4326
    wanted = {"name": "禁挖区", "purpose": "forbidden", "kind": "zone_intrusion", "detector": "any-yard", "classes": ("digger",)} | changes
    zone = await camera_zones.create(conn, CITY, None, Draft(**wanted, shape=shape, camera_id=None if on_map else camera.id))
    await conn.commit()
    return zone


def block(column: int, row: int = 5) -> tuple[int, int, int, int]:
    """A white box over a cell of the 8 × 8 of a 320 × 240 picture (letterboxed to 320 × 320)."""
    return column * 40, row * 40 - 40, column * 40 + 40, row * 40


RIGHT = shapely.box(0.5, 0.3, 1.0, 0.95)


async def test_who_stays_in_a_zone_long_enough_is_one_finding_with_zone_stay_and_speed(conn, settings, make_camera, yard, show):
    camera = await make_camera(detectors=[], pitch_deg=-12.0)
    zone = await draw(conn, camera, RIGHT, min_dwell_s=50)
    done = await show(camera, [(block(6),)] * 5)
    assert done == [0, 0, 0, 1, 0]  # 60 s inside, then said again after a minute
    (seen,) = await rows(conn, "SELECT kind, class, score, properties, algorithm, simulated, evidence FROM observations")
    told = seen["properties"]["zone"]
    assert (seen["kind"], seen["class"], seen["algorithm"], told["id"], told["name"], told["version"]) == ("zone_intrusion", "digger", "any-yard", zone.id, "禁挖区", 1)
    assert (told["dwell_s"], told["inside"], told["count"], told["visible"]) == (60.0, 1.0, 1, 1.0)
    assert told["motion"]["speed_ms"] < 1.0 and told["motion"]["speed_sigma_ms"] > 0 and told["motion"]["course_deg"] is None
    assert 0 < seen["score"] <= 1 and len(seen["evidence"]) == 3
    (visit,) = await rows(conn, "SELECT track_id, extract(epoch FROM seen_at - entered_at)::int AS s, reported_at IS NOT NULL AS told FROM zone_visits")
    assert (visit["s"], visit["told"]) == (80, True)
    assert await show(camera, [(block(6),)] * 2, first=5) == [0, 1]


async def test_a_stay_longer_than_a_track_is_remembered_is_one_row_and_told_whole(conn, make_camera, yard, show):
    camera = await make_camera(detectors=[])
    await draw(conn, camera, RIGHT, min_dwell_s=8000)
    done = await show(camera, [(block(6),)] * 36, start=datetime.now(UTC) - timedelta(hours=3), step_s=240)
    assert done == [0] * 34 + [1, 1]  # 8,160 s: sightings are remembered for 7,200 s
    told = [r["dwell_s"] for r in await rows(conn, "SELECT (properties -> 'zone' ->> 'dwell_s')::float AS dwell_s FROM observations ORDER BY recorded_at")]
    assert told == [8160.0, 8400.0]
    assert [r["s"] for r in await rows(conn, "SELECT extract(epoch FROM seen_at - entered_at)::int AS s FROM zone_visits")] == [8400]


@pytest.mark.parametrize("purpose", ["forbidden", "crowd"])
async def test_a_stay_of_more_sightings_than_are_remembered_is_told_too(conn, make_camera, yard, show, monkeypatch, purpose):
    monkeypatch.setattr(examine, "REMEMBERED", 4)
    camera = await make_camera(detectors=[])
    await draw(conn, camera, RIGHT, purpose=purpose, least=1, min_dwell_s=100)
    assert await show(camera, [(block(6),)] * 4 + [(block(1),)] + [(block(6),)] * 2) == [0, 0, 0, 0, 0, 1, 0]
    (visit,) = await rows(conn, "SELECT extract(epoch FROM seen_at - entered_at)::int AS s FROM zone_visits")
    assert visit["s"] == 120
    assert await show(camera, [(block(1),)] * 5 + [(block(6),)] * 5, first=7) == [0] * 10, "who left and comes back stays anew"


async def test_outside_or_too_short_or_of_another_class_is_nobody_s_business(conn, settings, make_camera, yard, show):
    camera = await make_camera(detectors=["any-yard"])
    await draw(conn, camera, RIGHT)
    assert await show(camera, [(block(1),)] * 4) == [0, 0, 0, 0]
    assert await show(camera, [(block(6),), (block(6),), (block(1),), (block(1),)], first=4) == [0, 0, 0, 0]
    assert await rows(conn, "SELECT id FROM observations") == []
    assert (await row(conn, "SELECT count(*) AS n FROM detections"))["n"] == 8
    assert named("any-yard", weights.models_dir(settings.data_dir)).detector.kinds == {"digger": "digger"}


async def test_a_zone_off_its_hours_watches_nothing(conn, settings, make_camera, yard, show):
    camera = await make_camera(detectors=["any-yard"])
    hour = datetime.now(camera_zones.CLOCK)
    later = (hour + timedelta(hours=2)).time().replace(second=0, microsecond=0)
    zone = await draw(conn, camera, RIGHT, from_time=later, until_time=time((later.hour + 1) % 24, later.minute))
    assert not zone.active(hour) and zone.active(hour + timedelta(hours=2, minutes=30))
    assert await show(camera, [(block(6),)] * 4) == [0, 0, 0, 0]


async def test_a_stream_followed_for_a_zone_runs_the_detector_of_the_zone_only_and_none_while_it_rests(conn, settings, make_camera, yard, white_model, show):
    weights.add_model(weights.models_dir(settings.data_dir), white_model, model_id="smoke-fire", licence="", provenance="")
    hour = datetime.now(camera_zones.CLOCK).replace(minute=0, second=0, microsecond=0)
    later = {"from_time": (hour + timedelta(hours=2)).time(), "until_time": (hour + timedelta(hours=3)).time()}
    followed, resting, pushed, elsewhere = [await make_camera(detectors=[], stream=stream) for stream in ("rtsp://a", "rtsp://b", None, "rtsp://c")]
    assert await cameras.streaming(conn) == []
    for camera, hours in ((followed, {}), (resting, later), (pushed, {})):
        await draw(conn, camera, RIGHT, **hours)
    assert [camera.id for camera in await cameras.streaming(conn)] == [followed.id, resting.id]
    for camera in (followed, resting, pushed, elsewhere):
        await show(camera, [(block(6),)], start=datetime.now(UTC))
    ran = await rows(conn, "SELECT camera_id, array_agg(detector ORDER BY detector) AS ids FROM detections GROUP BY 1 ORDER BY 1")
    assert [(r["camera_id"], r["ids"]) for r in ran] == [
        (followed.id, ["any-yard"]), (pushed.id, ["any-yard", "smoke-fire"]), (elsewhere.id, ["smoke-fire"]),
    ]  # fmt: skip
    assert {r["state"] for r in await rows(conn, "SELECT state FROM frames")} == {"done"}
    await draw(conn, followed, RIGHT, detector="boats", classes=())
    assert await cameras.runs(conn, [followed.id, resting.id, elsewhere.id]) == {followed.id: 2, resting.id: 1, elsewhere.id: 1}


def test_hours_over_midnight_belong_to_the_evening_they_began_on():
    zone = camera_zones.Zone(1, "x", "forbidden", "k", "d", [], 1, "c", RIGHT, None, 1, 0, [1], time(22), time(5), True, 1, "3702", False, None, datetime.now(UTC))
    monday = datetime(2026, 11, 23, tzinfo=camera_zones.CLOCK)
    assert [zone.active(monday + timedelta(hours=h)) for h in (4, 21, 22, 26, 28, 29, 46, 50)] == [False, False, True, True, True, False, False, False]


async def test_a_zone_on_the_map_finds_them_too_and_the_alert_names_it(conn, settings, make_camera, yard, show):
    camera = await make_camera(detectors=[], pitch_deg=-12.0, view=shapely.set_srid(shapely.Point(120.6, 36.2).buffer(0.02), 4326))
    east = shapely.set_srid(shapely.box(120.6, 36.195, 120.63, 36.205), 4326)
    await draw(conn, camera, east, name="东侧海域", kind="boat_no_go")
    north = shapely.set_srid(shapely.box(120.59, 36.21, 120.6, 36.215), 4326)
    await draw(conn, camera, north, name="北侧海域", kind="boat_no_go")
    assert await show(camera, [(block(3),)] * 3) == [0, 0, 1]
    await fusion.fuse(conn)
    (alert,) = await rows(conn, "SELECT kind, reasons FROM alerts")
    assert alert["kind"] == "boat_no_go"
    assert any("东侧海域" in reason["text"] and "已停留 40 秒" in reason["text"] and "东侧海域" in reason["text_en"] for reason in alert["reasons"])
    assert "北侧海域" not in str(alert["reasons"])


async def test_a_crowd_is_counted_inside_only(conn, settings, make_camera, yard, show):
    camera = await make_camera(detectors=[])
    await draw(conn, camera, RIGHT, purpose="crowd", kind="crowd", least=2, min_dwell_s=30)
    few, many = (block(1), block(4), block(2)), (block(1), block(4), block(6))
    assert await show(camera, [few, many, many, many, many]) == [0, 0, 0, 1, 0]
    (seen,) = await rows(conn, "SELECT kind, properties, boxes FROM observations")
    assert (seen["kind"], seen["properties"]["zone"]["count"], seen["properties"]["zone"]["dwell_s"]) == ("crowd", 2, 40.0)


async def test_a_line_counts_each_crossing_once_by_direction_and_makes_no_finding(conn, settings, make_camera, yard, show):
    camera = await make_camera(detectors=[])
    line = await draw(conn, camera, shapely.LineString([(0.505, 0.95), (0.505, 0.05)]), purpose="count", kind="")
    assert await show(camera, [(block(c),) for c in (2, 3, 4, 5, 4, 3, 4)], step_s=10) == [0] * 7
    (count,) = await zone_visits.counts(conn, CITY, line.id)
    assert (count.forward, count.backward, count.camera_id) == (2, 1, camera.id)
    assert await zone_visits.counts(conn, Scope("370202"), line.id) == []
