"""The job that writes who looked where, minute by minute."""

from datetime import UTC, datetime

from gis_api.tasks import JobContext
from grid.sensing import ledger


async def write_ledger(context: JobContext) -> None:
    """Writes the looks since the last run. Running twice is the same."""
    async with context.connection() as connection:
        await ledger.write(connection, datetime.now(UTC))


TASKS = {"write_ledger": write_ledger}
PERIODIC = {"write_ledger": 120.0}
