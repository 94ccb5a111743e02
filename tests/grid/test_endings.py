"""A task that loses a cancellation is asked again."""

import asyncio

from grid import endings


async def test_a_task_that_swallows_the_first_request_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr(endings, "AGAIN_S", 0.01)
    asked = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                asked.append(1)
                if len(asked) > 1:
                    raise

    async def failing() -> None:
        raise ValueError

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await endings.end(tasks)
    assert len(asked) == 2 and all(task.done() for task in tasks)
    assert isinstance(tasks[1].exception(), ValueError)
