"""The connection pool, the caller's scope, and driver errors made ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import shapely
from psycopg import AsyncConnection, errors, sql
from psycopg.rows import dict_row
from psycopg.types import TypeInfo
from psycopg.types.shapely import register_shapely
from psycopg_pool import AsyncConnectionPool

from grid.errors import Conflict, HdqError, InvalidInput, Unavailable


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the city a caller may see: every row whose region_code starts with `prefix`.

    Use it first and explicitly in each query: ``WHERE starts_with(region_code, %(scope)s)`` (indexable through
    text_pattern_ops as ``region_code LIKE %(scope_like)s``). An empty prefix means no rows, never all rows.
    """

    prefix: str

    @property
    def like(self) -> str:
        """LIKE pattern of the scope; the empty prefix gives a pattern that no region code matches."""
        return f"{self.prefix}%" if self.prefix.isdigit() else "∅"

    def covers(self, region_code: str | None) -> bool:
        """Whether a row of this region lies inside the scope; a row without region only for nobody."""
        return bool(self.prefix) and region_code is not None and region_code.startswith(self.prefix)


async def _configure(connection: AsyncConnection) -> None:
    info = await TypeInfo.fetch(connection, "geometry")
    if info is None:
        raise Unavailable("the database has no PostGIS", remedy="run: hdq doctor, then alembic upgrade head")
    register_shapely(info, connection)
    await connection.commit()


def make_pool(url: str, *, size: int = 10, statement_timeout_ms: int = 30_000, bare: bool = False) -> AsyncConnectionPool:
    """A closed pool; the caller opens it. Connections speak shapely (EWKB, 4326) and UTC, and check themselves when taken.

    `bare`: one statement is one round trip (autocommit, no check when taken), for readers that ask often and ask again when a connection was dead.
    """
    return AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        configure=_configure,
        check=None if bare else AsyncConnectionPool.check_connection,
        kwargs={"autocommit": bare, "options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC", "application_name": "hdq"},
    )


async def connect(url: str, *, autocommit: bool = False) -> AsyncConnection:
    """One connection outside a pool, configured alike; for commands and jobs."""
    try:
        connection = await AsyncConnection.connect(url, autocommit=True, options="-c timezone=UTC")
    except psycopg.OperationalError as error:
        raise Unavailable(f"no database answers: {error}", remedy="run: hdq up, or correct HDQ_DATABASE_URL") from error
    await _configure(connection)
    await connection.set_autocommit(autocommit)
    return connection


@asynccontextmanager
async def driver_errors() -> AsyncIterator[None]:
    """Turns what the driver raises into our errors; anything of ours passes through."""
    try:
        yield
    except HdqError:
        raise
    except errors.UniqueViolation as error:
        raise Conflict(f"exists already: {error.diag.message_detail or error}", remedy="use another id, or change the existing one") from error
    except (errors.CheckViolation, errors.DataError, errors.NotNullViolation) as error:
        raise InvalidInput(f"the database refused a value: {error.diag.message_primary or error}") from error
    except errors.ForeignKeyViolation as error:
        raise InvalidInput(f"refers to something that does not exist: {error.diag.message_detail or error}") from error
    except (errors.QueryCanceled, psycopg.OperationalError) as error:
        raise Unavailable("the database did not answer in time", remedy="try again in a moment") from error


async def rows(connection: AsyncConnection, query: str | sql.Composable, params: dict | None = None) -> list[dict]:
    """All rows as dicts; for results that leave a module only as a dataclass or a wire model."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


async def row(connection: AsyncConnection, query: str | sql.Composable, params: dict | None = None) -> dict | None:
    """The first row as a dict, or None."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchone()


def point(lon: float, lat: float) -> shapely.Point:
    """A storage point (EPSG:4326, lon before lat) with its SRID set, ready to be a parameter."""
    return shapely.set_srid(shapely.Point(lon, lat), 4326)
