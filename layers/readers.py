"""A file from a stranger to clean rows in storage coordinates: the door of walk 3.

What the file is, is decided by its bytes and must agree with its name. Its reference system is declared by the person, named by the file,
fixed by the format's standard, or detected beyond doubt; else it is refused with candidates. A bad row is reported with its number
(1-based, the header not counted) and left out; where more than half are bad the file is refused. No network, no path from the content.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from grid import crs as frames
from layers.reading import apart, copying, heights, kinds, tables
from layers.reading.apart import Chunk
from layers.reading.batches import Options
from layers.reading.pipeline import Reject, Summary, Surroundings

__all__ = ["Chunk", "Options", "Reject", "Summary", "Surroundings", "Table", "read", "stream"]

APART_FROM_BYTES = 4 * 1024**2
"""Text as small as this is read in this process; anything larger, and whatever is read by foreign code, in one of its own."""


@dataclass(frozen=True, slots=True)
class Table:
    """Clean rows of a small file. `numbers` are the 1-based rows of the file, `geometries` valid 2-D shapes in EPSG:4326 (SRID set), `records` their
    attributes; the rest is what `Summary` says."""

    format: str
    crs: str
    crs_origin: str
    geometry_type: str
    attributes: tuple[tuple[str, str], ...]
    numbers: NDArray[np.int64]
    geometries: NDArray[np.object_]
    records: list[dict[str, Any]]
    rejected: tuple[Reject, ...]
    mended: int


def stream(path: Path, name: str, options: Options, around: Surroundings, dataset_id: str) -> Iterator[Chunk | Summary]:
    """Rows of a file of any size as COPY chunks for a dataset, in bounded memory, and last its summary. Slow and synchronous: advance it in a thread.

    Raises, as it goes or at its end, UnsupportedMedia, TooLarge, UnknownCrs (extra: candidates) or InvalidInput (extra: rows).
    """
    job = apart.Job(path, name, kinds.kind_of(path, name), _checked(options), around, dataset_id)
    small = path.stat().st_size <= APART_FROM_BYTES and job.kind not in kinds.FOREIGN_CODE
    return apart.here(job) if small else apart.apart(job)


def read(path: Path, name: str, options: Options = Options(), reference: BaseGeometry | None = None) -> Table:
    """Reads the small file at `path`, called `name` by its sender, as a whole. `reference`: known outlines in storage degrees that expose GCJ-02 and BD-09.

    Raises what `stream` raises. Slow and synchronous: call it in a thread.
    """
    options = _checked(options)
    kind = kinds.kind_of(path, name)
    job = apart.Job(path, name, kind, options, Surroundings(reference), "")
    numbers, shapes, records = [], [], []
    for found in apart.apart(job) if kind in kinds.FOREIGN_CODE else apart.here(job):
        if isinstance(found, Summary):
            break
        for number, document, wkb in copying.unpack(found.data):
            numbers.append(number)
            records.append(orjson.loads(document))
            shapes.append(wkb)
    geometries = np.empty(len(shapes), dtype=object)
    geometries[:] = list(shapely.set_srid(shapely.from_wkb(shapes), 4326)) if shapes else []
    return Table(
        found.format, found.crs, found.crs_origin, found.geometry_type, found.attributes, np.array(numbers, dtype=np.int64), geometries, records,
        found.rejected, found.mended,
    )  # fmt: skip


def _checked(options: Options) -> Options:
    heights.checked(options)
    if options.crs:
        frames.name(options.crs)
    return replace(options, encoding=tables.text_encoding(options.encoding)) if options.encoding else options
