"""Alerts: what people review. The only writer of the table; every change is announced in the same transaction."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import events
from grid.database import Scope, row, rows
from grid.errors import InvalidInput, NotFound
from grid.sensing.rule import Reason

STATES = ("open", "acknowledged", "confirmed", "dismissed", "closed")
ENDED = ("dismissed", "closed")
ORDERS = {
    "oldest": "a.opened_at, a.id",
    "newest": "a.opened_at DESC, a.id DESC",
    "likely": "a.probability DESC, a.severity, a.id DESC",
    "urgent": "a.severity, a.probability DESC, a.id DESC",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """All that fusion knows of an alert; what people did to it (state, times) is not in it."""

    kind: str
    title: str
    title_en: str
    severity: int
    agreement: str
    sensor_kinds: tuple[str, ...]
    probability: float
    rule_id: str
    rule_version: str
    reasons: tuple[Reason, ...]
    place_name: str
    region_code: str
    cell_code: str | None
    accuracy_m: float
    geom: shapely.Point
    region50: shapely.MultiPolygon
    region90: shapely.MultiPolygon


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as a list shows it. `thumbnail`: SHA-256 of the newest evidence that has a derivative and lies in the reader's scope."""

    id: int
    kind: str
    title: str
    title_en: str
    severity: int
    state: str
    agreement: str
    sensor_kinds: list[str]
    probability: float
    rule_id: str
    rule_version: str
    place_name: str
    region_code: str
    cell_code: str | None
    accuracy_m: float
    first_seen_at: datetime
    last_seen_at: datetime
    opened_at: datetime
    acknowledged_at: datetime | None
    dispatched_at: datetime | None
    closed_at: datetime | None
    observation_count: int
    version: int
    simulated: bool
    geom: shapely.Point
    case_id: int | None
    thumbnail: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list asks for; None is any. `bbox`: west, south, east, north in degrees. `since`, `until`: last seen in between.
    `aside`: only those that the reviewers' minutes do not reach (True), only the others (False)."""

    states: tuple[str, ...] | None = None
    kind: str | None = None
    severity: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    bbox: tuple[float, float, float, float] | None = None
    aside: bool | None = None
    order: Literal["oldest", "newest", "likely", "urgent"] = "newest"
    limit: int = 50
    offset: int = 0


_SELECT = """
    SELECT a.id, a.kind, a.title, a.title_en, a.severity, a.state, a.agreement, a.sensor_kinds, a.probability, a.rule_id, a.rule_version, a.place_name,
           a.region_code, a.cell_code, a.accuracy_m, a.first_seen_at, a.last_seen_at, a.opened_at, a.acknowledged_at, a.dispatched_at, a.closed_at,
           a.observation_count, a.version, a.simulated, a.geom,
           (SELECT max(c.id) FROM cases c WHERE c.alert_id = a.id AND c.region_code LIKE %(scope)s) AS case_id,
           (SELECT e.sha256 FROM observations o CROSS JOIN LATERAL unnest(o.evidence) AS h (sha256) JOIN evidence e USING (sha256)
            WHERE o.alert_id = a.id AND e.shown_sha256 IS NOT NULL AND e.region_code LIKE %(scope)s
            ORDER BY o.recorded_at DESC, o.id DESC LIMIT 1) AS thumbnail
    FROM alerts a
"""
_WHERE = """
    WHERE a.region_code LIKE %(scope)s
      AND (%(states)s::text[] IS NULL OR a.state = ANY(%(states)s)) AND (%(kind)s::text IS NULL OR a.kind = %(kind)s)
      AND (%(severity)s::int IS NULL OR a.severity = %(severity)s) AND (%(since)s::timestamptz IS NULL OR a.last_seen_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR a.last_seen_at < %(until)s)
      AND (%(aside)s::bool IS NULL OR EXISTS (SELECT 1 FROM audit_stream s WHERE s.alert_id = a.id AND NOT s.shown) = %(aside)s)
      AND (%(west)s::float8 IS NULL OR a.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326))
"""


async def page(connection: AsyncConnection, scope: Scope, filters: Filters) -> tuple[list[Alert], int]:
    """One page of alerts inside the scope, and how many match in all. Raises InvalidInput for an unknown state or order."""
    unknown = [state for state in filters.states or () if state not in STATES]
    if unknown or filters.order not in ORDERS:
        raise InvalidInput(
            f"没有这种状态或排序 · no such state or order: {', '.join(unknown) or filters.order}", remedy=f"state: {', '.join(STATES)}; order: {', '.join(ORDERS)}"
        )
    west, south, east, north = filters.bbox or (None, None, None, None)
    params = {
        "scope": scope.like,
        "states": list(filters.states) if filters.states else None,
        "kind": filters.kind,
        "severity": filters.severity,
        "since": filters.since,
        "until": filters.until,
        "aside": filters.aside,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "limit": filters.limit,
        "offset": filters.offset,
    }
    async with connection.cursor(row_factory=class_row(Alert)) as cursor:
        await cursor.execute(f"{_SELECT} {_WHERE} ORDER BY {ORDERS[filters.order]} LIMIT %(limit)s OFFSET %(offset)s", params)
        items = await cursor.fetchall()
    counted = await row(connection, f"SELECT count(*) AS total FROM alerts a {_WHERE}", params)
    return items, counted["total"]


async def get(connection: AsyncConnection, scope: Scope, alert_id: int) -> Alert:
    """One alert inside the scope. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Alert)) as cursor:
        await cursor.execute(_SELECT + " WHERE a.id = %(id)s AND a.region_code LIKE %(scope)s", {"id": alert_id, "scope": scope.like})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有告警 {alert_id} · no alert {alert_id}", remedy="它可能不在您的辖区 · it may lie outside your region")
    return found


async def acknowledge(connection: AsyncConnection, scope: Scope, staff_id: int, alert_id: int) -> None:
    """Someone has seen it. The first time and person are kept for ever; again, or on a judged alert, changes nothing. Raises NotFound."""
    await get(connection, scope, alert_id)
    cursor = await connection.execute(
        """
        UPDATE alerts SET state = 'acknowledged', acknowledged_at = clock_timestamp(), acknowledged_by = %(staff)s, version = version + 1
        WHERE id = %(id)s AND state = 'open' AND region_code LIKE %(scope)s
        """,
        {"id": alert_id, "staff": staff_id, "scope": scope.like},
    )
    if cursor.rowcount:
        await announce(connection, "alert.changed", alert_id)


async def set_state(connection: AsyncConnection, alert_id: int, state: str, *, by: int | None) -> None:
    """Moves an alert on (or back, `by` None, when a verdict is undone). Whoever judges has seen it; back to open, nobody has."""
    await connection.execute(
        """
        UPDATE alerts SET state = %(state)s, version = version + 1,
            closed_at = CASE WHEN %(state)s IN ('dismissed', 'closed') THEN coalesce(closed_at, clock_timestamp()) END,
            acknowledged_at = CASE WHEN %(state)s = 'open' THEN NULL WHEN %(by)s::bigint IS NULL THEN acknowledged_at
                                   ELSE coalesce(acknowledged_at, clock_timestamp()) END,
            acknowledged_by = CASE WHEN %(state)s = 'open' THEN NULL ELSE coalesce(acknowledged_by, %(by)s::bigint) END
        WHERE id = %(id)s
        """,
        {"id": alert_id, "state": state, "by": by},
    )
    await announce(connection, "alert.changed", alert_id)


async def mark_dispatched(connection: AsyncConnection, alert_id: int, *, by: int) -> None:
    """Keeps the time of the first order; an alert that nobody had acknowledged is so now."""
    await connection.execute(
        """
        UPDATE alerts SET dispatched_at = coalesce(dispatched_at, clock_timestamp()), version = version + 1,
            state = CASE WHEN state = 'open' THEN 'acknowledged' ELSE state END,
            acknowledged_at = coalesce(acknowledged_at, clock_timestamp()), acknowledged_by = coalesce(acknowledged_by, %(by)s)
        WHERE id = %(id)s AND (dispatched_at IS NULL OR state = 'open')
        """,
        {"id": alert_id, "by": by},
    )
    await announce(connection, "alert.changed", alert_id)


async def set_legality(connection: AsyncConnection, alert_id: int, lines: Sequence[dict]) -> None:
    """What the registers say of the place. Announced only when it differs from what stood there."""
    cursor = await connection.execute(
        "UPDATE alerts SET legality = %(lines)s::jsonb WHERE id = %(id)s AND legality IS DISTINCT FROM %(lines)s::jsonb",
        {"id": alert_id, "lines": json.dumps(list(lines), ensure_ascii=False)},
    )
    if cursor.rowcount:
        await announce(connection, "alert.changed", alert_id)


async def announce(connection: AsyncConnection, kind: str, *alert_ids: int) -> None:
    """Publishes an event a given alert with its summary, in this order: call it last in the transaction."""
    if not alert_ids:
        return
    found = await rows(
        connection,
        """
        SELECT id, kind, title, title_en, severity, state, agreement, probability, accuracy_m, version, simulated, place_name AS place, region_code,
               round(ST_X(geom)::numeric, 7)::float8 AS lon, round(ST_Y(geom)::numeric, 7)::float8 AS lat
        FROM alerts WHERE id = ANY(%(ids)s) ORDER BY array_position(%(ids)s::bigint[], id)
        """,
        {"ids": list(alert_ids)},
    )
    await events.publish_each(connection, kind, [(alert["id"], alert.pop("region_code"), alert) for alert in found])


_FROM_OBSERVATIONS = """
    (SELECT min(recorded_at) AS first_seen_at, max(recorded_at) AS last_seen_at, count(*) AS observation_count, bool_and(simulated) AS simulated
     FROM observations WHERE id = ANY(%(members)s) OR alert_id = %(id)s)
"""


async def open_new(connection: AsyncConnection, draft: Draft, members: Sequence[int]) -> int:
    """Inserts an alert over these observations (their rows are pointed at it by observations.judged). Returns its id."""
    cursor = await connection.execute(
        f"""
        INSERT INTO alerts (kind, title, title_en, severity, agreement, sensor_kinds, probability, rule_id, rule_version, reasons, place_name, region_code,
            cell_code, accuracy_m, geom, region50, region90, first_seen_at, last_seen_at, observation_count, simulated)
        SELECT %(kind)s, %(title)s, %(title_en)s, %(severity)s, %(agreement)s, %(sensor_kinds)s, %(probability)s, %(rule_id)s, %(rule_version)s,
            %(reasons)s::jsonb, %(place_name)s, %(region_code)s, %(cell_code)s, %(accuracy_m)s, %(geom)s, %(region50)s, %(region90)s, s.*
        FROM {_FROM_OBSERVATIONS} s RETURNING id
        """,
        {**_columns(draft), "members": list(members), "id": None},
    )
    (alert_id,) = await cursor.fetchone()
    return alert_id


async def extend(connection: AsyncConnection, alert_id: int, draft: Draft, members: Sequence[int]) -> bool:
    """Rewrites what sensors say of an alert; people's part stays. The version rises, and True comes back, when a reviewer would see a difference:
    severity, agreement or sensors, probability by 0.05, or a place moved by more than a quarter of its accuracy."""
    cursor = await connection.execute(
        f"""
        UPDATE alerts a SET severity = %(severity)s, agreement = %(agreement)s, sensor_kinds = %(sensor_kinds)s, probability = %(probability)s,
            rule_version = %(rule_version)s, reasons = %(reasons)s::jsonb, place_name = %(place_name)s, region_code = %(region_code)s,
            cell_code = %(cell_code)s, accuracy_m = %(accuracy_m)s, geom = %(geom)s, region50 = %(region50)s, region90 = %(region90)s,
            first_seen_at = s.first_seen_at, last_seen_at = s.last_seen_at, observation_count = s.observation_count, simulated = s.simulated,
            version = old.version + new.material::int
        FROM {_FROM_OBSERVATIONS} s, alerts old CROSS JOIN LATERAL (
            SELECT (old.severity, old.agreement, old.sensor_kinds) IS DISTINCT FROM (%(severity)s::smallint, %(agreement)s::text, %(sensor_kinds)s::text[])
                OR abs(old.probability - %(probability)s) >= 0.05
                OR NOT ST_DWithin(old.geom::geography, %(geom)s::geography, greatest(5, 0.25 * least(old.accuracy_m, %(accuracy_m)s))) AS material
        ) new
        WHERE a.id = %(id)s AND old.id = %(id)s RETURNING new.material
        """,
        {**_columns(draft), "members": list(members), "id": alert_id},
    )
    (material,) = await cursor.fetchone()
    return material


def _columns(draft: Draft) -> dict:
    values = {name: getattr(draft, name) for name in Draft.__slots__}
    return values | {"sensor_kinds": list(draft.sensor_kinds), "reasons": json.dumps([asdict(r) for r in draft.reasons], ensure_ascii=False)}
