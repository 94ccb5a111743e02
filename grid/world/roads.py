"""The road network: edges between numbered nodes, for routes and for addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid.world.bulk import copy_columns

CLASSES = ("motorway", "trunk", "primary", "secondary", "residential", "track")


@dataclass(frozen=True, slots=True)
class Road:
    """One edge; `source_node` and `target_node` number its ends (equal numbers meet in one point); `length_m` geodesic; `kind` is the column `class`."""

    name: str
    kind: str
    speed_kmh: float
    source_node: int
    target_node: int
    length_m: float
    region_code: str
    simulated: bool
    geom: BaseGeometry


async def load(connection: AsyncConnection, roads: Sequence[Road]) -> int:
    """Appends edges. Returns how many."""
    if not roads:
        return 0
    names = ("name", "class", "speed_kmh", "source_node", "target_node", "length_m", "region_code", "simulated", "geom")
    return await copy_columns(connection, "roads", {n: [getattr(r, "kind" if n == "class" else n) for r in roads] for n in names})


async def within(connection: AsyncConnection, west: float, south: float, east: float, north: float) -> list[Road]:
    """Edges that touch a box (EPSG:4326, degrees): what a route search loads around its ends."""
    async with connection.cursor(row_factory=class_row(Road)) as cursor:
        await cursor.execute(
            """
            SELECT name, class AS kind, speed_kmh, source_node, target_node, length_m, region_code, simulated, geom
            FROM roads WHERE geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)
            """,
            {"west": west, "south": south, "east": east, "north": north},
        )
        return await cursor.fetchall()
