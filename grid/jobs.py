"""Work to be done later, enqueued in the caller's own transaction; the worker (gis_api.worker) runs it."""

import json
from collections.abc import Mapping

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

    `lock`: jobs with the same lock run one after another. A duplicate does not abort the caller's transaction; the one that waits takes over the
    higher priority, or a periodic job of low priority would hold an urgent one up.
    """
    cursor = await connection.execute(
        "SELECT hdq_enqueue(%(queue)s, %(task)s, %(priority)s, %(lock)s, %(queueing_lock)s, %(arguments)s::jsonb)",
        {"queue": queue, "task": task, "priority": priority, "lock": lock, "queueing_lock": queueing_lock, "arguments": json.dumps(arguments or {})},
    )
    (job_id,) = await cursor.fetchone()
    return job_id


async def enqueue_each(connection: AsyncConnection, task: str, arguments: Mapping[str, dict]) -> None:
    """`enqueue` for many at once, by queueing lock, in the transaction that the caller has begun; those whose like waits already are left out."""
    if not arguments:
        return
    try:
        async with connection.transaction():
            await connection.execute(
                """
                SELECT cardinality(procrastinate_defer_jobs_v1(array_agg(
                    ROW('default', %(task)s, 0, NULL, k.lock, k.arguments, NULL)::procrastinate_job_to_defer_v1 ORDER BY k.n
                ))) FROM unnest(%(locks)s::text[], %(arguments)s::jsonb[]) WITH ORDINALITY AS k (lock, arguments, n)
                WHERE NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = k.lock AND status = 'todo')
                """,
                {"task": task, "locks": list(arguments), "arguments": [json.dumps(given) for given in arguments.values()]},
            )
    except UniqueViolation:
        for lock, given in arguments.items():
            await enqueue(connection, task, given, queueing_lock=lock)
