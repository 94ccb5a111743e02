"""What a file is, by its bytes, which must agree with its name; and how each kind is opened."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from grid.errors import UnsupportedMedia
from layers import archives
from layers.reading.batches import Opened, Options

EXTENSIONS = {
    ".geojson": ("GeoJSON", "GeoJSONSeq"),
    ".json": ("GeoJSON", "GeoJSONSeq"),
    ".geojsonl": ("GeoJSONSeq",),
    ".geojsons": ("GeoJSONSeq",),
    ".ndjson": ("GeoJSONSeq",),
    ".jsonl": ("GeoJSONSeq",),
    ".zip": ("Shapefile", "File Geodatabase", "KMZ"),
    ".gpkg": ("GeoPackage",),
    ".kml": ("KML",),
    ".kmz": ("KMZ",),
    ".gml": ("GML",),
    ".xml": ("GML", "KML"),
    ".dxf": ("DXF",),
    ".fgb": ("FlatGeobuf",),
    ".parquet": ("GeoParquet",),
    ".geoparquet": ("GeoParquet",),
    ".xlsx": ("XLSX",),
    ".csv": ("CSV",),
    ".tsv": ("CSV",),
    ".txt": ("CSV",),
}
FOREIGN_CODE = frozenset({"Shapefile", "File Geodatabase", "GeoPackage", "FlatGeobuf", "GML", "DXF", "GeoParquet", "XLSX"})
"""Read by code that is not Python: only in a process of its own."""
ACCEPTED_ZH = "GeoJSON、GeoJSONSeq、压缩的 Shapefile 或 File Geodatabase、GeoPackage、FlatGeobuf、GeoParquet、KML/KMZ、GML、DXF、CSV、XLSX"
ACCEPTED = "GeoJSON, GeoJSONSeq, a zipped Shapefile or File Geodatabase, GeoPackage, FlatGeobuf, GeoParquet, KML/KMZ, GML, DXF, CSV or XLSX"
_VIRTUAL = (b"<OGRVRT", b"<VRTDataset", b"<GDAL_WMS", b"<OGRWFSDataSource", b"<WCS_GDAL", b"SIMPLE  =")
_ZIPPED = frozenset({"Shapefile", "File Geodatabase", "KMZ", "XLSX"})
_FLATGEOBUF = re.compile(rb"fgb[\x00-\x03]fgb[\x00-\x03]")
_DXF = re.compile(rb"\s*(999\r?\n[^\n]*\r?\n\s*)*0\r?\n\s*SECTION\r?\n")


def kind_of(path: Path, name: str) -> str:
    """The format by the bytes; the name must agree. Raises UnsupportedMedia."""
    with path.open("rb") as file:
        head = file.read(8192)
    expected = EXTENSIONS.get(PurePath(name).suffix.lower())
    if expected is None or any(mark in head for mark in _VIRTUAL):
        raise _unknown(head, name)
    found = _found(path, head, expected)
    if not found:
        raise _unknown(head, name)
    if found not in expected:
        raise UnsupportedMedia(
            f"{name!r} 的扩展名与内容不符：内容像 {found} · the name of {name!r} says {expected[0]}, its content looks like {found}",
            remedy="用正确的扩展名上传原文件 · send the original file under its proper extension",
        )
    return found


def _found(path: Path, head: bytes, expected: tuple[str, ...]) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PK\x03\x04"):
        return (archives.holds(path) or expected[0]) if _ZIPPED.intersection(expected) else "ZIP"
    for magic, kind in ((b"SQLite format 3\x00", "GeoPackage"), (b"PAR1", "GeoParquet")):
        if head.startswith(magic):
            return kind
    if _FLATGEOBUF.match(head):
        return "FlatGeobuf"
    if text.startswith((b"{", b"[", b"\x1e")):
        from layers.reading.geojson import looks_like_sequence

        return "GeoJSONSeq" if expected == ("GeoJSONSeq",) or looks_like_sequence(head) else "GeoJSON"
    if text.startswith(b"<"):
        return "GML" if "GML" in expected and re.search(rb"opengis\.net/(gml|wfs)", head) else "KML"
    if _DXF.match(head):
        return "DXF"
    return "CSV" if head and (b"\x00" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff"))) else ""


@contextmanager
def opened(kind: str, path: Path, options: Options) -> Iterator[Opened]:
    """Opens a file of a kind; what has to be unpacked lies in a folder that goes at the end."""
    if kind in ("GeoJSON", "GeoJSONSeq"):
        from layers.reading import geojson

        yield geojson.open_collection(path) if kind == "GeoJSON" else geojson.open_sequence(path)
        return
    if kind in ("CSV", "XLSX"):
        from layers.reading import tables

        yield tables.open_csv(path, options) if kind == "CSV" else tables.open_xlsx(path, options)
        return
    if kind == "GeoParquet":
        from layers.reading import parquet

        yield parquet.open_geoparquet(path, options)
        return
    with TemporaryDirectory(prefix="hdq-import-") as folder:
        yield _from_folder(kind, path, Path(folder), options)


def _from_folder(kind: str, path: Path, folder: Path, options: Options) -> Opened:
    from layers.reading import kml, ogr

    if kind == "KML":
        return kml.open_kml(path)
    if kind == "KMZ":
        return kml.open_kml(archives.unpack_kml(path, folder), "KMZ")
    if kind == "Shapefile":
        return ogr.open_shapefile(archives.unpack_shapefile(path, folder), options)
    if kind == "File Geodatabase":
        return ogr.open_geodatabase(archives.unpack_geodatabase(path, folder), options)
    suffix, reader = {
        "GeoPackage": (".gpkg", ogr.open_geopackage),
        "FlatGeobuf": (".fgb", ogr.open_flatgeobuf),
        "GML": (".gml", ogr.open_gml),
        "DXF": (".dxf", ogr.open_dxf),
    }[kind]
    inside = folder / f"layer{suffix}"
    inside.symlink_to(path.resolve())
    return reader(inside, options)


def _unknown(head: bytes, name: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"{name!r} 的内容不是可导入的格式 · the content of {name!r} is of no format we read (starts with {head[:16]!r})",
        remedy=f"{ACCEPTED_ZH} · send {ACCEPTED}",
    )
