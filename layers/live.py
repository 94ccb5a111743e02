"""Features of a layer as GeoJSON (RFC 7946): the small live layers whole, any layer's single feature. Scope in every statement, no NaN.

Coordinates carry 7 decimals (1 cm), polygons run counter-clockwise.
"""

from dataclasses import dataclass
from functools import cache

import shapely
from psycopg import AsyncConnection, sql

from grid.database import Scope
from layers.spec import LayerSpec
from layers.tiles import DATASET

LIMIT = 10_000
WORLD_DEGREES = shapely.set_srid(shapely.box(-180, -90, 180, 90), 4326)
WORLD_METRES = shapely.set_srid(shapely.box(-20037508.35, -20037508.35, 20037508.35, 20037508.35), 3857)


@dataclass(frozen=True, slots=True)
class Features:
    """Serialised features, and whether there were more than LIMIT."""

    items: tuple[str, ...]
    truncated: bool

    def collection(self) -> str:
        """A GeoJSON FeatureCollection; `numberReturned` and `truncated` are foreign members (RFC 7946 §6.1)."""
        return f'{{"type":"FeatureCollection","numberReturned":{len(self.items)},"truncated":{str(self.truncated).lower()},"features":[{",".join(self.items)}]}}'


@cache
def _statement(spec: LayerSpec, z: int) -> sql.Composed:
    shape = "ST_Transform(geom_3857, 4326)" if spec.kind == "mvt" else "geom"
    pairs = [sql.SQL("{}::text, {}").format(sql.Literal(name), sql.Identifier(name)) for name in spec.attributes]
    return sql.SQL(
        "SELECT json_build_object('type', 'Feature', 'id', id, 'geometry', ST_AsGeoJSON(ST_ForcePolygonCCW({shape}), 7)::jsonb, 'properties', jsonb_build_object({pairs}))::text AS feature"
        " FROM ({source}) AS source"
    ).format(shape=sql.SQL(shape), pairs=sql.SQL(", ").join(pairs), source=sql.SQL(spec.sql_at(z).strip()))


def _parameters(spec: LayerSpec, scope: Scope, box: shapely.Polygon | None, z: int) -> dict:
    found = {"z": z, "wide": WORLD_METRES, "degrees": WORLD_DEGREES if box is None else box, "scope": scope.like, "prefix": scope.prefix}
    if dataset := DATASET.fullmatch(spec.id):
        found["dataset"] = dataset.group(1)
    return found


async def features(connection: AsyncConnection, spec: LayerSpec, scope: Scope, box: shapely.Polygon | None = None) -> Features:
    """The features of a layer inside a box (EPSG:4326; None: everywhere) that the scope may see, in the layer's own order, at most LIMIT."""
    query = sql.SQL("{} LIMIT {}").format(_statement(spec, spec.max_zoom), sql.Literal(LIMIT + 1))
    cursor = await connection.execute(query, _parameters(spec, scope, box, spec.max_zoom))
    items = [feature async for (feature,) in cursor]
    return Features(tuple(items[:LIMIT]), len(items) > LIMIT)


async def feature(connection: AsyncConnection, spec: LayerSpec, scope: Scope, feature_id: int, z: int) -> str | None:
    """One feature of any layer as it is drawn at a zoom, serialised; None when there is none inside the scope."""
    query = sql.SQL("{} WHERE id = %(feature_id)s LIMIT 1").format(_statement(spec, z))
    cursor = await connection.execute(query, _parameters(spec, scope, None, z) | {"feature_id": feature_id})
    found = await cursor.fetchone()
    return found[0] if found else None
