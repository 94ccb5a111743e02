"""What the city is known to look like, as references of the coordinate firewall: buildings, roads, outlines of districts, coast."""

import numpy as np
import shapely
from psycopg import AsyncConnection

from grid.firewall import Reference, outlines

Box = tuple[float, float, float, float]

MOST_ROWS = 400_000
_MARGIN_DEG = 0.05
_LINES = (
    ("districts", "regions", "level = 2", ("区市界线", "district outlines")),
    ("roads", "roads", "true", ("道路", "roads")),
    ("coast", "coastline", "true", ("海岸线", "coastline")),
)


async def references(connection: AsyncConnection, box: Box | None) -> list[Reference]:
    """Known things in and around a box (west, south, east, north in degrees; None: everywhere), only those of which there are any.

    Buildings count by their middles. Beyond `MOST_ROWS` rows of a table a fixed part of them is read.
    """
    west, south, east, north = box or (-180.0, -90.0, 180.0, 90.0)
    bounds = {"w": max(west - _MARGIN_DEG, -180.0), "s": max(south - _MARGIN_DEG, -90.0), "e": min(east + _MARGIN_DEG, 180.0), "n": min(north + _MARGIN_DEG, 90.0)}
    near = "geom && ST_MakeEnvelope(%(w)s, %(s)s, %(e)s, %(n)s, 4326)"
    cursor = await connection.execute(
        f"""
        SELECT array_agg(ST_X(middle)), array_agg(ST_Y(middle))
        FROM (SELECT ST_Centroid(geom) AS middle FROM buildings WHERE {near} ORDER BY id %% 97, id LIMIT %(most)s) AS found
        """,
        {**bounds, "most": MOST_ROWS},
    )
    lon, lat = await cursor.fetchone()
    found = [] if lon is None else [Reference("buildings", points=np.column_stack([lon, lat]).astype(np.float64), titles=("建筑", "buildings"))]
    for name, table, which, titles in _LINES:
        cursor = await connection.execute(f"SELECT ST_AsBinary(geom) FROM {table} WHERE {which} AND {near} LIMIT %(most)s", {**bounds, "most": MOST_ROWS})
        rows = await cursor.fetchall()
        if rows:
            found.append(Reference(name, lines=outlines(shapely.from_wkb(np.array([r[0] for r in rows], dtype=object))), titles=titles))
    return found
