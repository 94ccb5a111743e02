"""What the registers say about a changed polygon: forest, parcels with and without a permit of that day, setback, red line, plan."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import shapely
import yaml

from grid.casework import legality
from grid.casework.legality import rule as rule_files
from grid.geometry import area_m2

PATCH = shapely.box(120.351, 36.051, 120.353, 36.053)
SQUARE = shapely.box(120.35, 36.05, 120.352, 36.06)
BESIDE = shapely.box(120.352, 36.05, 120.36, 36.06)
DAY = date(2026, 3, 1)


def multi(shape: shapely.Geometry) -> shapely.Geometry:
    return shapely.set_srid(shapely.MultiPolygon([shape]), 4326)


async def registers(conn) -> None:
    await conn.execute("INSERT INTO forest_zones (code, name, class, area_ha, region_code, geom) VALUES ('L-001', '一号林班', 'public_welfare', 10, '370202', %s)", [multi(SQUARE)])
    for code, category, basic, shape in (("P-1", "farmland", True, SQUARE), ("P-2", "commercial", False, BESIDE)):
        await conn.execute(
            "INSERT INTO parcels (code, category, basic_farmland, area_m2, region_code, geom) VALUES (%s, %s, %s, 1, '370202', %s)", [code, category, basic, multi(shape)]
        )
    await permit(conn, "建字第 1 号", "construction", "P-2", "[2026-01-01,2026-06-01)")
    await conn.execute("INSERT INTO setbacks (name, distance_m, clause, region_code, geom) VALUES ('退缩线', 200, '条例第 1 条', '370202', %s)", [multi(SQUARE)])
    await conn.execute("INSERT INTO redlines (code, name, class, region_code, geom) VALUES ('R-1', '崂山红线', 'biodiversity', '370202', %s)", [multi(SQUARE)])
    await conn.execute("INSERT INTO planning_zones (code, name, use, plan, region_code, geom) VALUES ('G-1', '绿地', 'green', '总规', '370202', %s)", [multi(BESIDE)])


async def permit(conn, number: str, kind: str, parcel: str, valid: str) -> None:
    await conn.execute(
        "INSERT INTO permits (number, kind, parcel_id, valid) SELECT %s, %s, id, %s::daterange FROM parcels WHERE code = %s", [number, kind, valid, parcel]
    )


async def said(conn, shape: shapely.Geometry = PATCH, kind: str = "construction", on: date = DAY, **more) -> dict[str, legality.Finding]:
    return {finding.rule.id: finding for finding in await legality.judge(conn, shape, kind, on, **more)}


async def test_each_rule_gives_its_verdict_with_area_clause_and_version(conn):
    await registers(conn)
    found = await said(conn)
    assert {name: (f.verdict, f.reason) for name, f in found.items()} == {
        "building_permit": ("lawful", "excused"),
        "coast_setback": ("suspect", "open"),
        "ecological_red_line": ("suspect", "open"),
        "farmland_conversion": ("lawful", "untouched"),
        "forest_occupation": ("suspect", "open"),
        "permanent_basic_farmland": ("suspect", "open"),
        "planned_use": ("verify", "excused"),
    }
    half = area_m2(shapely.box(120.351, 36.051, 120.352, 36.053))
    farm = found["permanent_basic_farmland"]
    assert farm.area_m2 == pytest.approx(half, rel=1e-6) and farm.mu == pytest.approx(half * 0.0015, rel=1e-6)
    assert [(c.category, c.open_m2) for c in farm.categories] == [("farmland", pytest.approx(half, rel=1e-6))]
    assert (farm.clause, farm.names, farm.decided_by) == ("土地管理法 第35条", ("P-1",), "parcels")
    assert (found["coast_setback"].clause, found["building_permit"].permits, found["building_permit"].decided_by) == ("条例第 1 条", ("建字第 1 号",), "permits")
    newest = await (await conn.execute("SELECT max(id) FROM register_versions WHERE register = 'redlines'")).fetchone()
    assert found["ecological_red_line"].versions["redlines"] == newest[0]


async def test_lines_name_the_verdict_the_ground_and_the_permit(conn):
    await registers(conn)
    lines = {line.rule: line for line in await legality.context(conn, PATCH, "construction", DAY)}
    assert "farmland_conversion" not in lines
    assert "建字第 1 号" in lines["building_permit"].text and "亩" in lines["building_permit"].text
    assert "公益林" in lines["forest_occupation"].text and "mu" in lines["forest_occupation"].text_en and lines["forest_occupation"].name == "一号林班"


async def test_a_permit_counts_only_on_its_days_and_only_for_its_ground(conn):
    await registers(conn)
    assert (await said(conn, on=date(2026, 5, 31)))["building_permit"].verdict == "lawful"
    assert (await said(conn, on=date(2026, 6, 1)))["building_permit"].verdict == "suspect"
    await conn.execute("UPDATE parcels SET geom = %s WHERE code = 'P-2'", [multi(shapely.box(120.352, 36.05, 120.3525, 36.06))])
    await conn.execute("INSERT INTO parcels (code, category, area_m2, region_code, geom) VALUES ('P-3', 'bare', 1, '370202', %s)", [multi(shapely.box(120.3525, 36.05, 120.36, 36.06))])
    part = (await said(conn))["building_permit"]
    assert part.verdict == "suspect" and part.open_m2 == pytest.approx(part.area_m2 / 2, rel=1e-6)
    assert {c.category: c.open_m2 for c in part.categories} == {"commercial": 0.0, "bare": pytest.approx(part.open_m2)}


async def test_a_building_permit_does_not_allow_felling(conn):
    await registers(conn)
    felled = await said(conn, kind="vegetation_loss")
    assert (felled["forest_felling"].verdict, felled["land_use_control"].verdict) == ("suspect", "verify")
    await permit(conn, "林采字第 1 号", "felling", "P-1", "[2026-01-01,2027-01-01)")
    felled = await said(conn, kind="vegetation_loss")
    assert (felled["forest_felling"].verdict, felled["land_use_control"].verdict, felled["ecological_red_line"].verdict) == ("lawful", "lawful", "verify")


async def test_a_register_without_data_is_not_called_lawful(conn):
    found = await said(conn)
    assert {(f.verdict, f.reason) for f in found.values()} == {("verify", "no_data")}
    (line,) = await legality.context(conn, PATCH, "construction", DAY)
    assert (line.layer, line.verdict) == ("registers", "verify") and "生态保护红线" in line.text
    await registers(conn)
    assert await legality.context(conn, shapely.box(121.9, 35.0, 121.901, 35.001), "construction", DAY) == []


async def test_a_point_and_a_region_of_where_it_may_be_are_never_called_suspect(conn):
    await registers(conn)
    for shape, measured in ((shapely.Point(120.3515, 36.055), None), (PATCH, False)):
        found = await said(conn, shape, measured=measured)
        assert (found["permanent_basic_farmland"].verdict, found["permanent_basic_farmland"].reason) == ("verify", "place")
    assert (await said(conn, shapely.Point(120.356, 36.055)))["building_permit"].verdict == "lawful"


async def test_nested_zones_count_the_ground_once(conn):
    await registers(conn)
    await conn.execute("INSERT INTO setbacks (name, distance_m, clause, region_code, geom) VALUES ('退缩线 100', 100, '条例第 2 条', '370202', %s)", [multi(SQUARE)])
    coast = (await said(conn))["coast_setback"]
    assert coast.area_m2 == pytest.approx(area_m2(PATCH) / 2, rel=1e-5) and coast.clause == "条例第 1 条；条例第 2 条"


async def test_a_sliver_is_to_be_verified_and_a_rounding_is_nothing(conn):
    await registers(conn)
    wide = 0.5 / area_m2(shapely.box(120.349, 36.05, 120.35, 36.06)) * 0.001
    sliver = (await said(conn, shapely.box(120.349, 36.05, 120.35 + wide, 36.06)))["permanent_basic_farmland"]
    assert (sliver.verdict, sliver.reason) == ("verify", "sliver") and sliver.area_m2 == pytest.approx(0.5, rel=1e-3)
    assert (await said(conn, shapely.box(120.349, 36.05, 120.35 + 1e-12, 36.06)))["permanent_basic_farmland"].reason == "untouched"


async def test_values_never_become_part_of_a_statement(conn):
    await registers(conn)
    given = yaml.safe_load((rule_files.FOLDER / "planned_use.yaml").read_text(encoding="utf-8")) | {"where": {"plan": "x'; DROP TABLE permits; --"}}
    (found,) = await legality.judge(conn, PATCH, "construction", DAY, rules={"planned_use": rule_files.read(given)})
    assert found.reason == "untouched"
    assert (await (await conn.execute("SELECT count(*) FROM permits")).fetchone()) == (1,)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"register": "staff"}, "register 'staff'"),
        ({"where": {"owner": "x"}}, "'owner' is not a column"),
        ({"where": {"basic_farmland": "yes"}}, "must be of type bool"),
        ({"excused_by": ["bribe"]}, "excused_by 'bribe'"),
        ({"open": "guilty"}, "open 'guilty'"),
        ({"least_m2": "1"}, "least_m2 must be of type float"),
        ({"least_m2": True}, "least_m2 must be of type float"),
        ({"kinds": []}, "kinds must be a list"),
        ({"except": ["construction"]}, "except goes with kinds: any"),
        ({"sql": "SELECT 1"}, "unknown field 'sql'"),
        ({"said": {"open": "x"}}, "said must hold"),
    ],
)
def test_a_rule_file_that_is_wrong_stops_the_start_with_its_name(tmp_path: Path, change: dict, told: str):
    given = yaml.safe_load((rule_files.FOLDER / "permanent_basic_farmland.yaml").read_text(encoding="utf-8")) | change
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"wrong\.yaml") as error:
        rule_files.discover(tmp_path)
    assert told in str(error.value)


def test_two_files_may_not_share_an_id(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text((rule_files.FOLDER / "planned_use.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(RuntimeError, match="repeats the id 'planned_use'"):
        rule_files.discover(tmp_path)


async def test_as_known_at_a_time_before_anything_was_recorded_there_is_no_data(conn):
    await registers(conn)
    found = await said(conn, known_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert {f.reason for f in found.values()} == {"no_data"}
