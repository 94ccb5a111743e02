"""Formats that GDAL reads: Shapefile, GeoPackage, File Geodatabase, FlatGeobuf, GML, DXF. Each is opened only after its own magic was seen, by
its own driver alone, in a process of its own (see `layers.reading.apart`)."""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from grid.errors import InvalidInput
from layers.reading.batches import ROWS, Batch, Counter, Header, Opened, Options, parse

_DRIVERS = {"Shapefile": "ESRI Shapefile", "GeoPackage": "GPKG", "File Geodatabase": "OpenFileGDB", "FlatGeobuf": "FlatGeobuf", "GML": "GML", "DXF": "DXF"}
_ALL = (
    "ADBC,AIVector,AVCBin,AVCE00,AmigoCloud,CSV,CSW,Carto,DGN,DXF,EDIGEO,EEDA,ESRI Shapefile,ESRIJSON,Elasticsearch,FlatGeobuf,GDALG,GML,GMLAS,GPKG,GPSBabel,GPX,GTFS,"
    "GeoJSON,GeoJSONSeq,GeoRSS,HTTP,Idrisi,JML,JSONFG,KML,LIBKML,LVBAG,MBTiles,MVT,MapInfo File,MapML,MiraMonVector,NGW,OAPIF,ODS,OGCAPI,OGR_GMT,OGR_PDS,OGR_VRT,VRT,"
    "OSM,OpenFileGDB,PCIDSK,PDF,PDS4,PGDUMP,PLSCENES,PMTiles,PostgreSQL,S57,SQLite,SXF,Selafin,TopoJSON,VDV,VFK,VICAR,WAsP,WFS,WMS,WCS,XLSX,XODR"
)
"""Drivers by name: all but the one asked for are taken out before GDAL registers any."""


def alone(format: str) -> None:
    """Leaves GDAL one driver and no way to the network; to be called in the decoder's process before pyogrio is imported."""
    wanted = _DRIVERS.get(format)
    os.environ["GDAL_SKIP"] = ",".join(name for name in _ALL.split(",") if name != wanted)
    os.environ |= {
        "GDAL_HTTP_PROXY": "127.0.0.1:9",
        "GDAL_HTTP_TIMEOUT": "1",
        "GDAL_HTTP_MAX_RETRY": "0",
        "GML_SKIP_RESOLVE_ELEMS": "ALL",
        "CPL_LOG": os.devnull,
    }


def open_shapefile(path: Path, options: Options) -> Opened:
    """An unpacked shapefile; its text is read as declared, as its .cpg says, or as UTF-8 where that fits and GB 18030 where not."""
    codepage = options.encoding or (None if path.with_suffix(".cpg").exists() else _dbf_encoding(path.with_suffix(".dbf")))
    return _open(path, "Shapefile", encoding=codepage)


def open_geopackage(path: Path, options: Options) -> Opened:
    """One feature layer of a GeoPackage; views and unknown virtual tables are refused, since reading them would run what is written there."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            found = db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
            names = [n for (n,) in db.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")]
    except sqlite3.Error as damage:
        raise InvalidInput(f"GeoPackage 损坏 · the GeoPackage is damaged: {damage}", remedy="重新导出 · export it again") from damage
    virtual = [n for _, n, sql in found if re.match(r"\s*CREATE\s+VIRTUAL\s+TABLE", sql, re.IGNORECASE) and not re.search(r"USING\s+rtree\b", sql, re.I)]
    bad = virtual + [n for kind, n, _ in found if kind == "view"]
    if bad:
        raise InvalidInput(f"GeoPackage 含视图或虚拟表 · views or virtual tables are refused: {bad[0]!r}", remedy="导出为普通图层 · export a plain layer")
    return _open(path, "GeoPackage", layer=_one(names, options.layer))


def open_geodatabase(path: Path, options: Options) -> Opened:
    """One feature class of an unpacked File Geodatabase."""
    return _open(path, "File Geodatabase", layer=_one(_spatial(path), options.layer))


def open_flatgeobuf(path: Path, options: Options) -> Opened:
    """A FlatGeobuf."""
    return _open(path, "FlatGeobuf")


def open_gml(path: Path, options: Options) -> Opened:
    """One feature type of a GML; document types and entities are refused before GDAL sees a byte, axes are put x first."""
    with path.open("rb") as file:
        held = b""
        while block := file.read(1 << 20):
            if re.search(rb"<!(DOCTYPE|ENTITY)|<\0!\0", held + block, re.IGNORECASE):
                raise InvalidInput("XML 含 DTD 或实体，已拒绝 · XML with a document type or entities is refused", remedy="导出不带 DTD 的 GML · export GML without a DTD")
            held = block[-16:]
    return _open(path, "GML", layer=_one(_spatial(path), options.layer))


def open_dxf(path: Path, options: Options) -> Opened:
    """The entities of a DXF drawing with their layer, text and kind. A drawing names no reference system."""
    return _open(path, "DXF")


def _spatial(path: Path) -> list[str]:
    import pyogrio

    try:
        return [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except (pyogrio.errors.DataSourceError, RuntimeError) as damage:
        raise _unreadable("file", damage) from damage


def _one(names: list[str], asked: str | None) -> str:
    if asked is None and len(names) == 1:
        return names[0]
    if asked not in names:
        raise InvalidInput(
            f"请指明图层 · name one layer of: {', '.join(map(repr, sorted(names)))}" if names else "没有矢量图层 · no feature layers",
            remedy="用 layer 指明，或每层一个文件 · say which with layer, or one file a layer",
        )
    return asked


def _unreadable(kind: str, damage: Exception) -> InvalidInput:
    what = re.sub(r"/\S*/", "", str(damage))[:160]
    return InvalidInput(f"{kind} 无法读取 · the {kind} cannot be read: {what}", remedy="重新导出 · export it again")


def _open(path: Path, kind: str, **options: Any) -> Opened:
    import pyogrio

    problems = (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError, RuntimeError, UnicodeDecodeError, OSError, pa.ArrowException)
    given = {k: v for k, v in options.items() if v}
    try:
        about = pyogrio.read_info(path, **given)
    except problems as damage:
        raise _unreadable(kind, damage) from damage
    embedded, total = about["crs"], max(int(about["features"]), 0)

    def batches() -> Iterator[Batch]:
        counter = Counter()
        try:
            with pyogrio.open_arrow(path, use_pyarrow=True, batch_size=ROWS, **given) as (meta, stream):
                column = meta["geometry_name"] or "wkb_geometry"
                for batch in stream:
                    faults: dict[int, str] = {}
                    at = batch.schema.get_field_index(column)
                    wkb = batch.column(at).to_pylist() if at >= 0 else [None] * len(batch)
                    shapes = parse(wkb, shapely.from_wkb, "几何无法解析 · unreadable geometry", faults)
                    counter.add(len(batch))
                    columns = batch.remove_column(at) if at >= 0 else batch
                    yield Batch(shapes, columns=columns, faults=faults, wkb=batch.column(at) if at >= 0 else None, done=min(counter.rows / total, 1.0) if total else 0.0)
        except problems as damage:
            raise _unreadable(kind, damage) from damage

    return Opened(Header(kind, embedded), batches())


def _dbf_encoding(dbf: Path) -> str:
    """UTF-8 where nearly all of the text outside ASCII is UTF-8, else GB 18030 (a field cut in the middle of a character is forgiven)."""
    with dbf.open("rb") as file:
        content = file.read(8_000_000)
    foreign = sum(b > 0x7F for b in content[32:]) if not content.isascii() else 0
    broken = content[32:].decode("utf-8", "replace").count("\ufffd")
    return "UTF-8" if broken <= foreign * 0.02 else "GB18030"
