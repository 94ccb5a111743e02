"""The job that lets everything follow planned changes of grids on the day they take effect."""

from gis_api.tasks import JobContext
from grid.casework import regridded


async def regrid(context: JobContext) -> None:
    """Settles the changes whose day has come. Running twice is the same."""
    async with context.connection() as connection:
        await regridded.settle(connection)


TASKS = {"regrid": regrid}
PERIODIC = {"regrid": 300.0}
