"""Work to be done later, enqueued in the caller's own transaction; the worker (gis_api.worker) runs it."""

import json

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation


async def enqueue(
    connection: AsyncConnection,
    task: str,
    arguments: dict | None = None,
    *,
    queue: str = "default",
    priority: int = 0,
    lock: str | None = None,
    queueing_lock: str | None = None,
) -> int | None:
    """Defers procrastinate task `task`; arguments are ids only. Returns the job id, or None when one waits already under `queueing_lock`.

    `lock`: jobs with the same lock run one after another. Runs in a savepoint, so a duplicate does not abort the caller.
    """
    try:
        async with connection.transaction():
            cursor = await connection.execute(
                """
                SELECT id FROM unnest(procrastinate_defer_jobs_v1(ARRAY[
                    ROW(%(queue)s, %(task)s, %(priority)s, %(lock)s, %(queueing_lock)s, %(arguments)s::jsonb, NULL)::procrastinate_job_to_defer_v1
                ])) AS id
                """,
                {
                    "queue": queue,
                    "task": task,
                    "priority": priority,
                    "lock": lock,
                    "queueing_lock": queueing_lock,
                    "arguments": json.dumps(arguments or {}),
                },
            )
            (job_id,) = await cursor.fetchone()
            return job_id
    except UniqueViolation:
        return None
