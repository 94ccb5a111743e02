"""GML 3 simple features (OGC 10-100r3, levels SF-0 and SF-1) as GeoJSON objects, x first: pages of a WFS that speaks nothing else.

Entities and external references are refused. Curves of arcs are refused too, not straightened in silence.
"""

import io
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring as parsed
from defusedxml.ElementTree import iterparse

from grid.errors import InvalidInput
from layers.connecting.axes import named

_MANY = {"MultiPoint": "Point", "MultiCurve": "LineString", "MultiLineString": "LineString", "MultiSurface": "Polygon", "MultiPolygon": "Polygon"}
_SHAPES = {"Point", "LineString", "Curve", "Polygon", "Surface", *_MANY, "MultiGeometry", "CompositeSurface", "CompositeCurve"}
_STRAIGHT = {"LineStringSegment", "PolygonPatch"}
_MEMBERS = {"member", "featureMember", "featureMembers"}
_WFS = "{http://www.opengis.net/wfs/2.0}"
_GML = ("{http://www.opengis.net/gml/3.2}", "{http://www.opengis.net/gml}")


@dataclass(frozen=True, slots=True)
class Features:
    """A page: its frame, its features x first, how many there are in all where the page says it."""

    frame: str
    features: list[dict[str, Any]]
    expected: int | None


def local(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def text_of(element: Element, name: str) -> str | None:
    """The text of the first child of a local name."""
    return next(((child.text or "").strip() for child in element if local(child.tag) == name), None) or None


def document(body: bytes) -> Element:
    """A small document whole. Raises InvalidInput: no XML, entities, or an exception report of OGC."""
    try:
        root = parsed(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException) as damage:
        raise _damaged(body, damage) from damage
    return _no_report(root)


def features(body: bytes, default: str | None) -> Features:
    """A page of a feature collection; `default`: the frame of geometries that name none. Raises InvalidInput, UnknownCrs."""
    found: list[dict[str, Any]] = []
    frames: set[str] = set()
    expected: int | None = None
    root: Element | None = None
    try:
        for event, element in iterparse(io.BytesIO(body), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                if root is None:
                    root = element
                    matched = element.get("numberMatched", "")
                    expected = int(matched) if matched.isdigit() else None
                continue
            if local(element.tag) in _MEMBERS and element.tag.startswith((_WFS, *_GML)):
                for feature in element:
                    if local(feature.tag) in ("FeatureCollection", "Tuple"):
                        raise InvalidInput("来源给出嵌套的集合 · the source gives nested collections", remedy="每次只接入一个要素类型 · connect one feature type at a time")
                    found.append(_feature(feature, default, frames))
                element.clear()
    except (ParseError, DefusedXmlException) as damage:
        raise _damaged(body, damage) from damage
    root = _no_report(root)
    if local(root.tag) != "FeatureCollection":
        raise InvalidInput(f"不是要素集合：{local(root.tag)[:40]} · this is no feature collection", remedy="检查地址与种类 · check the address and the kind")
    if len(frames) > 1:
        raise InvalidInput(f"一页中有几种坐标系 · several frames in one page: {', '.join(sorted(frames))}", remedy="联系来源的管理方 · ask who runs it")
    return Features(next(iter(frames), named(default)[0] if default else "EPSG:4326"), found, expected)


def _damaged(body: bytes, damage: Exception) -> InvalidInput:
    begins = body[:60].decode("utf-8", "replace")
    return InvalidInput(f"应答不是可读的 XML（{type(damage).__name__}）· the answer is no XML that is read here, it begins: {begins!r}", remedy="检查地址与种类 · check the address and the kind")


def _no_report(root: Element | None) -> Element:
    if root is None or local(root.tag) in ("ExceptionReport", "ServiceExceptionReport"):
        said = " ".join(" ".join(root.itertext()).split())[:160] if root is not None else ""
        raise InvalidInput(f"来源报错 · the source answers an exception: {said}", remedy="检查要素类型与参数 · check the feature type")
    return root


def _feature(element: Element, default: str | None, frames: set[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    geometry = None
    own = next((value for name, value in element.attrib.items() if local(name) in ("id", "fid")), None)
    for child in element:
        shape = next((part for part in child if part.tag.startswith(_GML) and local(part.tag) in _SHAPES), None)
        if shape is not None:
            if geometry is None:
                geometry = _geometry(shape, default, frames)
            continue
        if local(child.tag) == "boundedBy" and child.tag.startswith(_GML):
            continue
        if len(child) == 0:
            properties[local(child.tag)] = child.text
    return {"type": "Feature", "id": own, "geometry": geometry, "properties": properties}


def _geometry(element: Element, default: str | None, frames: set[str]) -> dict[str, Any] | None:
    declared = element.get("srsName") or next((part.get("srsName") for part in element.iter() if part.get("srsName")), None) or default or "urn:ogc:def:crs:EPSG::4326"
    frame, north_first = named(declared)
    frames.add(frame)
    size = next((int(part.get("srsDimension")) for part in element.iter() if part.get("srsDimension", "").isdigit()), 2)
    try:
        return _shape(element, max(2, min(size, 3)), north_first)
    except (ValueError, RecursionError):
        return None  # a row without a place: the import door reports it by its number


def _shape(element: Element, size: int, turned: bool) -> dict[str, Any]:
    kind = local(element.tag)
    if kind == "Point":
        return {"type": "Point", "coordinates": _positions(element, size, turned)[0]}
    if kind in ("LineString", "LineStringSegment"):
        return {"type": "LineString", "coordinates": _positions(element, size, turned)}
    if kind in ("Polygon", "PolygonPatch"):
        rings = [ring for name in ("exterior", "interior") for part in element if local(part.tag) == name for ring in part]
        return {"type": "Polygon", "coordinates": [_ring(ring, size, turned) for ring in rings]}
    if kind in ("Curve", "CompositeCurve"):
        return {"type": "LineString", "coordinates": _joined(_parts(element), size, turned)}
    parts = [_shape(part, size, turned) for part in _parts(element)]
    if not parts:
        raise ValueError("empty")
    single = _MANY.get(kind, "Polygon" if kind in ("Surface", "CompositeSurface") else None)
    if single is None:
        return {"type": "GeometryCollection", "geometries": parts}
    if kind == "Surface" and len(parts) == 1:
        return parts[0]
    flat = [part for each in parts for part in ([each["coordinates"]] if each["type"] == single else each["coordinates"])]
    return {"type": f"Multi{single}", "coordinates": flat}


def _parts(element: Element) -> list[Element]:
    """Shapes or straight segments two levels down: in members, patches or segments. Raises ValueError for arcs and other bends."""
    found = [part for holder in element for part in holder]
    for part in found:
        if local(part.tag) not in _SHAPES | _STRAIGHT:
            raise ValueError(f"{local(part.tag)} is not read")
    return found


def _joined(parts: list[Element], size: int, turned: bool) -> list[list[float]]:
    points: list[list[float]] = []
    for part in parts:
        more = _shape(part, size, turned)["coordinates"]
        points += more[1:] if points and more and points[-1] == more[0] else more
    return points


def _ring(element: Element, size: int, turned: bool) -> list[list[float]]:
    if local(element.tag) == "Ring":
        return _joined([part for holder in element for part in holder], size, turned)
    return _positions(element, size, turned)


def _positions(element: Element, size: int, turned: bool) -> list[list[float]]:
    """Positions of posList, pos or the old coordinates, x first. Raises ValueError for what are no numbers, or too few."""
    points: list[list[float]] = []
    for part in element.iter():
        if local(part.tag) in ("posList", "pos"):
            numbers = [float(text) for text in (part.text or "").split()]
            step = len(numbers) if local(part.tag) == "pos" else size
            if step < 2 or not numbers or len(numbers) % step:
                raise ValueError("positions do not come out even")
            points += [numbers[i : i + 2] for i in range(0, len(numbers), step)]
        elif local(part.tag) == "coordinates":
            points += [[float(number) for number in pair.split(",")[:2]] for pair in (part.text or "").split()]
    if not points or any(len(point) < 2 for point in points):
        raise ValueError("no positions")
    return [point[::-1] for point in points] if turned else points
