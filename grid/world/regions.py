"""Administrative divisions: city (4 digits) > district (6) > street or town (9) > community (12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid.errors import InvalidInput, NotFound
from grid.world.bulk import copy_rows

LEVELS = {4: 1, 6: 2, 9: 3, 12: 4}
_COLUMNS = "code, level, name, name_en, parent_code, simulated, source, geom"


@dataclass(frozen=True, slots=True)
class Region:
    """One division; `geom` a MultiPolygon (EPSG:4326); `source` says where the outline comes from."""

    code: str
    level: int
    name: str
    name_en: str
    parent_code: str | None
    simulated: bool
    source: str
    geom: BaseGeometry


def level_of(code: str) -> int:
    """The level a code's length means: 1 city, 2 district, 3 street or town, 4 community.

    >>> level_of("3702"), level_of("370202"), level_of("370202001"), level_of("370202001001")
    (1, 2, 3, 4)
    >>> level_of("37020")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 行政区划代码须为 4、6、9 或 12 位数字 · a region code has 4, 6, 9 or 12 digits: '37020'
    """
    if not (code.isascii() and code.isdigit() and len(code) in LEVELS):
        raise InvalidInput(
            f"行政区划代码须为 4、6、9 或 12 位数字 · a region code has 4, 6, 9 or 12 digits: {code!r}",
            remedy="例如 3702、370202、370202001 · for example 3702, 370202, 370202001",
        )
    return LEVELS[len(code)]


def parent_of(code: str) -> str | None:
    """The code one level up; None above the city.

    >>> parent_of("370202001001"), parent_of("370202"), parent_of("3702")
    ('370202001', '3702', None)
    """
    return {1: None, 2: code[:4], 3: code[:6], 4: code[:9]}[level_of(code)]


async def load(connection: AsyncConnection, regions: Sequence[Region]) -> int:
    """Appends regions, parents first (sorted here by level). Returns how many."""
    return await copy_rows(connection, "regions", sorted(regions, key=lambda r: (r.level, r.code)), skip=())


async def get(connection: AsyncConnection, code: str) -> Region:
    """One region. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Region)) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM regions WHERE code = %(code)s", {"code": code})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"no region {code!r}", remedy="use a code that GET /api/layers/regions shows")
    return found


async def of_level(connection: AsyncConnection, level: int, under: str = "") -> list[Region]:
    """All regions of a level whose code starts with `under` (empty: the whole city), by code."""
    async with connection.cursor(row_factory=class_row(Region)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM regions WHERE level = %(level)s AND code LIKE %(under)s ORDER BY code",
            {"level": level, "under": f"{under}%"},
        )
        return await cursor.fetchall()


async def names(connection: AsyncConnection) -> dict[str, str]:
    """Name by code, of every region."""
    cursor = await connection.execute("SELECT code, name FROM regions")
    return dict(await cursor.fetchall())
