"""Photos and frames by content hash: bytes on disk, a row in the database, and the derivative that people may see.

A file is written, synced and renamed before its row is inserted, so a row always has its bytes; a file without a row is
an orphan that `hdq doctor --sweep` removes. Originals are never served: `shown` returns the blurred derivative.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import shapely
from PIL import Image, UnidentifiedImageError
from psycopg import AsyncConnection

from grid.database import Scope, row
from grid.errors import InvalidInput, NotFound, TooLarge, UnsupportedMedia

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 60_000_000
MEDIA = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """What a fully decoded picture is: `media_type`, `width` and `height` in pixels, SHA-256 of its bytes in hex."""

    sha256: str
    media_type: str
    width: int
    height: int


def inspect(content: bytes) -> Picture:
    """Decodes every pixel of a JPEG, PNG or WebP and says what it is.

    Raises TooLarge (bytes or pixels), UnsupportedMedia (another format), InvalidInput (truncated or damaged).
    """
    if len(content) > MAX_BYTES:
        raise TooLarge(f"the picture has {len(content):,} bytes", remedy=f"send at most {MAX_BYTES:,} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=list(MEDIA)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise TooLarge(f"the picture has {image.width} × {image.height} pixels", remedy=f"send at most {MAX_PIXELS:,} pixels")
            image.load()
            return Picture(hashlib.sha256(content).hexdigest(), MEDIA[image.format], image.width, image.height)
    except UnidentifiedImageError as error:
        raise UnsupportedMedia("these bytes are not a JPEG, PNG or WebP picture", remedy="send a JPEG, PNG or WebP file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidInput(f"the picture is damaged or cut off: {error}", remedy="send the whole file again") from error


def path_of(data_dir: Path, sha256: str) -> Path:
    """Where the bytes of a content hash lie."""
    return data_dir / "evidence" / sha256[:2] / sha256[2:4] / sha256


def write_bytes(data_dir: Path, content: bytes) -> str:
    """Stores bytes under their SHA-256 (hex, returned): temporary file, fsync, atomic rename. Storing twice is the same, and makes them young again."""
    sha256 = hashlib.sha256(content).hexdigest()
    target = path_of(data_dir, sha256)
    with contextlib.suppress(FileNotFoundError):
        os.utime(target)
        return sha256
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return sha256


def read_bytes(data_dir: Path, sha256: str) -> bytes:
    """The bytes of a content hash. Raises NotFound, also when they no longer match their hash."""
    try:
        content = path_of(data_dir, sha256).read_bytes()
    except OSError as error:
        raise NotFound(f"no bytes are stored for {sha256}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise NotFound(f"the bytes stored for {sha256} are damaged", remedy="restore the file from a backup")
    return content


async def orphans(connection: AsyncConnection, data_dir: Path, *, older_than_s: float = 86_400.0) -> list[Path]:
    """Files of evidence that no row of this database names, last stored that long ago: a write that was rolled back leaves one. Another database
    that shares the folder may name them, so nobody removes them unasked."""
    old = await asyncio.to_thread(lambda: {path.name: path for path in (data_dir / "evidence").glob("??/??/*") if _stored_before(path, older_than_s)})
    cursor = await connection.execute(
        "SELECT unnest(%(names)s::text[]) EXCEPT SELECT sha256 FROM evidence EXCEPT SELECT shown_sha256 FROM evidence", {"names": list(old)}
    )
    return sorted(old[name] for (name,) in await cursor.fetchall())


async def sweep(connection: AsyncConnection, data_dir: Path, *, older_than_s: float = 86_400.0) -> int:
    """Removes the orphans; one that was stored again meanwhile stays. Returns how many."""
    found = await orphans(connection, data_dir, older_than_s=older_than_s)
    return await asyncio.to_thread(lambda: sum(_removed(path, older_than_s) for path in found if _stored_before(path, older_than_s)))


def _removed(path: Path, older_than_s: float) -> bool:
    """Removes a file, first out of the way: who stores it from then on writes it anew, and one that was stored until then is young and goes back."""
    aside = path.with_name(f"tmp{path.name}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    old = time.time() - aside.stat().st_mtime > older_than_s
    if old:
        aside.unlink()
    else:
        aside.rename(path)
    return old


def _stored_before(path: Path, seconds: float) -> bool:
    try:
        return len(path.name) == 64 and time.time() - path.stat().st_mtime > seconds
    except FileNotFoundError:
        return False


async def store(
    connection: AsyncConnection,
    data_dir: Path,
    content: bytes,
    *,
    kind: str,
    region_code: str,
    taken_at: datetime | None = None,
    place: shapely.Point | None = None,
    accuracy_m: float | None = None,
    azimuth_deg: float | None = None,
    simulated: bool = False,
    properties: dict | None = None,
) -> Picture:
    """Inspects and stores a picture and its row (`kind` photo, frame, chip or original). The same bytes twice are one row."""
    picture = await asyncio.to_thread(inspect, content)
    await asyncio.to_thread(write_bytes, data_dir, content)
    await connection.execute(
        """
        INSERT INTO evidence (sha256, kind, media_type, bytes, width, height, taken_at, region_code, accuracy_m, azimuth_deg, simulated, properties, geom)
        VALUES (%(sha256)s, %(kind)s, %(media_type)s, %(bytes)s, %(width)s, %(height)s, %(taken_at)s, %(region_code)s, %(accuracy_m)s,
                %(azimuth_deg)s, %(simulated)s, %(properties)s::jsonb, %(geom)s)
        ON CONFLICT (sha256) DO NOTHING
        """,
        {
            "sha256": picture.sha256,
            "kind": kind,
            "media_type": picture.media_type,
            "bytes": len(content),
            "width": picture.width,
            "height": picture.height,
            "taken_at": taken_at,
            "region_code": region_code,
            "accuracy_m": accuracy_m,
            "azimuth_deg": azimuth_deg,
            "simulated": simulated,
            "properties": json.dumps(properties or {}),
            "geom": place,
        },
    )
    return picture


async def attach(connection: AsyncConnection, hashes: Sequence[str], region_code: str, scope: Scope) -> None:
    """Joins pictures to something in `region_code`: they go down to that region, so that whoever sees it sees them.

    Raises InvalidInput for one that is not stored, or that the attaching person (`scope`) may not see.
    """
    if not hashes:
        return
    cursor = await connection.execute(
        """
        UPDATE evidence SET region_code = CASE WHEN starts_with(%(region)s, region_code) THEN %(region)s ELSE region_code END
        WHERE sha256 = ANY(%(hashes)s) AND region_code LIKE %(scope)s RETURNING sha256
        """,
        {"hashes": list(hashes), "region": region_code, "scope": scope.like},
    )
    if missing := set(hashes) - {sha256 for (sha256,) in await cursor.fetchall()}:
        raise InvalidInput(f"no evidence is stored for {sorted(missing)[0]}", remedy="POST the picture to /api/evidence first")


async def set_shown(connection: AsyncConnection, sha256: str, shown_sha256: str) -> str | None:
    """Names the derivative (stored by `write_bytes`, JPEG) that people see instead of the original. Returns its region; None for no such picture."""
    cursor = await connection.execute(
        "UPDATE evidence SET shown_sha256 = %(shown)s WHERE sha256 = %(sha256)s RETURNING region_code", {"shown": shown_sha256, "sha256": sha256}
    )
    found = await cursor.fetchone()
    return found[0] if found else None


async def shown(connection: AsyncConnection, data_dir: Path, sha256: str, scope: Scope) -> tuple[bytes, str] | None:
    """Bytes and media type of the derivative of `sha256` that the caller may see; None while it waits for its blurred copy (fails closed).

    Raises NotFound when it does not exist or lies outside the scope.
    """
    found = await row(
        connection,
        "SELECT shown_sha256, media_type, region_code FROM evidence WHERE sha256 = %(sha256)s AND region_code LIKE %(scope)s",
        {"sha256": sha256, "scope": scope.like},
    )
    if found is None:
        raise NotFound(f"no evidence {sha256}")
    if found["shown_sha256"] is None:
        return None
    media_type = found["media_type"] if found["shown_sha256"] == sha256 else "image/jpeg"
    return read_bytes(data_dir, found["shown_sha256"]), media_type
