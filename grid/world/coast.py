"""The coastline with chainage 桩号, and the setback zones 退缩线 on its landward side."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, row
from grid.errors import NotFound
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


async def nearest(connection: AsyncConnection, lon: float, lat: float, scope: Scope | None = None) -> NearestCoast | None:
    """The nearest coast to a point (EPSG:4326, degrees), of a scope if one is given; None without any. Distances along it are true in the 3° zone 40 (EPSG:4528)."""
    found = await row(
        connection,
        """
        WITH place AS (SELECT ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4326) AS geom),
        near AS (SELECT coastline.* FROM coastline, place WHERE region_code LIKE %(scope)s ORDER BY coastline.geom <-> place.geom LIMIT 5)
        SELECT name, ST_Distance(near.geom::geography, place.geom::geography) AS distance_m,
            chainage_from_m + (chainage_to_m - chainage_from_m) * ST_LineLocatePoint(ST_Transform(near.geom, 4528), ST_Transform(place.geom, 4528)) AS chainage_m
        FROM near, place ORDER BY distance_m LIMIT 1
        """,
        {"lon": lon, "lat": lat, "scope": "%" if scope is None else scope.like},
    )
    return None if found is None else NearestCoast(**found)


async def at_chainage(connection: AsyncConnection, scope: Scope, name: str, chainage_m: float) -> tuple[float, float]:
    """Longitude and latitude of a chainage on a named coast. Raises NotFound where that coast has no such chainage in the scope."""
    found = await row(
        connection,
        """
        SELECT ST_X(place) AS lon, ST_Y(place) AS lat FROM (
            SELECT ST_Transform(ST_LineInterpolatePoint(ST_Transform(geom, 4528), (%(at)s - chainage_from_m) / (chainage_to_m - chainage_from_m)), 4326) AS place
            FROM coastline WHERE name = %(name)s AND %(at)s BETWEEN chainage_from_m AND chainage_to_m AND chainage_to_m > chainage_from_m
                AND region_code LIKE %(scope)s
            ORDER BY chainage_from_m LIMIT 1
        ) AS found
        """,
        {"name": name, "at": chainage_m, "scope": scope.like},
    )
    if found is None:
        raise NotFound(f"岸线“{name}”没有桩号 {stake(chainage_m)} · the coast has no chainage {chainage_m:g} m", remedy="GET /api/coast/at gives name and chainage of a place")
    return found["lon"], found["lat"]


def stake(chainage_m: float) -> str:
    """A chainage as it stands on a stake: kilometres, then metres.

    >>> stake(12345.6), stake(0), stake(999.96), stake(-20)
    ('K12+345.6', 'K0+000.0', 'K1+000.0', '-K0+020.0')
    """
    tenths = round(abs(chainage_m) * 10)
    return f"{'-' if chainage_m < 0 and tenths else ''}K{tenths // 10_000}+{tenths % 10_000 / 10:05.1f}"
