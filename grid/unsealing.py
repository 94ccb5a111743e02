"""Sealed originals: one person asks with a reason, another allows it for a time, only the asker opens it, every step is audited.

The only writer of `unsealings`. An original never stands where a derivative is asked for: see grid.evidence.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import audit, evidence
from grid.database import Scope, row
from grid.errors import Conflict, Forbidden, NotFound

WAITS_HOURS = 24
"""After so long a request that nobody decided can no longer be allowed: ask again."""


@dataclass(frozen=True, slots=True)
class Unsealing:
    """A request. `state`: waiting, lapsed (nobody decided in time), refused, open, or expired."""

    id: int
    sha256: str
    reason: str
    minutes: int
    region_code: str
    asked_by: int
    asked_by_name: str
    asked_at: datetime
    decided_by_name: str
    decided_at: datetime | None
    note: str
    expires_at: datetime | None
    opened: int
    state: str


_READ = """
    SELECT u.id, u.sha256, u.reason, u.minutes, u.region_code, u.asked_by, a.name AS asked_by_name, u.asked_at, coalesce(d.name, '') AS decided_by_name, u.decided_at,
           u.note, u.expires_at, u.opened,
           CASE WHEN u.approved IS NULL THEN CASE WHEN u.asked_at < clock_timestamp() - make_interval(hours => %(waits)s) THEN 'lapsed' ELSE 'waiting' END
                WHEN NOT u.approved THEN 'refused' WHEN u.expires_at > clock_timestamp() THEN 'open' ELSE 'expired' END AS state
    FROM unsealings u JOIN staff a ON a.id = u.asked_by LEFT JOIN staff d ON d.id = u.decided_by
    JOIN evidence e ON e.sha256 = u.sha256 AND e.region_code LIKE %(scope)s
"""


async def ask(connection: AsyncConnection, scope: Scope, staff_id: int, sha256: str, reason: str, minutes: int) -> Unsealing:
    """Asks to see an original for so many minutes. Audited. Raises NotFound outside the scope."""
    found = await row(connection, "SELECT region_code FROM evidence WHERE sha256 = %(sha256)s AND region_code LIKE %(scope)s", {"sha256": sha256, "scope": scope.like})
    if found is None:
        raise NotFound(f"没有证据 {sha256} · no evidence {sha256}", remedy="它可能不在您的辖区 · it may lie outside your region")
    made = await row(
        connection,
        """
        INSERT INTO unsealings (sha256, reason, minutes, region_code, asked_by)
        VALUES (%(sha256)s, %(reason)s, %(minutes)s, %(region)s, %(staff)s) RETURNING id
        """,
        {"sha256": sha256, "reason": reason, "minutes": minutes, "region": found["region_code"], "staff": staff_id},
    )
    await audit.note(connection, staff_id, "original.asked", f"unsealing/{made['id']}", {"sha256": sha256, "reason": reason, "minutes": minutes})
    return await get(connection, scope, made["id"])


async def page(connection: AsyncConnection, scope: Scope, limit: int = 100) -> list[Unsealing]:
    """Requests about evidence inside the scope, newest first."""
    async with connection.cursor(row_factory=class_row(Unsealing)) as cursor:
        await cursor.execute(f"{_READ} ORDER BY u.id DESC LIMIT %(limit)s", {"scope": scope.like, "waits": WAITS_HOURS, "limit": limit})
        return await cursor.fetchall()


async def get(connection: AsyncConnection, scope: Scope, unsealing_id: int) -> Unsealing:
    """One request inside the scope. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Unsealing)) as cursor:
        await cursor.execute(f"{_READ} WHERE u.id = %(id)s", {"scope": scope.like, "waits": WAITS_HOURS, "id": unsealing_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有启封申请 {unsealing_id} · no such request", remedy="GET /api/unsealings lists them")
    return found


async def decide(connection: AsyncConnection, scope: Scope, staff_id: int, unsealing_id: int, *, approve: bool, note: str) -> Unsealing:
    """Allows or refuses, once; the minutes run from now. Audited. Raises NotFound, Forbidden for one's own request, Conflict when it is decided or lapsed."""
    found = await get(connection, scope, unsealing_id)
    if found.asked_by == staff_id:
        raise Forbidden("不能审批自己的申请 · nobody allows their own request", remedy="由另一人审批 · another person decides")
    cursor = await connection.execute(
        """
        UPDATE unsealings SET decided_by = %(staff)s, decided_at = clock_timestamp(), approved = %(approve)s, note = %(note)s,
            expires_at = CASE WHEN %(approve)s THEN clock_timestamp() + make_interval(mins => minutes) END
        WHERE id = %(id)s AND approved IS NULL AND asked_at >= clock_timestamp() - make_interval(hours => %(waits)s)
        """,
        {"id": unsealing_id, "staff": staff_id, "approve": approve, "note": note, "waits": WAITS_HOURS},
    )
    if not cursor.rowcount:
        raise Conflict(f"申请已是 {found.state} · the request is {found.state}", remedy="重新申请 · ask again")
    await audit.note(connection, staff_id, "original.allowed" if approve else "original.refused", f"unsealing/{unsealing_id}", {"sha256": found.sha256, "note": note})
    return await get(connection, scope, unsealing_id)


async def opened(connection: AsyncConnection, data_dir: Path, scope: Scope, staff_id: int, unsealing_id: int) -> tuple[bytes, str]:
    """Bytes and media type of the original, for the asker, while it is open; counted and audited. Raises NotFound, Forbidden, Conflict."""
    found = await get(connection, scope, unsealing_id)
    if found.asked_by != staff_id:
        raise Forbidden("只有申请人可以查看 · only the one who asked may open it", remedy="ask for yourself")
    counted = await connection.execute(
        "UPDATE unsealings SET opened = opened + 1 WHERE id = %(id)s AND approved AND expires_at > clock_timestamp()", {"id": unsealing_id}
    )
    if not counted.rowcount:
        raise Conflict(f"原件未启封 · the original is sealed: {found.state}", remedy="等待另一人审批，或重新申请 · wait for another person, or ask again")
    kind = await row(connection, "SELECT media_type FROM evidence WHERE sha256 = %(sha256)s", {"sha256": found.sha256})
    content = await asyncio.to_thread(evidence.read_bytes, data_dir, found.sha256)
    await audit.note(connection, staff_id, "original.opened", f"unsealing/{unsealing_id}", {"sha256": found.sha256})
    return content, kind["media_type"]
