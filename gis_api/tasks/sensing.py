"""The jobs that turn findings into alerts, and keep room for those of the months ahead."""

import asyncio

import structlog
from psycopg.errors import LockNotAvailable

from gis_api.tasks import JobContext
from grid import jobs
from grid.sensing import fusion, observations

log = structlog.get_logger()
POLL_S = 0.02
PATIENCE_S = 2.0
BACKSTOP_S = 15.0


async def fuse(context: JobContext) -> None:
    """Judges every pending observation; running twice is the same.

    A transaction that was accepting findings when this job began found the job in the queue and made none of its own; its findings show
    only when it commits. So it is waited for, and what it brought is judged too. One that takes longer gets a job of its own,
    under another queueing lock: the usual one may be held by that very transaction.
    """
    async with context.connection() as connection:
        accepting = await fusion.in_flight(connection)
    await _drain(context)
    waited = 0.0
    while accepting and waited < PATIENCE_S:
        await asyncio.sleep(POLL_S)
        waited += POLL_S
        async with context.connection() as connection:
            accepting &= await fusion.in_flight(connection)
    await _drain(context)
    if accepting:
        async with context.connection() as connection:
            await jobs.enqueue(connection, "fuse", queueing_lock="fuse:late")


async def _drain(context: JobContext) -> None:
    """Judges in turns until nothing is left or nothing moves: what is urgent in a transaction of its own, told before the next bite of the rest."""
    before = None
    while True:
        async with context.connection() as connection:
            left = await observations.count_pending(connection)
        if left == 0 or left == before:
            return
        before = left
        for only_urgent in (True, False):
            async with context.connection() as connection:
                await fusion.fuse(connection, only_urgent=only_urgent)


async def observation_months(context: JobContext) -> None:
    """Makes the table's partitions of this month and the next three, each in a transaction of its own; running twice is the same.

    Writers come first: where they hold it up, the next run goes on. There is room for three months until then.
    """
    while True:
        try:
            async with context.connection() as connection:
                name = await observations.make_month(connection)
        except LockNotAvailable:
            log.warning("observations.month_later")
            return
        if name is None:
            return
        log.info("observations.month", name=name)


TASKS = {"fuse": fuse, "observation_months": observation_months}
PERIODIC = {"fuse": BACKSTOP_S, "observation_months": 3600.0}
