"""The worker process: runs the jobs of gis_api/tasks, puts back those of a worker that died, and starts the periodic ones."""

import asyncio
import time

import structlog
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job as Queued
from procrastinate.jobs import Status
from procrastinate.manager import JobManager

from gis_api import logs, supervisor, tasks
from gis_api.tasks import Job, JobContext
from grid.database import make_pool
from grid.errors import HdqError, Unavailable
from grid.jobs import enqueue
from grid.settings import Settings

SWEEP_S = 3.0
HEARTBEAT_S = 3.0
STALLED_S = 12.0
GRACE_S = 10.0
ATTEMPTS = 6
DEATHS = 12
"""How often a job may be put back because its worker died: after that it is the job that kills, and it stays `failed`."""


class Manager(JobManager):
    """Procrastinate's own, except that a job whose like waits already (the same queueing lock) need not be put back: the waiting one does its work.

    The original raises then, at each try: the worker could not start any more, or the job would be held for ever.
    """

    async def retry_job(self, job: Queued, **changes: object) -> None:
        """Puts a job back into the queue, or lets go of it for the one that waits."""
        try:
            await super().retry_job(job, **changes)
        except UniqueViolation:
            structlog.get_logger("worker").info("job.superseded", job=job.task_name, id=job.id)
            await self.finish_job(job, Status.FAILED, delete_job=True)


def make_worker(url: str, context: JobContext, jobs: tasks.Jobs) -> App:
    """A procrastinate app that knows every job. A job that raises is tried again with growing pauses, then stays `failed` with its error."""
    app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=4))
    app.job_manager = Manager(app.connector)
    for name, job in jobs.tasks.items():
        app.task(name=name, retry=RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2))(_bound(name, job, context))
    return app


def _bound(name: str, job: Job, context: JobContext) -> Job:
    async def run(**ids: object) -> None:
        began = time.perf_counter()
        log = structlog.get_logger("worker").bind(job=name, **ids)
        try:
            await job(context, **ids)
        except HdqError as error:
            log.warning("job.refused", detail=error.detail, remedy=error.remedy)
            raise
        except Exception:
            log.exception("job.failed")
            raise
        log.info("job.done", seconds=round(time.perf_counter() - began, 3))

    run.__name__ = name
    return run


async def sweep(app: App) -> int:
    """Puts jobs of workers without a heartbeat back into the queue (procrastinate never does by itself), or ends one that has taken DEATHS workers
    with it. Returns how many."""
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S))
    for job in stalled:
        log = structlog.get_logger("worker").bind(job=job.task_name, id=job.id)
        if job.attempts >= DEATHS:
            log.error("job.deadly", attempts=job.attempts)
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
            continue
        log.warning("job.requeued")
        await app.job_manager.retry_job(job)
    await app.job_manager.prune_stalled_workers(STALLED_S)
    return len(stalled)


async def _tend(app: App, context: JobContext, periodic: dict[str, float]) -> None:
    due = dict.fromkeys(periodic, 0.0)
    woken = time.monotonic()
    while True:
        # a loop that was blocked has missed its own heartbeats: let those go out before anybody is called dead
        if time.monotonic() - woken < SWEEP_S + 1:
            await sweep(app)
        woken = time.monotonic()
        now = time.monotonic()
        for name, seconds in periodic.items():
            if now >= due[name]:
                async with context.connection() as connection:
                    await enqueue(connection, name, queueing_lock=name, lock=name)
                due[name] = now + seconds
        await asyncio.sleep(SWEEP_S)


async def work(settings: Settings) -> None:
    """Works until told to end (SIGTERM, SIGINT), then gives running jobs ten seconds. A lost database ends the process; the keeper brings it back."""
    if settings.database_url is None:
        raise Unavailable("the worker has no database", remedy="start it with hdq up, or set HDQ_DATABASE_URL")
    jobs = tasks.discover()
    pool = make_pool(settings.database_url, size=settings.pool_size, statement_timeout_ms=15 * 60_000)
    async with pool:
        context = JobContext(settings, pool)
        app = make_worker(settings.database_url, context, jobs)
        async with app.open_async():
            tending = asyncio.create_task(_tend(app, context, jobs.periodic))
            working = asyncio.create_task(
                app.run_worker_async(
                    concurrency=max(4, 2 * settings.worker_concurrency),
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=HEARTBEAT_S,
                    stalled_worker_timeout=STALLED_S,
                    shutdown_graceful_timeout=GRACE_S,
                    delete_jobs="successful",
                    install_signal_handlers=True,
                )
            )
            done, _ = await asyncio.wait({tending, working}, return_when=asyncio.FIRST_COMPLETED)
            tending.cancel()
            for finished in done:
                finished.result()
            if working not in done:
                working.cancel()


def main() -> None:
    """Runs the worker with settings from the environment."""
    supervisor.die_with_parent()
    settings = Settings()
    logs.configure(settings, "worker")
    asyncio.run(work(settings))


if __name__ == "__main__":
    main()
