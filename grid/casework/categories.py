"""Event categories (GB/T 30428) with the limit of their handling. Seed data: every figure says whose it is."""

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.errors import InvalidInput

COLUMNS = "code, major, name, name_en, icon, clock, limit_value, department, provenance, event_kind"


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of event. `limit_value` counts hours or days of `clock` (see grid.casework.deadlines)."""

    code: str
    major: str
    name: str
    name_en: str
    icon: str
    clock: str
    limit_value: float
    department: str
    provenance: str
    event_kind: str = "person_report"


async def every(connection: AsyncConnection) -> list[Category]:
    """All categories, by code."""
    async with connection.cursor(row_factory=class_row(Category)) as cursor:
        await cursor.execute(f"SELECT {COLUMNS} FROM categories ORDER BY code")
        return await cursor.fetchall()


async def get(connection: AsyncConnection, code: str) -> Category:
    """One category. Raises InvalidInput for an unknown code."""
    async with connection.cursor(row_factory=class_row(Category)) as cursor:
        await cursor.execute(f"SELECT {COLUMNS} FROM categories WHERE code = %(code)s", {"code": code})
        found = await cursor.fetchone()
    if found is None:
        raise InvalidInput(f"unknown category {code!r}", remedy="choose one of GET /api/categories")
    return found


async def put(connection: AsyncConnection, categories: list[Category]) -> None:
    """Writes categories, replacing those of the same code."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            f"""
            INSERT INTO categories ({COLUMNS})
            VALUES (%(code)s, %(major)s, %(name)s, %(name_en)s, %(icon)s, %(clock)s, %(limit_value)s, %(department)s, %(provenance)s, %(event_kind)s)
            ON CONFLICT (code) DO UPDATE SET major = EXCLUDED.major, name = EXCLUDED.name, name_en = EXCLUDED.name_en, icon = EXCLUDED.icon,
                clock = EXCLUDED.clock, limit_value = EXCLUDED.limit_value, department = EXCLUDED.department, provenance = EXCLUDED.provenance, event_kind = EXCLUDED.event_kind
            """,
            [{name: getattr(item, name) for name in Category.__slots__} for item in categories],
        )
