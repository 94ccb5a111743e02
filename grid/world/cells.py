"""Governance cells: unit, management and evaluation grids (单元、管理、评价网格) with effective dates: which grid, whose, on that day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, point, rows
from grid.errors import InvalidInput, NotFound
from grid.world.bulk import copy_columns
from grid.world.cell_codes import CodeTemplate, check_code

KINDS = ("unit", "management", "evaluation")


@dataclass(frozen=True, slots=True)
class Cell:
    """One grid between `since` (inclusive) and `until` (exclusive, None: open); `region_code` is its community, `parent_code` the management
    grid of a unit grid."""

    code: str
    name: str
    region_code: str
    simulated: bool
    geom: BaseGeometry
    since: date = date(2020, 1, 1)
    until: date | None = None
    kind: str = "management"
    parent_code: str | None = None


@dataclass(frozen=True, slots=True)
class Keeper:
    """A person who looked after a grid on the day asked for."""

    staff_id: int
    name: str
    department: str


@dataclass(frozen=True, slots=True)
class CellAt:
    """A version of a grid that covers a point on a day, and whose it was: its own keepers, or those of a unit grid's management grid."""

    id: int
    kind: str
    code: str
    name: str
    region_code: str
    parent_code: str | None
    since: date
    until: date | None
    simulated: bool
    keepers: tuple[Keeper, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A period of a grid's life with its shape; `until` None: open. `change_id`: the split, merge or redraw that began it. A period
    that was replaced on the day it began is void: in force on no day."""

    id: int
    kind: str
    code: str
    name: str
    region_code: str
    since: date | None
    until: date | None
    void: bool
    change_id: int | None
    simulated: bool
    geom: BaseGeometry


_VERSION = "id, kind, code, name, region_code, lower(valid) AS since, upper(valid) AS until, isempty(valid) AS void, change_id, simulated, geom"
AT = """
    SELECT cells.id, cells.kind, cells.code, cells.name, cells.region_code, cells.parent_code, lower(cells.valid) AS since, upper(cells.valid) AS until,
        cells.simulated, held.keepers
    FROM cells CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_array(staff.id, staff.name, staff.department) ORDER BY staff.id), '[]') AS keepers
        FROM cell_duties JOIN staff ON staff.id = cell_duties.staff_id
        WHERE cell_duties.cell_code = CASE cells.kind WHEN 'unit' THEN cells.parent_code ELSE cells.code END
            AND cell_duties.valid @> coalesce(%(on)s::date, hdq_today())
    ) AS held
    WHERE ST_Covers(cells.geom, %(point)s) AND cells.valid @> coalesce(%(on)s::date, hdq_today())
        AND cells.region_code LIKE %(scope)s AND (%(kind)s::text IS NULL OR cells.kind = %(kind)s)
    ORDER BY cells.kind = 'management' DESC, cells.kind, cells.code
"""
"""The one statement behind `at`: the GiST index over (geom, valid) answers place and day at once, the one over duties whose it was."""


async def templates(connection: AsyncConnection) -> dict[str, CodeTemplate]:
    """The code template of each kind of grid, as this city set them."""
    found = await rows(connection, "SELECT kind, county, street, community, serial, literal FROM cell_templates")
    return {r.pop("kind"): CodeTemplate(**r) for r in found}


async def load(connection: AsyncConnection, cells: Sequence[Cell]) -> int:
    """Appends cells; a code that does not fit its kind's template, or is valid twice on one day, is refused. Returns how many."""
    known = await templates(connection)
    for cell in cells:
        if cell.kind not in known:
            raise InvalidInput(f"没有这种网格 · no such kind of grid: {cell.kind!r}", remedy=f"{', '.join(KINDS)}")
    return await copy_columns(
        connection,
        "cells",
        {
            "kind": [c.kind for c in cells],
            "code": [check_code(c.code, known[c.kind], c.region_code if len(c.region_code) == known[c.kind].place else None) for c in cells],
            "name": [c.name for c in cells],
            "region_code": [c.region_code for c in cells],
            "parent_code": [c.parent_code for c in cells],
            "valid": [f"[{c.since:%Y-%m-%d},{'' if c.until is None else format(c.until, '%Y-%m-%d')})" for c in cells],
            "simulated": [c.simulated for c in cells],
            "geom": [c.geom for c in cells],
        },
    )


async def valid_on(connection: AsyncConnection, scope: Scope, on: date, kind: str = "management") -> list[Cell]:
    """The cells of a scope as they were on a day, by code."""
    async with connection.cursor(row_factory=class_row(Cell)) as cursor:
        await cursor.execute(
            """
            SELECT kind, code, name, region_code, parent_code, simulated, geom, lower(valid) AS since, upper(valid) AS until
            FROM cells WHERE region_code LIKE %(scope)s AND valid @> %(on)s AND kind = %(kind)s ORDER BY code
            """,
            {"scope": scope.like, "on": on, "kind": kind},
        )
        return await cursor.fetchall()


async def at(connection: AsyncConnection, scope: Scope, lon: float, lat: float, on: date | None = None, kind: str | None = None) -> list[CellAt]:
    """The grids over a point (EPSG:4326, degrees) on a day (default: today in Shanghai) and whose they were; management grids first.
    A point on a border lies in each grid it touches, the lower code first."""
    found = await rows(connection, AT, {"point": point(lon, lat), "on": on, "scope": scope.like, "kind": kind})
    return [CellAt(**{**r, "keepers": tuple(Keeper(*keeper) for keeper in r["keepers"])}) for r in found]


async def history(connection: AsyncConnection, scope: Scope, code: str) -> list[Version]:
    """All periods of a code, oldest first. Raises NotFound."""
    found = await _versions(connection, "code = %(code)s AND region_code LIKE %(scope)s ORDER BY lower(valid) NULLS LAST, id", {"code": code, "scope": scope.like})
    if not found:
        raise NotFound(f"没有网格 · no grid {code!r}", remedy="GET /api/cells")
    return found


async def within(connection: AsyncConnection, scope: Scope, bbox: tuple[float, float, float, float], kind: str, on: date | None, limit: int) -> list[Version]:
    """The grids of a kind in force on a day that meet a box (west, south, east, north), by code; at most `limit`."""
    return await _versions(
        connection,
        """
        geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326) AND valid @> coalesce(%(on)s::date, hdq_today())
        AND region_code LIKE %(scope)s AND kind = %(kind)s ORDER BY code LIMIT %(limit)s
        """,
        {**dict(zip(("west", "south", "east", "north"), bbox, strict=True)), "on": on, "scope": scope.like, "kind": kind, "limit": limit},
    )


async def _versions(connection: AsyncConnection, condition: str, params: dict) -> list[Version]:
    async with connection.cursor(row_factory=class_row(Version)) as cursor:
        await cursor.execute(f"SELECT {_VERSION} FROM cells WHERE {condition}", params)
        return await cursor.fetchall()
