"""What the registers say about a changed polygon: forest, parcels with and without a permit of that day, setback."""

from datetime import date

import shapely

from grid.casework import legality

PATCH = shapely.box(120.351, 36.051, 120.353, 36.053)


async def registers(conn) -> None:
    square = "ST_Multi(ST_MakeEnvelope(120.35, 36.05, 120.352, 36.06, 4326))"
    beside = "ST_Multi(ST_MakeEnvelope(120.352, 36.05, 120.36, 36.06, 4326))"
    await conn.execute(
        f"INSERT INTO forest_zones (code, name, class, area_ha, region_code, geom) VALUES ('L-001', '一号林班', 'public_welfare', 10, '370202', {square})"
    )
    for code, category, basic, geom in (("P-1", "farmland", True, square), ("P-2", "commercial", False, beside)):
        await conn.execute(
            f"INSERT INTO parcels (code, category, basic_farmland, area_m2, region_code, geom) VALUES (%(c)s, %(k)s, %(b)s, 1, '370202', {geom})",
            {"c": code, "k": category, "b": basic},
        )
    await conn.execute(
        """
        INSERT INTO permits (number, kind, parcel_id, valid)
        SELECT '建字第 1 号', 'construction', id, daterange('2026-01-01', '2026-06-01') FROM parcels WHERE code = 'P-2'
        """
    )
    await conn.execute(
        f"INSERT INTO setbacks (name, distance_m, clause, region_code, geom) VALUES ('退缩线', 200, '条例第 1 条', '370202', {square})"
    )


async def test_each_register_gives_its_verdict_with_area_and_clause(conn):
    await registers(conn)
    lines = {(line.layer, line.name): line for line in await legality.context(conn, PATCH, "construction", date(2026, 3, 1))}
    forest, farm, shop, coast = lines["forest_zones", "一号林班"], lines["parcels", "P-1"], lines["parcels", "P-2"], lines["setbacks", "退缩线"]
    assert (forest.verdict, farm.verdict, shop.verdict, coast.verdict) == ("suspect", "unlawful", "lawful", "suspect")
    assert "建字第 1 号" in shop.text and "基本农田" in farm.text and farm.clause
    half = 90.1 * 222.0
    assert abs(farm.area_m2 - half) / half < 0.01


async def test_a_permit_counts_only_on_its_days(conn):
    await registers(conn)
    after = {line.name: line for line in await legality.context(conn, PATCH, "construction", date(2026, 6, 1))}
    assert after["P-2"].verdict == "suspect"


async def test_a_building_permit_does_not_allow_felling_and_nowhere_says_nothing(conn):
    await registers(conn)
    felled = {line.name: line for line in await legality.context(conn, PATCH, "vegetation_loss", date(2026, 3, 1))}
    assert felled["P-1"].verdict == "suspect" and felled["P-2"].verdict == "context"
    assert await legality.context(conn, shapely.Point(121.9, 35.0), "construction", date(2026, 3, 1)) == []
