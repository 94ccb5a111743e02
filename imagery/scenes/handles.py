"""Rasters kept open between reads: opening one costs more than a tile of it."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.io import DatasetReader

from grid.errors import NotFound
from imagery.scenes.raster import QUIET, opened, readable

Mark = tuple[int, int, int]
"""Inode, size and time of the last write: another mark is another file."""


@dataclass(frozen=True, slots=True)
class Handle:
    """An open dataset that nobody reads at the moment, and the mark of its file when it was opened."""

    path: Path
    mark: Mark
    dataset: DatasetReader


class Handles:
    """Open datasets, lent to one reader at a time (GDAL's are not safe between threads); the longest unused are closed beyond `most`."""

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._idle: OrderedDict[int, Handle] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, path: Path) -> Iterator[DatasetReader]:
        """Lends a dataset of the file as it is now; raises what `open_raster` raises, NotFound when the file is gone."""
        handle = self._take(path)
        try:
            with rasterio.Env(**QUIET), readable(path):
                yield handle.dataset
        except BaseException:
            handle.dataset.close()
            raise
        self._give(handle)

    def close(self) -> None:
        """Closes those that are idle."""
        with self._lock:
            idle, self._idle = list(self._idle.values()), OrderedDict()
        for handle in idle:
            handle.dataset.close()

    def __len__(self) -> int:
        return len(self._idle)

    def _take(self, path: Path) -> Handle:
        now = mark(path)
        stale = []
        with self._lock:
            known = [key for key, handle in self._idle.items() if handle.path == path]
            for key in reversed(known):
                handle = self._idle.pop(key)
                if handle.mark == now:
                    break
                stale.append(handle)
            else:
                handle = None
        for old in stale:
            old.dataset.close()
        return handle or Handle(path, now, opened(path))

    def _give(self, handle: Handle) -> None:
        with self._lock:
            self._idle[id(handle)] = handle
            old = self._idle.popitem(last=False)[1] if len(self._idle) > self._most else None
        if old is not None:
            old.dataset.close()


def mark(path: Path) -> Mark:
    """What tells a file from another one under its name. NotFound when it is gone."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise NotFound(f"the file of this scene is gone: {path.name}", remedy="register the scene again under another id") from None
    return found.st_ino, found.st_size, found.st_mtime_ns
