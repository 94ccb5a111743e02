"""Who was in a zone and what crossed a line, by track of a camera: kept so that one stay is told once and crossings can be counted."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.database import Scope, row


@dataclass(frozen=True, slots=True)
class Count:
    """What crossed a line in an hour before one camera: `forward` from its left to its right side as it was drawn."""

    hour: datetime
    camera_id: int
    forward: int
    backward: int


async def stayed(connection: AsyncConnection, zone_id: int, camera_id: int, track: int, since: datetime, at: datetime) -> datetime:
    """Writes that a track (0: the crowd) was inside from `since`, as far back as is remembered, to `at`. Returns when the stay began: one whose row was
    seen since goes on in that row, however long ago it was entered."""
    stay = {"zone": zone_id, "camera": camera_id, "track": track, "since": since, "at": at}
    going = await row(
        connection,
        """
        UPDATE zone_visits SET entered_at = least(entered_at, %(since)s), seen_at = greatest(seen_at, %(at)s)
        WHERE (zone_id, camera_id, track_id) = (%(zone)s, %(camera)s, %(track)s) AND entered_at = (
            SELECT min(entered_at) FROM zone_visits
            WHERE (zone_id, camera_id, track_id) = (%(zone)s, %(camera)s, %(track)s) AND entered_at <= %(at)s AND seen_at >= %(since)s AND forward IS NULL
        ) RETURNING entered_at
        """,
        stay,
    )
    new = """
        INSERT INTO zone_visits (zone_id, camera_id, track_id, entered_at, seen_at) VALUES (%(zone)s, %(camera)s, %(track)s, %(since)s, %(at)s)
        ON CONFLICT (zone_id, camera_id, track_id, entered_at) DO UPDATE SET seen_at = EXCLUDED.seen_at, forward = NULL RETURNING entered_at
        """
    return (going or await row(connection, new, stay))["entered_at"]


async def reported(connection: AsyncConnection, zone_id: int, camera_id: int, track: int, at: datetime, *, again_s: float) -> bool:
    """Marks the stay that goes on at `at` as reported then; False, and nothing is marked, when it was within `again_s` of that."""
    marked = await row(
        connection,
        """
        UPDATE zone_visits SET reported_at = %(at)s
        WHERE (zone_id, camera_id, track_id) = (%(zone)s, %(camera)s, %(track)s) AND entered_at <= %(at)s AND seen_at >= %(at)s AND forward IS NULL
            AND NOT EXISTS (
                SELECT 1 FROM zone_visits o WHERE (o.zone_id, o.camera_id, o.track_id) = (%(zone)s, %(camera)s, %(track)s)
                    AND abs(extract(epoch FROM o.reported_at - %(at)s)) < %(again)s
            )
        RETURNING zone_id
        """,
        {"zone": zone_id, "camera": camera_id, "track": track, "at": at, "again": again_s},
    )
    return marked is not None


async def crossed(connection: AsyncConnection, zone_id: int, camera_id: int, track: int, at: datetime, *, forward: bool) -> bool:
    """Counts a crossing; False when it was counted before."""
    cursor = await connection.execute(
        """
        INSERT INTO zone_visits (zone_id, camera_id, track_id, entered_at, seen_at, forward) VALUES (%(zone)s, %(camera)s, %(track)s, %(at)s, %(at)s, %(forward)s)
        ON CONFLICT DO NOTHING
        """,
        {"zone": zone_id, "camera": camera_id, "track": track, "at": at, "forward": forward},
    )
    return cursor.rowcount == 1


async def forget(connection: AsyncConnection, before: datetime) -> None:
    """Deletes the stays and crossings last seen before a time (aware)."""
    await connection.execute("DELETE FROM zone_visits WHERE seen_at < %(before)s", {"before": before})


async def counts(connection: AsyncConnection, scope: Scope, zone_id: int, days: int = 7) -> list[Count]:
    """Crossings of a line by hour and camera of the scope, newest first; hours without any are left out."""
    async with connection.cursor(row_factory=class_row(Count)) as cursor:
        await cursor.execute(
            """
            SELECT date_trunc('hour', v.entered_at) AS hour, v.camera_id, count(*) FILTER (WHERE v.forward)::int AS forward, count(*) FILTER (WHERE NOT v.forward)::int AS backward
            FROM zone_visits v JOIN cameras c ON c.id = v.camera_id
            WHERE v.zone_id = %(zone)s AND v.forward IS NOT NULL AND c.region_code LIKE %(scope)s AND v.entered_at > now() - make_interval(days => %(days)s)
            GROUP BY 1, 2 ORDER BY 1 DESC, 2
            """,
            {"zone": zone_id, "scope": scope.like, "days": days},
        )
        return await cursor.fetchall()
