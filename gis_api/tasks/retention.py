"""The job that lets go of what is kept for a time only: trails for a day, stored answers for a week, events, dead letters, visits to zones and the
frames of trials that ended for thirty days, and what a killed upload left half-written for an hour."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gis_api import idempotency
from gis_api.gateways import mqtt_devices
from gis_api.tasks import JobContext
from grid import events
from grid.sensing import shadow_rows
from grid.world import units, zone_visits

TRAILS = timedelta(hours=24)
ANSWERS = timedelta(days=7)
EVENTS = timedelta(days=30)
DEAD_LETTERS = timedelta(days=30)
VISITS = timedelta(days=30)
TRIALS = timedelta(days=30)
UNFINISHED = timedelta(hours=1)
PARTS = ("scenes/.upload.*", "scenes/.incoming.*", "evidence/??/??/tmp*")
"""Files that have their final name only once they are whole. A file with its final name is never judged here: another database may know it."""


async def retention(context: JobContext) -> None:
    """Deletes what is older than it is kept. Running twice is the same."""
    now = datetime.now(UTC)
    async with context.connection() as connection:
        await units.forget_trails(connection, now - TRAILS)
        await idempotency.forget(connection, now - ANSWERS)
        await events.forget(connection, now - EVENTS)
        await mqtt_devices.forget(connection, now - DEAD_LETTERS)
        await zone_visits.forget(connection, now - VISITS)
        await shadow_rows.forget(connection, now - TRIALS)
    await asyncio.to_thread(forget_parts, context.data_dir, now - UNFINISHED)


def forget_parts(data_dir: Path, before: datetime) -> int:
    """Deletes half-written files last written before a time (aware). Returns how many."""
    parts = [path for pattern in PARTS for path in data_dir.glob(pattern) if path.is_file() and path.stat().st_mtime < before.timestamp()]
    for path in parts:
        path.unlink(missing_ok=True)
    return len(parts)


TASKS = {"retention": retention}
PERIODIC = {"retention": 3600.0}
