"""GA/T 1400 devices, what they may speak for, and the nonces they were given. The only writer of `viid_devices`, `viid_nonces` and `viid_keys`."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from gis_api.gateways import digest
from grid.audit import note
from grid.database import Scope, row, rows
from grid.errors import InvalidInput, NotFound

NONCE_S = 300
_TEXT = 24
"""Letters of a nonce before its proof: eight of time (s, hex), sixteen random."""
_KEY = ["key-0", "key-1", "key-2", "key-3"]


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
    await known_cameras(connection, scope, cameras)
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


async def known_cameras(connection: AsyncConnection, scope: Scope, codes: list[str]) -> None:
    """Refuses codes of cameras that are not in the caller's region. Raises InvalidInput with `missing`."""
    cursor = await connection.execute("SELECT code FROM cameras WHERE code = ANY(%(codes)s) AND region_code LIKE %(scope)s", {"codes": codes, "scope": scope.like})
    if missing := sorted(set(codes) - {code for (code,) in await cursor.fetchall()}):
        raise InvalidInput(f"没有摄像机 {missing[0]} · no camera {missing[0]}", remedy="先登记摄像机 · register the camera first", missing=missing[:20])


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
    """A new nonce, good for NONCE_S seconds: its time, 64 random bits and a proof over both. Nothing is kept of it until a device uses it."""
    text = f"{int(time.time()):08x}{secrets.token_hex(8)}"
    return text + _proof(await _key(connection), text)


async def counted(connection: AsyncConnection, given: str, count: int) -> str:
    """Uses up a count of a nonce, for a device that proved itself: `fresh`; `replayed` for a count that is not above the last; `stale` for a nonce that is not ours or has expired."""
    text, now = given[:_TEXT], time.time()
    if not hmac.compare_digest(_proof(await _key(connection), text).encode(), given[_TEXT:].encode()) or not now - NONCE_S < int(text[:8], 16) <= now + NONCE_S:
        return "stale"
    await connection.execute("DELETE FROM viid_nonces WHERE expires_at < to_timestamp(%(now)s)", {"now": now})
    cursor = await connection.execute(
        """
        INSERT INTO viid_nonces (nonce, last_count, expires_at) SELECT %(nonce)s, %(count)s, to_timestamp(%(expires)s) WHERE %(count)s > 0
        ON CONFLICT (nonce) DO UPDATE SET last_count = excluded.last_count WHERE viid_nonces.last_count < excluded.last_count
        """,
        {"nonce": given, "count": count, "expires": int(text[:8], 16) + NONCE_S + 1},
    )
    return "fresh" if cursor.rowcount else "replayed"


async def _key(connection: AsyncConnection) -> bytes:
    """The key that proves nonces: 252 random bits in four rows, the same for every process of a database."""
    query = "SELECT bits FROM viid_keys ORDER BY name"
    found = await rows(connection, query)
    if len(found) < len(_KEY):
        made = {"names": _KEY, "bits": [secrets.randbits(63) for _ in _KEY]}
        await connection.execute("INSERT INTO viid_keys (name, bits) SELECT * FROM unnest(%(names)s::text[], %(bits)s::bigint[]) ON CONFLICT DO NOTHING", made)
        found = await rows(connection, query)
    return b"".join(each["bits"].to_bytes(8, "big") for each in found)


def _proof(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


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


async def audit(connection: AsyncConnection, action: str, device_id: str, detail: dict, staff_id: int | None = None, *, protocol: str = "viid") -> None:
    """Writes down what was done with a device, or refused to it; of what it claims only what can be printed."""
    told = {name: printable(value) if isinstance(value, str) else value for name, value in detail.items()}
    await note(connection, staff_id, action, f"{protocol}/{printable(device_id)[:64]}", told)


def printable(text: str) -> str:
    """What can be printed of a stranger's words."""
    return "".join(letter for letter in text if letter.isprintable())
