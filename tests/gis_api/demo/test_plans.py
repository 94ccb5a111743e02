"""The demo's red lines and plan follow its forest and its parcels, each category of parcel with a planned use."""

import shapely

from gis_api.demo import plans
from grid.world.parcels import CATEGORIES


async def test_red_lines_lie_over_public_welfare_forest_and_every_parcel_has_a_plan(conn):
    square = shapely.set_srid(shapely.MultiPolygon([shapely.box(120.3, 36.0, 120.31, 36.01)]), 4326)
    for code, kind in (("L1", "public_welfare"), ("L2", "scenic")):
        await conn.execute("INSERT INTO forest_zones (code, name, class, area_ha, region_code, geom) VALUES (%s, %s, %s, 1, '370202', %s)", [code, code, kind, square])
    for category in CATEGORIES:
        await conn.execute("INSERT INTO parcels (code, category, area_m2, region_code, geom) VALUES (%s, %s, 1, '370202', %s)", [category, category, square])
    assert await plans.load(conn) == 1 + len(CATEGORIES)
    assert await (await conn.execute("SELECT code FROM redlines")).fetchall() == [("HXL1",)]
    uses = dict(await (await conn.execute("SELECT code, use FROM planning_zones")).fetchall())
    assert (uses["GHfarmland"], uses["GHforest"], uses["GHbare"], uses["GHgreen"]) == ("agricultural", "ecological", "reserve", "green")
