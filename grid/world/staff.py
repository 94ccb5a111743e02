"""People who sign in: role, the region they may see, the grids they are responsible for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.database import Scope
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


async def page(connection: AsyncConnection, scope: Scope, *, role: str | None = None, limit: int = 200, offset: int = 0) -> list[Person]:
    """People of a scope by user name."""
    condition = "region_code LIKE %(scope)s AND (%(role)s::text IS NULL OR role = %(role)s)"
    found = await _read(connection, condition, {"scope": scope.like, "role": role, "limit": limit, "offset": offset}, "username LIMIT %(limit)s OFFSET %(offset)s")
    return found


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
