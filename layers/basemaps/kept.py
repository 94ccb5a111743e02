"""Tiles kept on disk: one file a tile, written whole or not at all; the least recently used go when the bytes exceed their limit."""

import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SWEPT_TO = 0.8
TOUCHED_AFTER_S = 3600.0
BEGUN = ".new."


@dataclass(frozen=True, slots=True)
class Kept:
    """A tile's bytes and how long ago they were fetched, in seconds."""

    content: bytes
    age_s: float


class Shelf:
    """The folder of all kept tiles. Modification time is when a tile was fetched, access time when it was last asked for (set by us)."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        self._held: int | None = None
        self._lock = threading.Lock()

    def _path(self, source: str, z: int, x: int, y: int) -> Path:
        return self._folder / source / str(z) / f"{x}_{y}"

    def get(self, source: str, z: int, x: int, y: int) -> Kept | None:
        """The tile, however old; None when it is not there."""
        path, now = self._path(source, z, x, y), time.time()
        try:
            with path.open("rb") as file:
                found, content = os.fstat(file.fileno()), file.read()
            if now - found.st_atime > TOUCHED_AFTER_S:
                os.utime(path, (now, found.st_mtime))
        except OSError:
            return None
        return Kept(content, max(0.0, now - found.st_mtime))

    def put(self, source: str, z: int, x: int, y: int, content: bytes) -> None:
        """Keeps a tile, and sweeps when there are too many bytes. OSError when the disk refuses."""
        if len(content) > self._most:
            return
        path = self._path(source, z, x, y)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=BEGUN)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        with self._lock:
            self._held = self._measured() if self._held is None else self._held + len(content)
            if self._held > self._most:
                self._sweep()

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._folder.rglob("*"):
            try:
                seen = path.stat()
            except OSError:
                continue
            if path.is_file() and not (path.name.startswith(BEGUN) and time.time() - seen.st_mtime < TOUCHED_AFTER_S):
                found.append((seen.st_atime, seen.st_size, path))
        return found

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _sweep(self) -> None:
        files = sorted(self._files(), key=lambda each: each[0])
        held = sum(size for _, size, _ in files)
        for _, size, path in files:
            if held <= SWEPT_TO * self._most:
                break
            path.unlink(missing_ok=True)
            held -= size
        self._held = held
