"""CQL2 (OGC 21-065r2), text and JSON, to SQL with bound values: parse, then an allow-listed tree, then PostGIS.

Nothing that the tree does not know reaches the database: no function but those of `layers.cql2.tree.OPS`, no property but the collection's own, no value
except as a parameter. Length, nesting, number of nodes and of vertices are bounded, and both parsers are linear in the text: a hostile filter is refused
in milliseconds (the PyPI `cql2` parser needs 0.7 s for 16 misplaced parentheses, twice that for each one more).
"""

from collections.abc import Sequence

from shapely.geometry.base import BaseGeometry

from layers.cql2.emit import Column, Where, envelope, where
from layers.cql2.jsonform import read_document, read_json
from layers.cql2.text import read_text
from layers.cql2.tree import Builder, Call, Literal, Node, Property, Shape, refuse

LANGS = ("cql2-text", "cql2-json")

__all__ = ["LANGS", "Column", "Node", "Where", "box", "envelope", "equals", "geometry", "read", "where"]


def read(text: str, lang: str = "cql2-text", crs: str = "CRS84") -> Node:
    """The tree of a filter; its geometries stand in `crs` (a name of layers.frames), in that frame's own axis order. Raises InvalidQuery.

    >>> read("height_m > 30 AND use = 'office'") == read('{"op":"and","args":[{"op":">","args":[{"property":"height_m"},30]},{"op":"=","args":[{"property":"use"},"office"]}]}', "cql2-json")
    True
    """
    if lang not in LANGS:
        raise refuse(f"filter-lang {lang[:40]!r} 不认识 · is not known", remedy=f"one of {', '.join(LANGS)}")
    return read_json(text, crs) if lang == "cql2-json" else read_text(text, crs)


def equals(name: str, value: str | int | float | bool) -> Node:
    """The tree of `name = value`."""
    return Call("=", (Property(name), Literal(value)))


def box(numbers: Sequence[float], crs: str = "CRS84") -> BaseGeometry:
    """The box of `bbox` in a frame's own axis order, in storage degrees; cut in two where west lies beyond east. Raises InvalidQuery."""
    return Builder(crs).box(numbers).geometry


def geometry(document: dict, crs: str = "CRS84") -> BaseGeometry:
    """A sound GeoJSON geometry of at most 5,000 vertices, in storage degrees. Raises InvalidQuery."""
    found = read_document(document, crs)
    if not isinstance(found, Shape):
        raise refuse("不是 GeoJSON 几何 · is no GeoJSON geometry", '{"type":"Point","coordinates":[120.38,36.06]}')
    return found.geometry
