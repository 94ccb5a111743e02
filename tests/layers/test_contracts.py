"""The contract of a layer: what the job finds, what is said of it, and that nothing looks fresh because nobody looked."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import AsyncConnection

from grid.database import Scope, rows
from layers import contracts, envelope, figures, sources
from layers.catalog import catalog

CITY = Scope("3702")
SQUARE = "ST_Multi(ST_MakeEnvelope(120.38, 36.06, 120.39, 36.07, 4326))"
HOUSE = "ST_SetSRID(ST_GeomFromText('POLYGON((120.381 36.061, 120.3812 36.061, 120.3812 36.0612, 120.381 36.0612, 120.381 36.061))'), 4326)"
BOW_TIE = "ST_SetSRID(ST_GeomFromText('POLYGON((120.383 36.061, 120.3832 36.0612, 120.3832 36.061, 120.383 36.0612, 120.383 36.061))'), 4326)"


@pytest.fixture
async def small_city(conn: AsyncConnection) -> AsyncConnection:
    """A city of one district, street, community and grid, with buildings, a parcel, a road and a compartment."""
    for code, level, parent in (("3702", 1, None), ("370202", 2, "3702"), ("370202001", 3, "370202"), ("370202001001", 4, "370202001")):
        await conn.execute(f"INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, %s, '名', %s, {SQUARE})", [code, level, parent])
    await conn.execute(f"INSERT INTO cells (code, name, region_code, geom) VALUES ('370202001001001', '网格 1', '370202001001', {SQUARE})")
    for number, (use, floors, height, households) in enumerate((("residential", 6, 18, 24), ("residential", 1, 4, 1), ("office", 30, 120, 0)), 1):
        await conn.execute(
            f"""INSERT INTO buildings (id, name, address, use, height_m, floors, households, region_code, cell_code, geom)
            VALUES (%s, '', %s, %s, %s, %s, %s, '370202001001', '370202001001001', ST_Translate({HOUSE}, 0.0005 * %s, 0))""",
            [number, f"海尔路{number}号", use, height, floors, households, number],
        )
    await conn.execute(f"INSERT INTO parcels (code, category, owner, area_m2, region_code, geom) VALUES ('P1', 'farmland', '村集体', 5000, '370202001001', {SQUARE})")
    await conn.execute(
        "INSERT INTO roads (name, class, speed_kmh, source_node, target_node, length_m, region_code, geom)"
        " VALUES ('海尔路', 'primary', 50, 1, 2, 900, '370202001001', ST_SetSRID(ST_MakeLine(ST_MakePoint(120.38, 36.065), ST_MakePoint(120.39, 36.065)), 4326))"
    )
    await conn.execute(f"INSERT INTO forest_zones (code, name, class, species, area_ha, region_code, geom) VALUES ('L1', '林班', 'scenic', '黑松', 90, '370202', {SQUARE})")
    return conn


async def test_what_is_there_is_in_order_counted_by_region_and_said_to_be_simulated(small_city):
    await figures.rebuild(small_city)
    await contracts.run(small_city, catalog())
    found = await contracts.standings(small_city, catalog(), CITY)
    for name, count in {"buildings": 3, "buildings_residential": 2, "buildings_super": 1, "parcels_farmland": 1, "forest_heisong": 1, "figure_building_density_cell": 1}.items():
        assert (found[name].state, found[name].rows, found[name].simulated) == ("ok", count, True), name
    inside = await contracts.standings(small_city, catalog(), Scope("370202001001"))
    outside = await contracts.standings(small_city, catalog(), Scope("370212"))
    assert inside["buildings_residential"].rows == 2 and outside["buildings_residential"].rows == 0
    row = next(row for row in await envelope.layer_rows(small_city, catalog(), CITY) if row.id == "buildings_residential")
    assert (row.freshness.count, row.freshness.simulated, row.terms.owner, row.terms.lineage) == (2, True, "住房和城乡建设局", ("buildings",))


async def test_a_register_grows_old_without_any_job(small_city):
    await contracts.run(small_city, catalog())
    now = datetime.now(UTC)
    await small_city.execute("UPDATE layer_checks SET changed_at = now() - interval '400 days'")
    assert (await contracts.standings(small_city, catalog(), CITY))["buildings"].state == "late"
    await small_city.execute("UPDATE layer_checks SET changed_at = now() - interval '800 days'")
    assert (await contracts.standings(small_city, catalog(), CITY))["buildings"].state == "stale"
    await small_city.execute("UPDATE layer_checks SET changed_at = NULL")
    assert (await contracts.standings(small_city, catalog(), CITY))["buildings"].state == "unknown"
    later = await contracts.standings(small_city, catalog(), CITY, now + contracts.CHECK_HOLDS + timedelta(minutes=1))
    assert {standing.state for standing in later.values()} == {"unknown"}


async def test_cameras_and_what_they_find_are_stale_when_no_picture_comes(small_city):
    await contracts.run(small_city, catalog())
    assert (await contracts.standings(small_city, catalog(), CITY))["alerts"].state == "unknown"
    await small_city.execute(
        "INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, last_frame_at, geom)"
        " VALUES ('37020200001310000001', '一', 'street', 0, 0, 60, 100, '370202', now() - interval '7 hours', ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326))"
    )
    assert (await contracts.standings(small_city, catalog(), CITY))["cameras"].freshness == "stale"
    await small_city.execute("UPDATE cameras SET last_frame_at = now()")
    assert (await contracts.standings(small_city, catalog(), CITY))["cameras"].freshness == "ok"


@pytest.mark.parametrize(
    ("harm", "aspect", "says"),
    [
        (f"UPDATE buildings SET geom = {BOW_TIE} WHERE id = 1", "validity", "无效"),
        ("UPDATE buildings SET floors = 0 WHERE id = 1", "validity", "无效"),
        ("UPDATE buildings SET address = '' WHERE id = 1", "completeness", "缺属性"),
        ("DELETE FROM buildings", "completeness", "没有数据"),
        ("DELETE FROM buildings", "lineage", "buildings"),
        ("ALTER TABLE buildings RENAME COLUMN floors TO storeys", "validity", "UndefinedColumn"),
    ],
)
async def test_what_is_wrong_with_a_register_shows_on_its_layer_and_is_named(small_city, harm, aspect, says):
    await contracts.run(small_city, catalog())
    await small_city.execute(harm)
    await contracts.run(small_city, catalog(), whole=True)
    found = await contracts.standings(small_city, catalog(), CITY)
    assert found["buildings"].state == "broken" and getattr(found["buildings"], aspect) == "broken" and says in found["buildings"].detail
    assert found["roads"].state == "ok"


async def test_figures_that_no_longer_tell_of_their_register_are_broken(small_city):
    await figures.rebuild(small_city)
    await contracts.run(small_city, catalog())
    assert (await contracts.standings(small_city, catalog(), CITY))["figure_road_density_street"].state == "ok"
    await small_city.execute("UPDATE register_changes SET at = at - interval '2 hours'")
    await small_city.execute("UPDATE roads SET length_m = 800")
    await contracts.run(small_city, catalog())
    found = await contracts.standings(small_city, catalog(), CITY)
    assert found["figure_road_density_street"].lineage == "broken" and found["figure_land_farmland_street"].lineage == "ok"


async def test_only_layers_of_written_registers_are_read_again(small_city):
    everything = await contracts.run(small_city, catalog())
    again = await contracts.run(small_city, catalog())
    live = sum(spec.live and not sources.figured(spec) and spec.deck is not None and spec.count_from is not None for spec in catalog())  # a raster has no rows to read
    assert again == live < everything
    await small_city.execute("UPDATE roads SET speed_kmh = 40")
    roads = {spec.id for spec in catalog() if "roads" in sources.of(spec) and not spec.live}
    assert await contracts.run(small_city, catalog()) >= again + len(roads)


async def test_figures_are_what_they_say(small_city):
    await figures.rebuild(small_city)
    found = {r["figure"]: r["value"] for r in await rows(small_city, "SELECT figure, value FROM area_figures WHERE level = 3")}
    (area,) = await rows(small_city, f"SELECT ST_Area({SQUARE}::geography) / 1e6 AS km2, ST_Area({HOUSE}::geography) AS house")
    assert found["building_density"] == pytest.approx(3 / area["km2"]) and found["building_cover"] == pytest.approx(3 * area["house"] / area["km2"] / 1e4, rel=1e-3)
    assert found["floors_mean"] == pytest.approx(37 / 3) and found["height_top"] == 120 and found["single_share"] == pytest.approx(100 / 3)
    assert found["road_density"] == pytest.approx(0.9 / area["km2"]) and found["land_farmland"] == 100 and found["forest_share"] == pytest.approx(100, rel=1e-3)
    assert "camera_density" not in found


def test_every_layer_has_an_owner_a_descent_and_a_group():
    for spec in catalog():
        assert sources.of(spec), spec.id
    assert {name for spec in catalog() for name in sources.of(spec)} <= set(sources.SOURCES)
