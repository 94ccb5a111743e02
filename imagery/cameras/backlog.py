"""Frames waiting to be examined: accepted durably, each with its job, and dropped loudly when a camera sends more than we can look at."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import events, evidence, jobs
from grid.database import row
from grid.errors import InvalidInput
from grid.settings import Settings
from grid.world.cameras import Camera

FUTURE = timedelta(minutes=5)
LOG = structlog.get_logger("cameras")


@dataclass(frozen=True, slots=True)
class AcceptedFrame:
    """`repeated`: the same picture of the same moment was accepted before; `dropped`: older frames of this camera that gave way."""

    frame_id: int
    sha256: str
    repeated: bool
    dropped: int = 0


async def accept_frame(connection: AsyncConnection, settings: Settings, camera: Camera, content: bytes, recorded_at: datetime) -> AcceptedFrame:
    """Stores a picture (JPEG, PNG or WebP) of `camera` as evidence, its frames row and its `detect` job in the caller's transaction.

    Once that commits the frame is examined exactly once, whatever is killed. Jobs run in lanes, one for each core that a worker may use: the frames
    of a camera stay in order, and a flood of frames leaves the worker's other slots to other jobs. Raises InvalidInput (damaged, no time zone, from the future),
    TooLarge, UnsupportedMedia.
    """
    if recorded_at.tzinfo is None:
        raise InvalidInput(f"时间没有时区 · recorded_at {recorded_at.isoformat()} names no zone", remedy="give an offset, e.g. +08:00")
    if recorded_at > datetime.now(UTC) + FUTURE:
        raise InvalidInput(f"时间在未来 · recorded_at {recorded_at.isoformat()} lies in the future", remedy="set the camera's clock")
    picture = await evidence.store(
        connection,
        settings.data_dir,
        content,
        kind="frame",
        region_code=camera.region_code,
        taken_at=recorded_at,
        place=camera.geom,
        azimuth_deg=camera.azimuth_deg,
        simulated=camera.simulated,
    )
    key = {"camera": camera.id, "sha256": picture.sha256, "recorded_at": recorded_at}
    new = await row(
        connection,
        """
        INSERT INTO frames (camera_id, sha256, recorded_at) VALUES (%(camera)s, %(sha256)s, %(recorded_at)s)
        ON CONFLICT (camera_id, sha256, recorded_at) DO NOTHING RETURNING id
        """,
        key,
    )
    if new is None:
        known = await row(
            connection,
            "SELECT id FROM frames WHERE camera_id = %(camera)s AND sha256 = %(sha256)s AND recorded_at = %(recorded_at)s",
            key,
        )
        return AcceptedFrame(known["id"], picture.sha256, repeated=True)
    lane = camera.id % settings.worker_concurrency
    await jobs.enqueue(connection, "detect", {"frame_id": new["id"]}, priority=5, lock=f"detect:{lane}")
    dropped = await _drop_oldest(connection, camera, settings.frame_backlog)
    return AcceptedFrame(new["id"], picture.sha256, repeated=False, dropped=dropped)


async def _drop_oldest(connection: AsyncConnection, camera: Camera, bound: int) -> int:
    """Marks the oldest queued frames of a camera dropped until at most `bound` wait; their jobs find nothing to do. Returns how many.

    One that is being examined is let be: waiting for it would hold up who sends frames as long as the detector takes.
    """
    cursor = await connection.execute(
        """
        UPDATE frames SET state = 'dropped', error = 'backlog over its bound'
        WHERE id IN (
            SELECT id FROM frames WHERE state = 'queued' AND id IN (
                SELECT id FROM (
                    SELECT id, row_number() OVER (ORDER BY recorded_at DESC, id DESC) AS place
                    FROM frames WHERE camera_id = %(camera)s AND state = 'queued'
                ) AS waiting WHERE place > %(bound)s
            ) FOR UPDATE SKIP LOCKED
        )
        """,
        {"camera": camera.id, "bound": bound},
    )
    if cursor.rowcount:
        LOG.warning("frames dropped", camera=camera.code, dropped=cursor.rowcount, bound=bound)
        await events.publish(connection, "camera.changed", camera.id, camera.region_code, {"name": camera.name, "dropped": cursor.rowcount})
    return cursor.rowcount


async def give_up(connection: AsyncConnection) -> int:
    """Marks queued frames failed whose `detect` job has failed for good: nothing would look at them again, and queued would say somebody will.
    Returns how many."""
    cursor = await connection.execute(
        """
        UPDATE frames SET state = 'failed', error = 'its examination failed each time; the worker log says why', detected_at = clock_timestamp()
        WHERE state = 'queued' AND id IN (
            SELECT (args ->> 'frame_id')::bigint FROM procrastinate_jobs WHERE task_name = 'detect' AND status = 'failed'
        )
        """
    )
    if cursor.rowcount:
        LOG.error("frames given up", frames=cursor.rowcount)
    return cursor.rowcount


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """Frames by state: queued, done, dropped, failed."""
    cursor = await connection.execute("SELECT state, count(*) FROM frames GROUP BY state")
    return dict(await cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Looked:
    """A frame and what became of it; `boxes`: how many detections it gave."""

    id: int
    sha256: str
    recorded_at: datetime
    received_at: datetime
    state: str
    detected_at: datetime | None
    error: str | None
    boxes: int


async def latest(connection: AsyncConnection, camera_id: int, limit: int = 20) -> list[Looked]:
    """The newest frames of a camera, newest first."""
    async with connection.cursor(row_factory=class_row(Looked)) as cursor:
        await cursor.execute(
            """
            SELECT f.id, f.sha256, f.recorded_at, f.received_at, f.state, f.detected_at, f.error,
                (SELECT count(*) FROM detections d WHERE d.frame_id = f.id) AS boxes
            FROM frames f WHERE f.camera_id = %(camera)s ORDER BY f.recorded_at DESC, f.id DESC LIMIT %(limit)s
            """,
            {"camera": camera_id, "limit": limit},
        )
        return await cursor.fetchall()


async def newest(connection: AsyncConnection, camera_id: int) -> tuple[str, datetime, bool] | None:
    """The newest picture of a camera: its SHA-256, when it was taken, and whether its copy for people is made. None where no frame was taken."""
    found = await row(
        connection,
        """
        SELECT f.sha256, f.recorded_at, e.shown_sha256 IS NOT NULL AS ready FROM frames f JOIN evidence e ON e.sha256 = f.sha256
        WHERE f.camera_id = %(camera)s ORDER BY f.recorded_at DESC, f.id DESC LIMIT 1
        """,
        {"camera": camera_id},
    )
    return (found["sha256"], found["recorded_at"], found["ready"]) if found else None
