"""Things that happened: published in the caller's transaction, read since an id.

Ids come from one counter row whose lock is held until commit: readers never see a hole, and an id once seen is never
preceded by a later one (serial ids commit out of order). So publish last in a transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

CHANNEL = "hdq_events"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `kind` is `noun.verb` (alert.opened); `region_code` decides who may see it."""

    id: int
    kind: str
    entity_id: str
    region_code: str
    payload: dict
    created_at: datetime


async def publish(connection: AsyncConnection, kind: str, entity_id: str | int, region_code: str, payload: dict | None = None) -> int:
    """Stores an event in the caller's transaction and wakes listeners at commit. Returns its id.

    `payload` is a small JSON summary (< 4 KB) for the client; the truth is the row it names.
    """
    return await publish_each(connection, kind, [(entity_id, region_code, payload or {})])


async def publish_each(connection: AsyncConnection, kind: str, told: Sequence[tuple[str | int, str, dict]]) -> int:
    """`publish` for many, each (entity id, region, payload), in their order, at the price of one. Returns the last id; 0 for none."""
    if not told:
        return 0
    cursor = await connection.execute(
        """
        WITH clock AS (UPDATE event_clock SET last_id = last_id + %(count)s RETURNING last_id), stored AS (
            INSERT INTO events (id, kind, entity_id, region_code, payload)
            SELECT last_id - %(count)s + n, %(kind)s, entity_id, region_code, payload
            FROM clock, unnest(%(entities)s::text[], %(regions)s::text[], %(payloads)s::jsonb[]) WITH ORDINALITY AS t (entity_id, region_code, payload, n)
        )
        SELECT last_id, pg_notify(%(channel)s, last_id::text) FROM clock
        """,
        {
            "count": len(told),
            "kind": kind,
            "entities": [str(entity_id) for entity_id, _, _ in told],
            "regions": [region for _, region, _ in told],
            "payloads": [json.dumps(payload, ensure_ascii=False, default=str) for _, _, payload in told],
            "channel": CHANNEL,
        },
    )
    (last_id, _) = await cursor.fetchone()
    return last_id


async def since(connection: AsyncConnection, last_id: int, limit: int = 500) -> list[Event]:
    """Events after `last_id`, oldest first, of every region: the caller filters by scope."""
    async with connection.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(
            "SELECT id, kind, entity_id, region_code, payload, created_at FROM events WHERE id > %(last_id)s ORDER BY id LIMIT %(limit)s",
            {"last_id": last_id, "limit": limit},
        )
        return await cursor.fetchall()


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Deletes events of before a time (aware). Returns how many."""
    return (await connection.execute("DELETE FROM events WHERE created_at < %(before)s", {"before": before})).rowcount


async def latest_id(connection: AsyncConnection) -> int:
    """The id of the newest event; 0 when nothing has happened."""
    cursor = await connection.execute("SELECT last_id FROM event_clock")
    found = await cursor.fetchone()
    return found[0] if found else 0
