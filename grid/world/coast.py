"""The coastline with chainage 桩号, and the setback zones 退缩线 on its landward side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import row
from grid.world.bulk import copy_columns, copy_rows


@dataclass(frozen=True, slots=True)
class CoastPiece:
    """A stretch of one coast; chainage in metres along it, growing with the line; `kind` natural or artificial."""

    name: str
    chainage_from_m: float
    chainage_to_m: float
    kind: str
    region_code: str
    simulated: bool
    geom: BaseGeometry


@dataclass(frozen=True, slots=True)
class Setback:
    """A zone within `distance_m` landward of the coastline, by `clause` of the rule that draws it."""

    name: str
    distance_m: float
    clause: str
    region_code: str
    simulated: bool
    geom: BaseGeometry
    since: date = field(default=date(2020, 1, 1))


@dataclass(frozen=True, slots=True)
class NearestCoast:
    """Where the coast is nearest to a point: distance in metres, chainage there in metres, the name of the piece."""

    name: str
    distance_m: float
    chainage_m: float


async def load(connection: AsyncConnection, pieces: Sequence[CoastPiece], setbacks: Sequence[Setback]) -> int:
    """Appends coast pieces and setback zones. Returns how many rows."""
    stored = await copy_rows(connection, "coastline", pieces)
    if setbacks:
        stored += await copy_columns(
            connection,
            "setbacks",
            {
                **{name: [getattr(s, name) for s in setbacks] for name in ("name", "distance_m", "clause", "region_code", "simulated", "geom")},
                "valid": [f"[{s.since:%Y-%m-%d},)" for s in setbacks],
            },
        )
    return stored


async def nearest(connection: AsyncConnection, lon: float, lat: float) -> NearestCoast | None:
    """The nearest coast to a point (EPSG:4326, degrees); None without any coastline."""
    found = await row(
        connection,
        """
        WITH place AS (SELECT ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4326) AS geom),
        near AS (SELECT coastline.* FROM coastline, place ORDER BY coastline.geom <-> place.geom LIMIT 5)
        SELECT name, ST_Distance(near.geom::geography, place.geom::geography) AS distance_m,
            chainage_from_m + (chainage_to_m - chainage_from_m) * ST_LineLocatePoint(near.geom, place.geom) AS chainage_m
        FROM near, place ORDER BY distance_m LIMIT 1
        """,
        {"lon": lon, "lat": lat},
    )
    return None if found is None else NearestCoast(**found)
