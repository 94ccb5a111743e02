"""Bytes of one file format to rows: a shape, attributes and, where it failed, a reason. No reference system is judged here.

Text formats are parsed by parsers that know nothing of paths, addresses or entities. Shapefile and GeoPackage go through GDAL, each opened
only after its own magic was seen, and in a process of its own (see `layers.readers`).
"""

import codecs
import csv
import io
import json
import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import ijson
import numpy as np
import shapely
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from numpy.typing import NDArray

from grid.errors import InvalidInput, TooLarge, UnsupportedMedia

MAX_DEPTH = 64
MAX_ROWS = 2_000_000
_BATCH = 20_000
_ENCODINGS = frozenset({"utf-8", "utf-8-sig", "gb2312", "gbk", "gb18030", "big5", "hkscs", "utf-16", "ascii", "iso8859-1", "cp1252"})
_X_NAMES = ("lon", "lng", "longitude", "long", "经度", "x", "东坐标", "easting", "横坐标")
_Y_NAMES = ("lat", "latitude", "纬度", "y", "北坐标", "northing", "纵坐标")
_WKT_NAMES = ("wkt", "geom", "geometry", "the_geom", "几何", "空间")


@dataclass(slots=True)
class Rows:
    """What a file holds, row by row: `geometries` (None where there is none), `records`, `faults` {index from 0: reason}.

    `embedded` is the reference system the file itself names; `implied` says the format's standard fixes it to WGS84 degrees.
    """

    format: str
    geometries: NDArray[np.object_]
    records: list[dict[str, Any]]
    faults: dict[int, str] = field(default_factory=dict)
    ids: list[str | None] | None = None
    embedded: str | None = None
    implied: bool = False


def geojson(content: bytes) -> Rows:
    """RFC 7946, a FeatureCollection or one Feature; a `crs` member (GeoJSON 2008) is passed on. NaN and Infinity are faults of their row."""
    if _depth(content) > MAX_DEPTH:
        raise InvalidInput(f"JSON 嵌套超过 {MAX_DEPTH} 层 · JSON nested deeper than {MAX_DEPTH}", remedy="检查文件 · check the file")
    if b"NaN" in content or b"Infinity" in content:
        content = re.sub(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)', lambda m: m[0] if m[0][:1] == b'"' else b"null", content)
    gathered = _Features()
    try:
        for feature in ijson.items(io.BytesIO(content), "features.item", use_float=True, buf_size=1 << 20):
            gathered.add(feature)
        if not gathered.records:
            document = json.loads(content)
            if isinstance(document, dict) and document.get("type") == "Feature":
                gathered.add(document)
        named = next(ijson.items(io.BytesIO(content), "crs.properties.name"), None) if b'"crs"' in content else None
    except (ijson.JSONError, ValueError) as damage:
        what = " ".join(str(damage).split())[:120]
        raise InvalidInput(
            f"JSON 在第 {len(gathered.records) + 1} 行要素处损坏 · JSON is damaged at feature {len(gathered.records) + 1}: {what}",
            remedy="重新导出文件 · export the file again",
        ) from damage
    gathered.parse()
    geometries = np.concatenate(gathered.parts) if gathered.parts else _objects([])
    return Rows("GeoJSON", geometries, gathered.records, gathered.faults, gathered.ids, str(named) if named else None, implied=True)


class _Features:
    """GeoJSON features on their way to rows; shapes are parsed a batch at a time, so that the coordinates as lists never all lie in memory."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.object_]] = []
        self.records: list[dict[str, Any]] = []
        self.ids: list[str | None] = []
        self.faults: dict[int, str] = {}
        self._waiting: list[str | None] = []

    def add(self, feature: Any) -> None:
        found = feature if isinstance(feature, dict) else {}
        shape, properties = found.get("geometry"), found.get("properties")
        self._waiting.append(json.dumps(shape) if isinstance(shape, dict) else None)
        self.records.append(properties if isinstance(properties, dict) else {})
        self.ids.append(None if found.get("id") is None else str(found["id"]))
        _count(len(self.records))
        if len(self._waiting) >= _BATCH:
            self.parse()

    def parse(self) -> None:
        start = len(self.records) - len(self._waiting)
        shapes = _parse(self._waiting, shapely.from_geojson)
        for i, text in enumerate(self._waiting):
            if text is not None and shapes[i] is None:
                self.faults[start + i] = "几何无法解析（坐标缺失、含 NaN 或非数字）· unreadable geometry"
        self.parts.append(shapes)
        self._waiting = []


def table(content: bytes, encoding: str | None, x: str | None, y: str | None) -> Rows:
    """CSV with a header: two coordinate columns (named, or found by their usual names) or one of WKT. GB 18030 is understood."""
    text, dialect = _decode(content, encoding), None
    head = text[:65536]
    delimiter = max(",;\t|", key=head.split("\n", 1)[0].count)
    csv.field_size_limit(64 * 1024**2)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), dialect or "excel", delimiter=delimiter, strict=False)
        header = [name.strip() for name in next(lines, [])]
        body = []
        for line in lines:
            if line:
                body.append(line)
                _count(len(body))
    except csv.Error as damage:
        raise InvalidInput(f"CSV 无法解析 · unreadable CSV: {damage}", remedy="检查引号与分隔符 · check quotes and delimiters") from damage
    if len(header) != len(set(header)) or not all(header):
        raise InvalidInput(f"CSV 列名为空或重复 · empty or repeated column names: {header[:20]}", remedy="修正表头 · mend the header")
    wkt = None if x or y else _column(header, None, _WKT_NAMES)
    faults: dict[int, str] = {}
    width = len(header)
    for i, line in enumerate(body):
        if len(line) != width:
            faults[i] = f"有 {len(line)} 列，应为 {width} 列 · {len(line)} columns instead of {width}"
            body[i] = (line + [""] * width)[:width]
    if wkt is not None:
        cells = [re.sub(r"^SRID=\d+;", "", line[wkt].strip(), flags=re.IGNORECASE) or None for line in body]
        geometries, spatial = _parse(cells, shapely.from_wkt), {wkt}
        for i, cell in enumerate(cells):
            if geometries[i] is None and cell:
                faults.setdefault(i, f"WKT 无法解析 · unreadable WKT: {cell[:60]!r}")
    else:
        a, b = _column(header, x, _X_NAMES), _column(header, y, _Y_NAMES)
        if a is None or b is None:
            raise InvalidInput(
                f"找不到坐标列 · no coordinate columns among: {', '.join(header[:30])}",
                remedy="用 x、y 指明经纬度列，或提供 WKT 列 · name them with x and y, or give a WKT column",
            )
        spatial, geometries = {a, b}, np.full(len(body), None, dtype=object)
        for i, line in enumerate(body):
            try:
                geometries[i] = shapely.Point(float(line[a]), float(line[b]))
            except ValueError:
                faults.setdefault(i, f"坐标不是数字 · coordinates are not numbers: {line[a][:30]!r}, {line[b][:30]!r}")
    kept = [i for i in range(width) if i not in spatial]
    columns = [_typed([line[i] for line in body]) for i in kept]
    names = [header[i] for i in kept]
    records = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)] if kept else [{} for _ in body]
    return Rows("CSV", geometries, records, faults)


def kml(content: bytes) -> Rows:
    """OGC KML 2.2 placemarks: name, description, extended data; document types and entities are refused, links are never followed."""
    geometries, records, faults = [], [], {}
    depth = 0
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise InvalidInput(f"KML 嵌套超过 {MAX_DEPTH} 层 · KML nested deeper than {MAX_DEPTH}", remedy="检查文件 · check the file")
            if event == "end" and _tag(element) == "Placemark":
                try:
                    geometries.append(_kml_geometry(element))
                except ValueError as bad:
                    geometries.append(None)
                    faults[len(records)] = f"坐标无法解析 · unreadable coordinates: {str(bad)[:80]}"
                records.append(_kml_record(element))
                _count(len(records))
                element.clear()
    except DefusedXmlException as attack:
        raise InvalidInput(
            f"XML 含 DTD 或实体，已拒绝 · XML with a document type or entities is refused: {type(attack).__name__}",
            remedy="导出不带 DTD 的 KML · export KML without a DTD",
        ) from attack
    except (ParseError, UnicodeDecodeError, LookupError) as damage:
        raise InvalidInput(f"KML 损坏 · the KML is damaged: {damage}", remedy="重新导出 · export it again") from damage
    return Rows("KML", _objects(geometries), records, faults, implied=True)


def shapefile(path: Path, encoding: str | None) -> Rows:
    """An unpacked shapefile; its text is read as declared, as its .cpg says, or as UTF-8 where that fits and GB 18030 where not."""
    codepage = encoding or (None if path.with_suffix(".cpg").exists() else _dbf_encoding(path.with_suffix(".dbf")))
    return _gdal(path, "Shapefile", encoding=codepage)


def geopackage(path: Path, layer: str | None) -> Rows:
    """One feature layer of a GeoPackage; views and unknown virtual tables are refused, since reading them would run what is written there."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            objects = db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
            names = [n for (n,) in db.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")]
    except sqlite3.Error as damage:
        raise InvalidInput(f"GeoPackage 损坏 · the GeoPackage is damaged: {damage}", remedy="重新导出 · export it again") from damage
    virtual = [n for _, n, sql in objects if re.match(r"\s*CREATE\s+VIRTUAL\s+TABLE", sql, re.IGNORECASE) and not re.search(r"USING\s+rtree\b", sql, re.I)]
    bad = virtual + [n for kind, n, _ in objects if kind == "view"]
    if bad:
        raise InvalidInput(f"GeoPackage 含视图或虚拟表 · views or virtual tables are refused: {bad[0]!r}", remedy="导出为普通图层 · export a plain layer")
    if layer is None and len(names) == 1:
        layer = names[0]
    if layer not in names:
        raise InvalidInput(
            f"请指明图层 · name one layer of: {', '.join(map(repr, sorted(names)))}" if names else "没有矢量图层 · no feature layers",
            remedy="用 layer 指明，或每层一个文件 · say which with layer, or one file a layer",
        )
    return _gdal(path, "GeoPackage", layer=layer)


def _gdal(path: Path, kind: str, **options: Any) -> Rows:
    import pyogrio  # heavy: only the decoder's own process pays for it

    try:
        with pyogrio.open_arrow(path, use_pyarrow=True, **{k: v for k, v in options.items() if v}) as (meta, batches):
            column = meta["geometry_name"] or "wkb_geometry"
            shapes, records = [], []
            for batch in batches:
                for row in batch.to_pylist():
                    shapes.append(row.pop(column, None))
                    records.append(row)
                _count(len(records))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError, RuntimeError, UnicodeDecodeError) as damage:
        raise InvalidInput(f"{kind} 无法读取 · the {kind} cannot be read: {str(damage)[:160]}", remedy="重新导出 · export it again") from damage
    geometries = _parse(shapes, shapely.from_wkb)
    faults = {i: "几何无法解析 · unreadable geometry" for i, shape in enumerate(shapes) if shape is not None and geometries[i] is None}
    return Rows(kind, geometries, records, faults, embedded=meta["crs"])


def _parse(cells: list, reader) -> NDArray[np.object_]:
    parts = [reader(_objects(cells[i : i + _BATCH]), on_invalid="ignore") for i in range(0, len(cells), _BATCH)]
    return np.concatenate(parts) if parts else _objects([])


def _objects(values: list) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _count(rows: int) -> None:
    if rows > MAX_ROWS:
        raise TooLarge(f"超过 {MAX_ROWS:,} 行 · more than {MAX_ROWS:,} rows", remedy="拆成多个文件 · split the file")


def _depth(content: bytes) -> int:
    """Deepest nesting of brackets outside strings; blockwise, so that a hostile depth costs no memory."""
    deepest, level, quoted, carry = 0, 0, 0, b""
    for start in range(0, len(content), 1 << 22):
        block = carry + content[start : start + (1 << 22)]
        slashes = len(block) - len(block.rstrip(b"\\"))
        carry = b"\\" if slashes % 2 else b""
        block = block[: len(block) - len(carry)].replace(b"\\\\", b"").replace(b'\\"', b"")
        codes = np.frombuffer(block, dtype=np.uint8)
        inside = (np.cumsum(codes == 0x22) + quoted) % 2 == 1
        step = ((codes == 0x5B) | (codes == 0x7B)).astype(np.int32) - ((codes == 0x5D) | (codes == 0x7D))
        levels = level + np.cumsum(np.where(inside, 0, step))
        if len(levels):
            deepest, level, quoted = max(deepest, int(levels.max())), int(levels[-1]), int(inside[-1])
    return deepest


def text_encoding(name: str) -> str:
    """The codec of a declared encoding; raises InvalidInput for what is none of the texts people export here.

    >>> text_encoding("GBK"), text_encoding("utf8")
    ('gbk', 'utf-8')
    """
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        found = ""
    if found not in _ENCODINGS:
        raise InvalidInput(f"未知编码 · unknown encoding: {name[:40]!r}", remedy="UTF-8、GBK、GB18030、Big5 · declare UTF-8, GBK, GB18030 or Big5")
    return found


def _decode(content: bytes, encoding: str | None) -> str:
    tried = [encoding] if encoding else ["utf-8-sig", "gb18030"]
    for name in tried:
        try:
            return content.decode(name)
        except UnicodeError:
            continue
    raise InvalidInput(f"不是 {' / '.join(tried)} 文本 · not text in {' or '.join(tried)}", remedy="声明 encoding · declare its encoding")


def _dbf_encoding(dbf: Path) -> str:
    """UTF-8 where nearly all of the text outside ASCII is UTF-8, else GB 18030 (a field cut in the middle of a character is forgiven)."""
    content = dbf.read_bytes()[:8_000_000]
    foreign = sum(b > 0x7F for b in content[32:]) if not content.isascii() else 0
    broken = content[32:].decode("utf-8", "replace").count("\ufffd")
    return "UTF-8" if broken <= foreign * 0.02 else "GB18030"


def _column(header: list[str], given: str | None, usual: tuple[str, ...]) -> int | None:
    if given is not None:
        return header.index(given) if given in header else None
    lowered = [name.lower() for name in header]
    return next((lowered.index(name) for name in usual if name in lowered), None)


def _typed(cells: list[str]) -> list[Any]:
    """A column as integers, numbers or text; codes with leading zeros stay text; empty is None."""
    filled = [c.strip() for c in cells if c.strip()]
    whole = all(re.fullmatch(r"-?(0|[1-9]\d{0,14})", c) for c in filled)
    real = whole or all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,2})?", c) for c in filled)
    kind = int if whole and filled else float if real and filled else str
    return [kind(c.strip()) if c.strip() else None for c in cells]


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _kml_record(placemark: Element) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for element in placemark.iter():
        tag = _tag(element)
        if tag in ("name", "description", "address") and element in list(placemark):
            record[tag] = (element.text or "").strip()
        elif tag == "Data" and element.get("name"):
            record[element.get("name")] = next(((v.text or "").strip() for v in element if _tag(v) == "value"), "")
        elif tag == "SimpleData" and element.get("name"):
            record[element.get("name")] = (element.text or "").strip()
    return record


def _kml_geometry(placemark: Element) -> shapely.Geometry | None:
    shapes = [s for child in placemark if (s := _kml_shape(child)) is not None]
    return None if not shapes else shapes[0] if len(shapes) == 1 else shapely.GeometryCollection(shapes)


def _kml_shape(element: Element) -> shapely.Geometry | None:
    tag = _tag(element)
    if tag == "Point":
        return shapely.Point(_kml_coordinates(element)[0])
    if tag in ("LineString", "LinearRing"):
        return shapely.LineString(_kml_coordinates(element))
    if tag == "Polygon":
        rings = {side: [_kml_coordinates(b) for b in element if _tag(b) == side] for side in ("outerBoundaryIs", "innerBoundaryIs")}
        if not rings["outerBoundaryIs"]:
            raise ValueError("polygon without outerBoundaryIs")
        return shapely.Polygon(rings["outerBoundaryIs"][0], rings["innerBoundaryIs"])
    if tag == "MultiGeometry":
        parts = [s for child in element if (s := _kml_shape(child)) is not None]
        kinds = {p.geom_type for p in parts}
        multi = {"Point": shapely.MultiPoint, "LineString": shapely.MultiLineString, "Polygon": shapely.MultiPolygon}
        return multi[kinds.pop()](parts) if len(kinds) == 1 and next(iter(kinds)) in multi else shapely.GeometryCollection(parts)
    return None


def _kml_coordinates(element: Element) -> list[tuple[float, float]]:
    text = next((e.text or "" for e in element.iter() if _tag(e) == "coordinates"), "")
    pairs = [tuple(float(v) for v in triple.split(",")[:2]) for triple in text.split()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"coordinates {text.strip()[:40]!r}")
    return pairs


def refuse_unknown(head: bytes, name: str) -> UnsupportedMedia:
    """The error for bytes of no format we read."""
    return UnsupportedMedia(
        f"{name!r} 的内容不是可导入的格式 · the content of {name!r} is of no format we read (starts with {head[:16]!r})",
        remedy="GeoJSON、压缩的 Shapefile、GeoPackage、KML 或 CSV · send GeoJSON, a zipped Shapefile, GeoPackage, KML or CSV",
    )
