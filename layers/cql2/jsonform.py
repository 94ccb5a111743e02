"""CQL2 JSON to a tree: nesting is counted before the text is decoded, each object is of a known form or refused."""

import json
from typing import Any

import shapely
from shapely.errors import GEOSException

from layers.cql2.tree import DEPTH, Builder, Node, Property, deep, refuse, too_long

_NESTING = 4 * DEPTH
"""Brackets a text may nest: an operation takes two, a geometry four more."""
_SHAPES = {"Point": 1, "LineString": 2, "Polygon": 3, "MultiPoint": 2, "MultiLineString": 3, "MultiPolygon": 4}


def read_json(text: str, crs: str = "CRS84") -> Node:
    """The tree of a filter in CQL2 JSON. Raises InvalidQuery."""
    too_long(text)
    _nesting(text)
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise refuse(f"不是有效的 JSON · is not valid JSON: {str(error)[:80]}") from error
    return read_document(document, crs)


def read_document(document: Any, crs: str = "CRS84") -> Node:
    """The tree of a decoded filter (a STAC search carries it as an object)."""
    return _Reader(Builder(crs)).node(document, 1)


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number of JSON")


def _nesting(text: str) -> None:
    depth, inside, escaped = 0, False, False
    for letter in text:
        if inside:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                inside = False
        elif letter == '"':
            inside = True
        elif letter in "[{":
            depth += 1
            if depth > _NESTING:
                raise refuse(f"嵌套超过 {_NESTING} 层括号 · brackets nest deeper than {_NESTING}", "flatten it")
        elif letter in "]}":
            depth -= 1


class _Reader:
    def __init__(self, builder: Builder) -> None:
        self.make = builder

    def node(self, found: Any, level: int) -> Node:
        deep(level)
        if isinstance(found, str | bool | int | float):
            return self.make.literal(found)
        if not isinstance(found, dict):
            raise refuse(f"{str(found)[:40]!r} 不在此处 · does not belong here")
        if "op" in found:
            return self._call(found, level)
        if isinstance(found.get("property"), str):
            return self.make.property(found["property"])
        if "date" in found or "timestamp" in found:
            kind = "date" if "date" in found else "timestamp"
            return self.make.instant(found[kind], kind)
        if "interval" in found:
            return self._interval(found["interval"])
        if "bbox" in found and "type" not in found:
            return self.make.box(found["bbox"] if isinstance(found["bbox"], list) else [])
        if "type" in found:
            return self.make.shape(self._geometry(found))
        raise refuse(f"不认识的对象 · an object of no known form: {sorted(map(str, found))[:5]}", "op and args, property, date, timestamp, interval, bbox, or a GeoJSON geometry")

    def _call(self, found: dict, level: int) -> Node:
        op, args = found["op"], found.get("args")
        if not isinstance(op, str) or not isinstance(args, list):
            raise refuse("op 须为文字、args 须为列表 · op is a text and args a list")
        op = op.lower()
        if op == "in":
            if len(args) != 2 or not isinstance(args[1], list):
                raise refuse("in 须有值与列表 · in has a value and a list")
            args = [args[0], *args[1]]
        return self.make.call(op, [self.node(arg, level + 1) for arg in args])

    def _interval(self, ends: Any) -> Node:
        if not isinstance(ends, list) or len(ends) != 2:
            raise refuse("interval 须有两端 · an interval has two ends")
        return self.make.interval(*(self._end(end) for end in ends))

    def _end(self, end: Any) -> str | Property:
        if isinstance(end, dict):
            if isinstance(end.get("property"), str):
                return self.make.property(end["property"])
            end = end.get("date", end.get("timestamp"))
        if not isinstance(end, str):
            raise refuse(f"interval 的一端 {str(end)[:40]!r} 不是时间 · is no time")
        return end

    def _geometry(self, found: dict) -> shapely.Geometry:
        kind = found.get("type")
        try:
            if kind == "GeometryCollection":
                parts = found.get("geometries")
                if not isinstance(parts, list) or not all(isinstance(part, dict) and part.get("type") in _SHAPES for part in parts):
                    raise refuse("几何集合内须为简单几何 · a collection holds plain geometries")
                return shapely.geometrycollections([self._geometry(part) for part in parts])
            if kind not in _SHAPES:
                raise refuse(f"几何类型 {str(kind)[:30]!r} 不认识 · is no geometry type of GeoJSON")
            _numbers(found.get("coordinates"), _SHAPES[kind])
            return shapely.from_geojson(json.dumps({"type": kind, "coordinates": found["coordinates"]}))
        except (GEOSException, ValueError, OverflowError) as error:
            raise refuse(f"几何写得不对 · the geometry cannot be read: {str(error)[:80]}") from error


def _numbers(found: Any, depth: int) -> None:
    if not isinstance(found, list) or (depth == 1 and len(found) not in (2, 3)):
        raise refuse("坐标须为数字的列表 · coordinates are lists of numbers")
    for item in found:
        if depth > 1:
            _numbers(item, depth - 1)
        elif isinstance(item, bool) or not isinstance(item, int | float) or abs(item) > 1e12:
            raise refuse(f"坐标 {str(item)[:30]!r} 不是数字 · is not a number")
