"""From findings to alerts on the real database: one thing one alert, whatever the order, the delay, the sensor or the number of workers."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from grid import events, geometry
from grid.database import Scope, connect, row, rows
from grid.sensing import alerts, calibration, fusion, intake, observations, rules

CITY = Scope("3702")
FIRE = (120.62, 36.20)


async def seen(conn, *findings):
    await intake.accept(conn, findings)
    ids = await fusion.fuse(conn)
    while await observations.count_pending(conn):
        ids += await fusion.fuse(conn)
    return ids


async def test_a_tower_opens_an_alert(world, finding):
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1, score=0.8))
    alert = await alerts.get(world, CITY, alert_id)
    assert (alert.kind, alert.state, alert.agreement, alert.version) == ("forest_fire", "open", "nominal", 1)
    assert alert.severity == 1 and alert.probability == pytest.approx(0.8) and alert.accuracy_m == pytest.approx(60, rel=0.1)
    assert alert.place_name == "崂山区 · 北宅街道 · 网格 001" and alert.region_code == "370212001001"
    stored = await row(world, "SELECT * FROM alerts")
    texts = [reason["text"] for reason in stored["reasons"]]
    assert "北宅高点 01发现烟雾，置信度 0.80" in texts and any("火险等级 5" in text for text in texts) and any("±60 米" in text for text in texts)
    assert stored["region90"].contains(stored["region50"].centroid)
    (observation,) = await rows(world, "SELECT alert_id, fused_at FROM observations")
    assert observation["alert_id"] == alert_id and observation["fused_at"] is not None


async def test_says_so_last_and_asks_for_legality(world, finding):
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1))
    *_, event = await events.since(world, 0)
    assert event.kind == "alert.opened" and event.region_code == "370212001001" and event.entity_id == str(alert_id)
    assert {"id", "kind", "title", "severity", "lon", "lat", "state", "place"} <= set(event.payload)
    (job,) = await rows(world, "SELECT args FROM procrastinate_jobs WHERE task_name = 'enrich'")
    assert job["args"] == {"alert_id": alert_id}


async def test_repeated_fusion_changes_nothing(world, finding):
    await seen(world, finding(*FIRE, camera_id=1))
    before = await rows(world, "SELECT * FROM events")
    assert await fusion.fuse(world) == [] and await rows(world, "SELECT * FROM events") == before


async def test_agreement_climbs(world, finding):
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1, score=0.6))
    one = await alerts.get(world, CITY, alert_id)
    assert await seen(world, finding(*FIRE, camera_id=3, score=0.6)) == [alert_id]
    two = await alerts.get(world, CITY, alert_id)
    pixel = shapely.box(FIRE[0] - 0.002, FIRE[1] - 0.002, FIRE[0] + 0.002, FIRE[1] + 0.002)
    satellite = finding(*FIRE, sensor_kind="satellite", source="viirs", kind="hotspot", accuracy_m=300.0, footprint=pixel)
    assert await seen(world, satellite) == [alert_id]
    three = await alerts.get(world, CITY, alert_id)
    assert [a.agreement for a in (one, two, three)] == ["nominal", "high", "highest"]
    assert one.probability < two.probability < three.probability and one.version < two.version < three.version
    assert three.sensor_kinds == ["camera", "satellite"] and three.observation_count == 3 and three.severity == 1


async def test_two_bearings_cross_where_it_burns(world, finding):
    """Both towers see the direction well and the range badly; the alert of both lies where their bearings meet."""
    masts = {1: (120.60, 36.20), 3: (120.66, 36.17)}
    truth = (120.625, 36.195)
    alert_ids = []
    for camera_id, mast in masts.items():
        azimuth, distance = geometry.inverse(*mast, *truth)
        guess = geometry.destination(*mast, azimuth, distance + 700)
        alert_ids += await seen(world, finding(*guess, camera_id=camera_id, bearing_deg=azimuth, bearing_sigma_deg=0.4, accuracy_m=2500.0))
    assert len(set(alert_ids)) == 1
    alert = await alerts.get(world, CITY, alert_ids[0])
    assert geometry.inverse(alert.geom.x, alert.geom.y, *truth)[1] < 60 and alert.accuracy_m < 150
    stored = await row(world, "SELECT reasons FROM alerts")
    assert any("交会" in reason["text"] for reason in stored["reasons"])


async def test_far_in_space_or_time_is_another(world, finding):
    first = await seen(world, finding(*FIRE, camera_id=1))
    far = await seen(world, finding(120.70, 36.10, camera_id=1))
    later = await seen(world, finding(*FIRE, camera_id=1, ago_s=-0.0), finding(*FIRE, camera_id=1, ago_s=3 * 3600))
    assert len({*first, *far, *later}) == 3


async def test_out_of_order_makes_one(world, finding):
    """The middle one arrives last and bridges nothing that is already one."""
    ids = []
    for ago in (10, 5000, 2500):
        ids += await seen(world, finding(*FIRE, camera_id=1, ago_s=ago))
    assert len(set(ids)) == 1
    alert = await alerts.get(world, CITY, ids[0])
    assert (alert.last_seen_at - alert.first_seen_at).total_seconds() == pytest.approx(4990, abs=5)


async def test_a_day_late_is_kept_marked_and_calm(world, finding):
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1, ago_s=25 * 3600))
    alert = await alerts.get(world, CITY, alert_id)
    stored = await row(world, "SELECT reasons FROM alerts")
    assert alert.severity == 3 and any("迟到" in reason["text"] for reason in stored["reasons"])
    assert await seen(world, finding(*FIRE, camera_id=1)) != [alert_id]


async def test_last_weeks_vintage_is_not_late(world, finding):
    """A satellite change is as old as its scene: lateness counts from the rule's own merge time."""
    field = shapely.box(120.60, 36.20, 120.603, 36.202)
    fields = {"kind": "vegetation_loss", "sensor_kind": "satellite", "source": "l8", "footprint": field}
    (alert_id,) = await seen(world, finding(120.6015, 36.201, ago_s=7 * 86_400, **fields))
    stored = await row(world, "SELECT reasons FROM alerts")
    assert (await alerts.get(world, CITY, alert_id)).severity == 2 and not any("迟到" in reason["text"] for reason in stored["reasons"])


async def test_below_the_gate_is_kept_with_the_reason_and_may_help_later(world, finding):
    assert await seen(world, finding(120.38, 36.07, camera_id=2, score=0.5)) == []
    (first,) = await rows(world, "SELECT properties, fused_at FROM observations")
    assert "起报" in first["properties"]["held"]["text"] and first["fused_at"] is not None
    (alert_id,) = await seen(world, finding(120.38, 36.07, sensor_kind="person", source="person:9", kind="forest_fire", score=0.5))
    assert (await alerts.get(world, CITY, alert_id)).observation_count in (1, 2)
    await seen(world, finding(120.45, 36.1, camera_id=2, score=0.5))
    (other,) = await seen(world, finding(120.45, 36.1, source="cam9", score=0.5))
    alert = await alerts.get(world, CITY, other)
    assert alert.observation_count == 2 and alert.agreement == "high"


async def test_kinds_without_a_rule_are_kept(world, finding):
    assert await seen(world, finding(kind="vehicle")) == []
    (stored,) = await rows(world, "SELECT properties, fused_at, alert_id FROM observations")
    assert stored["alert_id"] is None and "vehicle" in stored["properties"]["held"]["text_en"]


async def test_garbage_within_50_m(world, finding):
    ids = await seen(
        world,
        finding(120.38, 36.07, kind="garbage", accuracy_m=5.0),
        finding(120.3803, 36.07, kind="garbage", accuracy_m=5.0),
        finding(120.3820, 36.07, kind="garbage", accuracy_m=5.0),
    )
    counts = {a.observation_count for a in (await alerts.page(world, CITY, alerts.Filters()))[0]}
    assert len(ids) == 2 and counts == {1, 2}


async def test_a_patch_keeps_its_area(world, finding):
    field = shapely.box(120.60, 36.20, 120.601, 36.2005)
    (alert_id,) = await seen(world, finding(120.6005, 36.20025, kind="vegetation_loss", sensor_kind="satellite", source="pair:1", footprint=field))
    assert (await alerts.get(world, CITY, alert_id)).severity == 3
    stored = await row(world, "SELECT reasons FROM alerts")
    assert any(reason["value"] == pytest.approx(geometry.area_m2(field), rel=0.01) for reason in stored["reasons"] if isinstance(reason["value"], float))


async def test_dismissed_does_not_flap(world, finding):
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1))
    await alerts.set_state(world, alert_id, "dismissed", by=None)
    assert await seen(world, finding(*FIRE, camera_id=1)) == [alert_id]
    assert (await alerts.get(world, CITY, alert_id)).state == "dismissed"
    (other,) = await seen(world, finding(*FIRE, sensor_kind="satellite", source="viirs", kind="hotspot"))
    assert other != alert_id, "another kind of system overrules the dismissal"


async def test_the_record_speaks(world, finding):
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1, score=0.8))
    for _ in range(30):
        await calibration.record(world, alert_id, hit=False)
    (other,) = await seen(world, finding(120.8, 36.05, camera_id=3, score=0.8))
    assert (await alerts.get(world, CITY, other)).probability == pytest.approx(0.8)
    assert await seen(world, finding(120.8, 36.29, camera_id=1, score=0.8)) == [], "8/40: below the gate outside forest"


async def test_two_fusers_open_one(world, database_url, finding):
    """Two workers at once, findings of one fire split over many accepting transactions."""
    await intake.accept(world, [finding(*FIRE, camera_id=1) for _ in range(30)])
    await world.commit()
    connections = [await connect(database_url) for _ in range(4)]

    async def one(connection):
        await intake.accept(connection, [finding(*FIRE, camera_id=3) for _ in range(5)])
        await connection.commit()
        ids = await fusion.fuse(connection)
        await connection.commit()
        return ids

    try:
        ids = {alert_id for found in await asyncio.gather(*(one(c) for c in connections)) for alert_id in found}
    finally:
        for connection in connections:
            await connection.close()
    assert len(ids) == 1 and len(await rows(world, "SELECT 1 FROM alerts")) == 1
    alert = await alerts.get(world, CITY, ids.pop())
    assert alert.observation_count == 50
    assert await rows(world, "SELECT count(*) AS n FROM observations WHERE alert_id IS NULL") == [{"n": 0}]
    assert [e.id for e in await events.since(world, 0)] == list(range(1, len(await events.since(world, 0)) + 1))


async def test_an_accepting_transaction_shows(world, database_url, finding):
    other = await connect(database_url)
    try:
        await intake.accept(other, [finding()])
        assert len(await fusion.in_flight(world)) == 1
        await other.commit()
        assert await fusion.in_flight(world) == frozenset()
    finally:
        await other.close()


async def test_a_poisonous_rule_holds_up_nothing(world, finding):
    def gate(signals):
        if any(s.score == 0.123 for s in signals):
            raise ZeroDivisionError("poison")
        return litter.gate(signals)

    litter = rules.every()["street_litter"]
    known = {"street_litter": replace(litter, gate=gate)}
    await intake.accept(world, [finding(120.38, 36.07, kind="garbage", score=s) for s in (0.123, 0.9)])
    (alert_id,) = await fusion.fuse(world, known)
    assert (await alerts.get(world, CITY, alert_id)).observation_count == 1
    stored = await rows(world, "SELECT properties FROM observations WHERE alert_id IS NULL")
    assert "poison" in stored[0]["properties"]["held"]["text_en"]


async def test_a_burst_of_thousands_is_judged(world, finding):
    """3,000 findings of 60 places come out as 60 alerts."""
    random = np.random.default_rng(3)
    spots = np.column_stack([120.22 + 0.004 * np.arange(60), np.full(60, 36.05)])
    batch = [finding(*(spots[i % 60] + random.normal(0, 1e-5, 2)), kind="garbage", accuracy_m=5.0, camera_id=2) for i in range(3000)]
    ids = await seen(world, *batch)
    assert len(set(ids)) == 60
    page, total = await alerts.page(world, CITY, alerts.Filters(limit=100))
    assert total == 60 and sum(a.observation_count for a in page) == 3000


async def test_ends_are_times(world, finding):
    now = datetime.now(UTC)
    (alert_id,) = await seen(world, finding(*FIRE, camera_id=1))
    await alerts.set_state(world, alert_id, "closed", by=None)
    alert = await alerts.get(world, CITY, alert_id)
    assert alert.closed_at - now < timedelta(seconds=30)
    (again,) = await seen(world, finding(*FIRE, camera_id=1, ago_s=-1))
    assert again != alert_id, "what is seen after the end is a new thing"
    assert await seen(world, finding(*FIRE, camera_id=1, ago_s=60)) == [again], "the open one comes first"
