"""The look-up table finds exactly the pairs that PostGIS finds: holes, overlaps, borders, corners, slivers and things outside included."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.world.assign import CellIndex


def mosaic(seed: int, count: int) -> np.ndarray:
    """Voronoi cells over a tenth of a degree."""
    dice = np.random.default_rng(seed)
    points = shapely.multipoints(np.column_stack([dice.uniform(120.3, 120.4, count), dice.uniform(36.0, 36.08, count)]))
    faces = shapely.get_parts(shapely.voronoi_polygons(points))
    return shapely.intersection(faces, shapely.box(120.3, 36.0, 120.4, 36.08))


def houses(seed: int, count: int, size: float = 3e-4) -> np.ndarray:
    """Turned boxes in and around the mosaic."""
    dice = np.random.default_rng(seed)
    x, y, turn = dice.uniform(120.28, 120.42, count), dice.uniform(35.98, 36.1, count), dice.uniform(0, np.pi, count)
    w, h = dice.uniform(size / 5, size, (2, count))
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])[None] * np.stack([w, h], 1)[:, None] / 2
    spin = np.stack([np.stack([np.cos(turn), -np.sin(turn)], -1), np.stack([np.sin(turn), np.cos(turn)], -1)], -2)
    return shapely.polygons(np.einsum("bij,bnj->bni", spin, corner) + np.stack([x, y], 1)[:, None])


def expected(cells: np.ndarray, things: np.ndarray) -> set[tuple[int, int]]:
    thing, cell = shapely.STRtree(cells).query(things, predicate="intersects")
    return set(zip(thing.tolist(), cell.tolist(), strict=True))


def first_covering(cells: np.ndarray, lon: np.ndarray, lat: np.ndarray) -> list[int]:
    point, cell = shapely.STRtree(cells).query(shapely.points(lon, lat), predicate="intersects")
    found = np.full(len(lon), len(cells))
    np.minimum.at(found, point, cell)
    return np.where(found == len(cells), -1, found).tolist()


HOLED = np.array(
    [
        shapely.Polygon(shapely.box(120.30, 36.00, 120.36, 36.06).exterior.coords, [shapely.box(120.31, 36.01, 120.33, 36.03).exterior.coords]),
        shapely.box(120.31, 36.01, 120.33, 36.03),
        shapely.box(120.35, 36.05, 120.40, 36.08),
        shapely.MultiPolygon([shapely.box(120.37, 36.00, 120.38, 36.01), shapely.box(120.39, 36.00, 120.40, 36.01)]),
    ],
    dtype=object,
)


@pytest.mark.parametrize("cells", [mosaic(1, 60), mosaic(2, 1500), HOLED], ids=["few", "many", "holes, overlap, parts"])
@pytest.mark.parametrize("pixels", [500, 20_000, 400_000])
def test_pairs_and_covers_are_those_of_the_geometry(cells, pixels):
    index = CellIndex(cells, pixels)
    things = np.concatenate([houses(3, 4000), houses(4, 60, 0.05), cells, shapely.boundary(cells), [shapely.Point(), None, shapely.box(0, 0, 180, 80)]])
    thing, cell = index.pairs(things)
    assert set(zip(thing.tolist(), cell.tolist(), strict=True)) == expected(cells, things)
    assert len(set(zip(thing.tolist(), cell.tolist(), strict=True))) == len(thing) and np.all(np.diff(thing) >= 0)
    corners = shapely.get_coordinates(cells)
    middles = (corners[1:] + corners[:-1]) / 2
    dice = np.random.default_rng(5)
    spread = np.column_stack([dice.uniform(120.28, 120.42, 5000), dice.uniform(35.98, 36.1, 5000)])
    lon, lat = np.concatenate([corners, middles, spread, [[-180, -90], [180, 90]]]).T
    assert index.covers(lon, lat).tolist() == first_covering(cells, lon, lat)


@settings(max_examples=60, deadline=None)
@given(
    corners=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=9),
    boxes=st.lists(st.tuples(st.integers(-5, 44), st.integers(-5, 44), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=20),
    pixels=st.sampled_from([9, 100, 1600, 5000]),
)
def test_any_polygon_on_a_lattice(corners, boxes, pixels):
    """Corners, borders and pixel lines fall on each other as often as they can."""
    cell = shapely.make_valid(shapely.Polygon(corners))
    parts = np.array([p for p in shapely.get_parts(cell) if p.geom_type == "Polygon"] or [shapely.box(0, 0, 1, 1)], dtype=object)
    things = np.array([shapely.box(x, y, x + w, y + h) if w and h else shapely.LineString([(x, y), (x + w, y + h)]) for x, y, w, h in boxes], dtype=object)
    index = CellIndex(parts, pixels)
    thing, found = index.pairs(things)
    assert set(zip(thing.tolist(), found.tolist(), strict=True)) == expected(parts, things)
    lon, lat = (a.ravel() for a in np.meshgrid(np.arange(-2, 43, 0.5), np.arange(-2, 43, 0.5)))
    assert index.covers(lon, lat).tolist() == first_covering(parts, lon, lat)


def test_what_is_no_number_lies_nowhere():
    index = CellIndex(mosaic(1, 10))
    assert index.covers(np.array([np.nan, np.inf, -np.inf, 120.35]), np.array([36.0, 36.0, 36.0, np.nan])).tolist() == [-1] * 4
    assert [len(part) for part in index.pairs([])] == [0, 0]


async def test_postgis_finds_the_same(conn):
    cells, things = mosaic(6, 120), houses(7, 3000)
    await conn.execute("CREATE TEMPORARY TABLE a (id int, geom geometry); CREATE TEMPORARY TABLE b (id int, geom geometry)")
    for table, shapes in (("a", cells), ("b", things)):
        async with conn.cursor() as cursor:
            await cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s)", [(i, shape) for i, shape in enumerate(shapes)])
    found = await (await conn.execute("SELECT b.id, a.id FROM a JOIN b ON ST_Intersects(a.geom, b.geom) ORDER BY 1, 2")).fetchall()
    thing, cell = CellIndex(cells).pairs(things)
    assert list(zip(thing.tolist(), cell.tolist(), strict=True)) == found and len(found) > 1500
