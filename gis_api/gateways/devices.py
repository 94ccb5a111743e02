"""GA/T 1400 devices, what they may speak for, and the nonces they were given. The only writer of `viid_devices` and `viid_nonces`."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from gis_api.gateways import digest
from grid.database import Scope, row
from grid.errors import InvalidInput, NotFound, Unavailable

NONCE_S = 300
MOST_NONCES = 50_000


@dataclass(frozen=True, slots=True)
class Device:
    """A device or platform. `apes`: codes of the cameras it speaks for, beside itself. `registered_at` None: not registered now."""

    device_id: str
    name: str
    username: str
    apes: list[str]
    region_code: str
    registered_at: datetime | None
    seen_at: datetime | None
    created_at: datetime

    def speaks_for(self, code: str) -> bool:
        """Whether what this camera saw may come from this device."""
        return code == self.device_id or code in self.apes


_COLUMNS = ", ".join(Device.__dataclass_fields__)


async def add(connection: AsyncConnection, scope: Scope, device_id: str, name: str, username: str, password: str, cameras: list[str], staff_id: int) -> Device:
    """Lets a device in; of its password only HA1 is kept. Audited. Raises InvalidInput for a camera that is not in the caller's region, or has a device already."""
    cursor = await connection.execute("SELECT code FROM cameras WHERE code = ANY(%(codes)s) AND region_code LIKE %(scope)s", {"codes": cameras, "scope": scope.like})
    known = {code for (code,) in await cursor.fetchall()}
    if missing := sorted(set(cameras) - known):
        raise InvalidInput(f"没有摄像机 {missing[0]} · no camera {missing[0]}", remedy="先登记摄像机 · register the camera first", missing=missing[:20])
    taken = await row(connection, "SELECT device_id FROM viid_devices WHERE apes && %(codes)s::text[] OR %(id)s = ANY(apes) LIMIT 1", {"codes": cameras, "id": device_id})
    if taken is not None:
        raise InvalidInput(f"摄像机已属于设备 {taken['device_id']} · a camera belongs to another device", remedy="one camera, one device")
    await connection.execute(
        """
        INSERT INTO viid_devices (device_id, name, username, ha1_md5, ha1_sha256, apes, region_code, created_by)
        VALUES (%(id)s, %(name)s, %(username)s, %(md5)s, %(sha256)s, %(apes)s, %(region)s, %(staff)s)
        """,
        {
            "id": device_id, "name": name, "username": username, "md5": digest.ha1(username, password, "MD5"), "sha256": digest.ha1(username, password, "SHA-256"),
            "apes": cameras, "region": scope.prefix, "staff": staff_id,
        },
    )  # fmt: skip
    await audit(connection, "viid.added", device_id, {"name": name, "cameras": len(cameras)}, staff_id)
    return await get(connection, scope, device_id)


async def remove(connection: AsyncConnection, scope: Scope, device_id: str, staff_id: int) -> None:
    """Shuts a device out; what it handed in stays. Audited. Raises NotFound."""
    await get(connection, scope, device_id)
    await connection.execute("DELETE FROM viid_devices WHERE device_id = %(id)s", {"id": device_id})
    await audit(connection, "viid.removed", device_id, {}, staff_id)


async def page(connection: AsyncConnection, scope: Scope) -> list[Device]:
    """Devices of the caller's region by their id."""
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM viid_devices WHERE region_code LIKE %(scope)s ORDER BY device_id", {"scope": scope.like})
        return await cursor.fetchall()


async def get(connection: AsyncConnection, scope: Scope, device_id: str) -> Device:
    """One of the caller's region. Raises NotFound."""
    found = next((each for each in await page(connection, scope) if each.device_id == device_id), None)
    if found is None:
        raise NotFound(f"没有设备 {device_id} · no such device", remedy="GET /api/viid-devices lists them")
    return found


async def by_username(connection: AsyncConnection, username: str, algorithm: str) -> tuple[Device, str] | None:
    """The device of a user name and its HA1 in an algorithm; None for an unknown name."""
    secret = await row(connection, "SELECT device_id, ha1_md5, ha1_sha256 FROM viid_devices WHERE username = %(username)s", {"username": username})
    if secret is None:
        return None
    async with connection.cursor(row_factory=class_row(Device)) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM viid_devices WHERE device_id = %(id)s", {"id": secret["device_id"]})
        found = await cursor.fetchone()
    return None if found is None else (found, secret["ha1_md5"] if algorithm == "MD5" else secret["ha1_sha256"])


async def nonce(connection: AsyncConnection) -> str:
    """A new nonce, good for NONCE_S seconds. Raises Unavailable when very many are out."""
    await connection.execute("DELETE FROM viid_nonces WHERE expires_at < clock_timestamp()")
    made = secrets.token_hex(16)
    cursor = await connection.execute(
        """
        INSERT INTO viid_nonces (nonce, expires_at) SELECT %(nonce)s, clock_timestamp() + make_interval(secs => %(seconds)s)
        WHERE (SELECT count(*) FROM viid_nonces) < %(most)s
        """,
        {"nonce": made, "seconds": NONCE_S, "most": MOST_NONCES},
    )
    if not cursor.rowcount:
        raise Unavailable("设备登录请求过多 · too many devices ask to sign in", remedy="try again in a few minutes")
    return made


async def counted(connection: AsyncConnection, given: str, count: int) -> str:
    """Uses up a count of a nonce: `fresh`; `replayed` for a count that is not above the last; `stale` for a nonce that is unknown or has expired."""
    cursor = await connection.execute(
        "UPDATE viid_nonces SET last_count = %(count)s WHERE nonce = %(nonce)s AND last_count < %(count)s AND expires_at > clock_timestamp()", {"nonce": given, "count": count}
    )
    if cursor.rowcount:
        return "fresh"
    known = await row(connection, "SELECT 1 AS one FROM viid_nonces WHERE nonce = %(nonce)s AND expires_at > clock_timestamp()", {"nonce": given})
    return "stale" if known is None else "replayed"


async def mark(connection: AsyncConnection, device_id: str, *, registered: bool | None = None) -> None:
    """It was heard of; `registered` says that it came or went."""
    await connection.execute(
        """
        UPDATE viid_devices SET seen_at = clock_timestamp(),
            registered_at = CASE WHEN %(registered)s::bool IS NULL THEN registered_at WHEN %(registered)s THEN clock_timestamp() END
        WHERE device_id = %(id)s
        """,
        {"id": device_id, "registered": registered},
    )


async def audit(connection: AsyncConnection, action: str, device_id: str, detail: dict, staff_id: int | None = None) -> None:
    """Writes down what was done with a device, or refused to it."""
    await connection.execute(
        "INSERT INTO audit (staff_id, action, entity, detail) VALUES (%(staff)s, %(action)s, %(entity)s, %(detail)s::jsonb)",
        {"staff": staff_id, "action": action, "entity": f"viid/{device_id[:64]}", "detail": json.dumps(detail, ensure_ascii=False)},
    )
