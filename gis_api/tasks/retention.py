"""The job that lets go of what is kept for a time only: trails for a day, stored answers for a week, events for thirty days."""

from datetime import UTC, datetime, timedelta

from gis_api import idempotency
from gis_api.tasks import JobContext
from grid import events
from grid.world import units

TRAILS = timedelta(hours=24)
ANSWERS = timedelta(days=7)
EVENTS = timedelta(days=30)


async def retention(context: JobContext) -> None:
    """Deletes what is older than it is kept. Running twice is the same."""
    now = datetime.now(UTC)
    async with context.connection() as connection:
        await units.forget_trails(connection, now - TRAILS)
        await idempotency.forget(connection, now - ANSWERS)
        await events.forget(connection, now - EVENTS)


TASKS = {"retention": retention}
PERIODIC = {"retention": 3600.0}
