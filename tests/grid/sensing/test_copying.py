"""Many findings at once by binary COPY: the same rows as one by one, known ones once, and rivals that meet."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from grid.database import connect, rows
from grid.errors import InvalidInput
from grid.sensing import columns, copying, intake

ALL = """
    SELECT source_event_id, sensor_kind, kind, class, score, recorded_at, algorithm, model_version, model_hash, accuracy_m, camera_id, bearing_deg,
           bearing_sigma_deg, evidence, boxes, properties - 'late_s' AS properties, properties ? 'late_s' AS late, region_code, cell_code, alert_id, fused_at,
           simulated, ST_AsEWKT(geom) AS geom, ST_AsEWKT(footprint) AS footprint
    FROM observations WHERE source = %(source)s ORDER BY source_event_id
"""


@pytest.fixture
def in_bulk(monkeypatch):
    monkeypatch.setattr(intake, "BULK", 1)


def _varied(finding) -> list:
    return [
        finding(),
        finding(120.38, 36.07, kind="garbage", camera_id=2, score=0.123456, accuracy_m=3.5),
        finding(camera_id=1, bearing_deg=359.5, bearing_sigma_deg=0.5, footprint=shapely.box(120.6, 36.1, 120.61, 36.11)),
        finding(evidence=("a" * 64,), boxes=({"box": [0.1, 0.2, 0.3, 0.4], "class": "烟"},), properties={"frp": 12.5, "字": ["a", None]}),
        finding(119.9, 35.6, ago_s=26 * 3600, simulated=True, class_name="烟 smoke", source_event_id="é‑1"),
    ]


async def test_bulk_rows_equal_single_ones(world, finding, monkeypatch):
    await world.execute(
        "INSERT INTO evidence (sha256, kind, media_type, bytes, region_code) VALUES (%(sha)s, 'frame', 'image/jpeg', 1, '3702')", {"sha": "a" * 64}
    )
    given = _varied(finding)
    singles = await intake.accept(world, [replace(f, source="single") for f in given])
    monkeypatch.setattr(intake, "BULK", 1)
    bulk = await intake.accept(world, [replace(f, source="bulk") for f in given])
    assert await rows(world, ALL, {"source": "bulk"}) == await rows(world, ALL, {"source": "single"})
    assert [(a.new, a.region_code, a.cell_code) for a in bulk] == [(a.new, a.region_code, a.cell_code) for a in singles]
    stored = {r["source_event_id"]: r["id"] for r in await rows(world, "SELECT id, source_event_id FROM observations WHERE source = 'bulk'")}
    assert [stored[a.source_event_id] for a in bulk] == [a.id for a in bulk] == sorted(a.id for a in bulk)


async def test_known_and_repeated_ones_stay_as_they_were(world, finding, in_bulk):
    first, second, third = finding(), finding(120.38, 36.07), finding(120.39, 36.08)
    (known,) = await intake.accept(world, [second])
    given = [third, first, replace(second, score=0.1), first, third]
    again = await intake.accept(world, given)
    assert [a.new for a in again] == [True, True, False, False, False]
    assert again[2].id == known.id and again[2].cell_code == known.cell_code and again[3].id == again[1].id and again[4].id == again[0].id
    found = await rows(world, "SELECT score FROM observations WHERE id = %(id)s", {"id": known.id})
    assert found[0]["score"] == pytest.approx(0.8) and len(await rows(world, "SELECT 1 FROM observations")) == 3
    assert not any(a.new for a in await intake.accept(world, given))


async def test_a_resent_batch_writes_nothing(world, finding, in_bulk):
    given = [finding() for _ in range(100)]
    first = await intake.accept(world, given)
    await world.execute("DELETE FROM procrastinate_jobs")
    again = await intake.accept(world, given[::-1])
    assert [a.id for a in again] == [a.id for a in first][::-1] and not any(a.new for a in again)
    assert await rows(world, "SELECT 1 FROM procrastinate_jobs") == []


async def test_rivals_keep_one_of_each(world, database_url, finding, in_bulk):
    shared = [finding() for _ in range(40)]
    other = await connect(database_url)
    try:
        first = await intake.accept(world, shared[:30])
        waiting = asyncio.create_task(intake.accept(other, shared[::-1][:30]))
        await asyncio.sleep(0.05)
        await world.commit()
        second = await waiting
        await other.commit()
    finally:
        await other.close()
    assert all(a.new for a in first) and sum(a.new for a in second) == 10
    assert len(await rows(world, "SELECT 1 FROM observations")) == 40


def _columns(count: int, **changes) -> columns.Columns:
    random = np.random.default_rng(3)
    base = {
        "source": "mast",
        "source_event_id": [f"e{i}" for i in range(count)],
        "sensor_kind": "camera",
        "kind": "garbage",
        "score": random.random(count),
        "recorded_us": np.full(count, int(datetime.now(UTC).timestamp() * 1e6) - 5_000_000),
        "lon": random.uniform(120.2, 120.9, count),
        "lat": random.uniform(36.0, 36.3, count),
        "accuracy_m": np.full(count, 8.0),
    }
    return columns.Columns(**{**base, **changes})


async def test_columns_are_the_findings_they_stand_for(world):
    batch = _columns(50, kind=["garbage", "smoke"] * 25, camera_id=[1, None] * 25)
    taken = await intake.accept_columns(world, batch)
    one_by_one = await intake.accept(world, [replace(batch.finding(row), source="again") for row in range(50)])
    assert taken.cell_codes.to_pylist() == [a.cell_code for a in one_by_one] and taken.new.all()
    assert await rows(world, ALL, {"source": "mast"}) == await rows(world, ALL, {"source": "again"})


@pytest.mark.parametrize(
    ("changes", "row", "field"),
    [
        ({"score": np.array([0.5, np.nan, 0.5])}, 1, "score"),
        ({"accuracy_m": np.array([0.5, 1.0, -1.0])}, 2, "accuracy_m"),
        ({"lon": np.array([120.4, 36.1, 120.4]), "lat": np.array([36.1, 120.4, 36.1])}, 1, "place"),
        ({"recorded_us": np.full(3, int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1e6))}, 0, "recorded_at"),
        ({"sensor_kind": ["camera", "oracle", "camera"]}, 1, "sensor_kind"),
        ({"kind": "Forest Fire"}, 0, "kind"),
        ({"source_event_id": ["a", "b\x00", "c"]}, 1, "source_event_id"),
        ({"source_event_id": ["a", "b", ""]}, 2, "source_event_id"),
        ({"camera_id": [None, 999, None]}, 1, "camera_id"),
    ],
)
async def test_columns_are_refused_as_findings_are(world, changes, row, field):
    with pytest.raises(InvalidInput) as refused:
        await intake.accept_columns(world, _columns(3, **changes))
    error = refused.value.extra["errors"][0]
    assert (error["row"], error["field"]) == (row, field) and error["remedy"]
    assert await rows(world, "SELECT 1 FROM observations") == []


async def test_cells_are_those_that_postgis_gives(world):
    await intake.accept_columns(world, _columns(3000))
    (wrong,) = await rows(
        world,
        """
        SELECT count(*) FROM observations o WHERE o.cell_code IS DISTINCT FROM
            (SELECT min(c.code) FROM cells c WHERE c.kind = 'management' AND c.valid @> hdq_today() AND ST_Covers(c.geom, o.geom))
        """,
    )
    assert wrong["count"] == 0


async def test_a_self_crossing_footprint_is_mended_on_its_way_as_a_column(world, finding):
    crossed = shapely.from_wkt("POLYGON ((120.6 36.1, 120.7 36.2, 120.7 36.1, 120.6 36.2, 120.6 36.1))")
    await intake.accept_columns(world, columns.of([finding(), finding(footprint=crossed), finding(kind="garbage")]))
    stored = await rows(world, "SELECT kind, ST_IsValid(footprint) AS valid, ST_Area(footprint) AS area FROM observations ORDER BY id")
    assert [(r["kind"], r["valid"]) for r in stored] == [("smoke", None), ("smoke", True), ("garbage", None)]
    assert stored[1]["area"] == pytest.approx(0.005)


async def test_ids_come_in_stretches_that_nobody_shares(conn, database_url):
    other = await connect(database_url)
    mine, theirs = await copying.reserve(conn, 2 * copying.STRIDE + 1), await copying.reserve(other, 5)
    more = await copying.reserve(conn, copying.STRIDE)
    await other.close()
    assert [len(mine), len(theirs), len(more)] == [129, 5, 64] and len({*mine, *theirs, *more}) == 198
    assert np.diff(mine).tolist() == [1] * 128 and mine[-1] < theirs[0] and theirs[-1] < more[0]
    assert len(await copying.reserve(conn, 0)) == 0
