"""What the OGC landing page promises: conformance classes and an OpenAPI 3.0 description of the standard's own resources."""

import json
from typing import Any

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
_FEATURES = "http://www.opengis.net/spec/ogcapi-features"
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
_TILES = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf"
CONFORMS_TO = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    *(f"{_FEATURES}-1/1.0/conf/{name}" for name in ("core", "oas30", "geojson")),
    f"{_FEATURES}-2/1.0/conf/crs",
    *(f"{_FEATURES}-3/1.0/conf/{name}" for name in ("queryables", "queryables-query-parameters", "filter", "features-filter")),
    *(
        f"{_CQL2}/{name}"
        for name in (
            "cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison", "accent-insensitive-comparison", "basic-spatial-functions",
            "basic-spatial-functions-plus", "spatial-functions", "temporal-functions", "property-property",
        )
    ),
    *(f"{_TILES}/{name}" for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "oas30")),
)  # fmt: skip


def dumped(body: Any) -> str:
    """JSON without spaces."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _query(name: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema, "style": "form", "explode": False}


_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_QUERIES = {
    "bbox": _query("bbox", {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}, "box in the axis order of bbox-crs"),
    "bbox-crs": _query("bbox-crs", {"type": "string", "format": "uri"}, "frame of bbox"),
    "datetime": _query("datetime", _TEXT, "moment or span"),
    "limit": _query("limit", {"type": "integer", "minimum": 1, "maximum": 10000, "default": 10}, "features of a page"),
    "offset": _query("offset", _WHOLE, "features to leave out"),
    "after": _query("after", {"type": "integer"}, "the last id of the page before"),
    "crs": _query("crs", {"type": "string", "format": "uri"}, "frame of the answer"),
    "filter": _query("filter", _TEXT, "CQL2"),
    "filter-lang": _query("filter-lang", {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"}, "encoding of filter"),
    "filter-crs": _query("filter-crs", {"type": "string", "format": "uri"}, "frame of the filter's geometries"),
}
_COLLECTION = {"name": "collectionId", "in": "path", "required": True, "schema": _TEXT}
_FEATURE = {"name": "featureId", "in": "path", "required": True, "schema": _TEXT}


def _path(summary: str, name: str, media_type: str = "application/json", parameters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    problem = {"description": "problem document", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
    done = {"description": summary, "content": {media_type: {"schema": {"type": "object"}}}}
    return {"get": {"summary": summary, "operationId": name, "parameters": parameters or [], "responses": {"200": done, "400": problem, "401": problem, "404": problem}}}


def _document(home: str, title: str, description: str, paths: dict[str, dict[str, Any]]) -> dict[str, Any]:
    common = {
        "/": _path("landing page", "landing"),
        "/conformance": _path("requirement classes", "conformance"),
        "/api": _path("this description", "description", OPENAPI),
        "/collections": _path("collections", "collections"),
        "/collections/{collectionId}": _path("a collection", "collection", parameters=[_COLLECTION]),
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": f"海东青 {title}", "version": "1.0.0", "description": f"{description}; sign in with HTTP Basic"},
        "servers": [{"url": home}],
        "security": [{"basic": []}],
        "components": {"securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
        "paths": common | paths,
    }


def document(home: str, queries: tuple[str, ...]) -> dict[str, Any]:
    """The OpenAPI 3.0 description, of this server's address."""
    asked = [_QUERIES[name] for name in queries]
    paths = {
        "/collections/{collectionId}/queryables": _path("what filters may name", "queryables", "application/schema+json", [_COLLECTION]),
        "/collections/{collectionId}/items": _path("features", "items", "application/geo+json", [_COLLECTION, *asked]),
        "/collections/{collectionId}/items/{featureId}": _path("a feature", "item", "application/geo+json", [_COLLECTION, _FEATURE, _QUERIES["crs"]]),
        "/collections/{collectionId}/tiles": _path("tilesets of a collection", "tilesets", parameters=[_COLLECTION]),
        "/collections/{collectionId}/tiles/WebMercatorQuad": _path("a tileset", "tileset", parameters=[_COLLECTION]),
        "/tileMatrixSets": _path("tile matrix sets", "tileMatrixSets"),
        "/tileMatrixSets/WebMercatorQuad": _path("a tile matrix set", "tileMatrixSet"),
    }
    return _document(home, "OGC API", "OGC API Features parts 1 to 3 and Tiles", paths)


def stac_document(home: str) -> dict[str, Any]:
    """The OpenAPI 3.0 description of the STAC API."""
    one = {"name": "itemId", "in": "path", "required": True, "schema": _TEXT}
    asked = [_QUERIES[name] for name in ("bbox", "datetime", "limit", "offset")]
    named = [_query(name, {"type": "array", "items": _TEXT}, f"{name}, by commas") for name in ("ids", "collections")]
    posted = _path("search by body", "searchByBody", "application/geo+json")["get"]
    paths = {
        "/collections/{collectionId}/items": _path("items", "items", "application/geo+json", [_COLLECTION, *asked]),
        "/collections/{collectionId}/items/{itemId}": _path("an item", "item", "application/geo+json", [_COLLECTION, one]),
        "/search": _path("search", "search", "application/geo+json", [*asked, *named])
        | {"post": posted | {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}},
    }
    return _document(home, "STAC API", "STAC API core, collections and item search", paths)
