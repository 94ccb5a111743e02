"""Shapes of a file in its own numbers, as the coordinate firewall wants them, and shapes put right row by row as it decided."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from grid import firewall
from layers.reading import apart, kinds
from layers.reading.apart import Chunk, Job
from layers.reading.batches import Options
from layers.reading.pipeline import Summary, Surroundings

MAX_VERTICES = 4_000_000
"""Beyond so many, the rows that follow are given by their middles: enough to judge where they lie."""


@dataclass(frozen=True, slots=True)
class Correction:
    """How to read each row of a file: `readings[choice[i]]` (keys of grid.firewall) for row i from 0. Rows beyond are read by the first."""

    readings: tuple[str, ...]
    choice: NDArray[np.int8]

    def place(self, shapes: NDArray[np.object_], start: int) -> NDArray[np.object_]:
        """Shapes of the rows from `start` on, in storage degrees. None and empty pass through."""
        chosen = np.zeros(len(shapes), dtype=np.int8)
        known = self.choice[start : start + len(shapes)]
        chosen[: len(known)] = known
        placed = shapes.copy()
        for index in np.unique(chosen):
            reading = firewall.parse(self.readings[index])
            mine = chosen == index
            placed[mine] = shapely.transform(shapes[mine], reading.place, interleaved=False)
        return placed


def shapes(path: Path, name: str, options: Options, *, small_bytes: int) -> NDArray[np.object_]:
    """All rows of a file in its own coordinates, x first as declared, None where there is no shape; read apart where the reader is foreign code or
    the file is larger than `small_bytes`. Slow and synchronous. Raises what reading raises."""
    job = Job(path, name, kinds.kind_of(path, name), options, Surroundings(), "")
    small = path.stat().st_size <= small_bytes and job.kind not in kinds.FOREIGN_CODE
    parts = [_unpack(bytes(found.data)) for found in (_work(job) if small else apart.apart(job, _work)) if isinstance(found, Chunk)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=object)


def _work(job: Job) -> Iterator[Chunk | Summary]:
    rows = vertices = 0
    with kinds.opened(job.kind, job.path, job.options) as opened:
        for batch in opened.batches:
            found = batch.geometries
            if not len(found):
                continue
            if job.options.swapped:
                found = shapely.transform(found, lambda x, y: (y, x), interleaved=False)
            vertices += int(shapely.get_num_coordinates(found).sum())
            rows += len(found)
            yield Chunk(rows, batch.done, _pack(shapely.centroid(found) if vertices > MAX_VERTICES else found))
        yield Summary(opened.header.format, "", "", "", (), rows, (), 0, 0, (0.0, 0.0, 0.0, 0.0), "")


def _pack(found: NDArray[np.object_]) -> bytes:
    texts = [b"" if wkb is None else wkb for wkb in shapely.to_wkb(found, output_dimension=2)]
    return b"".join([struct.pack(f"<{len(texts) + 1}I", len(texts), *map(len, texts)), *texts])


def _unpack(data: bytes) -> NDArray[np.object_]:
    """The shapes that `_pack` packed.

    >>> [None if s is None else s.wkt for s in _unpack(_pack(np.array([shapely.Point(1, 2), None], dtype=object)))]
    ['POINT (1 2)', None]
    """
    (count,) = struct.unpack_from("<I", data)
    lengths = struct.unpack_from(f"<{count}I", data, 4)
    at, texts = 4 + 4 * count, []
    for length in lengths:
        texts.append(data[at : at + length] or None)
        at += length
    return shapely.from_wkb(np.array(texts, dtype=object))
