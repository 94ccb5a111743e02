"""Vector tiles: one SQL statement a tile, over the statement of the layer.

Speed comes from asking ST_AsMVTGeom once a feature (no `geom IS NOT NULL` around it: ST_AsMVT skips NULL anyway) and from fewer features at low zooms
(layers.pyramid), see design/performance.md. Extent 4096, buffer 64.
"""

import math
import re
import struct
from dataclasses import dataclass
from functools import cache

from psycopg import AsyncConnection, sql

from grid.database import Scope
from grid.errors import InvalidInput, NotFound
from layers.catalog import Catalog
from layers.paint import LegendEntry
from layers.spec import Held, LayerSpec

EXTENT = 4096
BUFFER = 64
MAX_ZOOM = 22
RADIUS = 6378137.0
HALF = 20037508.342789244

Bounds = tuple[float, float, float, float]

DATASET = re.compile(r"dataset_([a-z0-9][a-z0-9_]{0,62})")

_DATASET_SQL = """
    SELECT id, label, properties, region_code, ST_Transform(geom, 3857) AS geom_3857
    FROM dataset_features
    WHERE dataset_id = %(dataset)s AND region_code LIKE %(scope)s AND geom && %(degrees)s
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """The address of a tile, y down from the north (XYZ)."""

    z: int
    x: int
    y: int

    def bounds(self, buffer: int = 0) -> Bounds:
        """West, south, east, north of its square in EPSG:3857, grown by `buffer` 4096ths of its side."""
        side = 2 * HALF / 2**self.z
        grow = side * buffer / EXTENT
        west, north = -HALF + self.x * side, HALF - self.y * side
        return west - grow, north - side - grow, west + side + grow, north + grow


def parse(z: str, x: str, y: str) -> Tile:
    """The tile of three words; InvalidInput names what is not a whole number in range.

    >>> parse("1", "0", "1")
    Tile(z=1, x=0, y=1)
    >>> parse("1", "2", "0")
    Traceback (most recent call last):
        ...
    grid.errors.InvalidInput: x 2 不在 0 到 1 之间 · is not within 0 to 1 at zoom 1
    """
    numbers = []
    for name, text in (("z", z), ("x", x), ("y", y)):
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise InvalidInput(f"{name} {text[:20]!r} 不是非负整数 · is not a whole number of at most 9 digits", remedy="/tiles/{layer}/{z}/{x}/{y}.mvt")
        numbers.append(int(text))
    if numbers[0] > MAX_ZOOM:
        raise InvalidInput(f"z {numbers[0]} 不在 0 到 {MAX_ZOOM} 之间 · is not within 0 to {MAX_ZOOM}", remedy="stop at the layer's largest zoom")
    side = 2 ** numbers[0]
    for name, number in (("x", numbers[1]), ("y", numbers[2])):
        if number >= side:
            raise InvalidInput(f"{name} {number} 不在 0 到 {side - 1} 之间 · is not within 0 to {side - 1} at zoom {numbers[0]}", remedy="x and y are below 2^z")
    return Tile(*numbers)


def degrees(bounds: Bounds) -> Bounds:
    """A box of EPSG:3857 in EPSG:4326, cut at the edge of the world."""
    west, south, east, north = bounds
    lon = [max(-180.0, min(180.0, math.degrees(x / RADIUS))) for x in (west, east)]
    lat = [math.degrees(2 * math.atan(math.exp(y / RADIUS)) - math.pi / 2) for y in (south, north)]
    return lon[0], lat[0], lon[1], lat[1]


def ewkb(bounds: Bounds, srid: int) -> bytes:
    """A box as EWKB, which PostGIS takes for a geometry: a hundredth of what building a shape costs.

    >>> import shapely
    >>> shapely.from_wkb(ewkb((0, 0, 2, 1), 3857)).equals(shapely.box(0, 0, 2, 1))
    True
    """
    west, south, east, north = bounds
    return struct.pack("<BIIII10d", 1, 0x20000003, srid, 1, 5, west, south, east, south, east, north, west, north, west, south)


def find(catalog: Catalog, layer_id: str) -> LayerSpec:
    """The tile layer of an id, imported datasets included (whether such a dataset exists shows only in the database); NotFound otherwise."""
    spec = catalog.get(layer_id)
    if spec is not None and spec.kind == "mvt":
        return spec
    if DATASET.fullmatch(layer_id):
        return _dataset(layer_id)
    raise NotFound(f"没有图层 · no tile layer {layer_id[:80]!r}", remedy="GET /api/layers lists them")


@cache
def _dataset(layer_id: str) -> LayerSpec:
    return LayerSpec(
        id=layer_id,
        title="导入数据",
        title_en="Imported data",
        group="imported",
        kind="mvt",
        sql=_DATASET_SQL,
        attributes=("label", "properties"),
        deck=None,
        legend=(LegendEntry("要素", "Feature", "#6AA5FF"),),
        refreshed_by=("dataset.*",),
        held=Held(tables=()),
    )


@cache
def statement(spec: LayerSpec, z: int, *, whole: bool = False) -> bytes:
    """The one statement of a layer's tiles at a zoom. Parameters: those of LayerSpec.sql, and %(tile)s, the tile's square in EPSG:3857.

    `whole`: over the rows of the largest zoom, which are all there are.
    """
    columns = [sql.Identifier(name) for name in ("id", *spec.attributes_at(z, whole=whole))]
    return sql.SQL("SELECT ST_AsMVT(tile, {name}, {extent}, 'geom', 'id') FROM (SELECT {columns}, ST_AsMVTGeom(geom_3857, %(tile)s::geometry::box2d, {extent}, {buffer}) AS geom FROM ({source}) AS source) AS tile").format(
        name=sql.Literal(spec.id), extent=sql.Literal(EXTENT), buffer=sql.Literal(BUFFER), columns=sql.SQL(", ").join(columns), source=sql.SQL(spec.sql_at(spec.max_zoom if whole else z).strip())
    ).as_bytes(None)


def parameters(spec: LayerSpec, tile: Tile, scope: Scope) -> dict:
    """What the statement is asked with."""
    wide = tile.bounds(BUFFER)
    found = {"tile": ewkb(tile.bounds(), 3857), "wide": ewkb(wide, 3857), "degrees": ewkb(degrees(wide), 4326), "z": tile.z, "scope": scope.like, "prefix": scope.prefix}
    if dataset := DATASET.fullmatch(spec.id):
        found["dataset"] = dataset.group(1)
    return found


async def render(connection: AsyncConnection, spec: LayerSpec, tile: Tile, scope: Scope, *, whole: bool = False) -> bytes:
    """The tile as uncompressed MVT; empty bytes where nothing is to be drawn or the zoom is outside the layer's. `whole`: all features, however far away.

    One round trip; the statement is prepared on its connection after the first tile.
    """
    if not spec.min_zoom <= tile.z <= spec.max_zoom or not scope.prefix:
        return b""
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement(spec, tile.z, whole=whole), parameters(spec, tile, scope), prepare=True)
    (body,) = await cursor.fetchone()
    return bytes(body or b"")


async def dataset_exists(connection: AsyncConnection, layer_id: str) -> bool:
    """Whether the dataset behind a layer id is there."""
    found = DATASET.fullmatch(layer_id)
    cursor = await connection.execute("SELECT EXISTS (SELECT FROM datasets WHERE id = %(id)s)", {"id": found.group(1) if found else ""})
    return (await cursor.fetchone())[0]


def tilejson(spec: LayerSpec) -> dict:
    """TileJSON 3.0.0 of a layer."""
    return {
        "tilejson": "3.0.0",
        "name": spec.id,
        "description": f"{spec.title} · {spec.title_en}",
        "attribution": spec.attribution,
        "scheme": "xyz",
        "tiles": [spec.url],
        "minzoom": spec.min_zoom,
        "maxzoom": spec.tile_max_zoom,
        "bounds": [-180, -85.0511, 180, 85.0511],
        "vector_layers": [{"id": spec.id, "fields": {name: "" for name in spec.attributes}, "minzoom": spec.min_zoom, "maxzoom": spec.max_zoom}],
    }
