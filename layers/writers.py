"""Files of a layer, written batch by batch so that memory does not grow with the layer. One class a family of formats; plain synchronous code for a thread.

Geometries come as shapely arrays, x before y, in the frame of the file; attributes as columns of Python values. What a file says of itself is its watermark: who
made it, why and when stands in GeoParquet, GeoPackage, GeoJSON and XLSX (CSV and Shapefile have no place for it; the file's name carries the export's number).
"""

import csv
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray

from grid.errors import InvalidInput, TooLarge

XLSX_ROWS = 1_048_575
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ARROW = {"text": pa.string(), "integer": pa.int64(), "real": pa.float32(), "number": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"), "local": pa.timestamp("us")}


@dataclass(frozen=True, slots=True)
class Made:
    """What is made: path, frame (EPSG:4528 or GCJ-02), attributes (name, kind of layers.cql2.Column) and the watermark."""

    path: Path
    layer: str
    crs: str
    fields: tuple[tuple[str, str], ...]
    watermark: str

    @property
    def epsg(self) -> str | None:
        """The frame as software knows it; GCJ-02 is none."""
        return self.crs if self.crs.startswith("EPSG:") else None


class Writer(Protocol):
    """Takes batches, then is closed once; `close` also when there was none."""

    def write(self, ids: Sequence[int], shapes: NDArray[np.object_], columns: Sequence[Sequence[Any]]) -> None:
        """Appends rows; `columns` in the order of the fields."""

    def close(self) -> None:
        """Finishes the file."""


def plain(value: Any) -> Any:
    """A value as JSON and spreadsheets take it: moments as ISO 8601, documents as text, no NaN."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def harmless(value: Any) -> Any:
    """A value for a spreadsheet: a text that a spreadsheet would run as a formula gets an apostrophe before it.

    >>> harmless("=1+1"), harmless("-5"), harmless(-5), harmless("青岛")
    ("'=1+1", "'-5", -5, '青岛')
    """
    value = plain(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class GeoParquet:
    """GeoParquet 1.1, WKB, a row group a batch."""

    def __init__(self, made: Made) -> None:
        fields = [pa.field("id", pa.int64()), *(pa.field(name, _ARROW.get(kind, pa.string())) for name, kind in made.fields), pa.field("geometry", pa.binary())]
        crs = json.loads(pyproj.CRS.from_user_input(made.epsg).to_json()) if made.epsg else None
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], "crs": crs}}}
        self._schema = pa.schema(fields, metadata={"geo": json.dumps(geo), "hdq:watermark": made.watermark, "hdq:crs": made.crs})
        self._kinds = [kind for _, kind in made.fields]
        self._file = pq.ParquetWriter(made.path, self._schema, compression="zstd")

    def write(self, ids: Sequence[int], shapes: NDArray[np.object_], columns: Sequence[Sequence[Any]]) -> None:
        """Appends rows."""
        typed = [pa.array([plain(v) for v in values] if kind == "json" else values, _ARROW.get(kind, pa.string())) for kind, values in zip(self._kinds, columns, strict=True)]
        self._file.write_table(pa.Table.from_arrays([pa.array(ids, pa.int64()), *typed, pa.array(shapely.to_wkb(shapes), pa.binary())], schema=self._schema))

    def close(self) -> None:
        """Finishes the file."""
        self._file.close()


class GeoJson:
    """A FeatureCollection (RFC 7946), written by hand; another frame than degrees is named in `crs`, as GDAL does."""

    def __init__(self, made: Made) -> None:
        self._file = made.path.open("w", encoding="utf-8")
        self._names = [name for name, _ in made.fields]
        crs = "" if made.crs in ("EPSG:4326", "GCJ-02") else f'"crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:EPSG::{made.crs[5:]}"}}}},'
        self._file.write(f'{{"type":"FeatureCollection",{crs}"watermark":{json.dumps(made.watermark, ensure_ascii=False)},"frame":"{made.crs}","features":[')
        self._digits = 7 if made.crs in ("EPSG:4326", "EPSG:4490", "GCJ-02") else 3
        self._first = True

    def write(self, ids: Sequence[int], shapes: NDArray[np.object_], columns: Sequence[Sequence[Any]]) -> None:
        """Appends rows."""
        geometries = shapely.to_geojson(shapely.transform(shapes, lambda points: np.round(points, self._digits)))
        rows = zip(*columns, strict=True) if columns else (() for _ in ids)
        for number, geometry, values in zip(ids, geometries, rows, strict=True):
            properties = {name: value if isinstance(value, dict | list) else plain(value) for name, value in zip(self._names, values, strict=True)}
            self._file.write(f'{"" if self._first else ","}\n{{"type":"Feature","id":{number},"geometry":{geometry or "null"},"properties":{json.dumps(properties, ensure_ascii=False)}}}')
            self._first = False

    def close(self) -> None:
        """Finishes the file."""
        self._file.write("\n]}\n")
        self._file.close()


class Ogr:
    """GeoPackage, and Shapefile in a zip: one layer, appended to by GDAL."""

    def __init__(self, made: Made, driver: str) -> None:
        self._made, self._driver = made, driver
        self._folder = made.path.with_suffix(".parts")
        if driver == "ESRI Shapefile":
            self._folder.mkdir()
        self._target = made.path if driver == "GPKG" else self._folder / f"{made.layer}.shp"
        self._names = [name for name, _ in made.fields] if driver == "GPKG" else _short(["id", *(name for name, _ in made.fields)])[1:]
        self._dimension: int | None = None
        self._begun = False

    def write(self, ids: Sequence[int], shapes: NDArray[np.object_], columns: Sequence[Sequence[Any]]) -> None:
        """Appends rows; a Shapefile holds one kind of geometry, so a second kind is refused."""
        dimensions = set(shapely.get_dimensions(shapes[~shapely.is_missing(shapes)]).tolist())
        self._dimension = min(dimensions, default=0) if self._dimension is None else self._dimension
        if self._driver != "GPKG" and dimensions - {self._dimension}:
            raise InvalidInput("图层含多种几何，Shapefile 只能存一种 · a Shapefile holds one kind of geometry", remedy="choose GeoPackage or GeoParquet")
        kinds = ["MultiPoint", "MultiLineString", "MultiPolygon"]
        if self._dimension == 0 and not (shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOINT).any():
            kinds[0] = "Point"
        data, masks = zip(*(_typed(values, kind) for values, (_, kind) in zip(columns, self._made.fields, strict=True)), strict=True) if columns else ((), ())
        name = "id" if self._driver != "GPKG" else "feature_id"
        import pyogrio.raw  # brings geopandas and pandas: a second that no start has

        pyogrio.raw.write(
            str(self._target), shapely.to_wkb(shapes), [np.asarray(ids, dtype=np.int64), *data], [name, *self._names], field_mask=[np.zeros(len(ids), dtype=bool), *masks],
            layer=self._made.layer, driver=self._driver, crs=self._made.epsg, encoding="UTF-8", append=self._begun,
            geometry_type="Unknown" if self._driver == "GPKG" else kinds[self._dimension].removeprefix("Multi") if kinds[self._dimension] == "Point" else kinds[self._dimension],
            promote_to_multi=self._driver != "GPKG" and kinds[self._dimension] != "Point", nan_as_null=True,
            dataset_metadata={"watermark": self._made.watermark, "frame": self._made.crs} if self._driver == "GPKG" and not self._begun else None,
        )  # fmt: skip
        self._begun = True

    def close(self) -> None:
        """Finishes the file; the parts of a Shapefile are packed."""
        if not self._begun:
            self.write([], np.array([], dtype=object), [[] for _ in self._made.fields])
        if self._driver == "ESRI Shapefile":
            with zipfile.ZipFile(self._made.path, "w", zipfile.ZIP_DEFLATED) as packed:
                for part in sorted(self._folder.iterdir()):
                    packed.write(part, part.name)
                    part.unlink()
            self._folder.rmdir()


class Table:
    """CSV (UTF-8 with mark, WKT) and XLSX: x and y of a point inside each feature; no cell can run as a formula."""

    def __init__(self, made: Made, kind: str) -> None:
        self._kind, self._made, self._count = kind, made, 0
        head = ["id", *(name for name, _ in made.fields), "x", "y", *(["wkt"] if kind == "csv" else [])]
        if kind == "csv":
            self._file = made.path.open("w", encoding="utf-8-sig", newline="")
            self._rows = csv.writer(self._file)
            self._rows.writerow([harmless(name) for name in head])
            return
        import xlsxwriter  # when a workbook is written: not at every start

        self._book = xlsxwriter.Workbook(str(made.path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "nan_inf_to_errors": False})
        about = self._book.add_worksheet("说明")
        for row, (name, text) in enumerate((("图层 layer", made.layer), ("坐标系 frame", made.crs), ("水印 watermark", made.watermark))):
            about.write_row(row, 0, [name, text])
        self._sheet = self._book.add_worksheet("数据")
        self._sheet.write_row(0, 0, head)

    def write(self, ids: Sequence[int], shapes: NDArray[np.object_], columns: Sequence[Sequence[Any]]) -> None:
        """Appends rows; TooLarge beyond what a sheet holds."""
        points = shapely.point_on_surface(shapes)
        xs, ys = shapely.get_x(points).tolist(), shapely.get_y(points).tolist()
        digits = 7 if self._made.crs in ("EPSG:4326", "EPSG:4490", "GCJ-02") else 3
        rows = zip(*columns, strict=True) if columns else (() for _ in ids)
        for i, (number, values) in enumerate(zip(ids, rows, strict=True)):
            self._count += 1
            cells = [number, *(harmless(value) for value in values), round(xs[i], digits), round(ys[i], digits)]
            if self._kind == "csv":
                self._rows.writerow([*cells, shapely.to_wkt(shapes[i], rounding_precision=digits)])
                continue
            if self._count > XLSX_ROWS:
                raise TooLarge(f"超过 {XLSX_ROWS} 行，XLSX 放不下 · more than {XLSX_ROWS} rows do not fit a sheet", remedy="filter, or choose CSV or GeoParquet")
            for column, cell in enumerate(cells):
                if cell is not None:
                    self._sheet.write(self._count, column, cell[:32_767] if isinstance(cell, str) else cell)

    def close(self) -> None:
        """Finishes the file."""
        if self._kind == "csv":
            self._file.close()
        else:
            self._book.close()


FORMATS: dict[str, tuple[str, str]] = {
    "geoparquet": (".parquet", "application/vnd.apache.parquet"), "gpkg": (".gpkg", "application/geopackage+sqlite3"), "shapefile": (".zip", "application/zip"),
    "geojson": (".geojson", "application/geo+json"), "csv": (".csv", "text/csv; charset=utf-8"), "xlsx": (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}  # fmt: skip
"""Format -> the end of a file's name, media type."""


def writer(kind: str, made: Made) -> Writer:
    """The writer of a format; InvalidInput for one that is not made."""
    if kind == "geoparquet":
        return GeoParquet(made)
    if kind == "geojson":
        return GeoJson(made)
    if kind in ("gpkg", "shapefile"):
        return Ogr(made, "GPKG" if kind == "gpkg" else "ESRI Shapefile")
    if kind in ("csv", "xlsx"):
        return Table(made, kind)
    raise InvalidInput(f"格式 {kind[:20]!r} 不提供 · the format is not offered", remedy=f"one of {', '.join(FORMATS)}")


def _typed(values: Sequence[Any], kind: str) -> tuple[np.ndarray, np.ndarray]:
    absent = np.array([value is None for value in values], dtype=bool)
    types: dict[str, tuple[type, Any]] = {"integer": (np.int64, 0), "real": (np.float32, 0), "number": (np.float64, 0), "boolean": (np.bool_, False)}
    if kind in types:
        dtype, empty = types[kind]
        return np.array([empty if value is None else value for value in values], dtype=dtype), absent
    return np.array([None if value is None else str(plain(value)) for value in values], dtype=object), absent


def _short(names: list[str]) -> list[str]:
    """Names of at most 10 bytes, each once, as a Shapefile wants them.

    >>> _short(["id", "basic_farmland", "basic_farmlot", "建筑高度米"])
    ['id', 'basic_farm', 'basic_fa_1', '建筑高']
    """
    made: list[str] = []
    for name in names:
        short, number = name.encode()[:10].decode(errors="ignore"), 0
        while short.lower() in {other.lower() for other in made}:
            number += 1
            short = name.encode()[: 9 - len(str(number))].decode(errors="ignore") + f"_{number}"
        made.append(short)
    return made
