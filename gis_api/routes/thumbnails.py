"""Small pictures of layers, for the catalogue."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.routes.layers import LayerId, layers_of
from grid.errors import NotFound
from layers import thumbnails
from layers.catalog import Catalog

router = APIRouter(prefix="/api", tags=["layers"], responses=RESPONSES)
SVG = "image/svg+xml"


@router.get("/layers/{layer_id}/thumbnail", summary="Small picture of a layer", response_class=Response, responses={200: {"content": {SVG: {}}}})
async def layer_thumbnail(
    layer_id: LayerId,
    request: Request,
    caller: Annotated[Caller, Depends(signed_in)],
    conn: Annotated[AsyncConnection, Depends(database)],
    declared: Annotated[Catalog, Depends(layers_of)],
) -> Response:
    """120 × 80, of what the caller's city or district holds; people of a street or community get those of public layers. 404 while none was drawn."""
    found = await thumbnails.get(conn, declared, caller.scope, layer_id)
    if found is None:
        raise NotFound(f"图层 {layer_id!r} 没有缩略图 · no picture of this layer", remedy="GET /api/layers names those that there are")
    tag = f'"{found.sha256[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600", "Vary": "Cookie"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(found.svg, media_type=SVG, headers=headers | {"Content-Security-Policy": "default-src 'none'"})
