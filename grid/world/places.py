"""Which place a point lies in: the deepest region, the governance grid of that day, and its name in words."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, row, rows
from grid.errors import InvalidInput
from grid.world import regions
from grid.world.atlas import CITY, Atlas

BULK = 500
"""From so many points on, an atlas in memory answers: it costs a moment to make, once for each state of the tables."""

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
    """`locate` for many points, in their order. Raises InvalidInput for NaN and for degrees outside ±180/±90.

    Few are asked in one statement; from BULK on, an atlas of exactly what this transaction sees answers the same.
    """
    for lon, lat in zip(lons, lats, strict=True):
        if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
            raise InvalidInput(
                f"坐标超出经纬度范围 · outside ±180/±90: {lon}, {lat}",
                remedy="检查坐标与坐标轴顺序：经度在前 · check the coordinates and their order: longitude first",
            )
    atlas = await _atlas(connection, on) if len(lons) >= BULK else None
    if atlas is not None:
        return [Located(region, cell, atlas.name(region, cell) or BEYOND) for region, cell in zip(*atlas.places(lons, lats), strict=True)]
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
                    AND valid @> coalesce(%(on)s::date, hdq_today())
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


async def owned(connection: AsyncConnection, scope: Scope, shape: BaseGeometry) -> str:
    """The region of a shape (EPSG:4326) that somebody of a scope draws. Raises InvalidInput where it reaches outside the scope; the sea is the city's."""
    middle = shape.representative_point() if shape.geom_type == "Polygon" else shape.interpolate(0.5, normalized=True)
    located = await locate(connection, middle.x, middle.y)
    foreign = await row(
        connection,
        """
        SELECT name FROM regions
        WHERE level = %(level)s AND NOT code LIKE %(scope)s AND geom && %(geom)s AND ST_Relate(geom, %(geom)s, 'T********') LIMIT 1
        """,
        {"level": regions.level_of(scope.prefix), "scope": scope.like, "geom": shapely.set_srid(shape, 4326)},
    )
    if foreign or not scope.covers(located.region_code):
        name = foreign["name"] if foreign else located.name
        raise InvalidInput(f"区域伸入 {name}，超出辖区 · reaches into {name}, outside your region", remedy="draw it inside your own region")
    return located.region_code


async def codes_many(connection: AsyncConnection, lons: NDArray[np.float64], lats: NDArray[np.float64]) -> tuple[pa.StringArray, pa.StringArray]:
    """Region and grid codes (null: in none) of many points today, without their names; degrees already known to be inside ±180/±90."""
    atlas = await _atlas(connection, None)
    if atlas is not None:
        return atlas.codes(lons, lats)
    found = await locate_many(connection, lons.tolist(), lats.tolist())
    return pa.array([p.region_code for p in found], pa.string()), pa.array([p.cell_code for p in found], pa.string())


_kept: dict[tuple[str, int, str], tuple[tuple, Atlas]] = {}
"""The last atlas of each database (two at most) that this process works with, and the state of the tables it was made from."""


async def _atlas(connection: AsyncConnection, on: date | None) -> Atlas | None:
    """The atlas of a day as this transaction sees the tables; None when they changed while it was read.

    The state of a table is every row's id and the transaction that wrote it: an uncommitted change of our own counts, and a rolled back one
    is never taken for another.
    """
    state = await _state(connection, on)
    key = (connection.info.host, connection.info.port, connection.info.dbname)  # their dsn takes half a millisecond to put together
    kept = _kept.get(key)
    if kept is not None and kept[0] == state:
        return kept[1]
    regions = await rows(connection, "SELECT code, level, name, geom FROM regions WHERE level > 1")
    cells = await rows(connection, "SELECT code, region_code, name, geom FROM cells WHERE kind = 'management' AND valid @> %(on)s", {"on": state[0]})
    atlas = await asyncio.to_thread(Atlas, [tuple(r.values()) for r in regions], [tuple(c.values()) for c in cells])
    if await _state(connection, on) != state:
        return None
    while len(_kept) > 1:
        _kept.pop(next(iter(_kept)), None)
    _kept[key] = (state, atlas)
    return atlas


async def _state(connection: AsyncConnection, on: date | None) -> tuple:
    found = await row(
        connection,
        """
        SELECT coalesce(%(on)s::date, hdq_today()) AS day,
            (SELECT md5(string_agg(id || ' ' || xmin, ',' ORDER BY id)) FROM cells) AS cells,
            (SELECT md5(string_agg(code || ' ' || xmin, ',' ORDER BY code)) FROM regions) AS regions
        """,
        {"on": on},
    )
    return tuple(found.values())
