"""Kinds of ground that the registers know, as polygons: what an analysis is cut to."""

from datetime import date

import shapely
from psycopg import AsyncConnection

from grid.database import rows
from grid.errors import InvalidInput, NotFound

_PARCELS = "SELECT geom, valid FROM parcels WHERE category = ANY(%(categories)s)"
_SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "forest": ("SELECT geom, valid FROM forest_zones UNION ALL " + _PARCELS, ("forest",)),
    "farmland": (_PARCELS, ("farmland", "orchard")),
    "water": (_PARCELS, ("water",)),
}
KINDS = tuple(_SOURCES)


async def polygons(connection: AsyncConnection, kind: str, around: shapely.Geometry, since: date, until: date) -> tuple[shapely.Polygon, ...]:
    """The ground of a kind that meets `around` (EPSG:4326) and was on record for a day from `since` to `until`, both inclusive.

    Raises NotFound (kind), and InvalidInput when the register holds none there: a silent register must not read as "nothing changed".
    """
    if kind not in _SOURCES:
        raise NotFound(f"no ground {kind!r}", remedy=f"one of: {', '.join(KINDS)}")
    source, categories = _SOURCES[kind]
    found = await rows(
        connection,
        f"""
        SELECT g.geom FROM ({source}) AS g
        WHERE g.valid && daterange(%(since)s, %(until)s, '[]') AND g.geom && %(around)s AND ST_Intersects(g.geom, %(around)s)
        """,
        {"categories": list(categories), "since": since, "until": until, "around": shapely.set_srid(around, 4326)},
    )
    if not found:
        raise InvalidInput(
            f"登记中此处没有{kind} · the registers hold no {kind} there from {since} to {until}",
            remedy="import the parcels or forest of this place, or choose an analysis that needs no register",
        )
    return tuple(part for row in found for part in shapely.get_parts(row["geom"]))

