"""The one door: what it refuses (by value, with a remedy), what it marks, and that nothing accepted is stored twice or lost."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from grid import events
from grid.database import Scope, connect, rows
from grid.errors import InvalidInput, TooLarge
from grid.sensing import columns, intake

NAN = float("nan")


def nested(levels: int) -> dict:
    """A box whose objects lie so deep inside one another."""
    inner: dict = {"box": [0.5, 0.1, 0.4, 0.5]}
    for _ in range(levels):
        inner = {"a": inner, "box": [0.1, 0.1, 0.4, 0.5]}
    return inner


async def test_accepts_and_places(world, finding):
    (accepted,) = await intake.accept(world, [finding(120.38, 36.07)])
    assert accepted.new and accepted.region_code == "370202001001" and accepted.cell_code == "370202001001001"
    (row,) = await rows(world, "SELECT *, ST_X(geom) AS lon FROM observations")
    assert row["lon"] == 120.38 and row["fused_at"] is None and row["received_at"].tzinfo is not None


async def test_at_sea_belongs_to_the_city(world, finding):
    (accepted,) = await intake.accept(world, [finding(120.3, 35.9)])
    assert accepted.region_code == "3702" and accepted.cell_code is None


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"score": NAN}, "score", "nan"),
        ({"score": 1.2}, "score", "1.2"),
        ({"score": -0.1}, "score", "-0.1"),
        ({"score": "0.5"}, "score", "0.5"),
        ({"score": True}, "score", "True"),
        ({"accuracy_m": float("inf")}, "accuracy_m", "inf"),
        ({"accuracy_m": 0.0}, "accuracy_m", "0.0"),
        ({"place": shapely.Point(NAN, 36.0)}, "place", "NaN"),
        ({"place": shapely.Point(float("inf"), 36.0)}, "place", "NaN"),
        ({"place": shapely.Point()}, "place", "POINT"),
        ({"place": shapely.Point(36.07, 120.38)}, "place", "swapped"),
        ({"place": shapely.Point(12.0, 95.0)}, "place", "outside"),
        ({"place": shapely.Point(40534467.46, 3993055.81)}, "place", "outside"),
        ({"recorded_at": datetime(2026, 1, 1)}, "recorded_at", "zone"),
        ({"recorded_at": datetime.now(UTC) + timedelta(hours=6)}, "recorded_at", "future"),
        ({"recorded_at": datetime(1969, 1, 1, tzinfo=UTC)}, "recorded_at", "1970"),
        ({"sensor_kind": "oracle"}, "sensor_kind", "oracle"),
        ({"kind": "Forest Fire"}, "kind", "Forest Fire"),
        ({"source": ""}, "source", "1"),
        ({"source_event_id": "a\x00b"}, "source_event_id", "x00"),
        ({"source_event_id": "x" * 201}, "source_event_id", "200"),
        ({"bearing_deg": 90.0}, "bearing_sigma_deg", "sigma"),
        ({"bearing_deg": 400.0, "bearing_sigma_deg": 1.0}, "bearing_deg", "400"),
        ({"evidence": ("../etc/passwd",)}, "evidence", "passwd"),
        ({"evidence": ("0" * 64,)}, "evidence", "000"),
        ({"camera_id": 999}, "camera_id", "999"),
        ({"boxes": ({"box": [0.1, 0.1, 1.4, 0.5]},)}, "boxes", "1.4"),
        ({"boxes": ({"box": [0.5, 0.1, 0.4, 0.5]},)}, "boxes", "x0<x1"),
        ({"properties": {"frp": NAN}}, "properties", "JSON"),
        ({"properties": {"a": "x" * 20_000}}, "properties", "16384"),
        ({"properties": {"a": "\x00"}}, "properties", "NUL"),
        ({"properties": {"a": "\ud800"}}, "properties", "JSON"),
        ({"properties": nested(100)}, "properties", "too deep"),
        ({"properties": nested(2_000)}, "properties", "64 levels"),
        ({"boxes": (nested(2_000),)}, "boxes", "64 levels"),
        ({"boxes": ({"a": nested(2_000)},)}, "boxes", "x0<x1"),
        ({"footprint": shapely.Polygon([(120, 36), (120.1, NAN), (120.1, 36)])}, "footprint", "NaN"),
        ({"footprint": shapely.from_wkt("POLYGON ((120 36, 120.1 36.1, 120 36, 120 36))")}, "footprint", "collapsed"),
        ({"footprint": shapely.box(36.0, 120.0, 36.1, 120.1)}, "footprint", "axis order"),
        ({"footprint": shapely.Point(120.4, 36.1).buffer(0.1, quad_segs=8000)}, "footprint", "vertices"),
    ],
)
async def test_refuses(world, finding, fields, field, says):
    with pytest.raises(InvalidInput) as refused:
        await intake.accept(world, [finding(), finding(**fields)])
    (error,) = refused.value.extra["errors"]
    assert error["row"] == 1 and error["field"] == field and error["remedy"]
    assert says in str(error) + refused.value.detail + error["remedy"]
    assert await rows(world, "SELECT 1 FROM observations") == []


async def test_the_clock_may_be_five_minutes_fast(world, finding):
    now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    fast = [finding(recorded_at=now + timedelta(seconds=s)) for s in (299, 301)]
    assert (await intake.accept(world, fast[:1], now=now))[0].new
    with pytest.raises(InvalidInput, match="2026-05-01T12:05:01"):
        await intake.accept(world, fast[1:], now=now)


async def test_names_every_bad_row(world, finding):
    with pytest.raises(InvalidInput) as refused:
        await intake.accept(world, [finding(score=2.0), finding(), finding(accuracy_m=-1.0)])
    assert [(e["row"], e["field"]) for e in refused.value.extra["errors"]] == [(0, "score"), (2, "accuracy_m")]


async def test_known_ones_once(world, finding):
    first, second = finding(), finding()
    await intake.accept(world, [first])
    again = await intake.accept(world, [first, second, second])
    assert [a.new for a in again] == [False, True, False]
    assert again[1].id == again[2].id and len(await rows(world, "SELECT 1 FROM observations")) == 2


async def test_late_is_marked_and_out_of_order_is_taken(world, finding):
    accepted = await intake.accept(world, [finding(), finding(ago_s=25 * 3600), finding(ago_s=3600), finding(ago_s=-200)])
    stored = {r["id"]: r["properties"] for r in await rows(world, "SELECT id, properties FROM observations")}
    assert [("late_s" in stored[a.id]) for a in accepted] == [False, True, False, False]
    assert abs(stored[accepted[1].id]["late_s"] - 25 * 3600) < 60


async def test_one_event_one_job_a_batch(world, finding):
    batch = await intake.accept(world, [finding(), finding(120.38, 36.07, kind="garbage")])
    await intake.accept(world, [finding()])
    first, second = await events.since(world, 0)
    assert first.kind == second.kind == "observation.accepted"
    assert first.region_code == "3702" and first.payload == {"ids": [a.id for a in batch], "count": 2, "kind": "mixed"}
    assert second.region_code == "370212001001" and second.payload["kind"] == "smoke"
    assert await rows(world, "SELECT task_name FROM procrastinate_jobs WHERE status = 'todo'") == [{"task_name": "fuse"}]


async def test_nothing_new_says_nothing(world, finding):
    known = finding()
    await intake.accept(world, [known])
    await world.execute("DELETE FROM procrastinate_jobs")
    assert await intake.accept(world, []) == []
    await intake.accept(world, [known])
    assert len(await events.since(world, 0)) == 1 and await rows(world, "SELECT 1 FROM procrastinate_jobs") == []


async def test_a_self_crossing_footprint_is_mended(world, finding):
    await intake.accept(world, [finding(footprint=shapely.from_wkt("POLYGON ((120 36, 120.1 36.1, 120.1 36, 120 36.1, 120 36))"))])
    assert await rows(world, "SELECT ST_IsValid(footprint) AS valid FROM observations") == [{"valid": True}]


async def test_ten_thousand_at_once(world, finding):
    random = np.random.default_rng(7)
    spots = np.column_stack([random.uniform(120.2, 120.9, 10_000), random.uniform(36.0, 36.3, 10_000)])
    accepted = await intake.accept(world, [finding(lon, lat) for lon, lat in spots])
    assert len({a.id for a in accepted}) == 10_000 and all(a.new and a.cell_code for a in accepted)
    (event,) = await events.since(world, 0)
    assert event.payload["count"] == 10_000 and len(str(event.payload)) < 4096


async def test_too_many_at_once(world, finding):
    with pytest.raises(TooLarge, match="20,001"):
        await intake.accept(world, [finding()] * 20_001)


async def test_two_doors_at_once_keep_one(world, database_url, finding):
    """The second transaction waits for the first one's row and then finds it known."""
    shared = [finding() for _ in range(20)]
    other = await connect(database_url)
    try:
        first = await intake.accept(world, shared)
        waiting = asyncio.create_task(intake.accept(other, shared[::-1]))
        await asyncio.sleep(0.05)
        await world.commit()
        second = await waiting
        await other.commit()
    finally:
        await other.close()
    assert all(a.new for a in first) and not any(a.new for a in second)
    assert {a.id for a in first} == {a.id for a in second}


async def _as_columns(connection, findings, **options):
    return await intake.accept_columns(connection, columns.of(findings), **options)


@pytest.mark.parametrize("accept", [intake.accept, _as_columns])
async def test_who_has_a_region_names_no_camera_and_no_footprint_elsewhere(world, finding, accept):
    west, there = Scope("370202"), (120.38, 36.07)
    beside, elsewhere = shapely.box(120.3805, 36.069, 120.382, 36.071), shapely.box(120.6, 36.1, 120.61, 36.11)
    for wrong, field in (({"camera_id": 1}, "camera_id"), ({"footprint": elsewhere}, "footprint")):
        with pytest.raises(InvalidInput) as refused:
            await accept(world, [finding(*there), finding(*there, **wrong)], scope=west)
        assert [(e["row"], e["field"]) for e in refused.value.extra["errors"]] == [(1, field)]
    assert await rows(world, "SELECT 1 FROM observations") == []
    await accept(world, [finding(*there, camera_id=2, footprint=beside)], scope=west)
    await accept(world, [finding(*there, camera_id=1, footprint=elsewhere)])
    await accept(world, [finding(*there, camera_id=1)], scope=Scope("3702"))
    assert len(await rows(world, "SELECT 1 FROM observations")) == 3


async def test_no_device_says_that_an_authority_warns(world, finding):
    warning = finding(120.38, 36.07, kind="official_warning", properties={"severity": "Extreme"})
    few, many = [finding(120.38, 36.07), warning], [finding(120.38, 36.07), replace(warning, properties={})]
    for taking in (intake.accept(world, few, scope=Scope("3702")), intake.accept_columns(world, columns.of(many), scope=Scope("3702"))):
        with pytest.raises(InvalidInput) as refused:
            await taking
        assert [(e["row"], e["field"], e["remedy"]) for e in refused.value.extra["errors"]] == [(1, "kind", "POST /api/cap")]
    assert (await intake.accept(world, [warning]))[0].new, "our own reader of CAP"
