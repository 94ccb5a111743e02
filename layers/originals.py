"""The files that were imported, kept under their SHA-256 in `data_dir/datasets`.

A file without a row (its transaction failed, its dataset was deleted) is removed by the job `dataset_originals`.
"""

import hashlib
import os
import secrets
import shutil
import time
from pathlib import Path

from psycopg import AsyncConnection

_LOCK = 0x4844515F4F5247  # HDQ_ORG, an advisory lock of our own


def path_of(data_dir: Path, sha256: str) -> Path:
    """Where the original of a hash lies."""
    return data_dir / "datasets" / sha256[:2] / sha256


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep(data_dir: Path, path: Path, sha256: str | None = None) -> str:
    """Keeps a file under its SHA-256 (hex, returned): temporary name, fsync, atomic rename; a file of our own is linked, any other copied.

    Keeping it twice is the same. `sha256`: as `digest` has just found it.
    """
    folder = data_dir / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    target = path_of(data_dir, sha256 or digest(path))
    target.parent.mkdir(exist_ok=True)
    incoming = folder / f".incoming-{secrets.token_hex(8)}"
    if path.resolve().is_relative_to(folder.resolve()):
        os.link(path, incoming)
    else:
        shutil.copyfile(path, incoming)
    with incoming.open("rb") as kept:
        os.fsync(kept.fileno())
    os.replace(incoming, target)
    incoming.unlink(missing_ok=True)
    return target.name


async def importing(connection: AsyncConnection) -> None:
    """Says, until the caller's transaction ends, that a file may lie here whose row is not yet to be seen."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%(key)s)", {"key": _LOCK})


async def remove_orphans(connection: AsyncConnection, data_dir: Path, *, unfinished_after_s: float = 3600.0) -> int:
    """Removes originals that no dataset names, and unfinished uploads that old; does nothing while an import runs. Returns how many."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": _LOCK})
    if not (await cursor.fetchone())[0]:
        return 0
    cursor = await connection.execute("SELECT source_sha256 FROM datasets UNION SELECT source_sha256 FROM imports UNION SELECT source_sha256 FROM quarantine WHERE state = 'held'")
    named = {sha256 for (sha256,) in await cursor.fetchall()}
    removed = 0
    for file in sorted((data_dir / "datasets").rglob("*")):
        unfinished = file.name.startswith(".")
        if file.is_file() and file.name not in named and not (unfinished and time.time() - file.stat().st_mtime < unfinished_after_s):
            file.unlink()
            removed += 1
    return removed
