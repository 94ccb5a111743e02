"""The generalised levels: less to draw, still a city, cut at regions, made again only where something changed."""

import numpy as np
import psycopg
import pytest
import shapely
from psycopg import AsyncConnection

from grid.database import Scope
from layers import pyramid, tiles
from layers.catalog import catalog
from layers.generalise import LEVELS, TILE_BUDGET, WORLD, Shapes, estimated_bytes, generalise, hilbert, pixel_m
from layers.generalise import pyramid as levels_of

CENTRE = (13400000.0, 4310000.0)
PROMISE = 500_000


def houses(side: int, pitch: float, width: float, *, region: str = "370202001001") -> Shapes:
    """A square of side × side houses, metres in EPSG:3857."""
    x, y = (values.ravel() * pitch for values in np.meshgrid(np.arange(side), np.arange(side)))
    geom = shapely.box(CENTRE[0] + x, CENTRE[1] + y, CENTRE[0] + x + width, CENTRE[1] + y + width)
    n = len(geom)
    return Shapes(geom, np.full(n, 12.0), np.full(n, "residential", object), np.full(n, region, object), np.ones(n, np.int64))


def together(*some: Shapes) -> Shapes:
    return Shapes(*(np.concatenate([getattr(shapes, name) for shapes in some]) for name in Shapes.__slots__))


def test_neighbours_melt_and_their_number_stays() -> None:
    block = generalise(houses(10, 12.0, 10.0), pixel_m(13), skyline=False)
    assert len(block) == 1 and block.count.tolist() == [100] and block.height_m.tolist() == [12.0] and block.use.tolist() == ["residential"]
    assert shapely.area(block.geom[0]) == pytest.approx(118.0**2, rel=0.02)


def test_distant_houses_stay_apart_and_specks_go() -> None:
    apart = generalise(houses(4, 60.0, 20.0), pixel_m(14), skyline=True)
    assert len(apart) == 16 and apart.count.sum() == 16
    assert len(generalise(houses(4, 60.0, 4.0), pixel_m(12), skyline=False)) == 0
    assert len(generalise(houses(0, 1, 1), pixel_m(12), skyline=False)) == 0


def test_blocks_end_at_regions_and_towers_stay_towers() -> None:
    left, right = houses(2, 10.0, 10.0), houses(2, 10.0, 10.0, region="370212001001")
    right = Shapes(shapely.transform(right.geom, lambda xy: xy + [20.0, 0.0]), right.height_m, right.use, right.region, right.count)
    assert sorted(generalise(together(left, right), pixel_m(13), skyline=False).region) == ["370202001001", "370212001001"]
    tower = Shapes(houses(1, 10.0, 10.0).geom, np.array([100.0]), np.array(["office"], object), np.array(["370202001001"], object), np.array([1]))
    kept = generalise(together(tower, houses(2, 10.0, 10.0).at(np.array([1, 2, 3]))), pixel_m(15), skyline=True)
    assert sorted(kept.height_m.tolist()) == [12.0, 100.0]


def test_yards_stay_open_and_shapes_valid() -> None:
    ring = shapely.difference(shapely.box(*CENTRE, CENTRE[0] + 200, CENTRE[1] + 200), shapely.box(CENTRE[0] + 60, CENTRE[1] + 60, CENTRE[0] + 140, CENTRE[1] + 140))
    one = Shapes(np.array([ring]), np.array([9.0]), np.array(["public"], object), np.array(["3702"], object), np.array([1]))
    assert len(generalise(one, pixel_m(14), skyline=True).geom[0].interiors) == 1
    assert len(generalise(one, pixel_m(9), skyline=False)) <= 1
    random = np.random.default_rng(3)
    place = random.uniform(0, 600, (400, 2)) + CENTRE
    wild = shapely.buffer(shapely.points(place), random.uniform(2, 14, 400), quad_segs=2)
    many = Shapes(wild, random.uniform(3, 60, 400), np.full(400, "office", object), np.full(400, "3702", object), np.ones(400, np.int64))
    for level, shapes in levels_of(many).items():
        assert shapely.is_valid(shapes.geom).all(), level
        assert (shapes.height_m >= 1).all() and shapes.count.sum() <= 400


def test_each_level_holds_less_and_none_exceeds_the_budget_however_dense() -> None:
    made = levels_of(houses(150, 9.0, 6.0))
    sizes = [estimated_bytes(made[level]) for level in LEVELS]
    assert sizes == sorted(sizes, reverse=True)
    assert estimated_bytes(made[14]) <= TILE_BUDGET
    assert made[9].count.sum() > 20_000, "the city is still there from far away"


def test_hilbert_puts_neighbours_together() -> None:
    x, y = np.meshgrid(np.arange(16), np.arange(16))
    order = np.argsort(hilbert(shapely.points(x.ravel(), y.ravel()), bits=4))
    steps = np.abs(np.diff(x.ravel()[order])) + np.abs(np.diff(y.ravel()[order]))
    assert steps.max() == 1, "each step of the curve goes to a neighbour"


def _store(url: str, shapes: Shapes, first: int = 1) -> None:
    degrees = shapely.transform(
        shapes.geom, lambda xy: np.c_[xy[:, 0] / (WORLD / 2) * 180, np.degrees(2 * np.arctan(np.exp(xy[:, 1] / 6378137.0)) - np.pi / 2)]
    )
    with psycopg.connect(url) as connection, connection.cursor().copy("COPY buildings (id, use, height_m, floors, region_code, geom) FROM STDIN") as copy:
        for number, (shape, height, use, region) in enumerate(zip(shapely.set_srid(degrees, 4326), shapes.height_m, shapes.use, shapes.region, strict=True), first):
            copy.write_row((number, use, float(height), 4, region, shapely.to_wkb(shape, hex=True, include_srid=True)))


async def test_every_tile_of_a_dense_city_keeps_the_promise(conn: AsyncConnection, database_url: str) -> None:
    _store(database_url, houses(130, 11.0, 8.0))
    built = await pyramid.rebuild(conn)
    assert built.made >= 1 and built.rows > 0
    spec, largest = catalog().layers["buildings"], {}
    for z in range(9, 19):
        side = WORLD / 2**z
        low, high = ([int((v + WORLD / 2) // side) for v in (CENTRE[0], CENTRE[0] + 1430)], [int((WORLD / 2 - v) // side) for v in (CENTRE[1] + 1430, CENTRE[1])])
        addresses = [(x, y) for x in range(low[0], low[1] + 1) for y in range(high[0], high[1] + 1)]
        largest[z] = max([len(await tiles.render(conn, spec, tiles.Tile(z, x, y), Scope("3702"))) for x, y in addresses[:60]])
    assert all(0 < size <= PROMISE for size in largest.values()), largest


async def test_only_what_changed_is_made_again(conn: AsyncConnection, database_url: str) -> None:
    _store(database_url, houses(6, 30.0, 20.0))
    progress: list[tuple[int, int]] = []
    first = await pyramid.rebuild(conn, progress=lambda done, total: progress.append((done, total)))
    assert first.made == progress[-1][0] == progress[-1][1]
    again = await pyramid.rebuild(conn)
    assert (again.made, again.removed, again.unchanged, again.rows) == (0, 0, first.made, 0)
    await conn.execute("TRUNCATE building_levels")
    assert (await pyramid.rebuild(conn)).rows == first.rows, "emptied by somebody else, made again"
    far = houses(1, 1.0, 20.0)
    _store(database_url, Shapes(shapely.transform(far.geom, lambda xy: xy + [50_000.0, 0.0]), far.height_m, far.use, far.region, far.count), first=1000)
    assert (await pyramid.rebuild(conn)).made == 1
    await conn.execute("DELETE FROM buildings WHERE id = 1000")
    gone = await pyramid.rebuild(conn)
    assert (gone.made, gone.removed) == (0, 1)
    await conn.execute("DELETE FROM buildings")
    await pyramid.rebuild(conn)
    assert (await (await conn.execute("SELECT count(*) FROM building_levels")).fetchone())[0] == 0
    kinds = await (await conn.execute("SELECT DISTINCT kind, entity_id FROM events ORDER BY 2")).fetchall()
    assert kinds == [(pyramid.LAYERS_CHANGED, "buildings"), (pyramid.LAYERS_CHANGED, "buildings_3d")]
