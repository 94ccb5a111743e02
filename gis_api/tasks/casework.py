"""Jobs of the closed loop."""

import asyncio

from gis_api.tasks import JobContext
from grid.casework import holidays, legality


async def enrich(context: JobContext, alert_id: int) -> None:
    """Fills what the registers say about an alert's place; running twice is the same."""
    async with context.connection() as connection:
        await legality.enrich(connection, alert_id)


async def rejudge(context: JobContext) -> None:
    """Asks for the verdicts under corrected registers to be judged again, each correction once."""
    async with context.connection() as connection:
        await legality.rejudge(connection)


async def calendar(context: JobContext) -> None:
    """Takes the city's holidays from their file, so that deadlines count the days that work; unchanged, nothing is written."""
    days = await asyncio.to_thread(holidays.read, context.settings.holidays or holidays.NATIONAL)
    async with context.connection() as connection:
        await holidays.replace(connection, days)


TASKS = {"enrich": enrich, "rejudge": rejudge, "calendar": calendar}
PERIODIC = {"rejudge": 5.0, "calendar": 86_400.0}
