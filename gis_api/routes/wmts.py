"""WMTS 1.0.0: scenes of the caller's region as tiles for QGIS, ArcGIS and GDAL, by parameters (/wmts?…) and by paths (/wmts/…)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from gis_api.ogc import wmts
from gis_api.ogc.asking import root
from gis_api.ogc.tiles import MATRIX
from gis_api.problems import RESPONSES
from gis_api.routes.scenes import picture, scope_of
from grid.errors import InvalidInput, NotFound
from imagery.scenes import catalogue

REPORT = {"content": {wmts.XML: {"schema": {"type": "string"}}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    **{status: RESPONSES[status] for status in (401, 503)},
    400: {"description": "ows:ExceptionReport", **REPORT},
    404: {"description": "ows:ExceptionReport", **REPORT},
}
router = APIRouter(tags=["wmts"], responses=REFUSALS)
LAYERS_MAX = 2_000
PRIVATE = {"Cache-Control": "private, max-age=3600"}
PARAMETERS = ("SERVICE", "REQUEST", "VERSION", "LAYER", "STYLE", "FORMAT", "TILEMATRIXSET", "TILEMATRIX", "TILEROW", "TILECOL")
FIXED = {"STYLE": ("", wmts.STYLE), "FORMAT": (wmts.PNG,), "TILEMATRIXSET": (MATRIX,)}


def _refused(code: str, text: str, locator: str | None, status: int = 400) -> Response:
    return Response(wmts.exception(code, text, locator), status, media_type=wmts.XML, headers={"Cache-Control": "no-store"})


async def _capabilities(request: Request) -> Response:
    scope = await scope_of(request)
    async with request.app.state.pool.connection() as connection:
        scenes = await catalogue.page(connection, scope, limit=LAYERS_MAX)
    return Response(wmts.capabilities(scenes, root(request)), media_type=wmts.XML, headers={"Cache-Control": "private, no-store"})


async def _tile(request: Request, layer: str, place: dict[str, str], absent: int) -> Response:
    numbers = []
    for name in ("TILEMATRIX", "TILECOL", "TILEROW"):
        text = place[name]
        if not (text.isascii() and text.isdigit() and len(text) <= 8):
            return _refused("InvalidParameterValue", f"{name} {text[:40]!r} 不是数 · is no number", name, absent)
        numbers.append(int(text))
    z, x, y = numbers
    if z > wmts.LEVELS:
        return _refused("InvalidParameterValue", f"TILEMATRIX {z}: 0 … {wmts.LEVELS}", "TILEMATRIX", absent)
    if x >= 1 << z or y >= 1 << z:
        return _refused("TileOutOfRange", f"{z} 级每边 {1 << z} 块 · level {z} has {1 << z} tiles a side", "TILECOL" if x >= 1 << z else "TILEROW", absent)
    try:
        return Response(await picture(request, layer, z, x, y), media_type=wmts.PNG, headers=PRIVATE)
    except NotFound:
        return _refused("InvalidParameterValue", f"没有图层 {layer[:128]!r} · no such layer in your region", "LAYER", absent)
    except InvalidInput as error:
        return _refused("NoApplicableCode", error.detail, None, absent)


@router.get(
    "/wmts",
    response_class=Response,
    responses={200: {"content": {wmts.XML: {}, wmts.PNG: {}}, "description": "capabilities or a tile"}},
    openapi_extra={"parameters": [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in PARAMETERS]},
)
async def by_parameters(request: Request) -> Response:
    """GetCapabilities and GetTile by key-value pairs; names of parameters in any case, exceptions as ExceptionReport."""
    await scope_of(request)
    asked = {name.upper(): text for name, text in request.query_params.multi_items()}
    for name, expected in (("SERVICE", "WMTS"), ("REQUEST", None)):
        if not asked.get(name):
            return _refused("MissingParameterValue", f"缺少参数 {name} · the parameter is missing", name)
        if expected and asked[name].upper() != expected:
            return _refused("InvalidParameterValue", f"{name} {asked[name][:40]!r}: {expected}", name)
    if asked["REQUEST"] == "GetCapabilities":
        accepted = asked.get("ACCEPTVERSIONS", wmts.VERSION)
        if wmts.VERSION not in accepted.split(","):
            return _refused("VersionNegotiationFailed", f"ACCEPTVERSIONS {accepted[:40]!r}: {wmts.VERSION}", None)
        return await _capabilities(request)
    if asked["REQUEST"] != "GetTile":
        return _refused("OperationNotSupported", f"{asked['REQUEST'][:40]!r}: GetCapabilities, GetTile", "REQUEST")
    for name in PARAMETERS[2:]:
        if name not in asked:
            return _refused("MissingParameterValue", f"缺少参数 {name} · the parameter is missing", name)
        if name in FIXED and asked[name] not in FIXED[name]:
            return _refused("InvalidParameterValue", f"{name} {asked[name][:40]!r}: {FIXED[name][-1]}", name)
    return await _tile(request, asked["LAYER"], asked, absent=400)


@router.get(
    f"/wmts/{wmts.VERSION}/WMTSCapabilities.xml", response_class=Response, responses={200: {"content": {wmts.XML: {}}, "description": "capabilities"}}
)
async def by_path(request: Request) -> Response:
    """Capabilities at the address that WMTS names for them."""
    return await _capabilities(request)


@router.get(
    "/wmts/{layer}/{style}/{matrix_set}/{matrix}/{row}/{column}.png", response_class=Response,
    responses={200: {"content": {wmts.PNG: {}}, "description": "256 × 256 pixels, transparent where the scene has nothing"}},
)  # fmt: skip
async def tile_by_path(request: Request, layer: str, style: str, matrix_set: str, matrix: str, row: str, column: str) -> Response:
    """A tile at the address that the capabilities' ResourceURL gives."""
    await scope_of(request)
    if style != wmts.STYLE or matrix_set != MATRIX:
        return _refused("InvalidParameterValue", f"{style[:40]}/{matrix_set[:40]}: {wmts.STYLE}/{MATRIX}", "STYLE" if style != wmts.STYLE else "TILEMATRIXSET", 404)
    return await _tile(request, layer, {"TILEMATRIX": matrix, "TILEROW": row, "TILECOL": column}, absent=404)
