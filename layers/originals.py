"""The files that were imported, kept under their SHA-256 in `data_dir/datasets`.

A file without a row (its transaction failed, its dataset was deleted) is removed by the job `dataset_originals`.
"""

import hashlib
import os
import tempfile
import time
from pathlib import Path

from psycopg import AsyncConnection

_LOCK = 0x4844515F4F5247  # HDQ_ORG, an advisory lock of our own


def path_of(data_dir: Path, sha256: str) -> Path:
    """Where the original of a hash lies."""
    return data_dir / "datasets" / sha256[:2] / sha256


def keep(data_dir: Path, path: Path) -> str:
    """Copies a file under its SHA-256 (hex, returned): temporary file, fsync, atomic rename. Keeping it twice is the same."""
    folder = data_dir / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("rb") as source, tempfile.NamedTemporaryFile(dir=folder, prefix=".incoming-", delete=False) as sink:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    target = path_of(data_dir, digest.hexdigest())
    target.parent.mkdir(exist_ok=True)
    os.replace(sink.name, target)
    return digest.hexdigest()


async def importing(connection: AsyncConnection) -> None:
    """Says, until the caller's transaction ends, that a file may lie here whose row is not yet to be seen."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%(key)s)", {"key": _LOCK})


async def remove_orphans(connection: AsyncConnection, data_dir: Path, *, unfinished_after_s: float = 3600.0) -> int:
    """Removes originals that no dataset names, and unfinished uploads that old; does nothing while an import runs. Returns how many."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": _LOCK})
    if not (await cursor.fetchone())[0]:
        return 0
    cursor = await connection.execute("SELECT DISTINCT source_sha256 FROM datasets")
    named = {sha256 for (sha256,) in await cursor.fetchall()}
    removed = 0
    for file in sorted((data_dir / "datasets").rglob("*")):
        unfinished = file.name.startswith(".")
        if file.is_file() and file.name not in named and not (unfinished and time.time() - file.stat().st_mtime < unfinished_after_s):
            file.unlink()
            removed += 1
    return removed
