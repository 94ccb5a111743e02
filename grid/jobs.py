"""Work to be done later, enqueued in the caller's own transaction; the worker (gis_api.worker) runs it."""

import json
from collections.abc import Mapping

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.pq import TransactionStatus


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

    `lock`: jobs with the same lock run one after another. Runs in a savepoint, so a duplicate does not abort the caller; the one that
    waits takes over the higher priority, or a periodic job of low priority would hold an urgent one up.
    """
    if not connection.autocommit and connection.info.transaction_status is TransactionStatus.IDLE:
        await connection.execute("SELECT 1")  # begins the caller's transaction: a block entered outside of one would commit at its end
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
        await connection.execute(
            """
            UPDATE procrastinate_jobs SET priority = %(priority)s WHERE id IN (
                SELECT id FROM procrastinate_jobs
                WHERE queueing_lock = %(lock)s AND status = 'todo' AND priority < %(priority)s FOR UPDATE SKIP LOCKED
            )
            """,
            {"lock": queueing_lock, "priority": priority},
        )
        return None


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
