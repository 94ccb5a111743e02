"""Shapes of a file in its own numbers, as the coordinate firewall wants them."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from layers.reading import apart, kinds
from layers.reading.apart import Chunk, Job
from layers.reading.batches import Options
from layers.reading.pipeline import Summary, Surroundings

SMALL_BYTES = 4 * 1024**2
MAX_VERTICES = 4_000_000
"""Beyond so many, the rows that follow are given by their middles: enough to judge where they lie."""


def shapes(path: Path, name: str, options: Options) -> NDArray[np.object_]:
    """All rows of a file in its own coordinates, x first as declared, None where there is no shape; read apart where the reader is foreign code or
    the file is larger than `SMALL_BYTES`. Slow and synchronous. Raises what reading raises."""
    job = Job(path, name, kinds.kind_of(path, name), options, Surroundings(), "")
    small = path.stat().st_size <= SMALL_BYTES and job.kind not in kinds.FOREIGN_CODE
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
