"""The order of axes by the way a frame is named: a URN or a URI of OGC means EPSG's own order (latitude or northing first where EPSG says so), the short
name EPSG:4326 means x first (OGC 09-048r5, GML 3.2 and what servers do)."""

import re
from typing import Any

from grid import crs

_AUTHORITY = re.compile(r"(urn:(x-)?ogc:def:crs:EPSG:|https?://www\.opengis\.net/def/crs/EPSG/)", re.IGNORECASE)
_OLD = re.compile(r"https?://www\.opengis\.net/gml/srs/epsg\.xml#(\d{4,6})", re.IGNORECASE)


def named(text: str) -> tuple[str, bool]:
    """The frame of a name that a source uses, and whether its first axis points north. Raises UnknownCrs.

    >>> named("urn:ogc:def:crs:EPSG::4326"), named("EPSG:4326"), named("http://www.opengis.net/gml/srs/epsg.xml#4490")
    (('EPSG:4326', True), ('EPSG:4326', False), ('EPSG:4490', False))
    >>> named("urn:ogc:def:crs:OGC:1.3:CRS84"), named("http://www.opengis.net/def/crs/EPSG/0/4528")
    (('EPSG:4326', False), ('EPSG:4528', True))
    """
    text = re.sub(r"CRS84h$", "CRS84", text.strip())
    old = _OLD.fullmatch(text)
    frame = crs.name(f"EPSG:{old[1]}" if old else re.sub(r"^urn:x-ogc:", "urn:ogc:", text, flags=re.IGNORECASE))
    return frame, bool(_AUTHORITY.match(text)) and crs.north_first(frame)


def x_first(features: list[Any], declared: str) -> list[Any]:
    """GeoJSON features with x first, turned in place where the declared frame has north first."""
    if named(declared)[1]:
        for feature in features:
            if isinstance(feature, dict):
                _turn(feature.get("geometry"))
    return features


def _turn(geometry: Any) -> None:
    """Swaps the first two numbers of every position of a GeoJSON geometry; what is no geometry stays as it is."""
    waiting = [geometry]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += [found.get("coordinates"), *(found.get("geometries") if isinstance(found.get("geometries"), list) else ())]
        elif isinstance(found, list) and found:
            if isinstance(found[0], list):
                waiting += found
            elif len(found) >= 2:
                found[0], found[1] = found[1], found[0]
