"""The watcher: follows every camera that has a stream and puts its frames before the detectors.

Each camera has a task of its own and is read in a thread of its own behind a queue of its own (`streams_feed`), so a stuck stream holds up nobody: its
reads end by timeout or are left behind, the camera becomes offline, and it alone is tried again with growing pauses. A frame passes when the picture
changed (difference gate), when a sequence is under way, or when none passed for a minute. Where there are more cameras than STREAMS or than the budget of
HDQ_WATCH_LOOKS pays for, they are followed by turns (`turns`).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from grid.database import make_pool, row
from grid.errors import HdqError, Unavailable
from grid.settings import Settings
from grid.world import cameras
from grid.world.cameras import Camera
from imagery.cameras import frames, health, streams
from imagery.cameras.backlog import accept_frame
from imagery.cameras.frames import Frame, StreamFailed
from imagery.cameras.streams_feed import STALL_S, Feed
from imagery.cameras.turns import EVERY_S, STREAMS, UNDER_WAY, Turns

LOG = structlog.get_logger("watcher")
ANYWAY = timedelta(minutes=1)
LOOK_FOR_CAMERAS_S = 15.0
REST_S = (1.0, 60.0)
REPLAY_REST = timedelta(hours=1)


@dataclass(slots=True)
class Gate:
    """Which frames of one camera are worth examining; holds the last picture that passed."""

    every_s: float
    thumb: health.Thumb | None = None
    passed_at: datetime | None = None
    skipped: int = 0

    def passes(self, frame: Frame, *, under_way: bool) -> bool:
        """Whether `frame` is to be taken; remembers it when so. What was only glanced at is decoded then: raises as `frames.decode` for damage."""
        waited = None if self.passed_at is None else frame.recorded_at - self.passed_at
        current = health.thumb(frame.image) if frame.thumb is None else frame.thumb
        early = waited is not None and timedelta(0) <= waited < timedelta(seconds=self.every_s)
        if early or not (under_way or waited is None or waited >= ANYWAY or waited < timedelta(0) or health.changed(current, self.thumb)):
            self.skipped += 1
            return False
        if frame.image is None:
            frames.decode(frame.content)
        self.thumb, self.passed_at = current, frame.recorded_at
        return True


@dataclass(slots=True)
class Watcher:
    """Follows cameras until `stop` is set. `open_stream`, `every_s`, `rest_s`, `stall_s` and `turns` may be given by tests; `restarts` counts the visits
    of a camera (its id) that failed."""

    settings: Settings
    pool: AsyncConnectionPool
    stop: asyncio.Event
    open_stream: Callable[..., Iterator[Frame]] = streams.open_stream
    every_s: dict[str, float] = field(default_factory=lambda: dict(EVERY_S))
    rest_s: tuple[float, float] = REST_S
    stall_s: float = STALL_S
    restarts: Counter[int] = field(default_factory=Counter)
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(self.settings.city_code, self.settings.watch_looks, STREAMS, {kind: 60 / every_s for kind, every_s in self.every_s.items()})

    async def run(self) -> None:
        """Starts a task for each camera with a stream, looks for new and changed ones every 15 s, ends soon after `stop`."""
        running: dict[int, tuple[tuple, asyncio.Task]] = {}
        try:
            while not self.stop.is_set():
                try:
                    async with self.pool.connection() as connection:
                        found = await cameras.streaming(connection)
                        shown = {camera_id for camera_id, (_, task) in running.items() if task.done()}
                        whose = await self.turns.followed(connection, [camera for camera in found if camera.id not in shown])
                except (psycopg.OperationalError, PoolTimeout) as error:
                    LOG.warning("database does not answer", error=str(error))
                    await self._pause(self.rest_s[0])
                    continue
                wanted = {camera.id: camera for camera in found if camera.id in whose or camera.id in shown}
                for camera_id, (shape, task) in list(running.items()):
                    if camera_id not in wanted or _shape(wanted[camera_id]) != shape:
                        task.cancel()
                        del running[camera_id]
                for camera in wanted.values():
                    if camera.id not in running:
                        running[camera.id] = (_shape(camera), asyncio.create_task(self.follow(camera)))
                await self._pause(LOOK_FOR_CAMERAS_S)
        finally:
            for _, task in running.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in running.values()), return_exceptions=True)

    async def follow(self, camera: Camera) -> None:
        """Follows one camera until it is cancelled or its recording has been shown."""
        kind = (camera.stream or "").partition(":")[0]
        recorded = kind in ("replay", "folder", "file")
        every_s = 0.0 if recorded else self.every_s[camera.kind]
        gate, feed = Gate(every_s / 2), Feed(self.stall_s, drop=not recorded)
        if kind == "replay" and not await self._rested(camera):
            return
        rest = self.rest_s[0]
        while not self.stop.is_set():
            try:
                taken = await self._once(camera, kind, gate, feed, every_s)
                if kind in ("replay", "file"):
                    LOG.info("recording shown", camera=camera.code, frames=taken)
                    return
                rest = self.rest_s[0]
            except HdqError as error:
                LOG.warning("stream failed", camera=camera.code, reason=error.detail)
                self.restarts[camera.id] += 1
                await self._offline(camera)
                if kind in ("replay", "file") and not isinstance(error, StreamFailed | Unavailable):
                    return
                await self._pause(rest)
                rest = min(rest * 2, self.rest_s[1])
            except (psycopg.OperationalError, PoolTimeout) as error:
                LOG.warning("frame not accepted, database does not answer", camera=camera.code, error=str(error))
                await self._pause(rest)
            except Exception:
                LOG.exception("camera task failed", camera=camera.code)
                await self._pause(self.rest_s[1])
            await self._pause(self.every_s[camera.kind] if kind == "folder" else 0.0)

    async def _once(self, camera: Camera, kind: str, gate: Gate, feed: Feed, every_s: float) -> int:
        """Opens the stream and takes its frames until it ends; returns how many were taken."""
        since = await self._newest(camera) if kind == "folder" else None
        refused: set[Path] = set()

        def on_refused(file: Path, error: HdqError) -> None:
            if file not in refused:
                refused.add(file)
                LOG.warning("picture refused", camera=camera.code, file=file.name, reason=error.detail)

        def opened() -> Iterator[Frame]:
            return self.open_stream(
                camera.stream, hosts=self.settings.allowed_streams, every_s=every_s, since=since, on_refused=on_refused, glances=self.settings.camera_glances
            )

        taken = 0
        async with contextlib.aclosing(feed.frames(opened, camera.code)) as shown:
            async for frame in shown:
                if self.stop.is_set():
                    break
                if kind != "replay":
                    under_way = await self._under_way(camera, frame.recorded_at)
                    try:
                        if not await asyncio.to_thread(gate.passes, frame, under_way=under_way):
                            continue
                    except HdqError as error:
                        if kind != "folder":
                            raise
                        on_refused(Path(frame.source), error)
                        continue
                content = frame.content or await asyncio.to_thread(frames.encode, frame.image)
                async with self.pool.connection() as connection:
                    accepted = await accept_frame(connection, self.settings, camera, content, frame.recorded_at)
                taken += not accepted.repeated
                self.turns.seen[camera.id] = datetime.now(UTC)
                if kind == "replay":
                    await self._pause(self.every_s[camera.kind])
        return taken

    async def _newest(self, camera: Camera) -> datetime | None:
        async with self.pool.connection() as connection:
            found = await row(connection, "SELECT max(recorded_at) AS at FROM frames WHERE camera_id = %(id)s", {"id": camera.id})
        return found["at"] if found else None

    async def _rested(self, camera: Camera) -> bool:
        """Whether a recording may be shown again: not within an hour of its last frame, so that a restart does not repeat its alerts."""
        newest = await self._newest(camera)
        return newest is None or datetime.now(UTC) - newest > REPLAY_REST

    async def _under_way(self, camera: Camera, at: datetime) -> bool:
        """Whether a detector saw something lately: then unchanged pictures count too, or a sequence could never be confirmed."""
        async with self.pool.connection() as connection:
            found = await row(
                connection,
                "SELECT EXISTS (SELECT 1 FROM detections WHERE camera_id = %(id)s AND recorded_at BETWEEN %(from)s AND %(at)s) AS seen",
                {"id": camera.id, "from": at - UNDER_WAY, "at": at},
            )
        return bool(found and found["seen"])

    async def _offline(self, camera: Camera) -> None:
        try:
            async with self.pool.connection() as connection:
                await cameras.update(connection, camera.id, state="offline")
        except (HdqError, psycopg.OperationalError, PoolTimeout) as error:
            LOG.warning("camera state not written", camera=camera.code, error=str(error))

    async def _pause(self, seconds: float) -> None:
        """Waits, or less when told to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), max(seconds, 0.001))


def _shape(camera: Camera) -> tuple:
    """What, when it changes, makes the watcher start a camera anew."""
    return camera.stream, camera.kind, camera.region_code


async def watch(settings: Settings, stop: asyncio.Event) -> None:
    """The watcher process. Returns within the read timeout of a stream after `stop` is set."""
    if settings.database_url is None:
        raise Unavailable("the watcher has no database", remedy="start it with hdq up, or set HDQ_DATABASE_URL")
    async with make_pool(settings.database_url, size=settings.pool_size) as pool:
        await Watcher(settings, pool, stop).run()
