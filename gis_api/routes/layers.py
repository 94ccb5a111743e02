"""The layer catalogue, the base map's style, and the features of live layers."""

import dataclasses
import hashlib
import json
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import Bbox, bbox, database
from gis_api.problems import RESPONSES
from gis_api.wire.layers import (
    Layer,
    LayerAbout,
    LayerContract,
    LayerEnvelope,
    LayerGroup,
    LayerSource,
    LayerTerms,
    LegendLine,
    LineageStep,
    SchemaField,
    TooltipLine,
    Visible,
)
from gis_api.wire.styling import style_of
from grid.errors import NotFound
from layers import contracts, datasets, envelope, imported, live, sources, styling, symbols, thumbnails, tiles
from layers.catalog import Catalog, catalog
from layers.names import title_keys
from layers.spec import GROUPS, LayerSpec
from layers.style import Theme, style

router = APIRouter(prefix="/api", tags=["layers"], responses=RESPONSES)

GEOJSON = "application/geo+json"
LayerId = Annotated[str, Path(max_length=80, examples=["alerts"])]


def shown(row: envelope.Row, picture: str | None = None) -> Layer:
    """The wire shape of a layer; `picture`: hash of its thumbnail."""
    return Layer(
        **{name: getattr(row, name) for name in ("id", "title", "title_en", "group", "deck", "min_zoom", "max_zoom", "attribution")},
        keys=title_keys(row.title),
        source=LayerSource(type=row.source_type, url=row.source_url),
        legend=[LegendLine(label=line.label, label_en=line.label_en, color=line.color, shape=line.shape) for line in row.legend],
        tooltip=[TooltipLine(field=line.name, label=line.label, label_en=line.label_en, unit=line.unit or None) for line in row.tooltip],
        visible=Visible(wall=row.visible.wall, review=row.visible.review, field=row.visible.field),
        live=bool(row.live),
        refreshed_by=list(row.live),
        simulated=row.freshness.simulated,
        style=style_of(row.look) if row.look else None,
        terms=_terms(row.terms),
        contract=_contract(row),
        thumbnail=f"/api/layers/{row.id}/thumbnail?v={picture[:12]}" if picture else None,
    )


def _terms(terms: envelope.Terms) -> LayerTerms:
    return LayerTerms(**{**dataclasses.asdict(terms), "lineage": list(terms.lineage)})


def _contract(row: envelope.Row) -> LayerContract:
    standing = {name: getattr(row.standing, name) for name in ("state", "freshness", "completeness", "validity", "lineage", "checked_at", "detail")}
    return LayerContract(updated_at=row.freshness.updated_at, count=row.freshness.count, **standing)


def layers_of(request: Request) -> Catalog:
    """Dependency: the catalogue of this server."""
    return getattr(request.app.state, "catalog", None) or catalog()


async def _rows(conn: AsyncConnection, declared: Catalog, caller: Caller) -> list[envelope.Row]:
    """The catalogue's layers and the imported datasets, each with its standing."""
    checked = await contracts.standings(conn, declared, caller.scope)
    found = await envelope.layer_rows(conn, declared, caller.scope, checked)
    given = await styling.looks(conn)
    for dataset in await datasets.as_layer_rows(conn, caller.scope):
        row = imported.layer_row(
            dataset.layer_id,
            dataset.title,
            dataset.title_en,
            dataset.geometry_type,
            tuple(name for name, _ in dataset.attributes),
            dataset.feature_count,
            dataset.created_at,
            dataset.simulated,
            " · ".join(text for text in (dataset.owner, dataset.licence) if text),
            given.get(dataset.id),
        )
        terms = envelope.Terms(dataset.owner, dataset.owner, dataset.licence, sources.INTERNAL, dataset.vintage, (dataset.source_name,))
        found.append(dataclasses.replace(row, terms=terms, standing=checked.get(dataset.layer_id, contracts.UNCHECKED)))
    return found


@router.get("/layers", summary="All layers the caller may draw")
async def list_layers(
    caller: Annotated[Caller, Depends(signed_in)], conn: Annotated[AsyncConnection, Depends(database)], declared: Annotated[Catalog, Depends(layers_of)]
) -> LayerEnvelope:
    """Catalogue, registered scenes and imported datasets, bottom of the map first."""
    found = await _rows(conn, declared, caller)
    pictures = await thumbnails.known(conn, declared, caller.scope)
    return LayerEnvelope(
        rev=envelope.revision(found),
        groups=[LayerGroup(id=group, title=title, title_en=title_en) for group, title, title_en in GROUPS],
        layers=[shown(row, pictures.get(row.id)) for row in found],
    )


@router.get("/layers/{layer_id}", summary="All that is known about a layer")
async def get_layer(
    layer_id: LayerId,
    caller: Annotated[Caller, Depends(signed_in)],
    conn: Annotated[AsyncConnection, Depends(database)],
    declared: Annotated[Catalog, Depends(layers_of)],
) -> LayerAbout:
    """Its contract and terms, the schema that the database answers with, and when each register behind it was last written."""
    row = next((row for row in await _rows(conn, declared, caller) if row.id == layer_id), None)
    if row is None:
        raise NotFound(f"没有图层 {layer_id!r} · no such layer", remedy="GET /api/layers lists them")
    spec = declared.get(layer_id)
    words = {line.name: line for line in row.tooltip}
    types = await contracts.schema(conn, spec) if spec else {line.name: "" for line in row.tooltip}
    return LayerAbout(
        **{name: getattr(row, name) for name in ("id", "title", "title_en", "group")},
        terms=_terms(row.terms),
        contract=_contract(row),
        attributes=[
            SchemaField(name=name, type=kind, label=words[name].label if name in words else name, label_en=words[name].label_en if name in words else name, unit=words[name].unit or None if name in words else None)
            for name, kind in types.items()
        ],
        lineage=[LineageStep(**step) for step in await contracts.descent(conn, row.terms.lineage)],
    )


@router.get("/style/{theme}", summary="Style of the base map", response_model=dict[str, Any])
async def base_style(theme: Theme, request: Request) -> Response:
    """MapLibre style document made of our own tiles; it names no other server and no glyphs."""
    body = json.dumps(style(theme), ensure_ascii=False).encode()
    return _tagged(body, "application/json", request)


@router.get("/symbols.png", summary="Atlas of the map's symbols", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def symbol_atlas(request: Request) -> Response:
    """White shapes on nothing, tinted by the layers that use them."""
    return _tagged(symbols.atlas(), "image/png", request)


def _known(declared: Catalog, layer_id: str) -> LayerSpec:
    spec = declared.get(layer_id)
    if spec is not None and spec.kind != "raster":
        return spec
    return tiles.find(declared, layer_id)


@router.get("/layers/{layer_id}/features", summary="Features of a live layer", response_model=dict[str, Any], responses={200: {"content": {GEOJSON: {}}}})
async def list_features(
    layer_id: LayerId,
    caller: Annotated[Caller, Depends(signed_in)],
    conn: Annotated[AsyncConnection, Depends(database)],
    declared: Annotated[Catalog, Depends(layers_of)],
    box: Annotated[Bbox | None, Depends(bbox)],
) -> Response:
    """GeoJSON (RFC 7946) of a small live layer inside a box; at most 10,000 features, `truncated` says when there were more. Tile layers answer 404."""
    spec = declared.get(layer_id)
    if spec is None or spec.kind != "geojson":
        raise NotFound(f"没有实时图层 · no live layer {layer_id!r}", remedy="GET /api/layers: those with source.type geojson; tile layers are read at /tiles")
    within = None if box is None else shapely.set_srid(shapely.box(box.west, box.south, box.east, box.north), 4326)
    found = await live.features(conn, spec, caller.scope, within)
    return Response(found.collection(), media_type=GEOJSON, headers={"Cache-Control": "no-store"})


@router.get("/layers/{layer_id}/features/{feature_id}", summary="One feature of a layer", response_model=dict[str, Any], responses={200: {"content": {GEOJSON: {}}}})
async def get_feature(
    layer_id: LayerId,
    feature_id: Annotated[int, Path(ge=-(2**63), lt=2**63)],
    caller: Annotated[Caller, Depends(signed_in)],
    conn: Annotated[AsyncConnection, Depends(database)],
    declared: Annotated[Catalog, Depends(layers_of)],
    zoom: Annotated[int, Query(ge=0, le=22, description="zoom at which the id was seen: below z16 buildings are merged")] = 22,
) -> Response:
    """GeoJSON of one feature, with all that the layer shows of it."""
    spec = _known(declared, layer_id)
    found = await live.feature(conn, spec, caller.scope, feature_id, max(spec.min_zoom, min(zoom, spec.max_zoom)))
    if found is None:
        raise NotFound(f"图层 {layer_id} 没有要素 {feature_id} · layer {layer_id} has no feature {feature_id} in your region", remedy="it may have been closed or deleted")
    return Response(found, media_type=GEOJSON, headers={"Cache-Control": "no-store"})


def _tagged(body: bytes, media_type: str, request: Request) -> Response:
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
