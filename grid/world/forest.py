"""Forest compartments 林班: class, species, fire risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, rows
from grid.world.bulk import copy_columns

_NAMES = ("code", "name", "class", "species", "fire_risk", "area_ha", "region_code", "simulated", "geom")


@dataclass(frozen=True, slots=True)
class ForestZone:
    """A compartment; `kind` public_welfare, commercial or scenic (column `class`); `fire_risk` 1 low … 5 extreme; `area_ha` geodesic."""

    code: str
    name: str
    kind: str
    species: str
    fire_risk: int
    area_ha: float
    region_code: str
    simulated: bool
    geom: BaseGeometry
    since: date = date(2020, 1, 1)


async def load(connection: AsyncConnection, zones: Sequence[ForestZone]) -> int:
    """Appends compartments. Returns how many."""
    if not zones:
        return 0
    columns = {name: [getattr(z, "kind" if name == "class" else name) for z in zones] for name in _NAMES}
    return await copy_columns(connection, "forest_zones", {**columns, "valid": [f"[{z.since:%Y-%m-%d},)" for z in zones]})


async def in_scope(connection: AsyncConnection, scope: Scope) -> list[ForestZone]:
    """The compartments of a scope that are valid today, by code."""
    found = await rows(
        connection,
        """
        SELECT code, name, class AS kind, species, fire_risk, area_ha, region_code, simulated, geom, lower(valid) AS since
        FROM forest_zones WHERE region_code LIKE %(scope)s AND valid @> hdq_today() ORDER BY code
        """,
        {"scope": scope.like},
    )
    return [ForestZone(**found_row) for found_row in found]
