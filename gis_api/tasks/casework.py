"""Jobs of the closed loop."""

from gis_api.tasks import JobContext
from grid.casework import legality


async def enrich(context: JobContext, alert_id: int) -> None:
    """Fills what the registers say about an alert's place; running twice is the same."""
    async with context.connection() as connection:
        await legality.enrich(connection, alert_id)


TASKS = {"enrich": enrich}
