"""Files sent in parts and resumed after a break, in the manner of tus: made with a size and a hash, filled by offset, whole when both fit.

The truth of how much is there is the file itself: a part counts when it is on the disk.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.errors import Conflict, InvalidInput, NotFound, TooLarge
from layers import originals

MAX_OPEN = 20
"""Unfinished uploads of one person."""
MAX_PART_BYTES = 32 * 1024**2


@dataclass(frozen=True, slots=True)
class Upload:
    """A file being sent: its name as its sender says, its whole size and SHA-256 (hex)."""

    id: UUID
    name: str
    size_bytes: int
    sha256: str
    created_by: int


def path_of(data_dir: Path, upload_id: UUID) -> Path:
    """Where its bytes gather; swept with other unfinished files."""
    return data_dir / "datasets" / f".part-{upload_id}"


async def begin(connection: AsyncConnection, data_dir: Path, name: str, size_bytes: int, sha256: str, person: int, *, max_bytes: int) -> Upload:
    """A place for a file. Raises TooLarge (the file, or too many open uploads) and InvalidInput."""
    if size_bytes > max_bytes:
        raise TooLarge(f"文件 {size_bytes:,} 字节 · the file has {size_bytes:,} bytes", remedy=f"at most {max_bytes:,}; raise HDQ_MAX_UPLOAD_MB")
    if size_bytes < 1:
        raise InvalidInput(f"大小须大于 0 · a size above 0: {size_bytes}")
    cursor = await connection.execute("SELECT count(*) FROM uploads WHERE created_by = %(by)s", {"by": person})
    if (await cursor.fetchone())[0] >= MAX_OPEN:
        raise TooLarge(f"未完成的上传超过 {MAX_OPEN} 个 · more than {MAX_OPEN} uploads are open", remedy="完成或删除旧的上传 · finish or delete old ones")
    async with connection.cursor(row_factory=class_row(Upload)) as cursor:
        await cursor.execute(
            "INSERT INTO uploads (name, size_bytes, sha256, created_by) VALUES (%(name)s, %(size)s, %(sha256)s, %(by)s) RETURNING id, name, size_bytes, sha256, created_by",
            {"name": name[:255], "size": size_bytes, "sha256": sha256.lower(), "by": person},
        )
        made = await cursor.fetchone()
    path = path_of(data_dir, made.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    return made


async def get(connection: AsyncConnection, upload_id: UUID, person: int) -> Upload:
    """One's own upload. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Upload)) as cursor:
        await cursor.execute("SELECT id, name, size_bytes, sha256, created_by FROM uploads WHERE id = %(id)s AND created_by = %(by)s", {"id": upload_id, "by": person})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有上传 · no such upload {upload_id}", remedy="POST /api/uploads makes one")
    return found


def offset(data_dir: Path, upload: Upload) -> int:
    """Bytes that are there. Raises NotFound when they were swept."""
    try:
        return path_of(data_dir, upload.id).stat().st_size
    except FileNotFoundError as gone:
        raise NotFound(f"上传已过期 · the upload has expired: {upload.id}", remedy="重新上传 · begin it again") from gone


def append(data_dir: Path, upload: Upload, at: int, part: bytes) -> int:
    """Adds a part that begins at an offset, on the disk when this returns; the new offset. Blocking.

    Raises Conflict when the offset is not where the file ends (extra: offset), TooLarge beyond its size, InvalidInput when the whole has another hash: it begins anew then.
    """
    path = path_of(data_dir, upload.id)
    there = offset(data_dir, upload)
    if at != there:
        raise Conflict(f"偏移 {at} 与已收 {there} 不符 · offset {at}, but {there} bytes are there", remedy="HEAD 得到偏移后继续 · ask with HEAD and go on from there", offset=there)
    if there + len(part) > upload.size_bytes:
        raise TooLarge(f"超过声明的 {upload.size_bytes:,} 字节 · beyond the {upload.size_bytes:,} bytes declared")
    with path.open("r+b") as sink:
        os.lockf(sink.fileno(), os.F_LOCK, 0)
        if sink.seek(0, os.SEEK_END) != at:
            raise Conflict("另一部分同时到达 · another part came at the same time", remedy="HEAD, then go on", offset=path.stat().st_size)
        sink.write(part)
        sink.flush()
        os.fsync(sink.fileno())
    if at + len(part) == upload.size_bytes and (found := originals.digest(path)) != upload.sha256:
        path.write_bytes(b"")
        raise InvalidInput(f"哈希不符 · the whole has SHA-256 {found}, not {upload.sha256}", remedy="重新上传 · send it again from the beginning")
    return at + len(part)


async def finished(connection: AsyncConnection, data_dir: Path, upload_id: UUID, person: int) -> tuple[Path, str]:
    """The whole file and its name. Raises NotFound, and Conflict while bytes are missing."""
    found = await get(connection, upload_id, person)
    there = await asyncio.to_thread(offset, data_dir, found)
    if there != found.size_bytes:
        raise Conflict(f"尚缺 {found.size_bytes - there:,} 字节 · {found.size_bytes - there:,} bytes are missing", remedy="继续上传 · send the rest", offset=there)
    return path_of(data_dir, upload_id), found.name


async def forget(connection: AsyncConnection, upload_id: UUID) -> None:
    """Removes the record of an upload; its file is the caller's to remove once that is committed."""
    await connection.execute("DELETE FROM uploads WHERE id = %(id)s", {"id": upload_id})


async def sweep(connection: AsyncConnection, data_dir: Path, *, hours: float = 48.0) -> int:
    """Lets go of uploads that nobody went on with. Returns how many."""
    cursor = await connection.execute("DELETE FROM uploads WHERE created_at < now() - make_interval(secs => %(age)s) RETURNING id", {"age": hours * 3600})
    gone = [found for (found,) in await cursor.fetchall()]
    for upload_id in gone:
        path_of(data_dir, upload_id).unlink(missing_ok=True)
    return len(gone)
