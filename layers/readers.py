"""A file from a stranger to clean rows in storage coordinates: the door of walk 3.

What the file is, is decided by its bytes and must agree with its name. Its reference system is declared by the person, named by the file,
fixed by the format's standard, or detected beyond doubt; else it is refused with candidates. A bad row is reported with its number
(1-based, the header not counted) and left out; where more than half are bad the file is refused. No network, no path from the content.
"""

import importlib
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from grid import crs as frames
from grid import geometry
from grid.errors import InvalidInput, TooLarge, UnknownCrs, UnsupportedMedia
from layers import archives, formats

MAX_COLUMNS = 256
MAX_VERTICES = 30_000_000
DECODER_BYTES = 8 * 1024**3
DECODER_SECONDS = 300
"""Of processor time; the kernel ends the decoder there."""
_EXTENSIONS = {
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".zip": "Shapefile",
    ".gpkg": "GeoPackage",
    ".kml": "KML",
    ".csv": "CSV",
    ".tsv": "CSV",
    ".txt": "CSV",
}
_FOREIGN = (b"<OGRVRT", b"<VRTDataset", b"<GDAL_WMS", b"<OGRWFSDataSource", b"<WCS_GDAL", b"SIMPLE  =")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was left out: its 1-based number in the file and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """Clean rows. `numbers` are the 1-based rows of the file, `geometries` valid 2-D shapes in EPSG:4326 (SRID set), `records` their attributes.

    `crs` is the frame the file was in and `crs_origin` who said so: declared, file, format or detected. `attributes` are (name, type) with
    type integer, number, boolean, text or json; `geometry_type` is Point, LineString, Polygon or Mixed; `mended` counts repaired shapes.
    """

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


@dataclass(frozen=True, slots=True)
class Options:
    """What the person says about the file; None where nothing is said. `key` names the attribute that must be unique; `swapped` that
    latitude or northing stands first, against the format's rule."""

    crs: str | None = None
    encoding: str | None = None
    x: str | None = None
    y: str | None = None
    key: str | None = None
    layer: str | None = None
    swapped: bool = False


def read(path: Path, name: str, options: Options = Options(), reference: BaseGeometry | None = None) -> Table:
    """Reads the file at `path`, called `name` by its sender. `reference`: known outlines in storage degrees that expose GCJ-02 and BD-09.

    Raises UnsupportedMedia, TooLarge, UnknownCrs (extra: candidates) or InvalidInput (extra: rows). Slow and synchronous: call it in a thread.
    """
    if options.crs:
        frames.name(options.crs)
    if options.encoding:
        options = replace(options, encoding=formats.text_encoding(options.encoding))
    rows = _parse(path, name, options)
    if not len(rows.geometries):
        raise InvalidInput(f"{name!r} 中没有要素 · no features in {name!r}", remedy="检查导出的内容 · check what was exported")
    total = int(shapely.get_num_coordinates(rows.geometries).sum())
    if total > MAX_VERTICES:
        raise TooLarge(f"共 {total:,} 个顶点 · {total:,} vertices", remedy=f"至多 {MAX_VERTICES:,} · at most {MAX_VERTICES:,}; split the file")
    faults = dict(rows.faults)
    for i in np.flatnonzero(shapely.is_missing(rows.geometries) | shapely.is_empty(rows.geometries)):
        faults.setdefault(int(i), "没有几何 · no geometry")
    if options.swapped:
        rows.geometries = shapely.transform(rows.geometries, lambda x, y: (y, x), interleaved=False)
    frame, origin = _frame(rows, options.crs, reference)
    shapes = frames.to_storage(rows.geometries, frame)
    mended = _clean(shapes, faults)
    _unique(rows, options.key, faults)
    return _table(rows, shapes, faults, frame, origin, mended)


def _parse(path: Path, name: str, options: Options) -> formats.Rows:
    kind = _kind(path, name)
    if kind in ("GeoJSON", "CSV", "KML"):
        content = path.read_bytes()
        if kind == "CSV":
            return formats.table(content, options.encoding, options.x, options.y)
        return formats.geojson(content) if kind == "GeoJSON" else formats.kml(content)
    with tempfile.TemporaryDirectory(prefix="hdq-import-") as folder:
        if kind == "GeoPackage":
            inside = Path(folder) / "layer.gpkg"
            inside.symlink_to(path.resolve())
            return _apart(formats.geopackage, inside, options.layer)
        return _apart(formats.shapefile, archives.unpack_shapefile(path, Path(folder)), options.encoding)


def _kind(path: Path, name: str) -> str:
    """The format by the bytes; the name must agree. Raises UnsupportedMedia."""
    with path.open("rb") as file:
        head = file.read(8192)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    expected = _EXTENSIONS.get(PurePath(name).suffix.lower())
    if expected is None or any(mark in head for mark in _FOREIGN):
        raise formats.refuse_unknown(head, name)
    if head.startswith(b"PK\x03\x04"):
        found = "Shapefile"
    elif head.startswith(b"SQLite format 3\x00"):
        found = "GeoPackage"
    elif text.startswith((b"{", b"[")):
        found = "GeoJSON"
    elif text.startswith(b"<"):
        found = "KML"
    elif head and b"\x00" not in head:
        found = "CSV"
    else:
        raise formats.refuse_unknown(head, name)
    if found != expected:
        raise UnsupportedMedia(
            f"{name!r} 的扩展名与内容不符：内容像 {found} · the name of {name!r} says {expected}, its content looks like {found}",
            remedy="用正确的扩展名上传原文件 · send the original file under its proper extension",
        )
    return found


def _apart(function: Callable[..., formats.Rows], *arguments: Any) -> formats.Rows:
    """Runs a GDAL reader in a process of its own with limits: a file that crashes or exhausts it harms nobody else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except (BrokenProcessPool, MemoryError) as crash:
            raise InvalidInput(
                f"读取程序未能读完此文件 · the decoder could not finish this file ({type(crash).__name__})",
                remedy="用 GIS 软件重新导出，或拆小 · export it again, or split it",
            ) from crash


def _prepare() -> None:
    """Limits of the decoder's process. pyogrio loads pandas when it is there, for nothing we call: hidden meanwhile, an import is a second faster."""
    sys.modules["pandas"] = sys.modules["geopandas"] = None
    importlib.import_module("pyogrio")
    del sys.modules["pandas"], sys.modules["geopandas"]
    resource.setrlimit(resource.RLIMIT_AS, (DECODER_BYTES, DECODER_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (DECODER_SECONDS, DECODER_SECONDS))


def _frame(rows: formats.Rows, declared: str | None, reference: BaseGeometry | None) -> tuple[str, str]:
    """The frame of the coordinates and who says so."""
    xy = shapely.get_coordinates(rows.geometries)
    if declared:
        return frames.check(xy[:, 0], xy[:, 1], declared, reference), "declared"
    if rows.embedded:
        return frames.check(xy[:, 0], xy[:, 1], _named(rows.embedded, xy, reference), reference), "file"
    if rows.implied:
        return frames.check(xy[:, 0], xy[:, 1], frames.STORAGE, reference), "format"
    return frames.detect(xy[:, 0], xy[:, 1], reference).crs, "detected"


def _named(embedded: str, xy: NDArray[np.float64], reference: BaseGeometry | None) -> str:
    """What a file names: a code, or the WKT of a .prj; what we do not know is refused with what the coordinates suggest."""
    try:
        return frames.name(frames.from_wkt(embedded)) if "[" in embedded else frames.name(embedded)
    except UnknownCrs as unknown:
        unknown.extra["candidates"] = frames.candidates(xy[:, 0], xy[:, 1], reference)
        raise


def _clean(shapes: NDArray[np.object_], faults: dict[int, str]) -> int:
    """Checks and mends shapes in place, vectorised; adds faults by index. Returns how many were mended."""
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    x, y = xy[:, 0], xy[:, 1]
    with np.errstate(invalid="ignore"):
        lost = ~np.isfinite(xy).all(axis=1)
        beyond = (np.abs(x) > 180.0) | (np.abs(y) > 90.0)
        at_home = (x >= frames.CHINA[0]) & (x <= frames.CHINA[2]) & (y >= frames.CHINA[1]) & (y <= frames.CHINA[3])
        west, south, east, north = frames.QINGDAO
        swapped = ~at_home & (y >= west) & (y <= east) & (x >= south) & (x <= north)
    for test, reason in (
        (lost, "坐标为 NaN、无穷大或无法换算 · NaN, infinite or unconvertible coordinates"),
        (swapped, "坐标轴颠倒（纬度在前）· swapped axes (latitude first)"),
        ((x == 0.0) & (y == 0.0), "坐标为 0, 0 · coordinates are 0, 0"),
        (beyond, "超出经纬度范围 · outside ±180/±90"),
    ):
        places = np.flatnonzero(test)
        _, first = np.unique(owner[places], return_index=True)
        for place in places[first]:
            faults.setdefault(int(owner[place]), f"{reason}: {x[place]:.8g}, {y[place]:.8g}")
    mended = 0
    for i in np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)):
        if int(i) in faults:
            continue
        why = shapely.is_valid_reason(shapes[i])
        shapes[i] = geometry.clean(shapes[i])
        if shapes[i] is None:
            faults[int(i)] = f"几何无效且无法修复 · invalid beyond repair: {why[:80]}"
        else:
            mended += 1
    shapes[:] = shapely.set_srid(shapely.force_2d(shapes), 4326)
    return mended


def _unique(rows: formats.Rows, key: str | None, faults: dict[int, str]) -> None:
    """The first row of a key stays, later ones are faults. Without a key a GeoJSON's own feature ids must be unique."""
    if key is not None and not any(key in record for record in rows.records):
        raise InvalidInput(f"没有键字段 {key!r} · no attribute {key!r}", remedy="检查 key · check the key's name")
    values = [record.get(key) for record in rows.records] if key is not None else rows.ids or []
    first: dict[Any, int] = {}
    for i, value in enumerate(values):
        if i in faults:
            continue
        if value is None and key is not None:
            faults[i] = f"键 {key!r} 为空 · key {key!r} is empty"
        elif value is not None and first.setdefault(str(value), i) != i:
            faults[i] = f"键重复 · duplicate key {str(value)[:60]!r}, first in row {first[str(value)] + 1}"


def _table(rows: formats.Rows, shapes: NDArray[np.object_], faults: dict[int, str], frame: str, origin: str, mended: int) -> Table:
    rejected = tuple(Reject(i + 1, faults[i]) for i in sorted(faults))
    kept = np.array([i for i in range(len(shapes)) if i not in faults], dtype=np.int64)
    if 2 * len(kept) < len(shapes):
        raise InvalidInput(
            f"{len(shapes)} 行中有 {len(rejected)} 行有误 · {len(rejected)} of {len(shapes)} rows are bad",
            remedy="按行号修正后重新导入 · mend the rows named and import again",
            rows=[{"row": r.row, "reason": r.reason} for r in rejected[:1000]],
        )
    records = [rows.records[i] for i in kept]
    attributes = _attributes(records)
    return Table(rows.format, frame, origin, _family(shapes[kept]), attributes, kept + 1, shapes[kept], records, rejected, mended)


def _family(shapes: NDArray[np.object_]) -> str:
    mixed = bool((shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION).any())
    dimensions = {int(d) for d in np.unique(shapely.get_dimensions(shapes))}
    return "Mixed" if mixed or len(dimensions) != 1 else ("Point", "LineString", "Polygon")[dimensions.pop()]


def _attributes(records: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Names in order of appearance with the narrowest type that holds every value."""
    seen: dict[str, set[type]] = {}
    for record in records:
        for name, value in record.items():
            seen.setdefault(name, set()).add(type(value))
    if len(seen) > MAX_COLUMNS:
        raise TooLarge(f"{len(seen)} 个字段 · {len(seen)} attributes", remedy=f"至多 {MAX_COLUMNS} · at most {MAX_COLUMNS}")
    kinds = {frozenset(): "text", frozenset({int}): "integer", frozenset({float}): "number", frozenset({int, float}): "number", frozenset({bool}): "boolean"}
    return tuple(
        (str(name), "json" if types & {dict, list} else kinds.get(frozenset(types - {type(None)}), "text")) for name, types in seen.items()
    )
