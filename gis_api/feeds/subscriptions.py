"""Who is told of what, and how the telling went. The only writer of `subscriptions`, `deliveries` and `feed_position`.

A delivery is one event for one subscription: waiting -> delivered, or after ATTEMPTS tries with growing pauses dead, with its reason, until somebody
sends it again. At least once: a receiver tells repeats by the id.
"""

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from gis_api.feeds import sending, webhooks
from grid import audit, geometry
from grid.database import Scope, row
from grid.errors import InvalidInput, NotFound
from layers.connecting.door import secret

PAUSES_S = (5, 30, 120, 600, 3_600, 10_800, 21_600)
"""Before the second try, the third, …: about eleven hours in all."""
ATTEMPTS = len(PAUSES_S) + 1
AT_ONCE = 2_000
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person decides. `events`: kinds as alert.opened, or alert.* for all of a noun; `kinds` of alerts, empty for any; `severity` the least urgent
    that is told (1 特急 … 4 提示); `area` (EPSG:4326) or None for the whole region; `secret_name` of HDQ_CONNECTOR_SECRET_…, None over HTTP: one that we make"""

    title: str
    format: str
    address: str
    events: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    severity: int = 4
    area: shapely.Polygon | None = None
    secret_name: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as stored, with the numbers of its deliveries by state."""

    id: int
    title: str
    format: str
    address: str
    events: list[str]
    kinds: list[str]
    severity: int
    area: shapely.Polygon | None
    secret_name: str | None
    active: bool
    region_code: str
    created_at: datetime
    waiting: int
    delivered: int
    dead: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one subscription."""

    id: int
    subscription_id: int
    event_id: int
    kind: str
    entity_id: str
    payload: dict[str, Any]
    happened_at: datetime
    state: str
    attempts: int
    next_at: datetime
    reason: str
    ended_at: datetime | None


_SUBSCRIPTION = """
    SELECT s.id, s.title, s.format, s.address, s.events, s.kinds, s.severity, s.area, s.secret_name, s.active, s.region_code, s.created_at,
           coalesce(d.waiting, 0) AS waiting, coalesce(d.delivered, 0) AS delivered, coalesce(d.dead, 0) AS dead
    FROM subscriptions s LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'delivered') AS delivered, count(*) FILTER (WHERE state = 'dead') AS dead
        FROM deliveries WHERE subscription_id = s.id
    ) d ON true
"""
_DELIVERY = f"SELECT {', '.join('d.' + name for name in Delivery.__dataclass_fields__)} FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id"


def sound(plan: Plan, hosts: frozenset[str], environment: Mapping[str, str] = os.environ) -> Plan:
    """The plan with its area cleaned. Raises InvalidInput: an address off the list, a secret that cannot be used, an area that is none."""
    sending.allowed(plan.format, plan.address, hosts)
    if plan.secret_name is not None and _signs(plan.format):
        webhooks.key_of(secret(plan.secret_name, environment) or "")
    elif plan.secret_name is not None:
        raise InvalidInput("TCP/UDP 不签名 · nothing is signed over TCP and UDP", remedy="leave the secret out")
    if plan.format != "cloudevents" and any(not each.startswith("alert.") for each in plan.events):
        raise InvalidInput(f"{plan.format} 只能表达告警 · {plan.format} tells alerts only", remedy='events: ["alert.*"]')
    if plan.area is not None:
        area = geometry.clean(plan.area)
        if not isinstance(area, shapely.Polygon):
            raise InvalidInput("区域须为一个有面积的多边形 · the area is one polygon with an area", remedy="redraw it without crossings")
        return Plan(**{name: getattr(plan, name) for name in Plan.__dataclass_fields__} | {"area": shapely.set_srid(area, 4326)})
    return plan


async def add(connection: AsyncConnection, scope: Scope, plan: Plan, staff_id: int) -> Subscription:
    """Stores a sound plan for the caller's region; told from now on. Audited."""
    found = await row(
        connection,
        """
        INSERT INTO subscriptions (title, format, address, secret_name, own_secret, events, kinds, severity, area, region_code, active, created_by)
        VALUES (%(title)s, %(format)s, %(address)s, %(secret_name)s, %(own)s, %(events)s, %(kinds)s, %(severity)s, %(area)s, %(region)s, %(active)s, %(staff)s) RETURNING id
        """,
        _values(plan) | {"region": scope.prefix, "staff": staff_id},
    )
    await audit.note(connection, staff_id, "subscription.added", f"subscription/{found['id']}", {"title": plan.title, "format": plan.format, "address": plan.address})
    return await get(connection, scope, found["id"])


async def change(connection: AsyncConnection, scope: Scope, subscription_id: int, plan: Plan, staff_id: int) -> Subscription:
    """Puts a sound plan in the place of the old one. Audited. Raises NotFound."""
    await get(connection, scope, subscription_id)
    await connection.execute(
        """
        UPDATE subscriptions SET title = %(title)s, format = %(format)s, address = %(address)s, secret_name = %(secret_name)s, events = %(events)s,
            own_secret = CASE WHEN %(own)s::text IS NOT NULL THEN coalesce(own_secret, %(own)s) END, kinds = %(kinds)s, severity = %(severity)s, area = %(area)s, active = %(active)s WHERE id = %(id)s
        """,
        _values(plan) | {"id": subscription_id},
    )
    await audit.note(connection, staff_id, "subscription.changed", f"subscription/{subscription_id}", {"title": plan.title, "address": plan.address, "active": plan.active})
    return await get(connection, scope, subscription_id)


async def renew_secret(connection: AsyncConnection, scope: Scope, subscription_id: int, staff_id: int) -> str:
    """A new signing secret, told this once; the old one is void, a named one no longer asked for. Audited. Raises NotFound, InvalidInput where nothing is signed."""
    found = await get(connection, scope, subscription_id)
    if not _signs(found.format):
        raise InvalidInput("TCP/UDP 不签名 · nothing is signed over TCP and UDP", remedy="there is no secret to make")
    made = _new_secret()
    await connection.execute("UPDATE subscriptions SET own_secret = %(made)s, secret_name = NULL WHERE id = %(id)s", {"made": made, "id": subscription_id})
    await audit.note(connection, staff_id, "subscription.secret", f"subscription/{subscription_id}", {"title": found.title})
    return made


async def key(connection: AsyncConnection, subscription: Subscription) -> bytes | None:
    """What its messages are signed with; None where nothing is signed. Raises InvalidInput when a named secret is gone."""
    if not _signs(subscription.format):
        return None
    if subscription.secret_name is not None:
        return webhooks.key_of(secret(subscription.secret_name) or "")
    held = await row(connection, "SELECT own_secret FROM subscriptions WHERE id = %(id)s", {"id": subscription.id})
    return webhooks.key_of((held or {}).get("own_secret") or "")


def _signs(form: str) -> bool:
    return "http" in sending.SCHEMES[form]


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


async def remove(connection: AsyncConnection, scope: Scope, subscription_id: int, staff_id: int) -> None:
    """Ends a subscription and forgets its deliveries. Audited. Raises NotFound."""
    old = await get(connection, scope, subscription_id)
    await connection.execute("DELETE FROM subscriptions WHERE id = %(id)s", {"id": subscription_id})
    await audit.note(connection, staff_id, "subscription.removed", f"subscription/{subscription_id}", {"title": old.title, "address": old.address})


async def page(connection: AsyncConnection, scope: Scope) -> list[Subscription]:
    """Subscriptions of the caller's region, by title."""
    async with connection.cursor(row_factory=class_row(Subscription)) as cursor:
        await cursor.execute(f"{_SUBSCRIPTION} WHERE s.region_code LIKE %(scope)s ORDER BY s.title, s.id", {"scope": scope.like})
        return await cursor.fetchall()


async def get(connection: AsyncConnection, scope: Scope, subscription_id: int) -> Subscription:
    """One of the caller's region. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Subscription)) as cursor:
        await cursor.execute(f"{_SUBSCRIPTION} WHERE s.id = %(id)s AND s.region_code LIKE %(scope)s", {"id": subscription_id, "scope": scope.like})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有订阅 {subscription_id} · no such subscription", remedy="GET /api/subscriptions lists them")
    return found


async def deliveries(connection: AsyncConnection, scope: Scope, subscription_id: int, state: str | None, limit: int) -> list[Delivery]:
    """Deliveries of a subscription of the caller's region, newest first. Raises NotFound."""
    await get(connection, scope, subscription_id)
    async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            f"{_DELIVERY} WHERE s.id = %(id)s AND (%(state)s::text IS NULL OR d.state = %(state)s) ORDER BY d.id DESC LIMIT %(limit)s",
            {"id": subscription_id, "state": state, "limit": limit},
        )
        return await cursor.fetchall()


async def resend(connection: AsyncConnection, scope: Scope, delivery_id: int, staff_id: int) -> Delivery:
    """Has a delivery tried anew, from the first pause on. Audited. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            f"""
            UPDATE deliveries d SET state = 'waiting', attempts = 0, next_at = clock_timestamp(), ended_at = NULL FROM subscriptions s
            WHERE s.id = d.subscription_id AND d.id = %(id)s AND s.region_code LIKE %(scope)s RETURNING {", ".join("d." + name for name in Delivery.__dataclass_fields__)}
            """,
            {"id": delivery_id, "scope": scope.like},
        )
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有投递 {delivery_id} · no such delivery", remedy="GET /api/subscriptions/{id}/deliveries lists them")
    await audit.note(connection, staff_id, "delivery.resent", f"subscription/{found.subscription_id}", {"delivery": delivery_id})
    return found


async def match(connection: AsyncConnection) -> int:
    """Matches the events that came since the last time with the subscriptions: AT_ONCE at most. Returns how many events were looked at.

    An event matches an area when the place it names, with its accuracy, touches it; one that names no place matches no area.
    """
    cursor = await connection.execute(
        """
        WITH stood AS (SELECT last_id FROM feed_position FOR UPDATE),
        fresh AS (SELECT e.* FROM events e, stood WHERE e.id > stood.last_id ORDER BY e.id LIMIT %(most)s),
        told AS (
            INSERT INTO deliveries (subscription_id, event_id, kind, entity_id, payload, happened_at)
            SELECT s.id, e.id, e.kind, e.entity_id, e.payload, e.created_at FROM fresh e JOIN subscriptions s
                ON s.active AND e.created_at >= s.created_at AND starts_with(e.region_code, s.region_code)
                AND (e.kind = ANY(s.events) OR split_part(e.kind, '.', 1) || '.*' = ANY(s.events))
                AND (s.kinds = '{}' OR e.payload ->> 'kind' = ANY(s.kinds))
                AND (jsonb_typeof(e.payload -> 'severity') IS DISTINCT FROM 'number' OR (e.payload ->> 'severity')::float8 <= s.severity)
            WHERE s.area IS NULL OR (
                jsonb_typeof(e.payload -> 'lon') = 'number' AND jsonb_typeof(e.payload -> 'lat') = 'number'
                AND ST_DWithin(s.area::geography, ST_SetSRID(ST_MakePoint((e.payload ->> 'lon')::float8, (e.payload ->> 'lat')::float8), 4326)::geography,
                    CASE WHEN jsonb_typeof(e.payload -> 'accuracy_m') = 'number' THEN least((e.payload ->> 'accuracy_m')::float8, 5000) ELSE 0 END))
            ORDER BY e.id ON CONFLICT DO NOTHING
        ), moved AS (UPDATE feed_position SET last_id = (SELECT max(id) FROM fresh) WHERE EXISTS (SELECT 1 FROM fresh))
        SELECT count(*) FROM fresh
        """,
        {"most": AT_ONCE},
    )
    (looked,) = await cursor.fetchone()
    return looked


async def due(connection: AsyncConnection) -> list[int]:
    """Active subscriptions with deliveries whose time has come."""
    cursor = await connection.execute(
        "SELECT DISTINCT s.id FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id WHERE d.state = 'waiting' AND d.next_at <= clock_timestamp() AND s.active ORDER BY 1"
    )
    return [subscription_id for (subscription_id,) in await cursor.fetchall()]


async def waiting(connection: AsyncConnection, subscription_id: int, limit: int) -> Sequence[Delivery]:
    """The deliveries of one subscription whose time has come, oldest first."""
    async with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        await cursor.execute(
            f"{_DELIVERY} WHERE s.id = %(id)s AND s.active AND d.state = 'waiting' AND d.next_at <= clock_timestamp() ORDER BY d.id LIMIT %(limit)s",
            {"id": subscription_id, "limit": limit},
        )
        return await cursor.fetchall()


async def delivered(connection: AsyncConnection, delivery: Delivery, note: str = "") -> None:
    """It arrived; `note` says why where nothing had to be sent."""
    await connection.execute(
        "UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, reason = %(note)s, ended_at = clock_timestamp() WHERE id = %(id)s", {"id": delivery.id, "note": note}
    )


async def failed(connection: AsyncConnection, delivery: Delivery, reason: str, *, gone: bool = False) -> None:
    """It did not arrive: tried again after a pause, or dead after ATTEMPTS tries. `gone` ends it at once, and the subscription with it."""
    over = gone or delivery.attempts + 1 >= ATTEMPTS
    await connection.execute(
        """
        UPDATE deliveries SET attempts = attempts + 1, reason = %(reason)s, state = CASE WHEN %(over)s THEN 'dead' ELSE 'waiting' END,
            ended_at = CASE WHEN %(over)s THEN clock_timestamp() END, next_at = clock_timestamp() + make_interval(secs => %(pause)s) WHERE id = %(id)s
        """,
        {"id": delivery.id, "reason": reason[:500], "over": over, "pause": PAUSES_S[min(delivery.attempts, len(PAUSES_S) - 1)]},
    )
    if gone:
        await connection.execute("UPDATE subscriptions SET active = false WHERE id = %(id)s", {"id": delivery.subscription_id})


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Deletes what ended before a time. Returns how many."""
    return (await connection.execute("DELETE FROM deliveries WHERE ended_at < %(before)s", {"before": before})).rowcount


def _values(plan: Plan) -> dict[str, Any]:
    own = _new_secret() if _signs(plan.format) and plan.secret_name is None else None
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__} | {"events": list(plan.events), "kinds": list(plan.kinds), "own": own}
