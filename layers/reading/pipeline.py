"""Batches of a file to clean rows in storage degrees: frame, axes, cleaning, keys, regions, in one pass and bounded memory.

The frame is taken as declared, named or fixed by the format, or detected on the first batch; at the end a sample of the whole file has to bear it out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from grid import crs as frames
from grid.database import Scope
from grid.errors import InvalidInput, TooLarge, UnknownCrs
from grid.world.regions import Region
from layers import placing
from layers.reading import cleaning, documents, heights
from layers.reading.batches import Batch, Header, Opened, Options
from layers.reading.correcting import Correction

MAX_VERTICES = 60_000_000
MAX_NAMED = 5_000
"""Bad rows that are named; beyond that they are only counted."""
_SAMPLE = 40_000
_PLAIN_DEGREES = ("EPSG:4326", "EPSG:4490")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was left out: its 1-based number in the file and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Clean rows of a batch: 1-based numbers in the file, 2-D shapes in EPSG:4326, attributes as JSON, what each is called, the number of its region in
    the placer's codes. `done` is the share of the file read, `wkb` the shapes as plain WKB where the file held just that."""

    numbers: NDArray[np.int64]
    geometries: NDArray[np.object_]
    documents: pa.Array
    labels: pa.Array
    regions: NDArray[np.int64]
    done: float
    wkb: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file turned out to be. `attributes` are (name, type) with type integer, number, boolean, text or json; `geometry_type` is Point, LineString,
    Polygon or Mixed; `kept` and `rejected_count` count rows, `rejected` names the first of the bad ones; `mended` counts repaired shapes; `bounds` in degrees."""

    format: str
    crs: str
    crs_origin: str
    geometry_type: str
    attributes: tuple[tuple[str, str], ...]
    kept: int
    rejected: tuple[Reject, ...]
    rejected_count: int
    mended: int
    bounds: tuple[float, float, float, float]
    region_code: str

    @property
    def by_address(self) -> bool:
        """Whether its rows are tables' that were placed by their addresses: such places are the register's own, whatever frame the file might have."""
        return self.format in ("CSV", "XLSX") and self.crs_origin == "format"


@dataclass(slots=True)
class Surroundings:
    """What is known of the world while a file is read: outlines that expose GCJ-02 and BD-09, regions, and the scope whose rows may be taken (None: all).
    `correction`: how each row is read, as the firewall said and a person confirmed; the declaration is not held against the coordinates again then."""

    reference: BaseGeometry | None = None
    regions: list[Region] = field(default_factory=list)
    scope: Scope | None = None
    correction: Correction | None = None


class Pipeline:
    """One file on its way. `pieces` yields clean rows; `summary` says, after the last of them, what it was, or refuses the whole."""

    def __init__(self, name: str, opened: Opened, options: Options, around: Surroundings) -> None:
        self.name, self.opened, self.options, self.around = name, opened, options, around
        self.attributes = documents.Attributes()
        self.placer = placing.Placer(around.regions)
        self.rows = self.kept = self.mended = self.bad = self.vertices = 0
        self.named: list[Reject] = []
        self._frame: str | None = None
        self._origin = "declared"
        self._sample = _Sample()
        self._seen = _Seen()
        self._types: set[int] = set()
        self._regions: set[int] = set()
        self._bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._key_found = False

    def pieces(self) -> Iterator[Piece]:
        """Clean rows, batch after batch."""
        for batch in self.opened.batches:
            if len(batch):
                yield self._piece(batch)

    def _piece(self, batch: Batch) -> Piece:
        start, total, faults = self.rows, len(batch), dict(batch.faults)
        self.rows += total
        levels = heights.of(batch, self.options) if self.options.datum is not None else None
        xy = shapely.get_coordinates(batch.geometries)
        self.vertices += len(xy)
        if self.vertices > MAX_VERTICES:
            raise TooLarge(f"超过 {MAX_VERTICES:,} 个顶点 · more than {MAX_VERTICES:,} vertices", remedy="拆分文件 · split the file")
        if self.options.swapped:
            batch.geometries = shapely.transform(batch.geometries, lambda x, y: (y, x), interleaved=False)
            xy = xy[:, ::-1]
        self._sample.add(xy)
        if self._frame is None and len(xy):
            self._frame, self._origin = _first_frame(self.opened.header, self.options.crs, xy, self.around.reference)
        shapes = self._placed(batch.geometries, start)
        if levels is not None:
            declared = np.full(total, self.options.datum, dtype=object)
            heights.add(batch, levels, declared if self.around.correction is None else self.around.correction.datums(total, start, self.options.datum), shapes)
        self.attributes.see(batch)
        mended = cleaning.clean(shapes, faults)
        self.mended += mended
        self._unique(batch, start, faults)
        texts = documents.texts(batch, faults)
        if self.around.scope is not None:
            documents.too_large(texts, faults)
        kept = np.setdiff1d(np.arange(total), np.fromiter(faults, dtype=np.int64, count=len(faults)), assume_unique=True) if faults else np.arange(total)
        clean = shapes[kept] if faults else shapes
        regions = self.placer.place(clean) if self.around.scope is not None else np.zeros(len(clean), dtype=np.int64)
        if self.around.scope is not None:
            foreign = ~np.array([self.around.scope.covers(code) for code in self.placer.codes])[regions]
            for i in kept[foreign]:
                faults[int(i)] = f"不在辖区 {self.around.scope.prefix} 内 · outside your region {self.around.scope.prefix}"
            kept, clean, regions = kept[~foreign], clean[~foreign], regions[~foreign]
        self._note(start, faults, clean, regions)
        label = documents.labels(batch, self.attributes.label())
        as_read = batch.wkb if shapes is batch.geometries and not mended and not self.options.swapped and _plain_wkb(batch.wkb) else None
        wkb = None if as_read is None else documents.taken(as_read, kept, total)
        return Piece(kept + start + 1, clean, documents.taken(texts, kept, total), documents.taken(label, kept, total), regions, batch.done, wkb)

    def _placed(self, shapes: NDArray[np.object_], start: int) -> NDArray[np.object_]:
        if self.around.correction is not None:
            return self.around.correction.place(shapes, start)
        return shapes if self._frame in (None, *_PLAIN_DEGREES) else frames.to_storage(shapes, self._frame)

    def _unique(self, batch: Batch, start: int, faults: dict[int, str]) -> None:
        """The first row of a key stays, later ones are faults. Without a key a GeoJSON's own feature ids must be unique."""
        key = self.options.key
        if key is not None:
            values = documents.keys(batch, key)
            self._key_found = self._key_found or any(name == key for name, _ in self.attributes.kinds())
        else:
            values = batch.ids or []
        if not any(value is not None for value in values) and key is None:
            return
        for i, value in enumerate(values):
            if value is None and key is not None:
                faults.setdefault(i, f"键 {key!r} 为空 · key {key!r} is empty")
        counted = [i for i, value in enumerate(values) if value is not None and i not in faults]
        for i, first in self._seen.add([values[i] for i in counted], np.array(counted, dtype=np.int64) + start):
            faults[i - start] = f"键重复 · duplicate key {str(values[i - start])[:60]!r}, first in row {first + 1}"

    def _note(self, start: int, faults: dict[int, str], clean: NDArray[np.object_], regions: NDArray[np.int64]) -> None:
        self.kept += len(clean)
        self.bad += len(faults)
        room = MAX_NAMED - len(self.named)
        self.named += [Reject(start + i + 1, faults[i]) for i in sorted(faults)[: max(room, 0)]]
        if len(clean):
            self._types.update(np.unique(shapely.get_type_id(clean)).tolist())
            self._regions.update(np.unique(regions).tolist())
            box = shapely.total_bounds(clean)
            self._bounds = np.concatenate([np.minimum(self._bounds[:2], box[:2]), np.maximum(self._bounds[2:], box[2:])])

    def summary(self) -> Summary:
        """What it was. Raises InvalidInput (no rows, more than half of them bad, no such key) and UnknownCrs (the coordinates contradict the frame)."""
        if not self.rows:
            raise InvalidInput(f"{self.name!r} 中没有要素 · no features in {self.name!r}", remedy="检查导出的内容 · check what was exported")
        if self.options.key is not None and not self._key_found:
            raise InvalidInput(f"没有键字段 {self.options.key!r} · no attribute {self.options.key!r}", remedy="检查 key · check the key's name")
        sample = self._sample.points()
        if self._frame is None or self.around.correction is not None:
            pass
        elif self._origin != "detected":
            frames.check(sample[:, 0], sample[:, 1], self._frame, self.around.reference)
        else:
            frames.check(sample[:, 0], sample[:, 1], self._frame)
        if 2 * self.kept < self.rows:
            raise InvalidInput(
                f"{self.rows} 行中有 {self.bad} 行有误 · {self.bad} of {self.rows} rows are bad",
                remedy="按行号修正后重新导入 · mend the rows named and import again",
                rows=[{"row": r.row, "reason": r.reason} for r in self.named[:1000]],
            )
        west, south, east, north = (float(v) for v in self._bounds)
        return Summary(
            self.opened.header.format,
            self._frame or frames.STORAGE,
            self._origin,
            cleaning.family(np.array(sorted(self._types))),
            self.attributes.kinds(),
            self.kept,
            tuple(self.named),
            self.bad,
            self.mended,
            (west, south, east, north),
            placing.shared([self.placer.codes[i] for i in sorted(self._regions)]),
        )


def _plain_wkb(wkb: pa.Array | None) -> bool:
    """Whether all are little-endian WKB of two dimensions without an SRID, as PostGIS takes it."""
    if wkb is None or not (pa.types.is_binary(wkb.type) or pa.types.is_large_binary(wkb.type)):
        return False
    heads = pc.unique(pc.binary_slice(wkb, 0, 5))
    return all(head is None or (head[:1] == b"\x01" and 1 <= int.from_bytes(head[1:], "little") <= 7) for head in heads.to_pylist())


def _first_frame(header: Header, declared: str | None, xy: NDArray[np.float64], reference: BaseGeometry | None) -> tuple[str, str]:
    """The frame of the coordinates and who says so."""
    if declared:
        return frames.name(declared), "declared"
    if header.embedded:
        return _named(header.embedded, xy, reference), "file"
    if header.implied:
        return frames.STORAGE, "format"
    return frames.detect(xy[:, 0], xy[:, 1], reference).crs, "detected"


def _named(embedded: str, xy: NDArray[np.float64], reference: BaseGeometry | None) -> str:
    """What a file names: a code, or the WKT of a .prj; what we do not know is refused with what the coordinates suggest."""
    try:
        return frames.name(frames.from_wkt(embedded)) if "[" in embedded else frames.name(embedded)
    except UnknownCrs as unknown:
        unknown.extra["candidates"] = frames.candidates(xy[:, 0], xy[:, 1], reference)
        raise


class _Sample:
    """Points spread over the whole file, in its own frame; all of them while they are few."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float64]] = []
        self._step = 1
        self._held = 0

    def add(self, xy: NDArray[np.float64]) -> None:
        part = xy[:: self._step].copy()
        self._parts.append(part)
        self._held += len(part)
        while self._held > _SAMPLE:
            self._step *= 2
            self._parts = [part[::2] for part in self._parts]
            self._held = sum(map(len, self._parts))

    def points(self) -> NDArray[np.float64]:
        return np.concatenate(self._parts) if self._parts else np.empty((0, 2))


class _Seen:
    """Keys seen so far as 64-bit hashes, sixteen bytes a key: a chance of one in millions of millions for a false duplicate."""

    def __init__(self) -> None:
        self._runs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, values: list[Any], rows: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Takes keys and their rows; (row, first row) of each that was there before."""
        hashes = np.fromiter((hash(str(value)) for value in values), dtype=np.int64, count=len(values))
        order = np.argsort(hashes, kind="stable")
        sorted_hashes = hashes[order]
        again = np.concatenate([[False], sorted_hashes[1:] == sorted_hashes[:-1]]) if len(order) else np.empty(0, dtype=bool)
        leaders = np.maximum.accumulate(np.where(again, 0, np.arange(len(order)))) if len(order) else np.empty(0, dtype=np.int64)
        repeats = {int(rows[order[i]]): int(rows[order[leaders[i]]]) for i in np.flatnonzero(again)}
        for known, first in self._runs:
            at = np.minimum(np.searchsorted(known, sorted_hashes), len(known) - 1)
            for i in np.flatnonzero(known[at] == sorted_hashes):
                repeats[int(rows[order[i]])] = int(first[at[i]])
        fresh = ~again
        if fresh.any():
            self._runs.append((sorted_hashes[fresh], rows[order][fresh]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) <= 2 * len(self._runs[-1][0]):
            (a, b), (c, d) = self._runs.pop(), self._runs.pop()
            merged = np.concatenate([c, a])
            sorting = np.argsort(merged, kind="stable")
            self._runs.append((merged[sorting], np.concatenate([d, b])[sorting]))
        return sorted(repeats.items())
