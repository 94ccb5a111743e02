"""Footprints against known buildings and permits: what is new, what is allowed, what is asked about."""

from datetime import UTC, date, datetime

import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput
from grid.sensing.unpermitted import judge, report
from grid.world import parcels
from grid.world.parcels import Parcel, Permit

LON, LAT = 120.400, 36.100
M = 1 / 111_000.0
DAY = date(2026, 6, 1)


def at(east: float, north: float, wide: float = 20.0, tall: float = 15.0) -> shapely.Polygon:
    """A footprint in metres from a corner."""
    x, y = LON + east * M / 0.808, LAT + north * M
    return shapely.box(x, y, x + wide * M / 0.808, y + tall * M)


@pytest.fixture
async def block(conn: AsyncConnection) -> AsyncConnection:
    """A known building, and a parcel to its east with a permit for 2026."""
    await conn.execute(
        """
        INSERT INTO buildings (id, name, address, use, height_m, floors, households, region_code, simulated, geom)
        VALUES (1, '', '', 'residential', 9, 3, 2, '370202', true, %(geom)s)
        """,
        {"geom": shapely.set_srid(at(0, 0), 4326)},
    )
    await parcels.load(
        conn,
        [Parcel("east", "residential", False, "", 1.0, "370202", True, shapely.MultiPolygon([at(100, -20, 60, 60)]))],
        [Permit("建字2026-1", "construction", "east", date(2026, 1, 1), date(2027, 1, 1), True)],
    )
    return conn


async def test_each_footprint_has_its_standing(block: AsyncConnection) -> None:
    given = [at(0.8, -0.7), at(0, 0, 20, 24), at(110, 0), at(300, 0), at(300, 50, 3, 3), at(150, 0, 20, 15)]
    found = await judge(block, given, DAY)
    assert [one.standing for one in found] == ["known", "candidate", "permitted", "candidate", "known", "candidate"]
    assert [one.extension for one in found] == [True, True, False, False, False, False]
    assert found[1].unpermitted_m2 == pytest.approx(20 * 7, rel=0.02) and found[3].unpermitted_m2 == pytest.approx(300, rel=0.01)
    assert found[5].unpermitted_m2 == pytest.approx(10 * 15, rel=0.02) and found[5].permits == ("建字2026-1",)
    assert found[2].rest is None and found[5].rest.area < found[5].footprint.area
    (late,) = await judge(block, [at(110, 0)], date(2027, 1, 1))
    assert late.standing == "candidate", "the permit has run out"
    assert [one.standing for one in await judge(block, [at(6, 0)], DAY, tolerance_m=8)] == ["known"]


async def test_candidates_come_through_the_one_door_once(block: AsyncConnection) -> None:
    found = await judge(block, [at(0.8, -0.7), at(300, 0), at(0, 0, 20, 24)], DAY)
    told = {"source": "ortho-1", "seen_at": datetime(2026, 6, 1, 3, tzinfo=UTC), "accuracy_m": 2.0, "algorithm": "footprints", "model_version": "1"}
    assert [one.new for one in await report(block, found, **told)] == [True, True]
    assert [one.new for one in await report(block, found, **told)] == [False, False]
    seen = await rows(block, "SELECT kind, class, properties FROM observations ORDER BY class")
    assert [(row["kind"], row["class"]) for row in seen] == [("illegal_structure", "building"), ("illegal_structure", "extension")]
    assert seen[0]["properties"]["area_m2"] == pytest.approx(300, rel=0.01)


async def test_what_is_no_footprint_is_refused(block: AsyncConnection) -> None:
    with pytest.raises(InvalidInput, match="footprint 1"):
        await judge(block, [shapely.Point(LON, LAT)], DAY)
    with pytest.raises(InvalidInput, match="tolerance 30"):
        await judge(block, [at(0, 0)], DAY, tolerance_m=30)
    assert await judge(block, [], DAY) == []
