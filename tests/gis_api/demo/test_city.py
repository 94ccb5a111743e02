"""Loading the demo city, and units that follow their orders."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from psycopg import AsyncConnection

from gis_api.demo import calm, city, errands
from gis_api.demo.movement import Fleet, Network, Path
from grid import events
from grid.casework import cases, dispatch
from grid.database import Scope, connect, point, row
from grid.errors import Conflict
from grid.settings import Settings
from grid.world import cameras, cells, places, roads, staff, units
from grid.world.cells import Cell
from grid.world.roads import Road
from grid.world.units import NewUnit

NOW = datetime.now(UTC)
LINES = (((120.40, 36.06), (120.41, 36.06)), ((120.41, 36.06), (120.41, 36.07)), ((120.41, 36.07), (120.42, 36.07)))


async def _streets(conn: AsyncConnection) -> None:
    await roads.load(conn, [Road("路", "primary", 36.0, i + 1, i + 2, 1000.0, "370202", True, shapely.LineString(line)) for i, line in enumerate(LINES)])
    await units.load(conn, [NewUnit("V1", "车", "vehicle", 60.0, "idle", "370202", point(120.4, 36.06), point(120.4, 36.06), 0.0, 8.0, True)])


async def test_an_order_is_acknowledged_followed_and_reached(conn):
    await _streets(conn)
    cursor = await conn.execute(
        """
        INSERT INTO alerts (kind, title, title_en, region_code, geom, first_seen_at, last_seen_at, accuracy_m, severity, probability, rule_id, rule_version)
        VALUES ('forest_fire', '火', 'fire', '370202', ST_SetSRID(ST_MakePoint(120.42, 36.07), 4326), now(), now(), 50, 1, 0.9, 'r', '1') RETURNING id
        """
    )
    (alert,) = await cursor.fetchone()
    fleet = Fleet(await Network.read(conn))
    unit = (await units.fleet(conn, Scope("3702"), NOW))[0]
    people = replace(_person(), username="zhihui")
    await staff.load(conn, [people])
    commander = await staff.by_username(conn, "zhihui")
    (order,) = await dispatch.order(conn, Scope("3702"), commander.id, alert, [unit.id])
    now, states = datetime.now(UTC), []
    for _ in range(90):
        now += timedelta(seconds=5)
        await fleet.tick(conn, now, 5.0)
        found = await row(conn, "SELECT state FROM orders WHERE id = %(id)s", {"id": order})
        states.append(found["state"])
        if states[-1] == "arrived":
            break
    assert list(dict.fromkeys(states)) == ["acknowledged", "moving", "arrived"]
    there = await units.get(conn, unit.id, Scope("3702"), now)
    assert (there.lon, there.lat) == pytest.approx((120.42, 36.07), abs=1e-4)
    assert len(await units.trail(conn, unit.id, Scope("3702"), NOW - timedelta(minutes=1))) > 5
    assert any(e.kind == "units.moved" for e in await events.since(conn, 0))


async def test_an_idle_vehicle_patrols_on_the_roads_and_a_real_one_never_moves(conn):
    await _streets(conn)
    await units.load(conn, [NewUnit("R1", "真车", "vehicle", 60.0, "idle", "370202", point(120.4, 36.06), point(120.4, 36.06), 0.0, 8.0, False)])
    fleet, now = Fleet(await Network.read(conn)), datetime.now(UTC)
    for _ in range(20):
        now += timedelta(seconds=2)
        await fleet.tick(conn, now, 2.0)
    real, moved = sorted(await units.fleet(conn, Scope("3702"), now), key=lambda u: u.simulated)
    assert (real.lon, real.lat) == (120.4, 36.06)
    cursor = await conn.execute("SELECT min(ST_Distance(roads.geom::geography, units.geom::geography)) FROM roads, units WHERE units.id = %s", [moved.id])
    assert (await cursor.fetchone())[0] < 1.0 and moved.lon > 120.4005


def test_a_path_ends_at_its_end():
    path = Path.along([(120.0, 36.0), (120.01, 36.0)], 36.0)
    lon, lat, heading = path.advance(10.0)
    assert lon == pytest.approx(120.0 + 0.01 * 100 / path.reached[-1]) and heading == pytest.approx(90.0) and not path.over
    assert path.advance(1e6)[:2] == pytest.approx((120.01, 36.0)) and path.over


async def test_a_case_waits_for_the_grid_worker_of_a_new_city(conn):
    ground = shapely.set_srid(shapely.MultiPolygon([shapely.box(120.30, 36.00, 120.40, 36.10)]), 4326)
    for code, level in (("3702", 1), ("370202", 2), ("370202009", 3), ("370202009001", 4)):
        parent = {4: None, 6: "3702", 9: "370202", 12: "370202009"}[len(code)]
        await conn.execute("INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, %s, %s, %s, %s)", [code, level, code, parent, ground])
    grids = [Cell("370202009001001", "网格", "370202009001", True, ground)]
    await cells.load(conn, grids)
    people = (("wangge", "grid_worker", "370202009001", ("370202009001001",)), ("chuzhi", "grid_worker", "370202009", ()), ("shinan", "commander", "370202", ()))
    await staff.load(conn, [replace(_person(), username=name, role=role, region_code=region, cell_codes=own) for name, role, region, own in people])
    case_id = await errands.give(conn, grids)
    worker = await staff.by_username(conn, "wangge")
    (mine,), _ = await cases.page(conn, Scope(worker.region_code), cases.Filters("open", handler_id=worker.id), 10, 0)
    assert (mine["id"], mine["state"], mine["category_code"], mine["simulated"]) == (case_id, "dispatched", "01002", True)
    assert [step["action"] for step in await cases.steps(conn, case_id)] == ["open", "file", "dispatch"]


def test_the_calm_tower_shows_a_new_whole_picture_in_place_of_the_old(tmp_path):
    now = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    first = calm.show(tmp_path / "calm", now).read_bytes()
    second = calm.show(tmp_path / "calm", now + timedelta(minutes=10))
    assert [entry.name for entry in (tmp_path / "calm").iterdir()] == [second.name] == ["20261123T161000.jpg"] and second.read_bytes() != first


async def test_what_a_person_imported_is_not_thrown_away(conn):
    await conn.execute("INSERT INTO calibration (sensor, algorithm, hits) VALUES ('camera:1', 'smoke-fire', 3)")
    await conn.execute(
        """
        INSERT INTO datasets (id, title, geometry_type, declared_crs, source_name, source_sha256, feature_count, region_code)
        SELECT id, id, 'Point', 'EPSG:4326', 'f', '', 0, '3702' FROM unnest(ARRAY[%(own)s, 'parks']) AS id
        """,
        {"own": city.DATASET},
    )
    with pytest.raises(Conflict, match="datasets: 1"):
        await city.clear(conn)
    await conn.execute("DELETE FROM datasets WHERE id = 'parks'")
    await city.clear(conn)
    assert (await row(conn, "SELECT count(*) AS n FROM calibration"))["n"] == 0


@pytest.mark.timeout(600)
async def test_a_small_city_loads_and_never_over_a_real_one(settings: Settings):
    stages = []
    settings = settings.model_copy(update={"test_data": None})
    await city.load(settings, lambda stage, share: stages.append((stage, share)), cameras=60, buildings=300)
    connection = await connect(settings.database_url)
    try:
        counts = await row(
            connection,
            """
            SELECT (SELECT count(*) FROM buildings) AS buildings, (SELECT count(*) FROM cells WHERE kind = 'management') AS cells, (SELECT count(*) FROM cameras) AS cameras,
                (SELECT count(*) FROM regions WHERE level = 2) AS districts, (SELECT count(*) FROM surveys) AS surveys,
                (SELECT count(*) FROM scenes WHERE NOT simulated) AS real_scenes, (SELECT count(*) FROM datasets WHERE declared_crs = 'GCJ-02') AS imported
            """,
        )
        assert counts == {"buildings": 300, "cells": 505, "cameras": 60, "districts": 10, "surveys": 3, "real_scenes": 0, "imported": 1}
        assert (await places.locate(connection, 120.3505, 36.0535)).name.startswith("市南区 · 八大关街道 · 网格 ")
        watched = await cameras.streaming(connection)
        assert {c.kind for c in watched} == {"tower", "street"} and {c.stream.partition(":")[0] for c in watched} == {"replay", "folder"}
        assert stages[-1][1] == max(share for _, share in stages) == 1.0
        await connection.execute("UPDATE cameras SET simulated = false WHERE id = (SELECT min(id) FROM cameras)")
        with pytest.raises(Conflict, match="cameras: 1"):
            await city.clear(connection)
        await connection.rollback()
        await city.clear(connection)
        assert await row(connection, "SELECT (SELECT count(*) FROM regions) AS regions, (SELECT count(*) FROM buildings) AS buildings") == {"regions": 0, "buildings": 0}
    finally:
        await connection.close()


def _person() -> staff.NewStaff:
    return staff.NewStaff("x", "赵指挥", "commander", "", "3702", (), "", "x", True)
