"""The job that keeps the generalised buildings up to date; after the register has changed, and once an hour in case nobody said so."""

from gis_api.tasks import JobContext
from layers import pyramid


async def build(context: JobContext) -> None:
    """Generalises the units whose buildings have changed; nothing to do costs one pass over the register."""
    async with context.connection() as connection:
        await connection.execute("SET statement_timeout = '10min'")
        try:
            await pyramid.rebuild(connection)
        finally:
            await connection.rollback()
            await connection.execute("RESET statement_timeout")


TASKS = {"pyramid": build}
PERIODIC = {"pyramid": 3600.0}
