"""Suppressions: a planned burn, a chimney. Findings inside are kept and say why they opened nothing; every one expires, shows and can be lifted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import geometry, jobs
from grid.database import Scope, rows
from grid.errors import InvalidInput, NotFound
from grid.world import places

LONGEST = timedelta(days=366)
LARGEST_M2 = 100e6


@dataclass(frozen=True, slots=True)
class Suppression:
    """`kind` is an alert kind or 'any'; `geom` a polygon (EPSG:4326). `active` until `expires_at`; `held` findings it has kept from alerting."""

    id: int
    kind: str
    reason: str
    created_by: int | None
    created_by_name: str | None
    created_at: datetime
    expires_at: datetime
    region_code: str
    geom: shapely.Polygon
    active: bool
    held: int


_SELECT = """
    SELECT s.id, s.kind, s.reason, s.created_by, p.name AS created_by_name, s.created_at, s.expires_at, s.region_code, s.geom,
           s.expires_at > now() AS active,
           (SELECT count(*)::int FROM observations o WHERE o.geom && s.geom AND o.properties -> 'suppressed' ->> 'id' = s.id::text) AS held
    FROM suppressions s LEFT JOIN staff p ON p.id = s.created_by
"""


async def create(
    connection: AsyncConnection, scope: Scope, staff_id: int, *, kind: str, reason: str, expires_at: datetime, area: shapely.Polygon, now: datetime | None = None
) -> Suppression:
    """Starts a suppression. Raises InvalidInput: no reason, expired or longer than a year, larger than 100 km², or outside the caller's scope."""
    now = now or datetime.now(UTC)
    if not reason.strip():
        raise InvalidInput("须写明原因 · a reason is needed", remedy="如：计划烧除、烟囱 · for example planned burn, chimney")
    if not now < expires_at <= now + LONGEST:
        raise InvalidInput(f"到期时间 {expires_at.isoformat()} 不在今后一年内 · must end within a year from now", remedy="choose an end within 366 days")
    shape = geometry.clean(area)
    if not isinstance(shape, shapely.Polygon):
        raise InvalidInput("区域须为一个多边形 · the area must be one polygon", remedy="draw one polygon that does not cross itself")
    size = geometry.area_m2(shape)
    if size > LARGEST_M2:
        raise InvalidInput(f"区域 {size / 1e6:,.1f} 平方公里过大 · is too large", remedy="at most 100 km²: suppress places, not districts")
    region = await places.owned(connection, scope, shape)
    cursor = await connection.execute(
        """
        INSERT INTO suppressions (kind, reason, created_by, expires_at, region_code, geom)
        VALUES (%(kind)s, %(reason)s, %(staff)s, %(expires_at)s, %(region)s, %(geom)s) RETURNING id
        """,
        {
            "kind": kind,
            "reason": reason.strip(),
            "staff": staff_id,
            "expires_at": expires_at,
            "region": region,
            "geom": shapely.set_srid(shape, 4326),
        },
    )
    (suppression_id,) = await cursor.fetchone()
    return await get(connection, scope, suppression_id)


async def get(connection: AsyncConnection, scope: Scope, suppression_id: int) -> Suppression:
    """One suppression inside the scope. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Suppression)) as cursor:
        await cursor.execute(_SELECT + " WHERE s.id = %(id)s AND s.region_code LIKE %(scope)s", {"id": suppression_id, "scope": scope.like})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"no suppression {suppression_id}")
    return found


async def page(connection: AsyncConnection, scope: Scope, *, active: bool = True, limit: int = 200) -> list[Suppression]:
    """Suppressions inside the scope, newest first; all of them, ended ones too, when `active` is false."""
    async with connection.cursor(row_factory=class_row(Suppression)) as cursor:
        await cursor.execute(
            _SELECT + " WHERE s.region_code LIKE %(scope)s AND (NOT %(active)s OR s.expires_at > now()) ORDER BY s.id DESC LIMIT %(limit)s",
            {"scope": scope.like, "active": active, "limit": limit},
        )
        return await cursor.fetchall()


async def lift(connection: AsyncConnection, scope: Scope, suppression_id: int) -> Suppression:
    """Ends a suppression now; lifting one that has ended changes nothing. Findings that it held are judged again."""
    await get(connection, scope, suppression_id)
    await connection.execute("UPDATE suppressions SET expires_at = now() WHERE id = %(id)s AND expires_at > now()", {"id": suppression_id})
    await connection.execute(
        """
        UPDATE observations SET fused_at = NULL, properties = properties - 'suppressed'
        WHERE properties -> 'suppressed' ->> 'id' = %(id)s::text AND alert_id IS NULL AND recorded_at > now() - interval '24 hours'
          AND geom && (SELECT geom FROM suppressions WHERE id = %(id)s)
        """,
        {"id": suppression_id},
    )
    await jobs.enqueue(connection, "fuse", queueing_lock="fuse", priority=10)
    return await get(connection, scope, suppression_id)


async def holding(connection: AsyncConnection, findings: Sequence[tuple[int, str]]) -> dict[int, tuple[int, str]]:
    """(suppression id, reason) by observation id, for the (observation id, alert kind) that lie in an active one."""
    found = await rows(
        connection,
        """
        SELECT DISTINCT ON (o.id) o.id, s.id AS suppression_id, s.reason
        FROM unnest(%(ids)s::bigint[], %(kinds)s::text[]) AS k (id, kind)
        JOIN observations o ON o.id = k.id
        JOIN suppressions s ON s.expires_at > o.recorded_at AND s.expires_at > now() AND s.kind IN (k.kind, o.kind, 'any') AND ST_Covers(s.geom, o.geom)
        ORDER BY o.id, s.expires_at DESC
        """,
        {"ids": [f[0] for f in findings], "kinds": [f[1] for f in findings]},
    )
    return {r["id"]: (r["suppression_id"], r["reason"]) for r in found}
