"""The encoder draws what ST_AsMVT draws: features, properties, shapes, holes, borders, scopes; and what is edited shows at once."""

import asyncio
import json
from pathlib import Path

import numpy as np
import psycopg
import pytest
import shapely
from psycopg import AsyncConnection

from benchmarks import fidelity
from gis_api.tilecache import join, pack, squeeze
from gis_api.tiles import TileApp
from grid.database import Scope
from grid.settings import Settings
from layers import columns, encoder, tiles
from layers.catalog import catalog
from layers.held import Packer
from layers.spec import Held, LayerSpec

LON, LAT = 120.38, 36.06
REGIONS = ("370202001001", "370202001002", "370212001001")

SPEC = LayerSpec(
    id="shapes",
    title="形状",
    title_en="Shapes",
    group="city",
    kind="mvt",
    sql="""
        SELECT id, name, whole, part, yes, more, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM shapes WHERE geom && %(degrees)s AND region_code LIKE %(scope)s
    """,
    attributes=("name", "whole", "part", "yes", "more"),
    deck=None,
    held=Held(tables=("shapes",)),
)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """One compiler at a time in a checkout: servers of other tests compile the same code."""
    with encoder.alone():
        encoder.warm()


def city(seed: int) -> list[shapely.Geometry]:
    """Houses at every angle, yards, L shapes, pairs, long parcels over many tiles, stars, roads and points within some four kilometres."""
    random = np.random.default_rng(seed)
    made: list[shapely.Geometry] = []

    def place() -> tuple[float, float]:
        return LON + random.uniform(-0.02, 0.02), LAT + random.uniform(-0.015, 0.015)

    def turned(shape: shapely.Geometry) -> shapely.Geometry:
        return shapely.affinity.translate(shapely.affinity.rotate(shape, random.uniform(0, 360), origin=(0, 0)), *place())

    m = 1e-5
    for _ in range(500):
        w, h = random.uniform(2, 60, 2) * m
        made.append(turned(shapely.box(0, 0, w, h)))
        made.append(turned(shapely.Polygon([(0, 0), (w, 0), (w, h / 3), (w / 3, h / 3), (w / 3, h), (0, h)])))
    for _ in range(120):
        w = random.uniform(20, 400) * m
        made.append(turned(shapely.box(0, 0, w, w).difference(shapely.box(w * 0.3, w * 0.2, w * 0.6, w * 0.7))))
        made.append(turned(shapely.MultiPolygon([shapely.box(0, 0, w, w), shapely.box(1.5 * w, 0, 2 * w, w).difference(shapely.box(1.6 * w, 0.1 * w, 1.8 * w, 0.4 * w))])))
        radius = np.where(np.arange(24) % 2, w, w / 3)
        angle = np.arange(24) / 24 * 2 * np.pi
        made.append(turned(shapely.Polygon(np.c_[np.cos(angle) * radius, np.sin(angle) * radius])))
        comb = [(0, 0), *[(x * w / 9, w if x % 2 else w / 20) for x in range(10)], (w, 0)]
        made.append(turned(shapely.Polygon(comb)))
    for _ in range(150):
        steps = random.normal(0, 60 * m, (random.integers(2, 40), 2)).cumsum(0)
        made.append(turned(shapely.LineString(steps)))
        made.append(turned(shapely.MultiLineString([steps[:2], steps[:2] + 300 * m])))
        made.append(shapely.Point(place()))
    made.append(shapely.MultiPoint([place() for _ in range(5)]))
    side = 360 / 2**15
    x, y = np.floor((LON + 180) / side) * side - 180, LAT
    made.append(shapely.box(x - side / 500, y, x + side / 500, y + 3 * side))
    made.append(shapely.box(LON - 0.5, LAT - 0.5, LON + 0.5, LAT + 0.5).difference(shapely.Point(LON, LAT).buffer(0.01)))
    return made


@pytest.fixture
async def shapes(conn: AsyncConnection, database_url: str) -> AsyncConnection:
    await conn.execute("CREATE TABLE shapes (id bigint PRIMARY KEY, name text, whole int, part real, yes bool, more jsonb, region_code text NOT NULL, geom geometry(Geometry, 4326))")
    async with conn.cursor().copy("COPY shapes FROM STDIN") as copy:
        for number, shape in enumerate(city(7)):
            more = json.dumps({"深度": number / 4, "n": number, "s": f"{number % 7}", "no": None, "list": [1], "t": True})
            name = f"楼{number % 50}" if number % 3 else None
            given = (number, name, (number - 500) * 1000, number / 8, number % 2 == 0, more, REGIONS[number % 3])
            await copy.write_row((*given, shapely.to_wkb(shapely.set_srid(shapely.make_valid(shape), 4326), hex=True, include_srid=True)))
    await conn.execute("CREATE INDEX ON shapes USING gist (geom)")
    await conn.commit()
    return conn


def tile_of(lon: float, lat: float, z: int) -> tiles.Tile:
    """The tile of a place."""
    return tiles.Tile(z, int((lon + 180) / 360 * 2**z), int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**z))


def around(z: int, reach: float = 0.03) -> list[tiles.Tile]:
    """The tiles of a zoom over the city, at most 36 of them."""
    first, last = tile_of(LON - reach, LAT + reach, z), tile_of(LON + reach, LAT - reach, z)
    found = [tiles.Tile(z, x, y) for x in range(first.x, last.x + 1) for y in range(first.y, last.y + 1)]
    return found[:: max(1, len(found) // 36)]


@pytest.mark.parametrize("z", [0, 9, 12, 13, 14, 15, 16, 18, 20])
async def test_a_tile_is_as_postgis_draws_it(shapes: AsyncConnection, database_url: str, z: int) -> None:
    with psycopg.connect(database_url) as connection:
        store = columns.read(connection, SPEC, z)
    found = {kind: fidelity.Likeness() for kind in (1, 2, 3)}
    for tile in around(z):
        ours = fidelity.parse(encoder.encode(SPEC.id, [store], tile, "3702", SPEC.attributes))
        theirs = fidelity.parse(await tiles.render(shapes, SPEC, tile, Scope("3702")))
        for kind, likeness in found.items():
            fidelity.compare({k: f for k, f in ours.items() if f.kind == kind}, {k: f for k, f in theirs.items() if f.kind == kind}, likeness)
    for kind, likeness in found.items():
        assert likeness.properties_differ == likeness.invalid == likeness.winding == 0, (kind, likeness)
        assert likeness.only_ours + likeness.only_theirs <= 0.001 * likeness.features, (kind, likeness)
    assert sum(likeness.features for likeness in found.values()) > 0
    if found[3].iou:
        assert np.median(found[3].iou) >= 0.99
    assert all(np.median(found[kind].apart) <= 1 for kind in (1, 2) if found[kind].apart)


@pytest.mark.parametrize("processors", [2, 3, 7])
async def test_a_tile_drawn_by_several_threads_is_the_same_tile(shapes: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch, processors: int) -> None:
    with psycopg.connect(database_url) as connection:
        store = columns.read(connection, SPEC, 16)
    for tile in [*around(12), *around(14)[:6]]:
        monkeypatch.setattr(encoder, "SHARED_ROWS", 1 << 40)
        alone = encoder.pieces(SPEC.id, [store], tile, "3702", SPEC.attributes, bytes)
        monkeypatch.setattr(encoder, "SHARED_ROWS", 1)
        monkeypatch.setattr(encoder, "PROCESSORS", processors)
        together = encoder.pieces(SPEC.id, [store], tile, "3702", SPEC.attributes, bytes)
        assert len(alone) == 1 and len(together) > 1
        ours, theirs = fidelity.parse(b"".join(together)), fidelity.parse(alone[0])
        assert ours.keys() == theirs.keys()
        for number, feature in ours.items():
            assert (feature.kind, feature.properties) == (theirs[number].kind, theirs[number].properties)
            assert [ring.tolist() for ring in feature.rings] == [ring.tolist() for ring in theirs[number].rings]
        packed = join([squeeze(piece) for piece in together])
        assert packed.plain() == b"".join(together) == pack(packed.plain()).plain()
        assert packed.raw_bytes == len(packed.plain())


async def test_rings_that_a_border_cuts_stay_valid_and_seldom_need_mending(conn: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring that leaves a tile and comes back runs along its border twice: it is parted in compiled code, the like of what PostGIS draws."""
    mended: list[int] = []
    whole = encoder.mended
    monkeypatch.setattr(encoder, "mended", lambda rows, *others: (mended.extend(rows), whole(rows, *others))[1])
    random = np.random.default_rng(11)
    await conn.execute("CREATE TABLE shapes (id bigint PRIMARY KEY, name text, whole int, part real, yes bool, more jsonb, region_code text NOT NULL, geom geometry(Geometry, 4326))")
    tile = tile_of(LON, LAT, 14)
    west, south, _, _ = tile.bounds(tiles.BUFFER)
    unit = (tile.bounds()[2] - tile.bounds()[0]) / tiles.EXTENT
    teeth = [(0, -40), *((x, y) for k in range(3) for x, y in ((10 * k, 40), (10 * k + 5, 40), (10 * k + 5, -20), (10 * k + 10, -20))), (30, 40), (35, 40), (35, -40)]
    for number in range(40):
        x, y, turn = west + unit * (200 + 90 * number), south, random.uniform(-40, 40)
        comb = shapely.affinity.translate(shapely.affinity.rotate(shapely.Polygon([(6 * unit * a, 6 * unit * b) for a, b in teeth]), turn, origin=(0, 0)), x, y)
        await conn.execute(
            "INSERT INTO shapes (id, name, region_code, geom) VALUES (%s, 'comb', %s, ST_Transform(ST_SetSRID(%s::geometry, 3857), 4326))", [number, REGIONS[0], shapely.to_wkb(comb)]
        )
    await conn.commit()
    with psycopg.connect(database_url) as connection:
        store = columns.read(connection, SPEC, 14)
    ours = fidelity.parse(encoder.encode(SPEC.id, [store], tile, "3702", SPEC.attributes))
    theirs = fidelity.parse(await tiles.render(conn, SPEC, tile, Scope("3702")))
    likeness = fidelity.Likeness()
    fidelity.compare(ours, theirs, likeness, sample=40)
    assert likeness.features == 40 and not (likeness.only_ours or likeness.only_theirs or likeness.invalid or likeness.winding)
    assert np.median(likeness.iou) > 0.98, "cut on the grid, not before it: a unit at the border"
    parted = [number for number, feature in ours.items() if len(feature.rings) > 1]
    assert len(parted) >= 20 and len(mended) <= 4, (parted, mended)


def test_compiled_code_of_older_sources_is_forgotten(tmp_path: Path) -> None:
    source, cache = tmp_path / "strokes.py", tmp_path / "cache"
    cache.mkdir()
    source.write_text("one = 1")
    assert encoder.forget_stale(cache, [source])
    old, other = cache / "strokes.bend-1.py311.1.nbc", cache / "else.bend-1.py311.1.nbc"
    old.touch(), other.touch()
    assert not encoder.forget_stale(cache, [source]) and old.exists()
    source.write_text("one = 2")
    assert encoder.forget_stale(cache, [source]) and not old.exists() and other.exists()


async def test_who_sees_what_is_decided_by_region(shapes: AsyncConnection, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        store = columns.read(connection, SPEC, 14)
    for prefix in ("3702", "370202", "370212", "370202001002", "3703", "", "%", "37%"):
        for tile in around(14)[:4]:
            ours = fidelity.parse(encoder.encode(SPEC.id, [store], tile, prefix, SPEC.attributes))
            theirs = fidelity.parse(await tiles.render(shapes, SPEC, tile, Scope(prefix)))
            assert len(ours.keys() ^ theirs.keys()) <= 0.01 * len(theirs), prefix


async def test_a_patch_replaces_what_it_covers(shapes: AsyncConnection, database_url: str) -> None:
    box = (13398000.0, 4305000.0, 13401500.0, 4309000.0)
    with psycopg.connect(database_url) as connection:
        store = columns.read(connection, SPEC, 14)
        inside = "geom && ST_Transform(ST_MakeEnvelope(%s, %s, %s, %s, 3857), 4326) AND ST_Area(geom) < 0.001"
        connection.execute(f"DELETE FROM shapes WHERE {inside} AND id %% 3 = 0", box)
        connection.execute(f"UPDATE shapes SET name = 'neu', geom = ST_Translate(geom, 0.00001, 0) WHERE {inside} AND id %% 3 = 1", box)
        patch = columns.read(connection, SPEC, 14, (box[0] - 50, box[1] - 50, box[2] + 50, box[3] + 50))
        store.kill(box, patch.ids)
        connection.commit()
    names: set[str] = set()
    for tile in around(14):
        ours = fidelity.parse(encoder.encode(SPEC.id, [store, patch], tile, "3702", SPEC.attributes))
        theirs = fidelity.parse(await tiles.render(shapes, SPEC, tile, Scope("3702")))
        assert len(ours.keys() ^ theirs.keys()) <= 0.004 * len(theirs) + 1
        assert all(ours[k].properties == theirs[k].properties for k in ours.keys() & theirs.keys())
        names |= {feature.properties.get("name", "") for feature in ours.values()}
    assert "neu" in names


def test_rings_that_meet_become_valid_polygons() -> None:
    bow = np.array([(0, 0), (100, 100), (100, 0), (0, 100)], float)
    shell, hole = np.array([(0, 0), (50, 0), (50, 50), (0, 50)], float), np.array([(0, 10), (0, 20), (20, 20), (20, 10)], float)
    xy = np.concatenate([bow, shell, hole])
    rows, rings, ends, first, x, y = encoder.mended(np.array([3, 9]), np.array([0, 1, 3]), np.array([0, 4, 8, 12]), np.array([1, 1, 0], np.uint8), xy)
    assert rows.tolist() == [3, 9] and first[rings[0]] == 1 and rings[1] == 2, "a bow tie is two triangles"
    polygons = [shapely.Polygon(np.c_[x, y][(ends[k - 1] if k else 0) : ends[k]]) for k in range(rings[2])]
    assert all(polygon.is_valid for polygon in polygons) and polygons[2].area == 2500 - 200


async def test_an_edit_shows_within_a_second_and_costs_only_its_tiles(settings: Settings, database_url: str) -> None:
    app = TileApp(settings, held_after=1)
    spec, whole = catalog().layers["buildings"], Scope("3702")
    insert = """
        INSERT INTO buildings (id, use, height_m, floors, region_code, geom)
        SELECT n, 'office', 30, 10, '370202001001', ST_MakeEnvelope(120.38 + n * 0.001, 36.06, 120.3804 + n * 0.001, 36.0603, 4326) FROM generate_series(%s::int, %s::int) AS n
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(insert, [1, 40])
        await app.startup()
        try:
            async with asyncio.timeout(150):
                await app.listening.wait()
                assert await app.memory.ready(spec, 16)
            near, far = (tile_of(lon, 36.0601, 16) for lon in (120.3812, 120.4192))
            await app.fetch(spec, near, whole)
            kept = await app.fetch(spec, far, whole)
            assert kept.body is not None
            generation = app.cache.generation("buildings")
            connection.execute("UPDATE buildings SET use = 'medical', geom = ST_Translate(geom, 0, 0.0001) WHERE id = 1")
            async with asyncio.timeout(20):
                while app.cache.generation("buildings") == generation:
                    await asyncio.sleep(0.005)
                drawn = fidelity.parse((await app.fetch(spec, near, whole)).plain())
                assert drawn[1].properties["use"] == "medical", "SQL draws it until the memory has it"
                assert await app.fetch(spec, far, whole) is kept, "what was not edited is still there"
                assert await app.memory.ready(spec, 16)
            memory = fidelity.parse(await app.memory.tile(spec, near, "3702", Packer(bytes, b"".join)))
            assert memory[1].properties["use"] == "medical" and memory.keys() == drawn.keys()
            connection.execute("DELETE FROM buildings WHERE id = 1")
            async with asyncio.timeout(20):
                while 1 in fidelity.parse((await app.fetch(spec, near, whole)).plain()):
                    await asyncio.sleep(0.005)
            connection.execute("TRUNCATE buildings")
            async with asyncio.timeout(20):
                while (await app.fetch(spec, far, whole)).body is not None:
                    await asyncio.sleep(0.005)
        finally:
            await app.shutdown()


async def test_memory_is_bounded(settings: Settings, database_url: str) -> None:
    app = TileApp(settings, held_after=1)
    layers = [catalog().layers[name] for name in ("forest_zones", "setbacks", "coastline")]
    try:
        async with asyncio.timeout(150):
            assert await app.memory.ready(layers[0], 12)
            app.memory.limit = app.memory.size + 1
            for spec in layers[1:]:
                assert await app.memory.ready(spec, 12)
                assert app.memory.size <= app.memory.limit
    finally:
        await app.memory.close()
