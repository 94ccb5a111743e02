"""ArcGIS FeatureServer and MapServer (Esri REST): asked for WGS84 (outSR=4326) as GeoJSON, in the order of object ids, each page beyond the last id.

Paging by id needs no support of resultOffset and loses nothing when features come or go between two pages.
"""

import re
from collections.abc import Iterator
from typing import Any

from grid.errors import InvalidInput, NotFound
from layers.connecting.axes import named
from layers.connecting.door import Door
from layers.connecting.spec import Ask, Collection, Page

_FRAME = "EPSG:4326"


class ArcGis:
    """A service whose address ends in FeatureServer or MapServer; collections are its layers and tables by number."""

    kind = "arcgis"
    title = "ArcGIS 要素服务"
    title_en = "ArcGIS FeatureServer"
    schemes = {"https": 443, "http": 80}

    def collections(self, address: str, door: Door) -> list[Collection]:
        """The feature layers of the service."""
        answer = _said(door.json(door.with_query(f="json"), "服务说明 · the service "))
        layers = answer.get("layers")
        if not isinstance(layers, list):
            raise InvalidInput("应答没有 layers · the answer has no layers", remedy="地址以 /FeatureServer 结尾 · the address ends in /FeatureServer")
        frame = _code(answer.get("spatialReference"))
        return [Collection(str(each["id"]), str(each.get("name") or each["id"])[:200], frame) for each in layers if isinstance(each, dict) and type(each.get("id")) is int and not each.get("subLayerIds")]

    def pages(self, ask: Ask, door: Door) -> Iterator[Page]:
        """Object ids beyond the last seen, until the page is empty."""
        if not re.fullmatch(r"\d{1,6}", ask.collection):
            raise NotFound(f"图层须为编号 · a layer is a number: {ask.collection[:40]!r}", remedy="先检查连接，看有哪些图层 · check the connection: it lists them")
        layer = f"/{ask.collection}"
        about = _said(door.json(door.with_query(layer, f="json"), "图层说明 · the layer "))
        column = _id_column(about)
        if "geojson" not in str(about.get("supportedQueryFormats", "geojson")).lower():
            raise InvalidInput("图层不提供 GeoJSON · the layer offers no GeoJSON", remedy="ArcGIS Server 10.4 以上，或改用 WFS · ArcGIS Server 10.4 or later, or its WFS")
        most = about.get("maxRecordCount")
        size = min(ask.page_size, most) if type(most) is int and most > 0 else ask.page_size
        counted = _said(door.json(door.with_query(f"{layer}/query", where="1=1", returnCountOnly="true", f="json"), "计数 · the count ")).get("count")
        last: int | None = None
        while True:
            where = "1=1" if last is None else f"{column}>{last}"
            url = door.with_query(
                f"{layer}/query", where=where, outFields="*", outSR=4326, returnGeometry="true", orderByFields=f"{column} ASC", resultRecordCount=size, f="geojson"
            )
            answer = _said(door.json(url, "要素页 · the page of features "))
            features = answer.get("features")
            if not isinstance(features, list):
                raise InvalidInput("应答没有 features · the answer has no features", remedy="检查图层 · check the layer")
            _degrees(answer)
            if not features and last is not None:
                return
            ids = [_id_of(feature, column) for feature in features]
            if any(a >= b for a, b in zip([last if last is not None else min(ids, default=0) - 1, *ids], ids, strict=False)):
                raise InvalidInput(f"要素不按 {column} 递增 · features do not rise by {column}", remedy="来源不支持 orderByFields · it ignores orderByFields")
            yield Page(_FRAME, features, counted if type(counted) is int else None)
            if not ids:
                return
            last = ids[-1]


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, unless it is an error: ArcGIS sends those with status 200."""
    error = answer.get("error")
    if error is None:
        return answer
    code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
    raise InvalidInput(f"ArcGIS 报错 · ArcGIS answers error {code}: {str(message)[:120]}", remedy="499、498：检查口令名称；否则检查图层 · 498, 499: check the secret; else the layer")


def _id_column(about: dict[str, Any]) -> str:
    fields = about.get("fields")
    found = about.get("objectIdField") or next(
        (f.get("name") for f in fields if isinstance(f, dict) and f.get("type") == "esriFieldTypeOID") if isinstance(fields, list) else iter(()), None
    )
    if not isinstance(found, str) or not re.fullmatch(r"\w{1,64}", found):
        raise InvalidInput("图层没有对象编号字段 · the layer has no object id", remedy="只能接入有 OBJECTID 的图层 · only layers with an OBJECTID can be read")
    return found


def _id_of(feature: Any, column: str) -> int:
    found = feature if isinstance(feature, dict) else {}
    properties = found.get("properties") if isinstance(found.get("properties"), dict) else {}
    for value in (properties.get(column), found.get("id")):
        if type(value) is int:
            return value
    raise InvalidInput(f"要素没有 {column} · a feature has no {column}", remedy="联系来源的管理方 · ask who runs it")


def _degrees(answer: dict[str, Any]) -> None:
    """Refuses a page that names another frame than the one asked for."""
    named_by = answer.get("crs")
    properties = named_by.get("properties") if isinstance(named_by, dict) else None
    text = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(text, str) and named(text)[0] != _FRAME:
        raise InvalidInput(f"来源没有换算到 outSR=4326，而是 {text[:60]!r} · the source ignored outSR=4326", remedy="检查服务的坐标系设置 · check the service's spatial reference")


def _code(reference: Any) -> str | None:
    found = (reference.get("latestWkid") or reference.get("wkid")) if isinstance(reference, dict) else None
    return f"EPSG:{found}" if type(found) is int else None


CONNECTOR = ArcGis()
