"""Part of benchmarks.intake: what it costs to tell a thousand open streams of what happens, beside a queue for each client."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable

from gis_api import sse
from grid.database import Scope, make_pool

CLIENTS = 1000
A_TICK = 100
TICKS = 20


class QueuePerClient:
    """The usual way: each event is put into the queue of each client, which sends it by itself."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[sse.Event]] = set()

    async def stream(self, scope: Scope) -> AsyncIterator[bytes]:
        """The bytes of one client's stream."""
        queue: asyncio.Queue[sse.Event] = asyncio.Queue()
        self._queues.add(queue)
        while True:
            event = await queue.get()
            if scope.covers(event.region_code):
                yield event.data

    def hand_out(self, part: list[sse.Event]) -> None:
        """Puts events into every queue."""
        for event in part:
            for queue in self._queues:
                queue.put_nowait(event)


def _ticks(first: int) -> list[list[sse.Event]]:
    body = b"x" * 180
    return [
        [sse.Event(n, "370202001001", b"id: %d\nevent: alert.extended\ndata: %s\n\n" % (n, body)) for n in range(start, start + A_TICK)]
        for start in range(first, first + TICKS * A_TICK, A_TICK)
    ]


async def _run(streams: list[AsyncIterator[bytes]], hand_out: Callable[[list[sse.Event]], None], first: int) -> float:
    """CPU seconds a delivery (one event to one client), all delivered."""
    taken = 0

    async def drain(stream: AsyncIterator[bytes]) -> None:
        nonlocal taken
        async for part in stream:
            if part.startswith(b"id: "):
                taken += len(part)

    tasks = [asyncio.create_task(drain(stream)) for stream in streams]
    await asyncio.sleep(2.0)
    ticks = _ticks(first)
    expected = 0
    begin = time.process_time()
    for part in ticks:
        hand_out(part)
        expected += len(streams) * sum(len(event.data) for event in part)
        while taken < expected:
            await asyncio.sleep(0)
    cost = (time.process_time() - begin) / (len(streams) * TICKS * A_TICK)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return cost


async def fanout(url: str, rounds: int) -> dict[str, float]:
    """Median CPU seconds a delivery of a shared frame a tick and of a queue for each client, in turn."""

    async def allowed() -> bool:
        return True

    shared, queues = [], []
    async with make_pool(url, size=4) as pool:
        for number in range(rounds):
            hub = sse.Hub(pool, url)
            await hub.start()
            shared.append(await _run([hub.stream(Scope("3702"), None, allowed) for _ in range(CLIENTS)], hub.hand_out, 1_000_000 * (number + 1)))
            await hub.stop()
            peer = QueuePerClient()
            queues.append(await _run([peer.stream(Scope("3702")) for _ in range(CLIENTS)], peer.hand_out, 1))
    return {"frame": statistics.median(shared), "queue": statistics.median(queues)}
