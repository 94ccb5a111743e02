"""A watched folder: files that people or programs put there are imported, once they are whole.

Which are whole, and where they go then, says grid/dropbox.py. Beside `NAME` a `NAME.import.json` may say what the web door
asks: title, crs, key, mode, dataset …
"""

import asyncio
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool

from grid import dropbox
from grid.database import Scope
from grid.errors import HdqError, InvalidInput, TooLarge
from layers import imports
from layers.datasets import About
from layers.readers import Options
from layers.reading import kinds

SAYS = ".import.json"
_MAX_SAYS = 65_536
_OPTIONS = {field.name for field in fields(Options)}
_ABOUT = {"title", "title_en", "licence", "owner"}


def wanted(path: Path) -> bool:
    """Whether a file's name is of a kind that is imported."""
    return not path.name.endswith(SAYS) and path.suffix.lower() in kinds.EXTENSIONS


async def take(pool: AsyncConnectionPool, data_dir: Path, folder: Path, scope: Scope, *, max_bytes: int, quiet_s: float = dropbox.QUIET_S) -> int:
    """Submits every whole file of the folder; returns how many were taken."""
    taken = 0
    for path in await asyncio.to_thread(dropbox.whole, folder, wanted, quiet_s):
        try:
            about, options, rest = _said(path)
            if path.stat().st_size > max_bytes:
                raise TooLarge(f"文件超过 {max_bytes:,} 字节 · the file exceeds {max_bytes:,} bytes", remedy="raise HDQ_MAX_UPLOAD_MB")
            async with pool.connection() as connection:
                await imports.submit(connection, data_dir, path, path.name, about, options, scope=scope, **rest)
        except HdqError as refusal:
            dropbox.put_away(path, _beside(path), refusal)
            continue
        dropbox.put_away(path, _beside(path))
        taken += 1
    return taken


def _beside(path: Path) -> Path:
    return path.with_name(path.name + SAYS)


def _said(path: Path) -> tuple[About, Options, dict[str, Any]]:
    beside = _beside(path)
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
