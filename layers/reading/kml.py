"""OGC KML 2.2 placemarks: name, description, extended data; document types and entities are refused, links are never followed. KMZ is KML in a zip."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import shapely
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from grid.errors import InvalidInput
from layers.reading.batches import MAX_DEPTH, ROWS, Batch, Counter, Header, Opened, objects, size_of


def open_kml(path: Path, format: str = "KML") -> Opened:
    """The placemarks of a KML document, a batch at a time."""
    return Opened(Header(format, implied=True), _batches(path))


def _batches(path: Path) -> Iterator[Batch]:
    counter, batch, depth, size = Counter(), Batch(objects([]), []), 0, size_of(path)
    shapes: list[shapely.Geometry | None] = []
    opened: list[Element] = []
    try:
        with path.open("rb") as file:
            for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
                depth += 1 if event == "start" else -1
                if depth > MAX_DEPTH:
                    raise InvalidInput(f"KML 嵌套超过 {MAX_DEPTH} 层 · KML nested deeper than {MAX_DEPTH}", remedy="检查文件 · check the file")
                if event == "start":
                    opened.append(element)
                    continue
                opened.pop()
                if _tag(element) != "Placemark":
                    continue
                try:
                    shapes.append(_geometry(element))
                except ValueError as bad:
                    shapes.append(None)
                    batch.faults[len(shapes) - 1] = f"坐标无法解析 · unreadable coordinates: {str(bad)[:80]}"
                batch.records.append(_record(element))
                if opened:
                    opened[-1].remove(element)
                counter.add(1)
                if len(shapes) >= ROWS:
                    batch.geometries, batch.done = objects(shapes), min(file.tell() / size, 1.0)
                    yield batch
                    batch, shapes = Batch(objects([]), []), []
    except DefusedXmlException as attack:
        raise InvalidInput(
            f"XML 含 DTD 或实体，已拒绝 · XML with a document type or entities is refused: {type(attack).__name__}",
            remedy="导出不带 DTD 的 KML · export KML without a DTD",
        ) from attack
    except (ParseError, UnicodeDecodeError, LookupError) as damage:
        raise InvalidInput(f"KML 损坏 · the KML is damaged: {damage}", remedy="重新导出 · export it again") from damage
    if shapes:
        batch.geometries, batch.done = objects(shapes), 1.0
        yield batch


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _record(placemark: Element) -> dict[str, Any]:
    record: dict[str, Any] = {}
    own = list(placemark)
    for element in placemark.iter():
        tag = _tag(element)
        if tag in ("name", "description", "address") and element in own:
            record[tag] = (element.text or "").strip()
        elif tag == "Data" and element.get("name"):
            record[element.get("name")] = next(((v.text or "").strip() for v in element if _tag(v) == "value"), "")
        elif tag == "SimpleData" and element.get("name"):
            record[element.get("name")] = (element.text or "").strip()
    return record


def _geometry(placemark: Element) -> shapely.Geometry | None:
    shapes = [s for child in placemark if (s := _shape(child)) is not None]
    return None if not shapes else shapes[0] if len(shapes) == 1 else shapely.GeometryCollection(shapes)


def _shape(element: Element) -> shapely.Geometry | None:
    tag = _tag(element)
    if tag == "Point":
        return shapely.Point(_coordinates(element)[0])
    if tag in ("LineString", "LinearRing"):
        return shapely.LineString(_coordinates(element))
    if tag == "Polygon":
        rings = {side: [_coordinates(b) for b in element if _tag(b) == side] for side in ("outerBoundaryIs", "innerBoundaryIs")}
        if not rings["outerBoundaryIs"]:
            raise ValueError("polygon without outerBoundaryIs")
        return shapely.Polygon(rings["outerBoundaryIs"][0], rings["innerBoundaryIs"])
    if tag == "MultiGeometry":
        parts = [s for child in element if (s := _shape(child)) is not None]
        kinds = {p.geom_type for p in parts}
        multi = {"Point": shapely.MultiPoint, "LineString": shapely.MultiLineString, "Polygon": shapely.MultiPolygon}
        return multi[kinds.pop()](parts) if len(kinds) == 1 and next(iter(kinds)) in multi else shapely.GeometryCollection(parts)
    return None


def _coordinates(element: Element) -> list[tuple[float, float]]:
    text = next((e.text or "" for e in element.iter() if _tag(e) == "coordinates"), "")
    pairs = [tuple(float(v) for v in triple.split(",")[:2]) for triple in text.split()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"coordinates {text.strip()[:40]!r}")
    return pairs
