"""Where a point lies: deepest region, grid of the day, name in words."""

from datetime import date

import numpy as np
import pytest
import shapely

from grid.errors import InvalidInput
from grid.world import cells, places, regions
from grid.world.cells import Cell
from grid.world.regions import Region


def _region(code: str, name: str, box: tuple[float, float, float, float]) -> Region:
    return Region(code, regions.level_of(code), name, "", regions.parent_of(code), True, "test", shapely.MultiPolygon([shapely.box(*box)]))


@pytest.fixture
async def small_city(conn):
    await regions.load(
        conn,
        [
            _region("370202001001", "八大关社区", (120.0, 36.0, 120.5, 36.5)),
            _region("3702", "青岛市", (119.0, 35.0, 122.0, 38.0)),
            _region("370202001", "香港中路街道", (120.0, 36.0, 120.5, 37.0)),
            _region("370202", "市南区", (120.0, 36.0, 121.0, 37.0)),
        ],
    )
    half = shapely.MultiPolygon([shapely.box(120.0, 36.0, 120.25, 36.5)])
    await cells.load(
        conn,
        [
            Cell("370202001001001", "网格 001", "370202001001", True, half, date(2020, 1, 1), date(2026, 1, 1)),
            Cell("370202001001002", "网格 002", "370202001001", True, half, date(2026, 1, 1)),
        ],
    )
    return conn


async def test_the_deepest_region_and_the_grid_of_the_day(small_city):
    assert await places.locate(small_city, 120.1, 36.1) == places.Located("370202001001", "370202001001002", "市南区 · 香港中路街道 · 网格 002")
    then = await places.locate(small_city, 120.1, 36.1, on=date(2025, 12, 31))
    assert then.cell_code == "370202001001001"


async def test_without_a_grid_the_name_ends_where_knowledge_ends(small_city):
    found = await places.locate_many(small_city, [120.4, 120.4, 120.8, 121.5, -3.0], [36.2, 36.8, 36.5, 36.5, 0.0])
    assert [(f.region_code, f.cell_code, f.name) for f in found] == [
        ("370202001001", None, "市南区 · 香港中路街道 · 八大关社区"),
        ("370202001", None, "市南区 · 香港中路街道"),
        ("370202", None, "市南区"),
        ("3702", None, "海域或市域外"),
        ("3702", None, "海域或市域外"),
    ]


async def test_a_border_goes_to_one_place_only(small_city):
    assert (await places.locate(small_city, 120.25, 36.25)).cell_code == "370202001001002"


@pytest.mark.parametrize("lon, lat", [(float("nan"), 36.0), (36.0, 120.0), (181.0, 0.0), (0.0, float("inf"))])
async def test_nonsense_is_refused(conn, lon, lat):
    with pytest.raises(InvalidInput):
        await places.locate(conn, lon, lat)


async def test_many_of_none(conn):
    assert await places.locate_many(conn, [], []) == []


async def test_many_are_placed_as_one_by_one(small_city, monkeypatch):
    dice = np.random.default_rng(3)
    lons, lats = dice.uniform(118.9, 122.1, 800), dice.uniform(34.9, 38.1, 800)
    lons[:200], lats[:200] = dice.uniform(119.95, 120.55, 200), dice.uniform(35.95, 36.55, 200)
    lons[:5], lats[:5] = (120.25, 120.0, 120.5, 120.5, 121.0), (36.2, 36.0, 36.5, 37.0, 37.0)
    for day in (None, date(2025, 12, 31), date(2019, 1, 1)):
        many = await places.locate_many(small_city, lons.tolist(), lats.tolist(), day)
        with monkeypatch.context() as slow:
            slow.setattr(places, "BULK", 10_000)
            assert await places.locate_many(small_city, lons.tolist(), lats.tolist(), day) == many
    assert len({p.cell_code for p in many}) == 1 and len({p.name for p in many}) == 4


async def test_a_change_in_this_transaction_counts_at_once(small_city):
    lons, lats = [120.1] * places.BULK, [36.1] * places.BULK
    assert {p.cell_code for p in await places.locate_many(small_city, lons, lats)} == {"370202001001002"}
    async with small_city.transaction(force_rollback=True):
        await small_city.execute("UPDATE cells SET code = '370202001001009' WHERE code = '370202001001002'")
        assert {p.cell_code for p in await places.locate_many(small_city, lons, lats)} == {"370202001001009"}
    assert {p.cell_code for p in await places.locate_many(small_city, lons, lats)} == {"370202001001002"}
