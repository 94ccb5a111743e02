"""OGC API Tiles: the tilesets of each collection, pointing at the tiles the map itself draws (/tiles, one server, one cache, one scope)."""

from typing import Any

import morecantile
from fastapi import APIRouter, Request, Response

from gis_api.ogc.asking import REFUSALS, answer, link, nothing_else, root
from gis_api.ogc.features import JSON_OUT, Connection, Layers, Signed
from grid.errors import NotFound
from layers import features, frames
from layers.features import Collection

router = APIRouter(tags=["ogc"], responses=REFUSALS)

MATRIX = "WebMercatorQuad"
MATRIX_URI = f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{MATRIX}"
MVT = "application/vnd.mapbox-vector-tile"
SCHEME = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"


def _tileset(of: Collection, base: str) -> dict[str, Any]:
    here = f"{base}/ogc/collections/{of.id}"
    return {
        "title": of.title,
        "dataType": "vector",
        "crs": "http://www.opengis.net/def/crs/EPSG/0/3857",
        "tileMatrixSetURI": MATRIX_URI,
        "boundingBox": {"lowerLeft": list(of.extent[:2]), "upperRight": list(of.extent[2:]), "crs": frames.CRS84.uri},
        "layers": [{"id": of.id, "title": of.title, "dataType": "vector"}],
        "links": [
            link(f"{here}/tiles/{MATRIX}", "self"),
            link(f"{base}/ogc/tileMatrixSets/{MATRIX}", SCHEME),
            link(f"{base}/tiles/{of.id}/{{tileMatrix}}/{{tileCol}}/{{tileRow}}.mvt", "item", MVT, templated=True),
            link(f"{here}/tiles/{MATRIX}/tilejson", "describedby", "application/json", "TileJSON 3.0.0"),
        ],
    }


async def _tiled(connection: Connection, declared: Layers, caller: Signed, collection_id: str) -> Collection:
    of = await features.collection(connection, declared, caller.scope, collection_id)
    if not of.tiled:
        raise NotFound(f"集合 {of.id} 没有瓦片 · the collection has no tiles", remedy="read its items")
    return of


@router.get("/ogc/collections/{collection_id}/tiles", response_model=dict[str, Any], responses=JSON_OUT)
async def tilesets(request: Request, collection_id: str, caller: Signed, connection: Connection, declared: Layers) -> Response:
    """The tilesets of a collection: WebMercatorQuad."""
    nothing_else(request, ("f",))
    of = await _tiled(connection, declared, caller, collection_id)
    made = _tileset(of, root(request))
    return answer({"links": [link(f"{root(request)}/ogc/collections/{of.id}/tiles", "self")], "tilesets": [made]})


@router.get("/ogc/collections/{collection_id}/tiles/WebMercatorQuad", response_model=dict[str, Any], responses=JSON_OUT)
async def tileset(request: Request, collection_id: str, caller: Signed, connection: Connection, declared: Layers) -> Response:
    """A tileset; its `item` link is the template of the tiles."""
    nothing_else(request, ("f",))
    return answer(_tileset(await _tiled(connection, declared, caller, collection_id), root(request)))


@router.get("/ogc/collections/{collection_id}/tiles/WebMercatorQuad/tilejson", response_model=dict[str, Any], responses=JSON_OUT)
async def tilejson(request: Request, collection_id: str, caller: Signed, connection: Connection, declared: Layers) -> Response:
    """TileJSON 3.0.0 with absolute addresses."""
    nothing_else(request, ("f",))
    of = await _tiled(connection, declared, caller, collection_id)
    spec = declared.get(of.id)
    least, most = (spec.min_zoom, spec.tile_max_zoom) if spec else (0, 16)
    fields = {column.name: column.kind for column in of.columns} if spec else {"label": "text", "properties": "json"}
    return answer(
        {
            "tilejson": "3.0.0", "name": of.id, "description": f"{of.title} · {of.title_en}", "attribution": of.attribution, "scheme": "xyz",
            "tiles": [f"{root(request)}/tiles/{of.id}/{{z}}/{{x}}/{{y}}.mvt"], "minzoom": least, "maxzoom": most, "bounds": list(of.extent),
            "vector_layers": [{"id": of.id, "fields": fields, "minzoom": least, "maxzoom": most}],
        }
    )  # fmt: skip


@router.get("/ogc/tileMatrixSets", response_model=dict[str, Any], responses=JSON_OUT)
async def matrix_sets(request: Request) -> Response:
    """The tile matrix sets: WebMercatorQuad."""
    nothing_else(request, ("f",))
    here = f"{root(request)}/ogc/tileMatrixSets"
    return answer({"tileMatrixSets": [{"id": MATRIX, "title": "Google Maps Compatible", "uri": MATRIX_URI, "links": [link(f"{here}/{MATRIX}", SCHEME)]}]})


@router.get("/ogc/tileMatrixSets/WebMercatorQuad", response_model=dict[str, Any], responses=JSON_OUT)
async def matrix_set(request: Request) -> Response:
    """WebMercatorQuad, OGC 17-083r4 annex D.1."""
    nothing_else(request, ("f",))
    return answer(morecantile.tms.get(MATRIX).model_dump(mode="json", exclude_none=True))
