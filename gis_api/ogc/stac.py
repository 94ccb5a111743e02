"""STAC API 1.0.0 over the scenes: landing page, collections, items, and the search by GET and POST. It reads; pixels come from the items' xyz links."""

import json
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from shapely.errors import GEOSException

from gis_api.ogc import describe
from gis_api.ogc.asking import GEOJSON, REFUSALS, address, answer, link, nothing_else, numbers, root, span
from gis_api.ogc.features import JSON_OUT, Connection, Signed
from gis_api.wire.base import Wire
from grid.database import Scope
from grid.errors import InvalidQuery, NotFound
from imagery.scenes import stac
from layers import cql2

router = APIRouter(tags=["stac"], responses=REFUSALS)

LIMIT_MAX = 500
CONFORMS_TO = (
    *(f"https://api.stacspec.org/v1.0.0/{name}" for name in ("core", "collections", "item-search", "ogcapi-features")),
    *(f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "geojson", "oas30")),
)
GEOJSON_OUT: dict[int | str, dict[str, Any]] = {200: {"content": {GEOJSON: {}}}}
PARAMETERS = ("bbox", "datetime", "ids", "collections", "intersects", "limit", "offset")
Box = Annotated[str | None, Query(description="west,south,east,north in degrees", examples=["120.3,36.0,120.7,36.3"])]
Moment = Annotated[str | None, Query(description="a moment, or two with a slash", examples=["2026-01-01T00:00:00Z/.."])]
Limit = Annotated[int, Query(ge=1, description=f"at most {LIMIT_MAX} are given")]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class StacSearch(Wire):
    """The body of a search. Extensions (query, fields, sortby, filter) are refused by name."""

    bbox: list[float] | None = Field(None, min_length=4, max_length=6, examples=[[120.3, 36.0, 120.7, 36.3]])
    datetime: str | None = Field(None, max_length=80, examples=["2026-01-01T00:00:00Z/.."])
    intersects: dict[str, Any] | None = Field(None, description="a GeoJSON geometry in degrees; not together with bbox")
    ids: list[str] | None = Field(None, max_length=500)
    collections: list[str] | None = Field(None, max_length=100)
    limit: int = Field(10, ge=1)
    offset: int = Field(0, ge=0, le=1_000_000)


@router.get("/stac/", include_in_schema=False)
@router.get("/stac", response_model=dict[str, Any], responses=JSON_OUT)
async def landing(request: Request) -> Response:
    """Landing page and root catalogue. Open to all: it names no data."""
    nothing_else(request)
    home = f"{root(request)}/stac"
    return answer(
        {
            "type": "Catalog",
            "id": "haidongqing",
            "stac_version": "1.1.0",
            "title": "海东青影像 · Haidongqing scenes",
            "description": "辖区内的卫星、航空影像 · scenes of the caller's region",
            "conformsTo": list(CONFORMS_TO),
            "links": [
                link(home, "self"),
                link(home, "root"),
                link(f"{home}/conformance", "conformance"),
                link(f"{home}/collections", "data"),
                link(f"{home}/search", "search", GEOJSON, method="GET"),
                link(f"{home}/search", "search", GEOJSON, method="POST"),
                link(f"{home}/api", "service-desc", describe.OPENAPI),
            ],
        }
    )


@router.get("/stac/conformance", response_model=dict[str, Any], responses=JSON_OUT)
async def conformance(request: Request) -> Response:
    """The requirement classes that are met."""
    nothing_else(request)
    return answer({"conformsTo": list(CONFORMS_TO)})


@router.get("/stac/api", response_model=dict[str, Any], responses={200: {"content": {describe.OPENAPI: {}}}})
async def description(request: Request) -> Response:
    """The OpenAPI 3.0 description that the standard asks for."""
    nothing_else(request)
    return answer(describe.stac_document(f"{root(request)}/stac"), describe.OPENAPI)


@router.get("/stac/collections", response_model=dict[str, Any], responses=JSON_OUT)
async def list_collections(request: Request, caller: Signed, connection: Connection) -> Response:
    """The origins of which the caller may see a scene."""
    nothing_else(request)
    home = f"{root(request)}/stac"
    found = [stac.described(one, root(request)) for one in await stac.collections(connection, caller.scope)]
    return answer({"collections": found, "links": [link(f"{home}/collections", "self"), link(home, "root")]})


@router.get("/stac/collections/{collection_id}", response_model=dict[str, Any], responses=JSON_OUT)
async def one_collection(request: Request, collection_id: str, caller: Signed, connection: Connection) -> Response:
    """One collection."""
    nothing_else(request)
    return answer(stac.described(await stac.collection(connection, caller.scope, collection_id), root(request)))


@router.get("/stac/collections/{collection_id}/items", response_model=dict[str, Any], responses=GEOJSON_OUT)
async def items(
    request: Request, collection_id: str, caller: Signed, connection: Connection, bbox: Box = None, datetime: Moment = None, limit: Limit = 10, offset: Offset = 0
) -> Response:
    """The scenes of a collection, newest picture first."""
    nothing_else(request, ("bbox", "datetime", "limit", "offset"))
    await stac.collection(connection, caller.scope, collection_id)
    wanted = _wanted((), (collection_id,), datetime, None if bbox is None else numbers(bbox), None, limit, offset)
    return await _page(request, connection, caller.scope, wanted)


@router.get("/stac/collections/{collection_id}/items/{item_id}", response_model=dict[str, Any], responses=GEOJSON_OUT)
async def one_item(request: Request, collection_id: str, item_id: str, caller: Signed, connection: Connection) -> Response:
    """One scene."""
    nothing_else(request)
    found = await stac.one(connection, caller.scope, item_id)
    if found.collection != collection_id:
        raise NotFound(f"集合 {collection_id[:60]!r} 没有影像 {item_id[:60]!r} · the collection has no such item", remedy=f"it is in {found.collection}")
    return answer(stac.item(found, root(request)), GEOJSON)


@router.get("/stac/search", response_model=dict[str, Any], responses=GEOJSON_OUT)
async def search(
    request: Request,
    caller: Signed,
    connection: Connection,
    bbox: Box = None,
    datetime: Moment = None,
    ids: Annotated[str | None, Query(description="by commas")] = None,
    collections: Annotated[str | None, Query(description="by commas")] = None,
    intersects: Annotated[str | None, Query(description="a GeoJSON geometry; not together with bbox")] = None,
    limit: Limit = 10,
    offset: Offset = 0,
) -> Response:
    """Scenes of all collections, newest picture first."""
    nothing_else(request, PARAMETERS)
    wanted = _wanted(
        tuple(ids.split(",")) if ids else (), tuple(collections.split(",")) if collections else (), datetime, None if bbox is None else numbers(bbox), _decoded(intersects), limit, offset
    )
    return await _page(request, connection, caller.scope, wanted)


@router.post("/stac/search", response_model=dict[str, Any], responses=GEOJSON_OUT)
async def search_by_post(request: Request, body: StacSearch, caller: Signed, connection: Connection) -> Response:
    """The same, asked by a body; nothing is written."""
    nothing_else(request)
    wanted = _wanted(tuple(body.ids or ()), tuple(body.collections or ()), body.datetime, body.bbox, body.intersects, body.limit, body.offset)
    return await _page(request, connection, caller.scope, wanted, body)


def _decoded(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text) if len(text) <= 16_384 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidQuery("intersects 不是 GeoJSON 几何 · is no GeoJSON geometry", remedy='{"type":"Point","coordinates":[120.38,36.06]}')
    return found


def _wanted(
    ids: tuple[str, ...], collections: tuple[str, ...], moment: str | None, box: list[float] | None, shape: dict[str, Any] | None, limit: int, offset: int
) -> stac.Search:
    if box is not None and shape is not None:
        raise InvalidQuery("bbox 与 intersects 不能并用 · bbox and intersects exclude each other", remedy="give one of them")
    if any("\x00" in name or len(name) > 200 for name in (*ids, *collections)):
        raise InvalidQuery("id 过长或含空字符 · an id is too long or holds a NUL", remedy="at most 200 characters")
    since, until = span(moment)
    try:
        area = cql2.box(box) if box is not None else None if shape is None else cql2.geometry(shape)
    except (GEOSException, RecursionError) as error:
        raise InvalidQuery("intersects 无法读 · cannot be read", remedy="a GeoJSON geometry in degrees") from error
    return stac.Search(ids, collections, since, until, None if area is None else shapely.set_srid(area, 4326), min(limit, LIMIT_MAX), offset)


async def _page(request: Request, connection: Connection, scope: Scope, wanted: stac.Search, body: StacSearch | None = None) -> Response:
    found, matched = await stac.search(connection, scope, wanted)
    home = root(request)
    links = [link(f"{home}/stac", "root"), link(address(request), "self", GEOJSON)]
    following = wanted.offset + len(found)
    if found and following < matched:
        if body is None:
            links.append(link(address(request, offset=following, limit=wanted.limit), "next", GEOJSON, method="GET"))
        else:
            again = body.model_dump(exclude_none=True) | {"offset": following, "limit": wanted.limit}
            links.append(link(f"{home}/stac/search", "next", GEOJSON, method="POST", body=again))
    features = [stac.item(scene, home) for scene in found]
    return answer({"type": "FeatureCollection", "numberMatched": matched, "numberReturned": len(features), "features": features, "links": links}, GEOJSON)
