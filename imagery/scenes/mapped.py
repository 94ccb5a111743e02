"""Rasters of one byte a pixel that lie in their file row after row as they do in memory: mapped once, and never read or copied.

What TIFF calls uncompressed strips (TIFF 6.0, section 8), one behind the other; GDAL and everything that stands on it reads them as any other.
Such a file is published whole under its name and never written again, so that what is mapped stays.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from grid.errors import NotFound
from imagery.scenes.handles import Mark, mark
from imagery.scenes.raster import open_raster

KEPT = 16


@dataclass(frozen=True, slots=True)
class Mapped:
    """A raster in memory that is its file: `pixels` (rows, cols) uint8, not writable; `transform` of pixel corners to `crs`."""

    crs: rasterio.CRS
    transform: rasterio.Affine
    pixels: np.ndarray

    def window(self, row: int, col: int, height: int, width: int) -> np.ndarray:
        """Pixels (height, width) from a row and column on: the file's own where it reaches so far, else a copy with 0 around what it has."""
        tall, wide = self.pixels.shape
        if row >= 0 and col >= 0 and row + height <= tall and col + width <= wide:
            return self.pixels[row : row + height, col : col + width]
        made = np.zeros((height, width), np.uint8)
        top, left, bottom, right = max(0, -row), max(0, -col), min(height, tall - row), min(width, wide - col)
        if top < bottom and left < right:
            made[top:bottom, left:right] = self.pixels[row + top : row + bottom, col + left : col + right]
        return made


class Maps:
    """The files that were asked for last stay mapped; safe between threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._held: OrderedDict[Path, tuple[Mark, Mapped | None]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path) -> Mapped | None:
        """The file as it is now; None where there is none, or one whose pixels do not lie so. Raises what `open_raster` raises."""
        try:
            now = mark(path)
        except NotFound:
            with self._lock:
                self._held.pop(path, None)
            return None
        with self._lock:
            known = self._held.get(path)
            if known is not None and known[0] == now:
                self._held.move_to_end(path)
                return known[1]
        found = _map(path)
        with self._lock:
            self._held[path] = now, found
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return found


MAPS = Maps()


def _map(path: Path) -> Mapped | None:
    with open_raster(path) as dataset:
        height, width = dataset.shape
        rows, across = dataset.block_shapes[0]
        plain = dataset.count == 1 and dataset.dtypes[0] == "uint8" and dataset.compression is None and across == width
        if not plain:
            return None
        last = -(-height // rows) - 1
        first, behind = (dataset.get_tag_item(f"BLOCK_OFFSET_0_{block}", "TIFF", bidx=1) for block in (0, last))
        crs, transform = dataset.crs, dataset.transform
    if first is None or behind is None or int(behind) - int(first) != last * rows * width or int(first) + height * width > path.stat().st_size:
        return None
    return Mapped(crs, transform, np.asarray(np.memmap(path, np.uint8, "r", int(first), (height, width))))
