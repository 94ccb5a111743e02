"""Jobs that learn from verdicts: algorithms are fitted anew, minutes are priced, canaries are judged."""

from gis_api.tasks import JobContext
from grid.sensing import audit_stream, learning_rows, rollout_rows


async def learn(context: JobContext) -> None:
    """Fits each algorithm that has verdicts since it was last fitted, then prices the reviewers' minutes. Running twice is the same."""
    async with context.connection() as connection:
        stale = await learning_rows.stale(connection)
    for algorithm in stale:
        async with context.connection() as connection:
            await learning_rows.learn(connection, algorithm)
    async with context.connection() as connection:
        await audit_stream.price_all(connection)


async def judge_canaries(context: JobContext) -> None:
    """Rolls back every canary whose verdicts say that it is worse. Running twice is the same."""
    async with context.connection() as connection:
        await rollout_rows.judge(connection)


TASKS = {"learn": learn, "judge_canaries": judge_canaries}
PERIODIC = {"learn": 600.0, "judge_canaries": 120.0}
