"""Finding layers, places and addresses by name, pinyin, initials or code."""

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.routes.layers import layers_of
from gis_api.wire.search import SearchHit, SearchResult
from layers import search
from layers.catalog import Catalog

router = APIRouter(prefix="/api", tags=["search"], responses=RESPONSES)


@router.get("/search")
async def find_places(
    q: str = Query(max_length=200, description="Chinese, pinyin, its initials, a house number or a code", examples=["香港中路12号", "xgzl", "370202"]),
    limit: int = Query(8, ge=1, le=50),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
    declared: Catalog = Depends(layers_of),
) -> SearchResult:
    """Layers, regions, grids, addresses, cameras, roads, forest zones and features of imported datasets inside the caller's region. Best first."""
    hits = await search.find(connection, caller.scope, q, limit, declared)
    return SearchResult(items=[SearchHit(kind=h.kind, ref=h.ref, name=h.name, detail=h.detail, lon=h.lon, lat=h.lat, zoom=h.zoom) for h in hits])
