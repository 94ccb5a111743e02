"""The component census places itself, parcels and permits remember what was known when, and the coast is read by its stakes."""

from datetime import UTC, date, datetime, timedelta

import pytest
import shapely

from grid.casework import regridded
from grid.database import Scope, row, rows
from grid.errors import InvalidInput, NotFound
from grid.world import cells, coast, components, parcels, regions
from grid.world.components import Component
from grid.world.redistricting import Wish

REGION = "370202001001"
CITY = Scope("3702")


def lamp(number: int, lon: float, **changes: object) -> Component:
    values = {
        "code": f"37020201018{number:06d}", "name": "路灯", "owner": "城管局", "keeper": "照明所", "condition": "intact", "accuracy": "A", "address": "",
        "surveyed_on": date(2026, 3, 1), "simulated": True, "geom": shapely.Point(lon, 36.065), "since": date(2020, 1, 1),
    }  # fmt: skip
    return Component(**{**values, **changes})


@pytest.fixture
async def town(conn):
    for code in ("3702", "370202", "370202001", REGION):
        box = shapely.MultiPolygon([shapely.box(120.38, 36.06, 120.39, 36.07)])
        await regions.load(conn, [regions.Region(code, regions.level_of(code), code, "", regions.parent_of(code), True, "test", box)])
    await cells.load(conn, [cells.Cell(f"{REGION}001", "网格", REGION, True, shapely.MultiPolygon([shapely.box(120.38, 36.06, 120.385, 36.07)]))])
    return conn


async def test_components_find_their_grid_and_follow_it(town):
    assert await components.load(town, [lamp(1, 120.381), lamp(2, 120.384, condition="damaged"), lamp(3, 120.388), lamp(4, 121.5)]) == 4
    found = await rows(town, "SELECT code, region_code, cell_code, class_code FROM components ORDER BY code")
    assert [(r["region_code"], r["cell_code"]) for r in found] == [(REGION, f"{REGION}001"), (REGION, f"{REGION}001"), (REGION, None), ("3702", None)]
    counted = {c.code: (c.count, c.impaired, c.accuracy) for c in await components.census(town, Scope("370202"))}
    assert counted["01018"] == (3, 1, "A") and counted["04002"] == (0, 0, "B")
    chosen = (await row(town, "SELECT id FROM cells"))["id"]
    line = shapely.LineString([(120.3825, 36.05), (120.3825, 36.08)])
    _, _, moved = await regridded.change(town, CITY, Wish("split", (chosen,), line=line), None)
    assert moved["components"] == 2
    assert [r["cell_code"] for r in await rows(town, "SELECT cell_code FROM components ORDER BY code")] == [f"{REGION}002", f"{REGION}003", None, None]


async def test_a_wrong_component_is_refused(town):
    for wrong in ({"code": "1"}, {"accuracy": "D"}, {"condition": "fine"}, {"code": "37020277018000001"}):
        with pytest.raises(InvalidInput):
            await components.load(town, [lamp(1, 120.381, **wrong)])
    assert await components.load(town, []) == 0
    assert components.ACCURACY_M == {"A": 0.5, "B": 1.0, "C": 10.0}


async def test_parcels_remember_what_was_known_when(town):
    lot = parcels.Parcel("370202001GB000001", "farmland", True, "村集体", 1e6, REGION, True, shapely.MultiPolygon([shapely.box(120.38, 36.06, 120.39, 36.07)]))
    permit = parcels.Permit("建字第1号", "construction", lot.code, date(2025, 1, 1), date(2027, 1, 1), True)
    await parcels.load(town, [lot], [permit])
    for table in ("parcels", "permits"):
        await town.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_keep")
        await town.execute(f"UPDATE {table} SET recorded_at = now() - interval '30 days'")
        await town.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_keep")
    await town.execute("UPDATE parcels SET category = 'residential', basic_farmland = false")
    await town.execute("UPDATE permits SET valid = daterange('2025-01-01', '2025-06-01')")
    earlier, day = datetime.now(UTC) - timedelta(days=3), date(2026, 5, 1)

    async def held(on: date | None = None, known: datetime | None = None) -> list[tuple]:
        return [(p.category, [number for number, _ in p.permits], p.known_until is None) for p in await parcels.at(town, CITY, 120.385, 36.065, on, known)]

    assert await held(day) == [("residential", [], True)]
    assert await held(day, earlier) == [("farmland", ["建字第1号"], False)]
    assert await held(date(2025, 2, 1)) == [("residential", ["建字第1号"], True)]
    assert await held(day, earlier - timedelta(days=60)) == [] == await held(date(2019, 1, 1))
    assert await parcels.at(town, Scope("370212"), 120.385, 36.065) == []
    await town.execute("DELETE FROM permits")
    assert (await row(town, "SELECT count(*) AS n FROM permits_past"))["n"] == 1, "what was never committed was never known"


async def test_two_periods_of_a_parcel_do_not_overlap(town):
    shape = shapely.MultiPolygon([shapely.box(120.38, 36.06, 120.39, 36.07)])
    lot = parcels.Parcel("370202001GB000001", "farmland", True, "村集体", 1e6, REGION, True, shape)
    await parcels.load(town, [lot], [])
    await town.execute("UPDATE parcels SET valid = daterange('2020-01-01', '2026-01-01')")
    await parcels.load(town, [parcels.Parcel(lot.code, "residential", False, "国有", 1e6, REGION, True, shape, date(2026, 1, 1))], [])
    found = [(await parcels.at(town, CITY, 120.385, 36.065, day))[0].category for day in (date(2025, 12, 31), date(2026, 1, 1))]
    assert found == ["farmland", "residential"]


async def test_a_chainage_is_measured_on_the_ground(town):
    line = shapely.LineString([(120.38, 36.06), (120.39, 36.06), (120.39, 36.07)])
    from grid.geometry import length_m

    whole = length_m(line)
    await coast.load(town, [coast.CoastPiece("前海", 1000.0, 1000.0 + whole, "natural", REGION, True, line)], [])
    corner = await coast.nearest(town, 120.39, 36.06)
    assert corner.chainage_m == pytest.approx(1000 + length_m(shapely.LineString([(120.38, 36.06), (120.39, 36.06)])), abs=0.2)
    lon, lat = await coast.at_chainage(town, CITY, "前海", 1500.0)
    assert (await coast.nearest(town, lon, lat)).chainage_m == pytest.approx(1500, abs=0.05)
    for name, chainage in (("前海", 999.0), ("后海", 1500.0)):
        with pytest.raises(NotFound):
            await coast.at_chainage(town, CITY, name, chainage)
    with pytest.raises(NotFound):
        await coast.at_chainage(town, Scope("370212"), "前海", 1500.0)
