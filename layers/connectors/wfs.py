"""WFS 2.0 (OGC 09-025r2), by startIndex and count: GeoJSON where the server offers it, else GML 3, read in the axis order that its srsName tells.

GeoJSON is x first whatever the name of its frame; in GML a URN (urn:ogc:def:crs:EPSG::4490) means EPSG's order: latitude or northing first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from grid.errors import InvalidInput, NotFound
from layers.connecting import gml
from layers.connecting.axes import named
from layers.connecting.door import Door
from layers.connecting.spec import Ask, Collection, Page

_JSON = re.compile(r"application/(vnd\.geo\+|geo\+)?json|\bgeojson\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    title: str
    frame: str | None


class Wfs:
    """A server of WFS 2.0."""

    kind = "wfs"
    title = "WFS 2.0"
    title_en = "WFS 2.0"
    schemes = {"https": 443, "http": 80}

    def collections(self, address: str, door: Door) -> list[Collection]:
        """The feature types."""
        return [Collection(each.name, each.title, each.frame) for each in _capabilities(door)[0]]

    def pages(self, ask: Ask, door: Door) -> Iterator[Page]:
        """Pages of `count` from `startIndex` on, until one is short."""
        types, formats = _capabilities(door)
        chosen = next((each for each in types if each.name == ask.collection), None)
        if chosen is None:
            raise NotFound(f"来源没有要素类型 · the source has no feature type {ask.collection[:80]!r}", remedy=f"有 · it has: {', '.join(t.name for t in types[:8])}")
        as_json = next((each for each in formats if _JSON.search(each)), None)
        start = 0
        while True:
            asked = {"service": "WFS", "version": "2.0.0", "request": "GetFeature", "typeNames": chosen.name, "count": ask.page_size, "startIndex": start}
            if as_json is not None:
                page = _json_page(door, {**asked, "outputFormat": as_json, "srsName": "EPSG:4326"})
            else:
                code = named(chosen.frame)[0].removeprefix("EPSG:") if chosen.frame else "4326"
                page = _gml_page(door, {**asked, "srsName": f"urn:ogc:def:crs:EPSG::{code}"}, chosen.frame)
            if not page.features and start:
                return
            yield page
            start += len(page.features)
            if not page.features or len(page.features) < ask.page_size and (page.expected is None or start >= page.expected):
                return


def _capabilities(door: Door) -> tuple[list[_Type], list[str]]:
    body, _ = door.read(door.with_query(service="WFS", version="2.0.0", request="GetCapabilities"), "application/xml, text/xml")
    root = gml.document(body)
    if gml.local(root.tag) != "WFS_Capabilities" or not str(root.get("version", "")).startswith("2."):
        raise InvalidInput(f"不是 WFS 2.0：{gml.local(root.tag)[:40]} {root.get('version', '')[:10]} · this is no WFS 2.0", remedy="写 WFS 的地址，版本 2.0 · use the address of a WFS of version 2.0")
    types, formats = [], []
    for element in root.iter():
        if gml.local(element.tag) == "FeatureType" and (name := gml.text_of(element, "Name")):
            types.append(_Type(name, (gml.text_of(element, "Title") or name)[:200], gml.text_of(element, "DefaultCRS") or gml.text_of(element, "DefaultSRS")))
        if gml.local(element.tag) == "Operation" and element.get("name") == "GetFeature":
            for parameter in element.iter():
                if gml.local(parameter.tag) == "Parameter" and parameter.get("name") == "outputFormat":
                    formats += [(value.text or "").strip() for value in parameter.iter() if gml.local(value.tag) == "Value"]
    return types, formats


def _json_page(door: Door, asked: dict) -> Page:
    answer = door.json(door.with_query(**asked), "要素页 · the page of features ")
    features = answer.get("features")
    if not isinstance(features, list):
        raise InvalidInput("应答没有 features · the answer has no features", remedy="检查要素类型 · check the feature type")
    declared = answer.get("crs")
    properties = declared.get("properties") if isinstance(declared, dict) else None
    text = properties.get("name") if isinstance(properties, dict) else None
    matched = next((answer[name] for name in ("numberMatched", "totalFeatures") if type(answer.get(name)) is int), None)
    return Page(named(text)[0] if isinstance(text, str) else "EPSG:4326", features, matched)


def _gml_page(door: Door, asked: dict, default: str | None) -> Page:
    body, _ = door.read(door.with_query(**asked), "application/gml+xml, application/xml, text/xml")
    found = gml.features(body, default)
    return Page(found.frame, found.features, found.expected)


CONNECTOR = Wfs()
