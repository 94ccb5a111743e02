"""Base maps: the choices, pictures of others through this server, and our own vector map for other programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from gis_api.auth import Caller, signed_in
from gis_api.ogc.asking import root
from gis_api.problems import RESPONSES
from gis_api.routes.scenes import scope_of
from gis_api.wire.basemaps import BaseMapLayer, BaseMapOut
from imagery.scenes.tiles import blank
from layers.basemaps.declared import OWN, BaseMap
from layers.basemaps.upstream import Upstream
from layers.style import Theme, style

router = APIRouter(tags=["basemaps"], responses=RESPONSES)
FRESH = {"Cache-Control": "private, max-age=86400"}
SHORT = {"Cache-Control": "private, max-age=300"}


def basemaps_of(request: Request) -> Upstream:
    """Dependency: the base maps of this server."""
    return request.app.state.basemaps


@router.get("/api/basemaps")
async def basemaps(caller: Caller = Depends(signed_in), upstream: Upstream = Depends(basemaps_of)) -> list[BaseMapOut]:
    """What may lie under the layers, our own vector map first: it needs nobody, and is what remains when a source fails."""
    own = BaseMapOut(id=OWN, title="矢量底图", title_en="Vector map", kind="vector", style=f"/basemaps/{OWN}/style.json", labelled=True)
    known = {each.id: each for each in upstream.offered()}
    return [own, *(_shown(each, known, upstream.problem(each.id)) for each in known.values() if not each.overlay)]


def _shown(of: BaseMap, known: dict[str, BaseMap], problem: str | None) -> BaseMapOut:
    parts = [of, *([known[of.labels]] if of.labels else [])]
    layers = [BaseMapLayer(id=each.id, tiles=f"/basemaps/{each.id}/{{z}}/{{x}}/{{y}}", min_zoom=each.min_zoom, max_zoom=each.max_zoom) for each in parts]
    return BaseMapOut(id=of.id, title=of.title, title_en=of.title_en, kind="raster", layers=layers, labelled=of.labels is not None, attribution=of.credit, problem=problem)


@router.get(f"/basemaps/{OWN}/style.json", response_model=dict[str, Any])
async def own_style(
    request: Request, theme: Annotated[Theme, Query(description="light or dark")] = "light", caller: Caller = Depends(signed_in)
) -> dict[str, Any]:
    """Our own vector base map as a MapLibre style with absolute addresses, for QGIS (vector tiles, style URL) and others. The tiles want the same sign-in."""
    base = root(request)
    made = style(theme)
    for source in made["sources"].values():
        source["tiles"] = [f"{base}{address}" if address.startswith("/") else address for address in source.get("tiles", [])]
    return made


@router.get(
    "/basemaps/{basemap_id}/{z}/{x}/{y}",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}, "image/jpeg": {}, "image/webp": {}}, "description": "a picture; transparent where the source has nothing"},
        502: {"description": "来源没有给出图片 · the source gave no picture, and none is kept"},
    },
)
async def basemap_tile(request: Request, basemap_id: str, z: int, x: int, y: int, upstream: Upstream = Depends(basemaps_of)) -> Response:
    """A tile of another's base map, fetched by this server and kept. A kept tile past its age is given when the source fails (header X-HDQ-Stale)."""
    await scope_of(request)
    tile = await upstream.tile(basemap_id, z, x, y)
    if not tile.content:
        return Response(blank(), media_type="image/png", headers=SHORT)
    headers = {**(SHORT if tile.stale else FRESH), "ETag": f'"{tile.etag}"', **({"X-HDQ-Stale": "1"} if tile.stale else {})}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(tile.content, media_type=tile.media_type, headers=headers)
