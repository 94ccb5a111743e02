"""WMTS 1.0.0 capabilities (OGC 07-057r7) of others: which address holds a tile, under which name its level goes.

Only matrix sets that cut the Web Mercator square as everybody does (GoogleMapsCompatible, WebMercatorQuad, 天地图's w) can lie under our map; the numbers
of the set decide, not its name. Scale denominators are for pixels of 0.28 mm, those of 天地图 for 96 to the inch: both are understood.
"""

import math
import re
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from grid.errors import InvalidInput
from layers.basemaps.declared import BaseMap

WMTS, OWS, XLINK = "{http://www.opengis.net/wmts/1.0}", "{http://www.opengis.net/ows/1.1}", "{http://www.w3.org/1999/xlink}"
HALF = math.pi * 6378137.0
WHOLE = (2 * HALF / 256 / 0.00028, 2 * HALF / 256 / (0.0254 / 96))
MERCATOR = re.compile(r"(?:^|[:/])(3857|900913|102100|102113|3785)$")
FORMATS = ("image/png", "image/jpeg", "image/webp", "tiles")


@dataclass(frozen=True, slots=True)
class Template:
    """`address` with {z}, {x}, {y}; `levels`: our zoom to the name of the level there."""

    address: str
    levels: dict[int, str]

    def at(self, z: int, x: int, y: int, subdomains: int = 1, key: str = "") -> str | None:
        """The address of a tile, or None when there is no such level."""
        level = self.levels.get(z)
        if level is None:
            return None
        named = {"{z}": level, "{x}": str(x), "{y}": str(y), "{s}": str((x + y) % subdomains), "{key}": key}
        return re.sub(r"\{(?:z|x|y|s|key)\}", lambda found: named[found[0]], self.address)


def of_template(source: BaseMap) -> Template:
    """The template of an xyz source: levels are numbers, moved by `level_offset`."""
    return Template(source.address.get_secret_value(), {z: str(z + source.level_offset) for z in range(source.min_zoom, source.max_zoom + 1) if z + source.level_offset >= 0})


def of_capabilities(source: BaseMap, document: bytes) -> Template:
    """Reads capabilities for the source's layer, style, format and matrix set. InvalidInput says what is missing and what there is instead."""
    try:
        root = fromstring(document)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise _refused(source, f"capabilities 不是 XML · are no XML ({type(error).__name__})", "check the address") from None
    layers = {_text(each, f"{OWS}Identifier"): each for each in root.iter(f"{WMTS}Layer")}
    layer = layers.get(source.layer or "")
    if layer is None:
        raise _refused(source, f"没有图层 {source.layer!r} · no such layer", f"one of: {_some(layers)}")
    style = _chosen(source, "style", source.style, [_text(each, f"{OWS}Identifier") for each in layer.iter(f"{WMTS}Style")] or ["default"])
    offered = [(each.text or "").strip() for each in layer.iter(f"{WMTS}Format")]
    form = _chosen(source, "format", source.format, sorted((each for each in offered if each in FORMATS), key=FORMATS.index) or offered)
    links = [_text(each, f"{WMTS}TileMatrixSet") for each in layer.iter(f"{WMTS}TileMatrixSetLink")]
    sets = {_text(each, f"{OWS}Identifier"): each for each in root.findall(f"{WMTS}Contents/{WMTS}TileMatrixSet")}
    if source.matrix_set is not None:
        name = _chosen(source, "matrix_set", source.matrix_set, links)
    else:
        name = next((each for each in links if each in sets and _mercator(sets[each])), "")
    levels = _mercator(sets[name]) if name in sets else {}
    if not levels:
        raise _refused(source, f"矩阵集 {name or links} 不是 Web 墨卡托 · the matrix set is not Web Mercator (EPSG:3857, 256 pixels)", "choose one that is GoogleMapsCompatible")
    return Template(_address(source, root, layer, style, form, name), {z: level for z, level in levels.items() if source.min_zoom <= z <= source.max_zoom})


def _address(source: BaseMap, root: Element, layer: Element, style: str, form: str, matrix_set: str) -> str:
    named = {"style": style, "tilematrixset": matrix_set, "layer": source.layer or "", "tilematrix": "{z}", "tilerow": "{y}", "tilecol": "{x}"}
    for dimension in layer.iter(f"{WMTS}Dimension"):
        named[_text(dimension, f"{OWS}Identifier").lower()] = _text(dimension, f"{WMTS}Default")
    for resource in layer.iter(f"{WMTS}ResourceURL"):
        if resource.get("resourceType") == "tile" and resource.get("format") == form:
            return re.sub(r"\{(\w+)\}", lambda found: named.get(found[1].lower(), found[0]), resource.get("template", ""))
    for operation in root.iter(f"{OWS}Operation"):
        if operation.get("name") == "GetTile":
            href = next((each.get(f"{XLINK}href", "") for each in operation.iter(f"{OWS}Get")), "")
            if href:
                query = urlencode({"SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "LAYER": source.layer, "STYLE": style, "TILEMATRIXSET": matrix_set, "FORMAT": form})
                glue = "" if href.endswith(("?", "&")) else "&" if "?" in href else "?"
                return f"{href}{glue}{query}&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}"
    raise _refused(source, f"没有 {form} 的瓦片地址 · no address of tiles", "ask the service for GetTile by GET, or use kind xyz")


def _mercator(matrix_set: Element) -> dict[int, str]:
    """Zoom to level name, empty unless every level cuts the Web Mercator square in 256-pixel tiles."""
    if not MERCATOR.search(_text(matrix_set, f"{OWS}SupportedCRS")):
        return {}
    levels = {}
    for matrix in matrix_set.findall(f"{WMTS}TileMatrix"):
        try:
            corner = [float(part) for part in _text(matrix, f"{WMTS}TopLeftCorner").split()]
            sides = {int(_text(matrix, f"{WMTS}{side}")) for side in ("TileWidth", "TileHeight")}
            scale = float(_text(matrix, f"{WMTS}ScaleDenominator"))
            zooms = [math.log2(whole / scale) for whole in WHOLE]
        except (ValueError, ZeroDivisionError):
            return {}
        zoom = next((round(each) for each in zooms if abs(each - round(each)) < 1e-3), None)
        if zoom is None or sides != {256} or len(corner) != 2 or abs(corner[0] + HALF) > 1 or abs(corner[1] - HALF) > 1:
            return {}
        levels[zoom] = _text(matrix, f"{OWS}Identifier")
    return levels


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _chosen(source: BaseMap, what: str, asked: str | None, offered: list[str]) -> str:
    if asked is None and offered:
        return offered[0]
    if asked not in offered:
        raise _refused(source, f"{what} {asked!r} 不存在 · is not offered", f"one of: {_some(offered)}")
    return asked


def _some(names: object) -> str:
    return ", ".join(str(name)[:60] for name in list(names)[:20]) or "none"  # type: ignore[call-overload]


def _refused(source: BaseMap, why: str, remedy: str) -> InvalidInput:
    return InvalidInput(f"底图 {source.id}: {why}", remedy=remedy)
