"""Grids with history: which one, whose, on that day by index; split, merge and redraw as one transaction that everything in the grids follows."""

from datetime import date, timedelta

import numpy as np
import pytest
import shapely

from grid import events
from grid.casework import regridded
from grid.database import Scope, row, rows
from grid.errors import Conflict, InvalidInput, NotFound, TooLarge
from grid.world import cells, partition, redistricting, regions
from grid.world.redistricting import Wish

COMMUNITY, NEXT = "370202001001", "370202001002"
CITY = Scope("3702")
BORN = date(2020, 1, 1)


def box(west: float, south: float, east: float, north: float) -> shapely.MultiPolygon:
    """A box in thousandths of a degree from 120.38 E, 36.06 N: 90 m by 111 m each."""
    return shapely.MultiPolygon([shapely.box(120.38 + west / 1000, 36.06 + south / 1000, 120.38 + east / 1000, 36.06 + north / 1000)])


@pytest.fixture
async def town(conn):
    """Two communities side by side; the western has grids 001 (0–4), 002 (4–8) with four unit grids each, the eastern has 001 (8–12)."""
    whole = {"3702": box(-9, -9, 99, 99), "370202": box(-9, -9, 50, 50), "370202001": box(0, 0, 12, 4), COMMUNITY: box(0, 0, 8, 4), NEXT: box(8, 0, 12, 4)}
    await regions.load(conn, [regions.Region(c, regions.level_of(c), c, "", regions.parent_of(c), True, "test", shape) for c, shape in whole.items()])
    await cells.load(
        conn,
        [
            cells.Cell(f"{COMMUNITY}001", "网格 001", COMMUNITY, True, box(0, 0, 4, 4)),
            cells.Cell(f"{COMMUNITY}002", "网格 002", COMMUNITY, True, box(4, 0, 8, 4)),
            cells.Cell(f"{NEXT}001", "网格 001", NEXT, True, box(8, 0, 12, 4)),
            *(cells.Cell(f"{COMMUNITY}{i + 1:04d}", "单元", COMMUNITY, True, box(i, 0, i + 1, 4), kind="unit", parent_code=f"{COMMUNITY}00{1 + i // 4}") for i in range(8)),
        ],
    )
    await conn.execute(
        f"""
        INSERT INTO staff (username, name, role, region_code, cell_codes, password_hash)
        VALUES ('a', '王格', 'grid_worker', '{COMMUNITY}', '{{{COMMUNITY}001}}', 'x'), ('b', '李格', 'grid_worker', '{COMMUNITY}', '{{{COMMUNITY}002}}', 'x');
        UPDATE cell_duties SET valid = daterange('2020-01-01', NULL);
        """
    )
    for i in range(24):
        west = 0.1 + i / 3
        await conn.execute(
            "INSERT INTO buildings (id, use, height_m, floors, region_code, cell_code, geom) VALUES (%s, 'office', 9, 3, %s, %s, %s)",
            (i + 1, COMMUNITY, f"{COMMUNITY}00{1 if west < 4 else 2}", shapely.set_srid(box(west, 1, west + 0.1, 1.1).geoms[0], 4326)),
        )
    for number, state in (("open", "handling"), ("shut", "closed")):
        await conn.execute(
            """
            INSERT INTO cases (number, category_code, title, origin, state, region_code, cell_code, accuracy_m, closed_at, geom)
            VALUES (%s, '01002', 'x', 'report', %s, %s, %s, 5, %s, ST_SetSRID(ST_MakePoint(120.3835, 36.061), 4326))
            """,
            (number, state, COMMUNITY, f"{COMMUNITY}001", date(2026, 1, 1) if state == "closed" else None),
        )
    return conn


async def ids(conn, *codes: str) -> tuple[int, ...]:
    found = {r["code"]: r["id"] for r in await rows(conn, "SELECT id, code FROM cells WHERE upper_inf(valid)")}
    return tuple(found[code] for code in codes)


def line(*points: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString([(120.38 + x / 1000, 36.06 + y / 1000) for x, y in points])


async def codes_at(conn, x: float, on: date | None = None, kind: str = "management") -> list[str]:
    return [c.code for c in await cells.at(conn, CITY, 120.38 + x / 1000, 36.0612, on, kind)]


async def today(conn) -> date:
    return (await row(conn, "SELECT hdq_today() AS day"))["day"]


async def test_which_grid_whose_on_that_day(town):
    found = await cells.at(town, CITY, 120.3805, 36.061, date(2024, 5, 1))
    assert [(c.kind, c.code, [k.name for k in c.keepers]) for c in found] == [
        ("management", f"{COMMUNITY}001", ["王格"]), ("unit", f"{COMMUNITY}0001", ["王格"]),
    ]  # fmt: skip
    assert await cells.at(town, CITY, 120.3805, 36.061, date(2019, 12, 31)) == []
    assert await cells.at(town, Scope("370212"), 120.3805, 36.061) == [] == await cells.at(town, Scope(""), 120.3805, 36.061)
    assert await codes_at(town, 4) == [f"{COMMUNITY}001", f"{COMMUNITY}002"]


async def test_it_is_one_query_by_index(town):
    await town.execute(
        """
        INSERT INTO cells (code, name, region_code, valid, geom)
        SELECT '370202001001' || lpad(n::text, 6, '0'), 'x', '370202001001', daterange('2021-01-01'::date + n % 900, '2021-01-02'::date + n % 900),
            ST_Multi(ST_MakeEnvelope(120.3 + n % 100 * 1e-3, 36 + n / 100 * 1e-3, 120.301 + n % 100 * 1e-3, 36.001 + n / 100 * 1e-3, 4326))
        FROM generate_series(1, 9000) AS n
        """
    )
    await town.execute("INSERT INTO cell_duties (cell_code, staff_id, valid) SELECT code, (SELECT min(id) FROM staff), valid FROM cells WHERE length(code) = 18")
    await town.execute("ANALYZE cells, cell_duties")
    params = {"point": shapely.set_srid(shapely.Point(120.3515, 36.0515), 4326), "on": date(2021, 5, 1), "scope": "3702%", "kind": None}
    found = await rows(town, "EXPLAIN (FORMAT TEXT) " + cells.AT, params)
    plan = "\n".join(r["QUERY PLAN"] for r in found)
    assert "cells_at" in plan and "Seq Scan" not in plan, plan
    place = next(part for part in plan.split("->") if "cells_at" in part)
    assert "valid @>" in place.partition("Filter")[0] and "geom ~" in place.partition("Filter")[0], plan
    assert "cell_duties" in plan and "staff_pkey" in plan or "staff" in plan, plan


async def test_a_split_is_followed_by_everything(town):
    (chosen,) = await ids(town, f"{COMMUNITY}001")
    plan, change, moved = await regridded.change(town, CITY, Wish("split", (chosen,), line=line((2, -1), (2, 5))), None)
    assert plan.possible and change.before == [f"{COMMUNITY}001"] and sorted(change.after) == [f"{COMMUNITY}003", f"{COMMUNITY}004"]
    assert await codes_at(town, 1) == [f"{COMMUNITY}003"] and await codes_at(town, 3) == [f"{COMMUNITY}004"], "codes run from west to east"
    now = await today(town)
    assert await codes_at(town, 1, now - timedelta(days=1)) == [f"{COMMUNITY}001"]
    assert moved == {"buildings": 12, "components": 0, "cameras": 0, "alerts": 0, "cases": 1, "staff": 1}
    assert {r["cell_code"]: r["n"] for r in await rows(town, "SELECT cell_code, count(*) AS n FROM buildings GROUP BY 1")} == {
        f"{COMMUNITY}003": 6, f"{COMMUNITY}004": 6, f"{COMMUNITY}002": 12,
    }  # fmt: skip
    assert {r["number"]: r["cell_code"] for r in await rows(town, "SELECT number, cell_code FROM cases")} == {"open": f"{COMMUNITY}004", "shut": f"{COMMUNITY}001"}
    here = (await cells.at(town, CITY, 120.3805, 36.061))[0]
    before = (await cells.at(town, CITY, 120.3805, 36.061, now - timedelta(days=1)))[0]
    assert [k.name for k in here.keepers] == ["王格"] == [k.name for k in before.keepers] and before.until == now == here.since
    units = {r["code"]: r["parent_code"] for r in await rows(town, "SELECT code, parent_code FROM cells WHERE kind = 'unit' AND upper_inf(valid)")}
    assert [units[f"{COMMUNITY}{i:04d}"][-1] for i in range(1, 9)] == ["3", "3", "4", "4", "2", "2", "2", "2"]
    assert [e.kind for e in await events.since(town, 0)] == ["cell.changed"]
    assert (await row(town, "SELECT action, entity FROM audit ORDER BY id DESC"))["action"] == "cell.split"
    with pytest.raises(Conflict, match="changed meanwhile"):
        await regridded.change(town, CITY, Wish("split", (chosen,), line=line((2, -1), (2, 5))), None)
    assert [v.void for v in await cells.history(town, CITY, f"{COMMUNITY}001")] == [False]


async def test_merging_back_on_the_same_day_leaves_the_middle_void(town):
    (chosen,) = await ids(town, f"{COMMUNITY}001")
    await regridded.change(town, CITY, Wish("split", (chosen,), line=line((2, -1), (2, 5))), None)
    parts = await ids(town, f"{COMMUNITY}003", f"{COMMUNITY}004")
    _, change, moved = await regridded.change(town, CITY, Wish("merge", parts), None)
    assert change.after == [f"{COMMUNITY}005"] and moved["buildings"] == 12 and await codes_at(town, 1) == [f"{COMMUNITY}005"]
    assert [v.void for v in await cells.history(town, CITY, f"{COMMUNITY}003")] == [True]
    merged = (await cells.at(town, CITY, 120.3805, 36.061, kind="management"))[0]
    assert [k.name for k in merged.keepers] == ["王格"]


async def test_a_redraw_takes_the_neighbour_along(town):
    first, second = await ids(town, f"{COMMUNITY}001", f"{COMMUNITY}002")
    wish = Wish("redraw", (first,), shapes=((first, box(0, 0, 5, 4)),))
    plan, change, moved = await regridded.change(town, CITY, wish, None)
    assert sorted(change.before) == sorted(change.after) == [f"{COMMUNITY}001", f"{COMMUNITY}002"] and moved["buildings"] == 3
    assert await codes_at(town, 4.5) == [f"{COMMUNITY}001"] and sum(n.area_m2 for n in plan.after) == pytest.approx(sum(cells_area(o) for o in plan.before), rel=1e-9)
    assert (await redistricting.changes(town, Scope("370202")))[0] == redistricting.Change(**{**change_fields(change), "applied": True})


def cells_area(old: redistricting.Old) -> float:
    from grid.geometry import area_m2

    return area_m2(old.geom)


def change_fields(change: redistricting.Change) -> dict:
    return {name: getattr(change, name) for name in redistricting.Change.__dataclass_fields__}


async def test_what_stands_against_a_plan_is_named_with_its_place(town):
    first, second, other = await ids(town, f"{COMMUNITY}001", f"{COMMUNITY}002", f"{NEXT}001")

    async def against(wish: Wish) -> list[tuple]:
        plan = await redistricting.plan(town, CITY, wish)
        assert all(not o.geom.is_empty for o in plan.objections)
        return [(o.kind, o.blocking, o.codes) for o in plan.objections]

    alone = {"follow": False}
    assert await against(Wish("redraw", (first,), shapes=((first, box(0, 0, 3, 4)),), **alone)) == [("gap", True, ())]
    assert ("outside", True, (f"{COMMUNITY}001",)) in await against(Wish("redraw", (first,), shapes=((first, box(0, 0, 5, 4)),), **alone))
    assert ("overlap", True, (f"{COMMUNITY}001", f"{COMMUNITY}002")) in await against(
        Wish("redraw", (first, second), shapes=((first, box(0, 0, 5, 4)), (second, box(4, 0, 8, 4))), **alone)
    )
    assert ("community", True, (f"{COMMUNITY}002",)) in await against(Wish("redraw", (second,), shapes=((second, box(4, 0, 9, 4)),)))
    assert ("community", True, (f"{NEXT}001",)) in await against(Wish("merge", (second, other)))
    assert [kind for kind, *_ in await against(Wish("split", (first,), line=line((2, 1), (2, 5))))] == ["uncut"]
    assert ("small", True, (f"{COMMUNITY}001",)) in await against(Wish("split", (first,), line=line((0.002, -1), (0.002, 5))))
    assert ("cuts_unit", False, (f"{COMMUNITY}0002",)) in await against(Wish("split", (first,), line=line((1.5, -1), (1.5, 5))))
    assert await against(Wish("redraw", (first,), shapes=((first, box(0, 0, 4 - 2e-4, 4)),), **alone)) == [], "2 cm are within the tolerance"
    assert [kind for kind, *_ in await against(Wish("redraw", (first,), shapes=((first, box(0, 0, 4 - 1e-3, 4)),), **alone))] == ["gap"], "9 cm are not"
    with pytest.raises(Conflict, match="空隙") as refused:
        await redistricting.make(town, CITY, Wish("redraw", (first,), shapes=((first, box(0, 0, 3, 4)),), **alone), None)
    assert refused.value.extra["problems"][0]["kind"] == "gap"


async def test_apart_grids_do_not_merge(town):
    (first,) = await ids(town, f"{COMMUNITY}001")
    _, change, _ = await regridded.change(town, CITY, Wish("split", (first,), line=line((2, -1), (2, 5))), None)
    west, east = await ids(town, f"{COMMUNITY}003", f"{COMMUNITY}002")
    assert [o.kind for o in (await redistricting.plan(town, CITY, Wish("merge", (west, east)))).objections] == ["apart"]


async def test_a_planned_change_waits_for_its_day(town):
    (first,) = await ids(town, f"{COMMUNITY}001")
    later = await today(town) + timedelta(days=10)
    _, change, moved = await regridded.change(town, CITY, Wish("split", (first,), later, line=line((2, -1), (2, 5))), None)
    assert moved == {} and not change.applied and await codes_at(town, 1) == [f"{COMMUNITY}001"] and await codes_at(town, 1, later) == [f"{COMMUNITY}003"]
    assert (await row(town, "SELECT count(*) AS n FROM buildings WHERE cell_code = %(c)s", {"c": f"{COMMUNITY}001"}))["n"] == 12
    assert [e.kind for e in await events.since(town, 0)] == ["cell.planned"] and await regridded.settle(town) == {}
    await town.execute("UPDATE cell_changes SET effective = current_date - 1")
    assert (await regridded.settle(town))[change.id]["buildings"] == 12 and await regridded.settle(town) == {}


async def test_nonsense_is_refused(town):
    first, second = await ids(town, f"{COMMUNITY}001", f"{COMMUNITY}002")
    for wish in (
        Wish("split", (first, second), line=line((2, -1), (2, 5))),
        Wish("split", (first,)),
        Wish("merge", (first,)),
        Wish("merge", (first, first)),
        Wish("redraw", (first,)),
        Wish("redraw", (first,), shapes=((second, box(0, 0, 4, 4)),)),
        Wish("redraw", (first,), shapes=((first, shapely.Point(120.38, 36.06)),)),
        Wish("redraw", (first,), shapes=((first, shapely.from_wkt("POLYGON ((120.38 36.06, 120.39 36.07, 120.39 36.06, 120.38 36.07, 120.38 36.06))")),)),
        Wish("split", (first,), date(2019, 1, 1), line=line((2, -1), (2, 5))),
        Wish("abolish", (first,)),
    ):
        with pytest.raises(InvalidInput):
            await redistricting.plan(town, CITY, wish)
    with pytest.raises(TooLarge):
        await redistricting.plan(town, CITY, Wish("redraw", (first,), shapes=((first, shapely.Point(120.38, 36.06).buffer(0.01, quad_segs=6000)),)))
    with pytest.raises(NotFound):
        await redistricting.make(town, Scope("370212"), Wish("split", (first,), line=line((2, -1), (2, 5))), None)
    with pytest.raises(NotFound):
        await cells.history(town, Scope("370212"), f"{COMMUNITY}001")


async def test_duties_follow_the_people(town):
    await town.execute("UPDATE staff SET cell_codes = %s WHERE username = 'a'", ([f"{COMMUNITY}002"],))
    now = await today(town)
    then = (await cells.at(town, CITY, 120.3805, 36.061, now - timedelta(days=1), "management"))[0]
    assert [k.name for k in then.keepers] == ["王格"] and (await cells.at(town, CITY, 120.3805, 36.061, None, "management"))[0].keepers == ()
    await town.execute("UPDATE staff SET disabled = true WHERE username = 'a'")
    assert [k.name for k in (await cells.at(town, CITY, 120.3855, 36.061, None, "management"))[0].keepers] == ["李格"]


async def test_any_line_through_any_grid_keeps_the_ground(town):
    """Whatever line is drawn, a possible split covers the old grid exactly once, and merging the parts gives it back."""
    dice = np.random.default_rng(8)
    (first,) = await ids(town, f"{COMMUNITY}001")
    whole = box(0, 0, 4, 4)
    cut = 0
    for _ in range(40):
        points = np.column_stack([dice.uniform(-2, 6, 4), dice.uniform(-2, 6, 4)])
        plan = await redistricting.plan(town, CITY, Wish("split", (first,), line=line(*points.tolist())))
        if plan.possible:
            cut += 1
            parts = [new.geom for new in plan.after]
            assert partition.flaws([whole], parts) == [] and not partition.wide(shapely.symmetric_difference(shapely.union_all(parts), whole))
    assert cut > 10
