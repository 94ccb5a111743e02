"""What a format yields: a header, then batches of rows. No reference system is judged here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grid.errors import TooLarge

if TYPE_CHECKING:
    import pyarrow

MAX_ROWS = 5_000_000
MAX_DEPTH = 64
ROWS = 5_000
"""Rows of a batch, at most."""
BYTES = 8 * 1024**2
"""Bytes of source text of a batch, about."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: `embedded` is the reference system it names (a code, a WKT), `implied` that its standard fixes WGS84 degrees."""

    format: str
    embedded: str | None = None
    implied: bool = False


@dataclass(slots=True)
class Batch:
    """Some rows in the order of the file. `geometries` None where there is none; attributes either as `records` or as `columns` (Arrow); `faults`
    {index in the batch: reason}; `ids` where the format has ids of its own; `wkb` the shapes as the file holds them, where it holds WKB; `done` is the
    share of the file read so far, 0 to 1."""

    geometries: NDArray[np.object_]
    records: list[dict[str, Any]] | None = None
    columns: "pyarrow.RecordBatch | None" = None
    faults: dict[int, str] = field(default_factory=dict)
    ids: list[str | None] | None = None
    wkb: "pyarrow.Array | None" = None
    done: float = 0.0

    def __len__(self) -> int:
        return len(self.geometries)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file under way: its header and its batches, read as they are asked for."""

    header: Header
    batches: Iterator[Batch]


@dataclass(frozen=True, slots=True)
class Options:
    """What the person says about the file; None where nothing is said. `key` names the attribute that must be unique; `swapped` that
    latitude or northing stands first, against the format's rule; `layer` the layer of a file of several, or the sheet; `address` the column of addresses
    of a table without coordinates, `resolved` the file of where they are (layers.reading.addresses), set by who geocoded it;
    `datum` what heights are above, 1985 or ellipsoidal (None: heights are not read), `height` their column (None: the Z of the shapes)."""

    crs: str | None = None
    encoding: str | None = None
    x: str | None = None
    y: str | None = None
    key: str | None = None
    layer: str | None = None
    swapped: bool = False
    address: str | None = None
    resolved: str | None = None
    height: str | None = None
    datum: str | None = None


def objects(values: list) -> NDArray[np.object_]:
    """A one-dimensional array of any objects; numpy alone would take lists apart."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def parse(cells: list, reader, what: str, faults: dict[int, str]) -> NDArray[np.object_]:
    """Texts or bytes to shapes with a shapely reader; what cannot be read is None and a fault."""
    shapes = reader(objects(cells), on_invalid="ignore")
    for i in np.flatnonzero(shapely.is_missing(shapes)):
        if cells[i] is not None:
            faults.setdefault(int(i), what)
    return shapes


class Counter:
    """Counts rows and refuses too many."""

    def __init__(self) -> None:
        self.rows = 0

    def add(self, rows: int) -> None:
        self.rows += rows
        if self.rows > MAX_ROWS:
            raise TooLarge(f"超过 {MAX_ROWS:,} 行 · more than {MAX_ROWS:,} rows", remedy="拆成多个文件 · split the file")


def size_of(path: Path) -> int:
    """Bytes of a file, at least one."""
    return max(path.stat().st_size, 1)
