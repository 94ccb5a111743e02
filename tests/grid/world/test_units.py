"""Units move: the last position, the trail, one event a region."""

from datetime import UTC, datetime, timedelta

import pytest

from grid import events
from grid.database import Scope, point
from grid.errors import InvalidInput, NotFound
from grid.world import units
from grid.world.units import NewUnit, UnitPosition

NOW = datetime.now(UTC)


@pytest.fixture
async def three(conn):
    await units.load(
        conn,
        [
            NewUnit(f"V{i}", f"巡逻车{i}", "vehicle", 40.0, "idle", region, point(120.4, 36.06), point(120.4, 36.06), 0.0, 10.0, True)
            for i, region in enumerate(["370202", "370202", "370212"])
        ],
    )
    await conn.execute("UPDATE units SET reported_at = %s", [NOW - timedelta(minutes=5)])
    return conn


async def test_a_batch_moves_units_and_says_so_once_a_region(three):
    a, b, c = await units.fleet(three, Scope("3702"), NOW)
    assert a.stale and a.age_s == pytest.approx(300, abs=1)
    moved = await units.move(three, [UnitPosition(u.id, 120.41, 36.07, NOW, 90.0, state="moving") for u in (a, b, c)])
    assert moved == 3
    published = [e for e in await events.since(three, 0) if e.kind == "units.moved"]
    assert [(e.region_code, len(e.payload["units"])) for e in published] == [("370202", 2), ("370212", 1)]
    fresh = (await units.fleet(three, Scope("370212"), NOW))[0]
    assert (fresh.lon, fresh.lat, fresh.heading_deg, fresh.state, fresh.stale) == (120.41, 36.07, 90.0, "moving", False)
    assert len(await units.trail(three, a.id, Scope("370202"), NOW - timedelta(minutes=1))) == 1
    assert await units.trail(three, a.id, Scope("370212"), NOW - timedelta(minutes=1)) == []


async def test_a_late_position_joins_the_trail_and_moves_nothing(three):
    unit = (await units.fleet(three, Scope("3702"), NOW))[0]
    await units.move(three, [UnitPosition(unit.id, 120.5, 36.1, NOW)])
    assert await units.move(three, [UnitPosition(unit.id, 120.3, 36.0, NOW - timedelta(seconds=30))]) == 0
    assert (await units.get(three, unit.id, Scope("3702"), NOW)).lon == 120.5
    assert [p.lon for p in await units.trail(three, unit.id, Scope("3702"), NOW - timedelta(minutes=1))] == [120.3, 120.5]


async def test_what_cannot_be_is_refused(three):
    with pytest.raises(NotFound):
        await units.move(three, [UnitPosition(999_999, 120.0, 36.0, NOW)])
    with pytest.raises(InvalidInput):
        await units.move(three, [UnitPosition(1, 120.0, 36.0, datetime(2026, 1, 1))])
    assert await units.move(three, []) == 0
