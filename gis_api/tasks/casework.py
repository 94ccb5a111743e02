"""Jobs of the closed loop."""

from gis_api.tasks import JobContext
from grid.casework import legality


async def enrich(context: JobContext, alert_id: int) -> None:
    """Fills what the registers say about an alert's place; running twice is the same."""
    async with context.connection() as connection:
        await legality.enrich(connection, alert_id)


async def rejudge(context: JobContext) -> None:
    """Asks for the verdicts under corrected registers to be judged again, each correction once."""
    async with context.connection() as connection:
        await legality.rejudge(connection)


TASKS = {"enrich": enrich, "rejudge": rejudge}
PERIODIC = {"rejudge": 5.0}
