"""GeoParquet 1.x with WKB geometries, a row group's part at a time."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from grid.errors import InvalidInput
from layers.reading.batches import ROWS, Batch, Counter, Header, Opened, Options, parse


def open_geoparquet(path: Path, options: Options) -> Opened:
    """The primary geometry column and all others. Without a `crs` the standard fixes CRS84; a null one says unknown."""
    try:
        file = pq.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowException, OSError, ValueError) as damage:
        raise _unreadable(damage) from damage
    raw = (file.schema_arrow.metadata or {}).get(b"geo")
    try:
        about = json.loads(raw or b"{}")
        name = about["primary_column"]
        column = about["columns"][name]
        encoding = column.get("encoding", "WKB")
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise InvalidInput("不是 GeoParquet · a Parquet file without the GeoParquet metadata", remedy="导出为 GeoParquet · export it as GeoParquet") from damage
    if encoding != "WKB" or name not in file.schema_arrow.names:
        raise InvalidInput(f"GeoParquet 几何编码不受支持 · geometry encoding {str(encoding)[:40]!r} is not read", remedy="导出为 WKB 编码 · export it with WKB geometries")
    return Opened(Header("GeoParquet", _crs(column), implied="crs" not in column), _batches(file, name))


def _crs(column: dict) -> str | None:
    """What the column names: an authority's code where there is one, else its definition as WKT."""
    found = column.get("crs")
    if not isinstance(found, dict):
        return None
    known = found.get("id")
    if isinstance(known, dict) and known.get("authority") == "EPSG":
        return f"EPSG:{known.get('code')}"
    if isinstance(known, dict) and known.get("authority") == "OGC":
        return "EPSG:4326"
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_json_dict(found).to_wkt()
    except (CRSError, TypeError, ValueError):
        return str(found.get("name", "?"))[:80]


def _batches(file: pq.ParquetFile, name: str) -> Iterator[Batch]:
    counter, total = Counter(), max(file.metadata.num_rows, 1)
    try:
        for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
            faults: dict[int, str] = {}
            at = batch.schema.get_field_index(name)
            shapes = parse(batch.column(at).to_pylist(), shapely.from_wkb, "几何无法解析 · unreadable geometry", faults)
            counter.add(len(batch))
            yield Batch(shapes, columns=batch.remove_column(at), faults=faults, wkb=batch.column(at), done=counter.rows / total)
    except (pa.ArrowException, OSError, ValueError) as damage:
        raise _unreadable(damage) from damage


def _unreadable(damage: Exception) -> InvalidInput:
    return InvalidInput(f"Parquet 无法读取 · the Parquet file cannot be read: {' '.join(str(damage).split())[:120]}", remedy="重新导出 · export it again")
