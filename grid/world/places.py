"""Which place a point lies in: the deepest region, the governance grid of that day, and its name in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput

CITY = "3702"
"""Where a point belongs that no district holds: at sea, outside, or before the districts are loaded."""

BEYOND = "海域或市域外"
"""The name of such a place: it must not read as an address in the city."""


@dataclass(frozen=True, slots=True)
class Located:
    """`region_code` as deep as known ('3702' in no district), `cell_code` of the grid valid that day or None, `name` 区 · 街道 · 网格."""

    region_code: str
    cell_code: str | None
    name: str


async def locate(connection: AsyncConnection, lon: float, lat: float, on: date | None = None) -> Located:
    """The place of a point (EPSG:4326, degrees) on a day (default: today in Shanghai). A point on a border goes to the lower code."""
    return (await locate_many(connection, [lon], [lat], on))[0]


async def locate_many(connection: AsyncConnection, lons: Sequence[float], lats: Sequence[float], on: date | None = None) -> list[Located]:
    """`locate` for many points in one statement, in their order. Raises InvalidInput for NaN and for degrees outside ±180/±90."""
    for lon, lat in zip(lons, lats, strict=True):
        if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
            raise InvalidInput(
                f"坐标超出经纬度范围 · outside ±180/±90: {lon}, {lat}",
                remedy="检查坐标与坐标轴顺序：经度在前 · check the coordinates and their order: longitude first",
            )
    found = await rows(
        connection,
        """
        WITH points AS (
            SELECT i, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS geom
            FROM unnest(%(lons)s::float8[], %(lats)s::float8[]) WITH ORDINALITY AS given (lon, lat, i)
        ), found AS (
            SELECT points.i, coalesce(cell.region_code, region.code, %(city)s) AS region_code, cell.code AS cell_code, cell.name AS cell_name
            FROM points
            LEFT JOIN LATERAL (
                SELECT code, name, region_code FROM cells
                WHERE ST_Covers(cells.geom, points.geom) AND kind = 'management'
                    AND valid @> coalesce(%(on)s::date, (now() AT TIME ZONE 'Asia/Shanghai')::date)
                ORDER BY code LIMIT 1
            ) AS cell ON true
            LEFT JOIN LATERAL (
                SELECT code FROM regions
                WHERE level > 1 AND ST_Covers(regions.geom, points.geom) ORDER BY level DESC, code LIMIT 1
            ) AS region ON cell.code IS NULL
        )
        SELECT region_code, cell_code, coalesce(concat_ws(' · ',
            (SELECT name FROM regions WHERE code = left(region_code, 6) AND level = 2),
            (SELECT name FROM regions WHERE code = left(region_code, 9) AND level = 3),
            coalesce(cell_name, (SELECT name FROM regions WHERE code = region_code AND level = 4))
        ), '') AS name
        FROM found ORDER BY i
        """,
        {"lons": [float(v) for v in lons], "lats": [float(v) for v in lats], "on": on, "city": CITY},
    )
    return [Located(row["region_code"], row["cell_code"], row["name"] or BEYOND) for row in found]
