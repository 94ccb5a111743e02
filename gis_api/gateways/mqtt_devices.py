"""MQTT devices, what they may speak for, and the messages that could not be taken. The only writer of `mqtt_devices` and `mqtt_dead_letters`.

A device is known by the level of its topic that the broker lets its user name alone publish on: whoever writes there is that device.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from gis_api.gateways import devices
from grid.database import Scope, row
from grid.errors import Conflict, HdqError, NotFound

KEPT_BYTES = 65_536
MOST_LETTERS = 10_000
"""Dead letters kept; the oldest go."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device: `sources` are the names it may give as the source of a finding beside its own, `cameras` the codes of those it speaks for."""

    username: str
    name: str
    sources: list[str]
    cameras: list[str]
    region_code: str
    seen_at: datetime | None
    taken: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be taken: `times` it came, `bytes` of it of which the first KEPT_BYTES are kept."""

    id: int
    topic: str
    username: str
    body: bytes
    bytes: int
    reason: str
    remedy: str
    times: int
    region_code: str
    first_at: datetime
    last_at: datetime


_DEVICE = ", ".join(Device.__dataclass_fields__)
_LETTER = ", ".join(DeadLetter.__dataclass_fields__)


async def add(connection: AsyncConnection, scope: Scope, username: str, name: str, sources: list[str], cameras: list[str], staff_id: int) -> Device:
    """Lets a device in for the caller's region. Audited. Raises InvalidInput for a camera that is not there, Conflict for a name that is taken."""
    await devices.known_cameras(connection, scope, cameras)
    if await row(connection, "SELECT 1 FROM mqtt_devices WHERE username = %(username)s", {"username": username}) is not None:
        raise Conflict(f"设备 {username} 已存在 · the device is there already", remedy="choose another user name")
    await connection.execute(
        "INSERT INTO mqtt_devices (username, name, sources, cameras, region_code, created_by) VALUES (%(username)s, %(name)s, %(sources)s, %(cameras)s, %(region)s, %(staff)s)",
        {"username": username, "name": name, "sources": sources, "cameras": cameras, "region": scope.prefix, "staff": staff_id},
    )
    await devices.audit(connection, "mqtt.added", username, {"name": name, "cameras": len(cameras)}, staff_id, protocol="mqtt")
    return await get(connection, scope, username)


async def remove(connection: AsyncConnection, scope: Scope, username: str, staff_id: int) -> None:
    """Shuts a device out; what it handed in stays. Audited. Raises NotFound."""
    await get(connection, scope, username)
    await connection.execute("DELETE FROM mqtt_devices WHERE username = %(username)s", {"username": username})
    await devices.audit(connection, "mqtt.removed", username, {}, staff_id, protocol="mqtt")


async def page(connection: AsyncConnection, scope: Scope) -> list[Device]:
    """Devices of the caller's region by their user name."""
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(f"SELECT {_DEVICE} FROM mqtt_devices WHERE region_code LIKE %(scope)s ORDER BY username", {"scope": scope.like})
        return await cursor.fetchall()


async def get(connection: AsyncConnection, scope: Scope, username: str) -> Device:
    """One of the caller's region. Raises NotFound."""
    found = next((each for each in await page(connection, scope) if each.username == username), None)
    if found is None:
        raise NotFound(f"没有设备 {username} · no such device", remedy="GET /api/mqtt/devices lists them")
    return found


async def known(connection: AsyncConnection, username: str) -> Device | None:
    """The device of a topic, whatever its region; None for a stranger."""
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(f"SELECT {_DEVICE} FROM mqtt_devices WHERE username = %(username)s", {"username": username})
        return await cursor.fetchone()


async def camera_ids(connection: AsyncConnection, device: Device) -> frozenset[int]:
    """The cameras it speaks for."""
    if not device.cameras:
        return frozenset()
    cursor = await connection.execute("SELECT id FROM cameras WHERE code = ANY(%(codes)s)", {"codes": device.cameras})
    return frozenset(each for (each,) in await cursor.fetchall())


async def heard(connection: AsyncConnection, username: str, taken: int) -> None:
    """It handed in so many findings that were new."""
    await connection.execute(
        "UPDATE mqtt_devices SET seen_at = clock_timestamp(), taken = taken + %(taken)s WHERE username = %(username)s", {"username": username, "taken": taken}
    )


async def bury(connection: AsyncConnection, topic: str, username: str, body: bytes, why: HdqError, region_code: str) -> None:
    """Sets a message aside with the reason; the same one again only counts. `region_code`: of its device, or the city for a stranger's."""
    cursor = await connection.execute(
        """
        INSERT INTO mqtt_dead_letters AS d (topic, username, body, body_hash, bytes, reason, remedy, region_code)
        VALUES (%(topic)s, %(username)s, %(body)s, %(hash)s, %(bytes)s, %(reason)s, %(remedy)s, %(region)s)
        ON CONFLICT (topic, body_hash) DO UPDATE
            SET times = d.times + 1, last_at = clock_timestamp(), reason = EXCLUDED.reason, remedy = EXCLUDED.remedy, region_code = EXCLUDED.region_code
        RETURNING id
        """,
        {
            "topic": devices.printable(topic)[:300], "username": devices.printable(username)[:64], "body": body[:KEPT_BYTES], "hash": hashlib.sha256(body).digest(),
            "bytes": len(body), "reason": devices.printable(why.detail)[:500], "remedy": devices.printable(why.remedy)[:500], "region": region_code,
        },
    )  # fmt: skip
    (number,) = await cursor.fetchone()
    if number % 100 == 0:
        await connection.execute("DELETE FROM mqtt_dead_letters WHERE id IN (SELECT id FROM mqtt_dead_letters ORDER BY last_at DESC OFFSET %(most)s)", {"most": MOST_LETTERS})


async def refused(connection: AsyncConnection, username: str, why: HdqError) -> int:
    """How often a device was refused with the same remedy, as its dead letters tell."""
    found = await row(
        connection,
        "SELECT coalesce(sum(times), 0)::bigint AS times FROM mqtt_dead_letters WHERE username = %(username)s AND remedy = %(remedy)s",
        {"username": devices.printable(username)[:64], "remedy": devices.printable(why.remedy)[:500]},
    )
    return found["times"]


async def letters(connection: AsyncConnection, scope: Scope, limit: int) -> list[DeadLetter]:
    """Dead letters of the caller's region, the last to come first."""
    async with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        await cursor.execute(
            f"SELECT {_LETTER} FROM mqtt_dead_letters WHERE region_code LIKE %(scope)s ORDER BY last_at DESC, id DESC LIMIT %(limit)s", {"scope": scope.like, "limit": limit}
        )
        return await cursor.fetchall()


async def letter(connection: AsyncConnection, scope: Scope, letter_id: int) -> DeadLetter:
    """One of the caller's region. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        await cursor.execute(f"SELECT {_LETTER} FROM mqtt_dead_letters WHERE id = %(id)s AND region_code LIKE %(scope)s", {"id": letter_id, "scope": scope.like})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有死信 {letter_id} · no such dead letter", remedy="GET /api/mqtt/dead-letters lists them")
    return found


async def discard(connection: AsyncConnection, found: DeadLetter, staff_id: int, action: str) -> None:
    """Forgets a dead letter, because somebody said so or because it could be taken after all (`action`). Audited."""
    await connection.execute("DELETE FROM mqtt_dead_letters WHERE id = %(id)s", {"id": found.id})
    await devices.audit(connection, action, found.username, {"topic": found.topic, "letter": found.id, "reason": found.reason}, staff_id, protocol="mqtt")


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Deletes dead letters that last came before a time. Returns how many."""
    return (await connection.execute("DELETE FROM mqtt_dead_letters WHERE last_at < %(before)s", {"before": before})).rowcount
