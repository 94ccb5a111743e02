"""One camera's frames behind a bounded queue of its own: read in a thread of its own, and left behind when it does not return.

A native call cannot be killed, so the watchdog does not wait for it: it abandons that one thread, says that the stream failed, and the next visit reads in
a new thread. No thread, lock or queue is shared between cameras.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from imagery.cameras.frames import Frame, StreamFailed

STALL_S = 60.0
BOUND = 2
LEFT_BEHIND = 3
"""Threads of one camera that may hang in native calls before it is not opened again until one returns."""


@dataclass(slots=True, eq=False)
class Feed:
    """Frames of one camera, visit by visit. `stall_s`: seconds without a frame after which a visit is given up; `bound`: frames that wait.

    `drop`: when the reader is faster than who takes, the oldest waiting frame goes (a live camera); otherwise the reader waits (a recording).
    `dropped` counts the frames that went.
    """

    stall_s: float = STALL_S
    bound: int = BOUND
    drop: bool = True
    dropped: int = 0
    _left: list[threading.Thread] = field(default_factory=list)

    async def frames(self, open_stream: Callable[[], Iterator[Frame]], name: str = "stream") -> AsyncIterator[Frame]:
        """The frames of one visit until the stream ends. Raises what the stream raises, and StreamFailed when it stalls."""
        self._left = [thread for thread in self._left if thread.is_alive()]
        if len(self._left) >= LEFT_BEHIND:
            raise StreamFailed(f"视频流卡死 · {name}: {len(self._left)} earlier reads still hang", remedy="restart the watcher, or mend the camera")
        visit = _Visit(self, open_stream, asyncio.get_running_loop())
        thread = threading.Thread(target=visit.read, name=name, daemon=True)
        thread.start()
        try:
            while True:
                try:
                    async with asyncio.timeout(self.stall_s):  # wait_for of 3.11 forgets a cancellation that comes with a result
                        frame = await visit.next()
                except TimeoutError:
                    raise StreamFailed(f"视频流停滞 · {name} gave no frame for {self.stall_s:g} s", remedy="the watcher opens it again") from None
                if frame is None:
                    return
                yield frame
        finally:
            visit.leave()
            self._left.append(thread)


class _Visit:
    """What the reading thread and the taking task share for one opening of the stream."""

    def __init__(self, feed: Feed, open_stream: Callable[[], Iterator[Frame]], loop: asyncio.AbstractEventLoop) -> None:
        self._feed, self._open, self._loop = feed, open_stream, loop
        self._waiting: deque[Frame] = deque()
        self._room, self._woken = threading.Condition(), asyncio.Event()
        self._left = self._ended = False
        self._error: BaseException | None = None

    def read(self) -> None:
        """The thread: reads until the stream ends or nobody takes any more."""
        try:
            source = self._open()
            try:
                for frame in source:
                    if not self._put(frame):
                        break
            finally:
                if hasattr(source, "close"):
                    source.close()
        except BaseException as error:  # whatever it is, it is raised where the frames are taken
            self._error = error
        self._ended = True
        self._wake()

    def _put(self, frame: Frame) -> bool:
        with self._room:
            while len(self._waiting) >= self._feed.bound and not self._left:
                if self._feed.drop:
                    self._waiting.popleft()
                    self._feed.dropped += 1
                else:
                    self._room.wait()
            if self._left:
                return False
            self._waiting.append(frame)
        self._wake()
        return True

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._woken.set)
        except RuntimeError:  # the loop is closed: nobody takes any more
            self._left = True

    async def next(self) -> Frame | None:
        """The oldest waiting frame; None when the stream has ended. Raises what ended it."""
        while True:
            self._woken.clear()
            ended = self._ended
            with self._room:
                if self._waiting:
                    frame = self._waiting.popleft()
                    self._room.notify()
                    return frame
            if ended:
                if self._error is not None:
                    raise self._error
                return None
            await self._woken.wait()

    def leave(self) -> None:
        """Nobody takes any more: the thread ends at its next frame."""
        with self._room:
            self._left = True
            self._waiting.clear()
            self._room.notify_all()
