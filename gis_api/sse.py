"""The live stream: one listener a process reads grid.events; a tick's events become one frame a scope, the same bytes for every client of that scope.

No gap: ids are dense in commit order (grid.events). A stream first reads the rows after the client's last id from the table, then continues
from the frames of its scope, and skips what it has sent. LISTEN only wakes the reader; a poll finds what a lost notification would have hidden.
Nothing waits for a client: one that falls behind the frames that are kept is let go, comes back with Last-Event-ID and misses nothing.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from grid import endings, events
from grid.database import Scope

POLL_S = 1.0
HEARTBEAT_S = 10.0
QUEUE_MAX = 5000
"""Events kept a scope for clients that are behind."""
TICK_S = 0.05
"""What happens within it leaves in one frame: a flood wakes each client twenty times a second, not once for each event."""
PAGE = 500
RETRY_MS = 2000
HEARTBEAT = b": beat\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """An event ready for the wire."""

    id: int
    region_code: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """What the clients of one scope are sent at once: events in order, and their bytes put together. A heartbeat has no events."""

    events: tuple[Event, ...]
    data: bytes

    def after(self, last_id: int) -> bytes:
        """The bytes of what came after an event."""
        if not self.events or self.events[0].id > last_id:
            return self.data
        return b"".join(event.data for event in self.events if event.id > last_id)


class Channel:
    """The newest frames of one scope, numbered from the first ever; every stream of the scope reads them at its own pace."""

    __slots__ = ("_frames", "_kept", "_news", "first", "quiet_since", "scope", "streams")

    def __init__(self, scope: Scope, now: float) -> None:
        self.scope, self.streams, self.first, self.quiet_since = scope, 0, 0, now
        self._frames: deque[Frame] = deque()
        self._kept = 0
        self._news = asyncio.Event()

    @property
    def end(self) -> int:
        """The number of the next frame."""
        return self.first + len(self._frames)

    def frame(self, number: int) -> Frame:
        """A frame that is kept."""
        return self._frames[number - self.first]

    def put(self, frame: Frame, now: float) -> None:
        """Adds a frame, lets go of the oldest, and wakes the streams."""
        self._frames.append(frame)
        self._kept += max(1, len(frame.events))
        while self._kept > QUEUE_MAX and len(self._frames) > 1:
            self._kept -= max(1, len(self._frames.popleft().events))
            self.first += 1
        self.quiet_since = now
        self.wake()

    def wake(self) -> None:
        """Lets every stream look again."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def news(self) -> None:
        """Returns at the next frame."""
        await self._news.wait()


def encode(event: events.Event) -> Event:
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
    return Event(event.id, event.region_code, f"id: {event.id}\nevent: {event.kind}\ndata: {text}\n\n".encode())


class Hub:
    """Reads events once and fans them out."""

    def __init__(self, pool: AsyncConnectionPool, url: str) -> None:
        self._pool, self._url = pool, url
        self._channels: dict[str, Channel] = {}
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task] = []
        self.last_id: int | None = None
        self.closed = False

    async def start(self) -> None:
        """Begins to read and to listen."""
        self._tasks = [asyncio.create_task(each) for each in (self._read(), self._listen(), self._beat())]

    async def stop(self) -> None:
        """Ends every stream, then the tasks."""
        self.closed = True
        for channel in self._channels.values():
            channel.wake()
        await endings.end(self._tasks)

    @property
    def subscribers(self) -> int:
        """How many streams are open."""
        return sum(channel.streams for channel in self._channels.values())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(min(POLL_S, HEARTBEAT_S))
            now = asyncio.get_running_loop().time()
            for channel in self._channels.values():
                if now - channel.quiet_since >= HEARTBEAT_S:
                    channel.put(Frame((), HEARTBEAT), now)

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
                await asyncio.sleep(TICK_S)
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
                encoded = [encode(event) for event in found]
                size = max(1, min(PAGE, QUEUE_MAX // 2))
                for start in range(0, len(encoded), size):
                    self.hand_out(encoded[start : start + size])
                    await asyncio.sleep(0)  # whoever is waiting takes this frame before the next comes
                if len(found) < PAGE:
                    break

    def hand_out(self, part: Sequence[Event]) -> None:
        """Gives events, in order, to every scope that may see them: one frame each."""
        self.last_id = part[-1].id
        now = asyncio.get_running_loop().time()
        for channel in self._channels.values():
            seen = tuple(event for event in part if channel.scope.covers(event.region_code))
            if seen:
                channel.put(Frame(seen, b"".join(event.data for event in seen)), now)

    async def stream(self, scope: Scope, last_id: int | None, still_allowed: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """The bytes of one client's stream. `still_allowed` is asked at least every 10 s; the stream ends when it says no."""
        # only a hub that knows where it stands hands out everything after the `newest` read below
        await self._ready.wait()
        loop = asyncio.get_running_loop()
        channel = self._channels.setdefault(scope.prefix, Channel(scope, loop.time()))
        channel.streams += 1
        number = channel.end
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
            check_at = loop.time() + HEARTBEAT_S
            while channel.first <= number and not self.closed:
                if loop.time() >= check_at:
                    check_at = loop.time() + HEARTBEAT_S
                    if not await still_allowed():
                        yield b"event: bye\ndata: {}\n\n"
                        return
                    continue
                if number == channel.end:
                    await channel.news()
                    continue
                frame = channel.frame(number)
                number += 1
                data = frame.after(sent)
                if frame.events:
                    sent = max(sent, frame.events[-1].id)
                if data:
                    yield data
        finally:
            channel.streams -= 1
            if channel.streams == 0 and self._channels.get(scope.prefix) is channel:
                del self._channels[scope.prefix]
