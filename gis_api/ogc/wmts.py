"""The documents of WMTS 1.0.0 (OGC 07-057r7): capabilities over scenes in WebMercatorQuad, and exception reports."""

from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

import morecantile

from gis_api.ogc.tiles import MATRIX
from imagery.scenes.catalogue import Scene

WMTS, OWS, XLINK = "http://www.opengis.net/wmts/1.0", "http://www.opengis.net/ows/1.1", "http://www.w3.org/1999/xlink"
XML, PNG, VERSION, STYLE = "application/xml", "image/png", "1.0.0", "default"
LEVELS = 22
for _prefix, _uri in (("", WMTS), ("ows", OWS), ("xlink", XLINK)):
    register_namespace(_prefix, _uri)


def capabilities(scenes: list[Scene], base: str) -> bytes:
    """Capabilities of one layer a scene; `base` is scheme and host of this server."""
    root = Element(f"{{{WMTS}}}Capabilities", {"version": VERSION})
    service = _ows(root, "ServiceIdentification")
    _ows(service, "Title", "海东青 Haidongqing")
    _ows(service, "Abstract", "遥感影像 · scenes from above, within the caller's region")
    _ows(service, "ServiceType", "OGC WMTS")
    _ows(service, "ServiceTypeVersion", VERSION)
    operations = _ows(root, "OperationsMetadata")
    for operation, rest in (("GetCapabilities", f"{base}/wmts/{VERSION}/WMTSCapabilities.xml"), ("GetTile", f"{base}/wmts/")):
        http = _ows(_ows(_ows(operations, "Operation", name=operation), "DCP"), "HTTP")
        for href, encoding in ((f"{base}/wmts?", "KVP"), (rest, "RESTful")):
            allowed = _ows(_ows(http, "Get", **{f"{{{XLINK}}}href": href}), "Constraint", name="GetEncoding")
            _ows(_ows(allowed, "AllowedValues"), "Value", encoding)
    contents = _wmts(root, "Contents")
    for scene in scenes:
        _layer(contents, scene, base)
    _matrices(contents)
    _wmts(root, "ServiceMetadataURL", **{f"{{{XLINK}}}href": f"{base}/wmts/{VERSION}/WMTSCapabilities.xml"})
    return tostring(root, encoding="utf-8", xml_declaration=True)


def exception(code: str, text: str, locator: str | None = None) -> bytes:
    """An ExceptionReport, OWS Common 1.1 (OGC 06-121r3)."""
    root = Element(f"{{{OWS}}}ExceptionReport", {"version": "1.1.0"})
    _ows(_ows(root, "Exception", exceptionCode=code, **({"locator": locator} if locator else {})), "ExceptionText", _printable(text))
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _layer(contents: Element, scene: Scene, base: str) -> None:
    layer = _wmts(contents, "Layer")
    _ows(layer, "Title", _printable(scene.title))
    made = " · 模拟 simulated" if scene.simulated else ""
    _ows(layer, "Abstract", _printable(f"{scene.collection} · {scene.taken_at.isoformat()}{made}"))
    west, south, east, north = scene.geom.bounds
    box = _ows(layer, "WGS84BoundingBox")
    _ows(box, "LowerCorner", f"{west:.7f} {south:.7f}")
    _ows(box, "UpperCorner", f"{east:.7f} {north:.7f}")
    _ows(layer, "Identifier", scene.id)
    style = _wmts(layer, "Style", isDefault="true")
    _ows(style, "Identifier", STYLE)
    _wmts(layer, "Format", PNG)
    _wmts(_wmts(layer, "TileMatrixSetLink"), "TileMatrixSet", MATRIX)
    template = f"{base}/wmts/{scene.id}/{STYLE}/{MATRIX}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.png"
    _wmts(layer, "ResourceURL", format=PNG, resourceType="tile", template=template)


def _matrices(contents: Element) -> None:
    grid = _wmts(contents, "TileMatrixSet")
    _ows(grid, "Identifier", MATRIX)
    _ows(grid, "SupportedCRS", "urn:ogc:def:crs:EPSG::3857")
    _wmts(grid, "WellKnownScaleSet", "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible")
    for matrix in morecantile.tms.get(MATRIX).tileMatrices[: LEVELS + 1]:
        level = _wmts(grid, "TileMatrix")
        _ows(level, "Identifier", matrix.id)
        _wmts(level, "ScaleDenominator", repr(matrix.scaleDenominator))
        _wmts(level, "TopLeftCorner", f"{matrix.pointOfOrigin[0]!r} {matrix.pointOfOrigin[1]!r}")
        for name, number in (("TileWidth", 256), ("TileHeight", 256), ("MatrixWidth", matrix.matrixWidth), ("MatrixHeight", matrix.matrixHeight)):
            _wmts(level, name, str(number))


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 cannot carry."""
    return "".join(sign for sign in text if sign >= " " and not "\ud800" <= sign <= "\udfff" and sign not in "\ufffe\uffff")


def _ows(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    made = SubElement(parent, f"{{{OWS}}}{name}", attributes)
    made.text = text
    return made


def _wmts(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    made = SubElement(parent, f"{{{WMTS}}}{name}", attributes)
    made.text = text
    return made
