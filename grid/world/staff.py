"""People who sign in: role, the region they may see, the grids they are responsible for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.database import Scope, row
from grid.errors import NotFound
from grid.world.bulk import copy_rows

ROLES = ("grid_worker", "inspector", "commander", "data_admin", "algorithm_operator", "system_admin", "auditor")


@dataclass(frozen=True, slots=True)
class NewStaff:
    """A person to be stored; `password_hash` by argon2 (pwdlib)."""

    username: str
    name: str
    role: str
    department: str
    region_code: str
    cell_codes: tuple[str, ...]
    phone: str
    password_hash: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A person as stored, without the password hash. `region_code` is the prefix of all they may see."""

    id: int
    username: str
    name: str
    role: str
    department: str
    region_code: str
    cell_codes: list[str]
    phone: str
    disabled: bool
    simulated: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signing in needs of a person."""

    id: int
    username: str
    password_hash: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A person as a list shows them; `grids` they look after, `seen_at` when a session of theirs was last used (None: none is open)."""

    id: int
    username: str
    name: str
    role: str
    department: str
    region_code: str
    region_name: str
    grids: int
    disabled: bool
    simulated: bool
    seen_at: datetime | None


_COLUMNS = "id, username, name, role, department, region_code, cell_codes, phone, disabled, simulated, created_at"


async def load(connection: AsyncConnection, people: Sequence[NewStaff]) -> int:
    """Appends people. Returns how many."""
    return await copy_rows(connection, "staff", people)


async def credentials(connection: AsyncConnection, username: str) -> Credentials | None:
    """What signing in needs, or None for an unknown name."""
    async with connection.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute("SELECT id, username, password_hash, disabled FROM staff WHERE username = %(username)s", {"username": username})
        return await cursor.fetchone()


async def by_username(connection: AsyncConnection, username: str) -> Person | None:
    """The person of a user name, or None."""
    found = await _read(connection, "username = %(username)s", {"username": username})
    return found[0] if found else None


async def get(connection: AsyncConnection, staff_id: int) -> Person:
    """One person. Raises NotFound."""
    found = await _read(connection, "id = %(id)s", {"id": staff_id})
    if not found:
        raise NotFound(f"no person {staff_id}")
    return found[0]


async def page(connection: AsyncConnection, scope: Scope, *, role: str | None = None, words: str = "", limit: int = 200, offset: int = 0) -> tuple[list[Listed], int]:
    """People of a scope by user name, whose name, user name or department holds `words`, and how many there are."""
    where = """
        WHERE staff.region_code LIKE %(scope)s AND (%(role)s::text IS NULL OR role = %(role)s)
          AND (%(words)s = '' OR strpos(lower(concat_ws(' ', username, staff.name, department)), lower(%(words)s)) > 0)
    """
    params = {"scope": scope.like, "role": role, "words": words.strip(), "limit": limit, "offset": offset}
    async with connection.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute(
            f"""
            SELECT staff.id, username, staff.name, role, department, staff.region_code, coalesce(regions.name, '') AS region_name, cardinality(cell_codes) AS grids, disabled,
                staff.simulated, (SELECT max(seen_at) FROM sessions WHERE staff_id = staff.id) AS seen_at
            FROM staff LEFT JOIN regions ON regions.code = staff.region_code {where} ORDER BY username LIMIT %(limit)s OFFSET %(offset)s
            """,
            params,
        )
        found = await cursor.fetchall()
    total = await row(connection, f"SELECT count(*) AS n FROM staff {where}", params)
    return found, total["n"]


async def handlers(connection: AsyncConnection, region_code: str, cell_code: str | None = None) -> list[Person]:
    """Grid workers who may handle a case of a region, best first: of that grid, then of its community, its street, its district."""
    return await _read(
        connection,
        """
        role = 'grid_worker' AND NOT disabled
        AND (starts_with(%(region)s, region_code) OR left(region_code, 9) = left(%(region)s, 9) OR left(region_code, 6) = left(%(region)s, 6))
        """,
        {"region": region_code, "cell": cell_code},
        """
        coalesce(%(cell)s = ANY(cell_codes), false) DESC,
        (starts_with(%(region)s, region_code))::int * length(region_code) DESC,
        (left(region_code, 9) = left(%(region)s, 9)) DESC, id
        """,
    )


async def _read(connection: AsyncConnection, condition: str, params: dict, order: str = "id") -> list[Person]:
    async with connection.cursor(row_factory=class_row(Person)) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM staff WHERE {condition} ORDER BY {order}", params)
        return await cursor.fetchall()
