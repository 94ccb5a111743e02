"""The live stream: one listener a process reads grid.events and hands each event, encoded once, to every subscriber's queue.

No gap: ids are dense in commit order (grid.events). A stream first reads the rows after the client's last id from the table, then continues
from its queue, and skips what it has sent. LISTEN only wakes the reader; a poll finds what a lost notification would have hidden.
A client that cannot keep up is let go: it comes back with Last-Event-ID and misses nothing.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from grid import events
from grid.database import Scope

POLL_S = 1.0
HEARTBEAT_S = 10.0
QUEUE_MAX = 1000
PAGE = 500
RETRY_MS = 2000
HEARTBEAT = b": beat\n\n"


@dataclass(frozen=True, slots=True)
class Frame:
    """An event ready for the wire."""

    id: int
    region_code: str
    data: bytes


@dataclass(eq=False, slots=True)
class Subscriber:
    """One stream's queue. `lost` is set when it overflowed or the hub closes: the stream then ends."""

    queue: asyncio.Queue[Frame | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX + 1))
    lost: bool = False


def encode(event: events.Event) -> Frame:
    """The bytes of one server-sent event (WHATWG HTML 9.2.6): id, event, data as one JSON line."""
    body = {
        "id": event.id,
        "kind": event.kind,
        "entity_id": event.entity_id,
        "region_code": event.region_code,
        "created_at": event.created_at.astimezone(UTC).isoformat(),
        "payload": event.payload,
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Frame(event.id, event.region_code, f"id: {event.id}\nevent: {event.kind}\ndata: {text}\n\n".encode())


class Hub:
    """Reads events once and fans them out."""

    def __init__(self, pool: AsyncConnectionPool, url: str) -> None:
        self._pool, self._url = pool, url
        self._subscribers: set[Subscriber] = set()
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task] = []
        self.last_id: int | None = None
        self.closed = False

    async def start(self) -> None:
        """Begins to read and to listen."""
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]

    async def stop(self) -> None:
        """Ends every stream, then the tasks."""
        self.closed = True
        for subscriber in list(self._subscribers):
            self._drop(subscriber)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def subscribers(self) -> int:
        """How many streams are open."""
        return len(self._subscribers)

    def _drop(self, subscriber: Subscriber) -> None:
        subscriber.lost = True
        self._subscribers.discard(subscriber)
        while subscriber.queue.full():
            subscriber.queue.get_nowait()
        subscriber.queue.put_nowait(None)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, application_name="hdq-events")
                async with connection:
                    await connection.execute(f"LISTEN {events.CHANNEL}")
                    self._wake.set()
                    async for _ in connection.notifies():
                        self._wake.set()
            except psycopg.OperationalError as error:
                structlog.get_logger("events").warning("events.listener_lost", error=str(error))
            await asyncio.sleep(POLL_S)

    async def _read(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._read_new()
                # asyncio.timeout, for wait_for of Python 3.11 can swallow the cancellation that ends this task
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self._wake.wait()
            except (psycopg.OperationalError, PoolTimeout) as error:
                structlog.get_logger("events").warning("events.reader_failed", error=str(error))
                await asyncio.sleep(POLL_S)

    async def _read_new(self) -> None:
        async with self._pool.connection() as connection:
            if self.last_id is None:
                self.last_id = await events.latest_id(connection)
                self._ready.set()
                return
            while found := await events.since(connection, self.last_id, PAGE):
                for event in found:
                    self._hand_out(encode(event))
                    self.last_id = event.id
                if len(found) < PAGE:
                    break

    def _hand_out(self, frame: Frame) -> None:
        for subscriber in list(self._subscribers):
            if subscriber.queue.qsize() >= QUEUE_MAX:
                self._drop(subscriber)
            else:
                subscriber.queue.put_nowait(frame)

    async def stream(self, scope: Scope, last_id: int | None, still_allowed: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """The bytes of one client's stream. `still_allowed` is asked at least every 10 s; the stream ends when it says no."""
        # only a hub that knows where it stands hands out everything after the `newest` read below
        await self._ready.wait()
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        try:
            async with self._pool.connection() as connection:
                newest = await events.latest_id(connection)
            fresh = last_id is None or last_id > newest
            sent = newest if fresh else last_id
            hello = json.dumps({"now": datetime.now(UTC).isoformat(), "last_id": newest})
            yield f"retry: {RETRY_MS}\n{f'id: {newest}' + chr(10) if fresh else ''}event: hello\ndata: {hello}\n\n".encode()
            while sent < newest:
                async with self._pool.connection() as connection:
                    missed = await events.since(connection, sent, PAGE)
                if not missed:
                    break
                yield b"".join(encode(event).data for event in missed if scope.covers(event.region_code)) or HEARTBEAT
                sent = missed[-1].id
            loop = asyncio.get_running_loop()
            check_at = beat_at = loop.time() + HEARTBEAT_S
            while not subscriber.lost and not self.closed:
                try:
                    async with asyncio.timeout(max(0.05, min(check_at, beat_at) - loop.time())):
                        frame = await subscriber.queue.get()
                except TimeoutError:
                    frame = None
                if loop.time() >= check_at:
                    check_at = loop.time() + HEARTBEAT_S
                    if not await still_allowed():
                        yield b"event: bye\ndata: {}\n\n"
                        return
                if frame is not None and frame.id > sent:
                    sent = frame.id
                    if scope.covers(frame.region_code):
                        beat_at = loop.time() + HEARTBEAT_S
                        yield frame.data
                elif loop.time() >= beat_at:
                    beat_at = loop.time() + HEARTBEAT_S
                    yield HEARTBEAT
        finally:
            self._subscribers.discard(subscriber)
