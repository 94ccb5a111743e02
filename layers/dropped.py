"""A watched folder: files that people or programs put there are imported, once they are whole.

A file is whole when nobody has it open for writing and it has not changed for some seconds. Beside `NAME` a `NAME.import.json` may say what the web door
asks: title, crs, key, mode, dataset … A file that was taken lies in `taken/`, one that was refused in `refused/` with the reason beside it.
"""

import asyncio
import errno
import fcntl
import json
import os
import stat
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool

from grid.database import Scope
from grid.errors import HdqError, InvalidInput, TooLarge
from layers import imports
from layers.datasets import About
from layers.readers import Options
from layers.reading import kinds

QUIET_S = 5.0
SAYS = ".import.json"
_MAX_SAYS = 65_536
_OPTIONS = {field.name for field in fields(Options)}
_ABOUT = {"title", "title_en", "licence", "owner"}


def whole(folder: Path, quiet_s: float = QUIET_S) -> list[Path]:
    """Files of known extensions that are complete, oldest first. Links, folders and hidden files are not looked at."""
    found = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name.endswith(SAYS) or path.suffix.lower() not in kinds.EXTENSIONS:
            continue
        about = path.lstat()
        if stat.S_ISREG(about.st_mode) and about.st_size and time.time() - about.st_mtime >= quiet_s and not _being_written(path):
            found.append((about.st_mtime, path))
    return [path for _, path in sorted(found)]


def _being_written(path: Path) -> bool:
    """Whether some process has it open for writing: the kernel grants no read lease then. Where it grants none at all, quiet alone decides."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    except OSError as refused:
        return refused.errno == errno.EAGAIN
    finally:
        os.close(handle)


async def take(pool: AsyncConnectionPool, data_dir: Path, folder: Path, scope: Scope, *, max_bytes: int, quiet_s: float = QUIET_S) -> int:
    """Submits every whole file of the folder; returns how many were taken."""
    taken = 0
    for path in await asyncio.to_thread(whole, folder, quiet_s):
        try:
            about, options, rest = _said(path)
            if path.stat().st_size > max_bytes:
                raise TooLarge(f"文件超过 {max_bytes:,} 字节 · the file exceeds {max_bytes:,} bytes", remedy="raise HDQ_MAX_UPLOAD_MB")
            async with pool.connection() as connection:
                await imports.submit(connection, data_dir, path, path.name, about, options, scope=scope, **rest)
        except HdqError as refusal:
            _put_away(path, folder / "refused", f"{refusal.detail}\n{refusal.remedy}\n")
            continue
        _put_away(path, folder / "taken")
        taken += 1
    return taken


def _said(path: Path) -> tuple[About, Options, dict[str, Any]]:
    beside = path.with_name(path.name + SAYS)
    said: dict[str, Any] = {}
    if beside.is_file() and not beside.is_symlink():
        try:
            if beside.stat().st_size > _MAX_SAYS:
                raise ValueError("too long")
            said = dict(json.loads(beside.read_bytes()))
        except (ValueError, TypeError, RecursionError) as damage:
            raise InvalidInput(f"{beside.name} 不是 JSON 对象 · is no JSON object: {str(damage)[:80]}", remedy="{\"title\": \"…\", \"crs\": \"EPSG:4528\"}") from damage
    unknown = sorted(set(said) - _OPTIONS - _ABOUT - {"mode", "dataset"})
    wrong = sorted(k for k, v in said.items() if not isinstance(v, bool if k == "swapped" else str))
    if unknown or wrong:
        raise InvalidInput(f"{beside.name}: 未知或类型不符 · unknown or of a wrong type: {', '.join(unknown + wrong)[:120]}", remedy=f"{sorted(_OPTIONS | _ABOUT | {'mode', 'dataset'})}")
    about = About(**{"title": path.stem[:120], "owner": "folder", **{k: v for k, v in said.items() if k in _ABOUT}})
    return about, Options(**{k: v for k, v in said.items() if k in _OPTIONS}), {"mode": said.get("mode", "create"), "dataset_id": said.get("dataset")}


def _put_away(path: Path, into: Path, reason: str = "") -> None:
    """Moves a file and what stood beside it, under its time of arrival, so that a later one of the same name has room."""
    into.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() % 1_000_000:06d}"
    for part in (path, path.with_name(path.name + SAYS)):
        if part.exists():
            part.rename(into / f"{stamp}-{part.name}")
    if reason:
        (into / f"{stamp}-{path.name}.txt").write_text(reason)
