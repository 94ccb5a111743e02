"""What stands under and beside the features of a map sheet: a quiet base map of what the caller may see, names, and the layer's own words and looks."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import shapely
from psycopg import AsyncConnection, sql

from grid.clock import ZONE
from grid.database import Scope
from layers import contracts, datasets, envelope, features, imported, sheet_map, sources, styling
from layers.catalog import Catalog
from layers.cql2 import box as rectangle
from layers.features import Ask, Collection
from layers.frames import CRS84
from layers.paint import LegendEntry
from layers.sheet_frame import Window
from layers.spec import LayerSpec

SEA, BEYOND = "#E4EFF6", "#EFF1F3"
"""The ground of a sheet: sea where the land ends at a known coast, otherwise a grey that says nothing about what lies beyond the city."""
LAND, SHORE, GREEN, INLAND, BUILDING = "#FAF9F6", "#9DB7C9", "#EAF1E6", "#DCEAF3", "#EDEAE3"
BASE_MAX = 12_000
"""Features that a layer of the base may have on a sheet; a layer with more is left out of it, as maps of small scale do."""
_ROADS = (("residential", 30_000, 0.14), ("secondary", 80_000, 0.22), ("primary", 250_000, 0.32), ("trunk", 1_000_000, 0.38), ("motorway", 1_000_000, 0.42))


@dataclass(frozen=True, slots=True)
class Subject:
    """The layer of a sheet: what it says of itself and how it is painted. `public`: it may be shown to everybody."""

    layer: str
    title: str
    title_en: str
    deck: dict
    legend: tuple[LegendEntry, ...]
    color: str
    owner: str
    licence: str
    sensitivity: str
    vintage: str
    version: str
    simulated: bool
    public: bool


@dataclass(frozen=True, slots=True)
class Base:
    """The colour of the ground, SVG below and above the features, and names with their places on the paper."""

    ground: str
    below: str
    above: str
    names: list[dict]


def is_public(catalog: Catalog, of: Collection) -> bool:
    """Whether a layer may be shown to everybody: it hides no region from anybody, or all registers that it stands on are public."""
    spec = catalog.get(of.id)
    return of.public or (spec is not None and all_public(spec))


def all_public(spec: LayerSpec) -> bool:
    """Whether a layer is public, or all registers that it stands on are."""
    named = sources.of(spec)
    return spec.public or (bool(named) and all(sources.SOURCES[name].sensitivity == sources.PUBLIC for name in named))


async def subject(connection: AsyncConnection, catalog: Catalog, scope: Scope, of: Collection) -> Subject:
    """What a sheet of a layer says. Raises NotFound for a dataset outside the scope."""
    spec = catalog.get(of.id)
    standing = (await contracts.standings(connection, catalog, scope)).get(of.id, contracts.UNCHECKED)
    public = is_public(catalog, of)
    if spec is not None:
        terms = envelope.terms(spec, standing)
        legend = spec.legend or (LegendEntry(spec.title, spec.title_en, "#5B7DB1", "fill"),)
        version = f"登记更新于 {_moment(standing.changed_at)}" if standing.changed_at else ""
        sensitivity = sources.PUBLIC if public else terms.sensitivity
        return Subject(of.id, spec.title, spec.title_en, catalog.decks[spec.id], legend, legend[0].color, f"{terms.owner} {terms.owner_en}".strip(), terms.licence or of.attribution, sensitivity, terms.vintage, version, standing.simulated, public)
    dataset = await datasets.get(connection, scope, of.id.removeprefix("dataset_"))
    look = (await styling.looks(connection)).get(dataset.id)
    row = imported.layer_row(of.id, dataset.title, dataset.title_en, dataset.geometry_type, tuple(name for name, _ in dataset.attributes), dataset.feature_count, dataset.created_at, dataset.simulated, "", look)
    version = f"第 {dataset.version} 版 · {_moment(dataset.updated_at)} · {dataset.source_sha256[:12]}"
    return Subject(of.id, dataset.title, dataset.title_en or dataset.title, row.deck, row.legend, imported.COLOR, dataset.owner, dataset.licence, sources.INTERNAL, f"{dataset.created_at.astimezone(ZONE):%Y-%m}", version, dataset.simulated, public)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}"


async def base(connection: AsyncConnection, catalog: Catalog, scope: Scope, window: Window, *, public: bool) -> Base:
    """The base map of a window; on a public sheet only what is public itself."""

    async def shapes(layer: str, where: str = "true") -> tuple[np.ndarray, list[str]]:
        return await _shapes(connection, catalog, scope, window, layer, where)

    land = (await shapes("land"))[0]
    ground = SEA if _ends_at_sea(window, land, (await shapes("coastline"))[0]) else BEYOND
    below = sheet_map.path(land, LAND, SHORE, 0.2)
    if not public:
        if window.scale <= 200_000:
            below += sheet_map.path((await shapes("greens"))[0], GREEN) + sheet_map.path((await shapes("water"))[0], INLAND)
        if window.scale <= 15_000:
            below += sheet_map.path((await shapes("buildings"))[0], BUILDING, "#DAD5CA", 0.08)
    roads = [(sheet_map.path((await shapes("roads", f"class = '{name}'"))[0], None, "#D8D2C6" if name in ("residential", "secondary") else "#D9C7A3", width)) for name, least, width in _ROADS if window.scale <= least]
    districts, names = await shapes("districts")
    above = sheet_map.path(districts, None, "#7A869C", 0.28, 'stroke-dasharray="3 0.9 0.6 0.9" stroke-opacity="0.85"')
    labels = _labels(window, districts, names, 9.5)
    if window.scale <= 90_000 and "streets" in catalog.layers:
        labels = _free(labels + _labels(window, *await shapes("streets"), 6.6))
    return Base(ground, below + "".join(roads), above, labels)


def _ends_at_sea(window: Window, land: np.ndarray, coast: np.ndarray) -> bool:
    """Whether the land's outer border in the window is coast, but for 12 mm of paper."""
    paper = shapely.box(0, 0, window.width, window.height)
    border = shapely.union_all(shapely.make_valid(land)).boundary
    open_border = shapely.intersection(border, paper.buffer(-0.5)).difference(shapely.union_all(coast).buffer(1.5) if len(coast) else shapely.Point())
    return open_border.length < 12


async def _shapes(connection: AsyncConnection, catalog: Catalog, scope: Scope, window: Window, layer: str, where: str) -> tuple[np.ndarray, list[str]]:
    """A layer's shapes on the paper and their names; `where` is SQL of this file. Nothing when there are more than BASE_MAX."""
    spec = catalog.get(layer)
    if spec is None:
        return np.array([], dtype=object), []
    of = await features.of_layer(connection, spec)
    rows, parameters = features.asked(of, scope, Ask(area=rectangle(window.storage)))
    name = sql.SQL("coalesce(name, '')") if any(column.name == "name" for column in of.columns) else sql.SQL("''")
    query = sql.SQL("SELECT ST_AsBinary({}), {} FROM (SELECT *{}) AS kept WHERE {} LIMIT {}").format(
        CRS84.expression(of.shape.sql, of.shape.srid), name, rows, sql.SQL(where), sql.Literal(BASE_MAX + 1)
    )
    found = await (await connection.execute(query, parameters)).fetchall()
    if len(found) > BASE_MAX:
        return np.array([], dtype=object), []
    return window.paper(np.asarray(shapely.from_wkb([one[0] for one in found]), dtype=object)), [one[1] for one in found]


def _labels(window: Window, shapes: np.ndarray, names: list[str], size: float) -> list[dict]:
    """A name in the middle of each area that has room for it, without what it adds in brackets."""
    inside = shapely.clip_by_rect(shapes, 2.0, 2.0, window.width - 2.0, window.height - 2.0) if len(shapes) else shapes
    found = []
    for shape, name in sorted(zip(inside, names, strict=True), key=lambda pair: -pair[0].area):
        name = name.partition("（")[0]
        if not name or shape.is_empty or shape.area < len(name) * size * size * 0.12:
            continue
        largest = max(shapely.get_parts(shape), key=lambda part: part.area)
        point = shapely.point_on_surface(largest)
        half = len(name) * size * 0.18
        found.append({"text": name, "x": round(min(max(point.x, half), window.width - half), 2), "y": round(point.y, 2), "size": size})
    return _free(found)


def _free(labels: list[dict]) -> list[dict]:
    """The labels that lie on none before them."""
    kept: list[tuple[dict, float, float]] = []
    for label in labels:
        width, height = len(label["text"]) * label["size"] * 0.37 + 1, label["size"] * 0.45
        if all(abs(label["x"] - other["x"]) > (width + w) / 2 or abs(label["y"] - other["y"]) > (height + h) / 2 for other, w, h in kept):
            kept.append((label, width, height))
    return [label for label, _, _ in kept]
