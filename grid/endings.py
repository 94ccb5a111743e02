"""How background tasks are ended: asked again until they are over."""

import asyncio
from collections.abc import Iterable

AGAIN_S = 1.0


async def end(tasks: Iterable[asyncio.Task]) -> None:
    """Cancels tasks and waits until all are over, whatever they raise. Asked once is not enough: up to Python 3.11 `asyncio.wait_for` loses a
    cancellation that comes in the moment in which what it waits for is done, and the drivers of PostgreSQL and NATS wait through it."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
