"""OGC API Features parts 1 (core), 2 (frames by reference) and 3 (filtering): each layer and dataset the caller may see is a collection."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.ogc import describe
from gis_api.ogc.asking import GEOJSON, LIMIT_MAX, REFUSALS, address, answer, link, nothing_else, now, numbers, only, root, span
from gis_api.params import database
from gis_api.routes.layers import layers_of
from grid.errors import NotFound
from layers import cql2, features, frames
from layers.catalog import Catalog
from layers.features import Ask, Collection

router = APIRouter(tags=["ogc"], responses=REFUSALS)

QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
CONFORMS = "http://www.opengis.net/def/rel/ogc/1.0/conformance"
TILESETS = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
SCHEMA = "application/schema+json"
PARAMETERS = ("bbox", "bbox-crs", "datetime", "limit", "offset", "after", "crs", "filter", "filter-lang", "filter-crs")
TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "real": {"type": "number"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "local": {"type": "string", "format": "date-time"},
    "json": {"type": "object"},
    "geometry": {"format": "geometry-any", "x-ogc-role": "primary-geometry"},
}
Signed = Annotated[Caller, Depends(signed_in)]
Connection = Annotated[AsyncConnection, Depends(database)]
Layers = Annotated[Catalog, Depends(layers_of)]
JSON_OUT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}


@router.get("/ogc/", include_in_schema=False)
@router.get("/ogc", response_model=dict[str, Any], responses=JSON_OUT)
async def landing(request: Request) -> Response:
    """Landing page of OGC API Features and Tiles. Open to all: it names no data."""
    nothing_else(request, ("f",))
    home = f"{root(request)}/ogc"
    return answer(
        {
            "title": "海东青 · Haidongqing",
            "description": "辖区内的图层与数据集 · the layers and datasets of the caller's region",
            "links": [
                link(home, "self"),
                link(f"{home}/api", "service-desc", describe.OPENAPI),
                link(f"{home}/conformance", "conformance"),
                link(f"{home}/conformance", CONFORMS),
                link(f"{home}/collections", "data"),
                link(f"{home}/tileMatrixSets", "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"),
                link(f"{root(request)}/stac", "alternate", "application/json", "STAC"),
            ],
        }
    )


@router.get("/ogc/conformance", response_model=dict[str, Any], responses=JSON_OUT)
async def conformance(request: Request) -> Response:
    """The requirement classes that are met."""
    nothing_else(request, ("f",))
    return answer({"conformsTo": list(describe.CONFORMS_TO)})


@router.get("/ogc/api", response_model=dict[str, Any], responses={200: {"content": {describe.OPENAPI: {}}}})
async def description(request: Request) -> Response:
    """The OpenAPI 3.0 description that the standard asks for."""
    nothing_else(request, ("f",))
    return answer(describe.document(f"{root(request)}/ogc", PARAMETERS), describe.OPENAPI)


def described(of: Collection, home: str) -> dict[str, Any]:
    """A collection as the standard writes it."""
    here = f"{home}/collections/{of.id}"
    links = [link(here, "self"), link(f"{here}/items", "items", GEOJSON, of.title), link(f"{here}/queryables", QUERYABLES, SCHEMA)]
    if of.tiled:
        links.append(link(f"{here}/tiles", TILESETS))
    extent: dict[str, Any] = {"spatial": {"bbox": [list(of.extent)], "crs": frames.CRS84.uri}}
    return {
        "id": of.id, "title": of.title, "description": of.title_en, "attribution": of.attribution, "itemType": "feature", "extent": extent,
        "crs": list(frames.FRAMES), "storageCrs": frames.CRS84.uri, "links": links,
    }  # fmt: skip


@router.get("/ogc/collections", response_model=dict[str, Any], responses=JSON_OUT)
async def list_collections(request: Request, caller: Signed, connection: Connection, declared: Layers) -> Response:
    """All layers and datasets of which the caller may see something."""
    nothing_else(request, ("f",))
    home = f"{root(request)}/ogc"
    found = await features.collections(connection, declared, caller.scope)
    return answer({"links": [link(f"{home}/collections", "self")], "crs": list(frames.FRAMES), "collections": [described(of, home) for of in found]})


@router.get("/ogc/collections/{collection_id}", response_model=dict[str, Any], responses=JSON_OUT)
async def one_collection(request: Request, collection_id: str, caller: Signed, connection: Connection, declared: Layers) -> Response:
    """One collection."""
    nothing_else(request, ("f",))
    return answer(described(await features.collection(connection, declared, caller.scope, collection_id), f"{root(request)}/ogc"))


@router.get("/ogc/collections/{collection_id}/queryables", response_model=dict[str, Any], responses={200: {"content": {SCHEMA: {}}}})
async def queryables(request: Request, collection_id: str, caller: Signed, connection: Connection, declared: Layers) -> Response:
    """What filters and parameters may name, as JSON Schema."""
    nothing_else(request, ("f",))
    of = await features.collection(connection, declared, caller.scope, collection_id)
    members = {column.name: {"title": column.name} | TYPES[column.kind] for column in of.queryables.values()}
    here = f"{root(request)}/ogc/collections/{of.id}/queryables"
    return answer(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": here, "type": "object", "title": of.title, "properties": members, "additionalProperties": False}, SCHEMA
    )


@router.get("/ogc/collections/{collection_id}/items", response_model=dict[str, Any], responses={200: {"content": {GEOJSON: {}}}})
async def items(
    request: Request,
    collection_id: str,
    caller: Signed,
    connection: Connection,
    declared: Layers,
    bbox: Annotated[str | None, Query(description="four or six numbers in the axis order of bbox-crs", examples=["120.3,36.0,120.4,36.1"])] = None,
    bbox_crs: Annotated[str, Query(alias="bbox-crs", description="URI of a frame")] = frames.CRS84.uri,
    datetime: Annotated[str | None, Query(description="a moment, or two with a slash; features without time always match", examples=["2026-11-01T00:00:00Z/.."])] = None,
    limit: Annotated[int, Query(ge=1, description=f"at most {LIMIT_MAX} are given")] = 10,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    after: Annotated[int | None, Query(ge=-(2**63), lt=2**63, description="features of a higher id: what the next link uses")] = None,
    crs: Annotated[str, Query(description="URI of the frame of the answer")] = frames.CRS84.uri,
    filter: Annotated[str | None, Query(description="CQL2", examples=["simulated = TRUE"])] = None,
    filter_lang: Annotated[str, Query(alias="filter-lang", description="cql2-text or cql2-json")] = "cql2-text",
    filter_crs: Annotated[str, Query(alias="filter-crs", description="URI of the frame of the filter's geometries")] = frames.CRS84.uri,
) -> Response:
    """Features by rising id, inside the caller's region; attributes may be given as parameters (`use=office`). `next` leads on to the last."""
    equal = tuple(pair for pair in only(request, PARAMETERS) if pair[0] != "f")
    frame = frames.frame(crs)
    since, until = span(datetime)
    ask = Ask(
        area=None if bbox is None else cql2.box(numbers(bbox), bbox_crs), since=since, until=until, equal=equal, limit=min(limit, LIMIT_MAX), offset=offset, after=after,
        filter=None if filter is None else cql2.read(filter, filter_lang, filter_crs),
    )  # fmt: skip
    for other in (bbox_crs, filter_crs):
        frames.frame(other)
    of = await features.collection(connection, declared, caller.scope, collection_id)
    page = await features.page(connection, of, caller.scope, ask, frame)
    here = f"{root(request)}/ogc/collections/{of.id}"
    links = [link(address(request), "self", GEOJSON), link(here, "collection")]
    if page.after is not None:
        links.append(link(address(request, offset=None, after=page.after, limit=ask.limit), "next", GEOJSON))
    matched = "" if page.matched is None else f'"numberMatched":{page.matched},'
    head = f'{{"type":"FeatureCollection",{matched}"numberReturned":{len(page.items)},"timeStamp":"{now()}","links":{describe.dumped(links)},"features":['
    written = ", ".join(f'<{one["href"]}>; rel="{one["rel"]}"; type="{one["type"]}"' for one in [*links, link(f"{here}/queryables", QUERYABLES, SCHEMA)])
    return answer(f"{head}{','.join(page.items)}]}}", GEOJSON, {"Content-Crs": f"<{frame.uri}>", "Link": written})


@router.get("/ogc/collections/{collection_id}/items/{feature_id}", response_model=dict[str, Any], responses={200: {"content": {GEOJSON: {}}}})
async def item(
    request: Request,
    collection_id: str,
    feature_id: str,
    caller: Signed,
    connection: Connection,
    declared: Layers,
    crs: Annotated[str, Query(description="URI of the frame of the answer")] = frames.CRS84.uri,
) -> Response:
    """One feature."""
    nothing_else(request, ("crs", "f"))
    frame = frames.frame(crs)
    of = await features.collection(connection, declared, caller.scope, collection_id)
    if not feature_id.lstrip("-").isascii() or not feature_id.lstrip("-").isdigit() or abs(int(feature_id[:24])) >= 2**63:
        raise NotFound(f"集合 {of.id} 没有要素 {feature_id[:40]!r} · no such feature", remedy="ids are whole numbers")
    found = await features.one(connection, of, caller.scope, int(feature_id), frame)
    here = f"{root(request)}/ogc/collections/{of.id}"
    links = [link(f"{here}/items/{feature_id}", "self", GEOJSON), link(here, "collection")]
    return answer(f'{found[:-1]},"links":{describe.dumped(links)}}}', GEOJSON, {"Content-Crs": f"<{frame.uri}>"})
