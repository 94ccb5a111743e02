"""Small pictures of layers for the catalogue, 120 × 80, drawn from the layer's own generalised features as its declaration paints them. The only writer of `layer_thumbnails`.

A picture is made for the city and for each district, of what people of that region may see. Whoever looks from a street or a community is shown the city's picture
of layers that are public, and none of the others: a picture of the district would show more than their region.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import psycopg
import shapely
from psycopg import AsyncConnection, sql

from grid import crs
from grid.database import Scope, row, rows
from layers import datasets, figures, imported, sheet_base, sheet_frame, sheet_map, sources, styling
from layers.catalog import Catalog
from layers.colours import Paint, Painter
from layers.deck import expressions, fields
from layers.live import WORLD_DEGREES, WORLD_METRES
from layers.paint import LegendEntry
from layers.sheet_frame import Window
from layers.spec import LayerSpec

WIDTH, HEIGHT = 120.0, 80.0
SHOWN_MAX, BYTES_MAX = 1_500, 14_000
ZOOM = 10
"""The zoom whose statement is asked: from afar, layers draw generalised rows."""
BUDGET_S = 15.0
TIMEOUT = "4s"
LAND = '<path fill="#8A94A6" fill-opacity="0.26" d="'
_PENS = sheet_map.Pens(line=1.0, radius=0.85, least=6.0)
_DISC_BYTES = 75


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as stored; `sha256` of the SVG."""

    sha256: str
    svg: str


async def known(connection: AsyncConnection, catalog: Catalog, scope: Scope) -> dict[str, str]:
    """Layer -> hash of the picture that a caller may see."""
    found = await rows(connection, "SELECT layer_id, prefix, sha256 FROM layer_thumbnails WHERE prefix IN (%(own)s, %(city)s) AND svg <> ''", {"own": scope.prefix, "city": scope.prefix[:4]})
    city = {r["layer_id"]: r["sha256"] for r in found if r["prefix"] != scope.prefix and _public(catalog, r["layer_id"])}
    return city | {r["layer_id"]: r["sha256"] for r in found if r["prefix"] == scope.prefix}


async def get(connection: AsyncConnection, catalog: Catalog, scope: Scope, layer_id: str) -> Thumbnail | None:
    """The picture of a layer that a caller may see, or None."""
    prefixes = [scope.prefix] + ([scope.prefix[:4]] if _public(catalog, layer_id) else [])
    query = "SELECT sha256, svg FROM layer_thumbnails WHERE layer_id = %(id)s AND prefix = ANY (%(prefixes)s) AND svg <> '' ORDER BY length(prefix) DESC LIMIT 1"
    found = await row(connection, query, {"id": layer_id, "prefixes": prefixes})
    return Thumbnail(**found) if found else None


def _public(catalog: Catalog, layer_id: str) -> bool:
    spec = catalog.get(layer_id)
    return spec is not None and sheet_base.all_public(spec)


async def run(connection: AsyncConnection, catalog: Catalog, *, budget_s: float = BUDGET_S, now: datetime | None = None) -> int:
    """Draws what is new or has changed since it was drawn, the city first, for at most `budget_s`; commits each picture. Returns how many were drawn.

    What is left is drawn by the next run. A layer whose rows cannot be had in time keeps the picture it has and is asked again an hour later.
    """
    deadline = time.monotonic() + budget_s
    now = now or datetime.now(UTC)
    written = {r["register"]: r["at"] for r in await rows(connection, "SELECT register, max(at) AS at FROM register_changes GROUP BY 1")}
    prefixes = [r["prefix"] for r in await rows(connection, "SELECT DISTINCT left(region_code, CASE WHEN length(region_code) < 6 THEN 4 ELSE 6 END) AS prefix FROM staff WHERE NOT disabled ORDER BY 1")]
    stored = {(r["layer_id"], r["prefix"]): r["drawn_from"] for r in await rows(connection, "SELECT layer_id, prefix, drawn_from FROM layer_thumbnails")}
    drawn, late = 0, f"late {now:%Y-%m-%dT%H}"
    kept: set[str] = set()
    for prefix in sorted(prefixes, key=lambda code: (len(code), code)):
        scope = Scope(prefix)
        land = await _land(connection, scope)
        wanted = [(spec.id, _of_spec(spec, written, now), spec) for spec in catalog if spec.deck is not None and spec.kind != "raster"]
        wanted += [(each.layer_id, f"{each.version} {each.updated_at} {given}", each) for each, given in await _imported(connection, scope)]
        kept |= {layer_id for layer_id, _, _ in wanted}
        for layer_id, text, of in wanted:
            source = hashlib.sha256(text.encode()).hexdigest()
            if stored.get((layer_id, prefix)) in (source, late):
                continue
            if time.monotonic() > deadline:
                return drawn
            try:
                svg = await (_layer(connection, catalog, scope, of, land) if isinstance(of, LayerSpec) else _dataset(connection, scope, of, land))
            except psycopg.errors.QueryCanceled:
                svg, source = (await _kept(connection, layer_id, prefix)) or None, late
            drawn += svg is not None
            await _store(connection, layer_id, prefix, svg, source)
            await connection.commit()
    await connection.execute("DELETE FROM layer_thumbnails WHERE layer_id <> ALL (%(kept)s) OR prefix <> ALL (%(prefixes)s)", {"kept": sorted(kept), "prefixes": prefixes})
    await connection.commit()
    return drawn


async def _store(connection: AsyncConnection, layer_id: str, prefix: str, svg: str | None, source: str) -> None:
    """Keeps a picture; an empty one says that the layer has nothing to show there, or not in time, and is not handed out."""
    query = """
        INSERT INTO layer_thumbnails (layer_id, prefix, sha256, svg, drawn_from) VALUES (%(id)s, %(prefix)s, %(sha)s, %(svg)s, %(source)s)
        ON CONFLICT (layer_id, prefix) DO UPDATE SET sha256 = excluded.sha256, svg = excluded.svg, drawn_from = excluded.drawn_from, made_at = now()
    """
    await connection.execute(query, {"id": layer_id, "prefix": prefix, "sha": hashlib.sha256((svg or "").encode()).hexdigest(), "svg": svg or "", "source": source})


def _of_spec(spec: LayerSpec, written: dict[str, datetime], now: datetime) -> str:
    """What a picture of a layer depends on: its declaration, when its registers were written, and the day where events change it."""
    named = (*sources.of(spec), *((figures.MADE,) if sources.figured(spec) else ()))
    day = f"{now:%Y-%m-%d}" if spec.live and not sources.figured(spec) else ""
    return json.dumps([spec.statements, [str(line) for line in spec.legend], [str(written.get(name)) for name in named], day])


async def _imported(connection: AsyncConnection, scope: Scope) -> list[tuple[datasets.Dataset, str]]:
    given = await styling.looks(connection)
    return [(each, str(given.get(each.id))) for each in await datasets.page(connection, scope)]


async def _land(connection: AsyncConnection, scope: Scope) -> np.ndarray:
    query = "SELECT ST_AsBinary(ST_SimplifyPreserveTopology(geom, 0.002)) AS shape FROM regions WHERE level = 2 AND (code LIKE %(scope)s OR starts_with(%(prefix)s, code))"
    return np.asarray(shapely.from_wkb([r["shape"] for r in await rows(connection, query, {"scope": scope.like, "prefix": scope.prefix})]), dtype=object)


async def _layer(connection: AsyncConnection, catalog: Catalog, scope: Scope, spec: LayerSpec, land: np.ndarray) -> str | None:
    deck = catalog.decks[spec.id]
    names = sorted({name for text in expressions(deck) for name in fields(text)} & set(spec.attributes))
    shape = sql.SQL("ST_Transform(geom_3857, 4326)" if spec.kind == "mvt" else "geom")
    zoom = max(spec.min_zoom, min(ZOOM, spec.max_zoom))
    query = sql.SQL("SELECT ST_AsBinary({}){} FROM ({}) AS source ORDER BY hashint8(id::bigint) LIMIT {}").format(
        shape, sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(name)) for name in names), sql.SQL(spec.sql_at(zoom).strip()), sql.Literal(SHOWN_MAX)
    )
    parameters = {"z": zoom, "wide": WORLD_METRES, "degrees": WORLD_DEGREES, "scope": scope.like, "prefix": scope.prefix}
    found = await _fetch(connection, query, parameters)
    legend = spec.legend
    painter = _Plain(deck, legend[0].color if legend else "#5B7DB1")
    return await asyncio.to_thread(draw, [one[0] for one in found], [dict(zip(names, one[1:], strict=True)) for one in found], painter, legend, land)


async def _dataset(connection: AsyncConnection, scope: Scope, dataset: datasets.Dataset, land: np.ndarray) -> str | None:
    look = (await styling.looks(connection)).get(dataset.id)
    shown = imported.layer_row(dataset.layer_id, dataset.title, dataset.title_en, dataset.geometry_type, tuple(name for name, _ in dataset.attributes), 0, dataset.created_at, dataset.simulated, "", look)
    query = sql.SQL("SELECT ST_AsBinary(geom), properties FROM dataset_features WHERE dataset_id = %(id)s AND region_code LIKE %(scope)s ORDER BY hashint8(id) LIMIT {}").format(sql.Literal(SHOWN_MAX))
    found = await _fetch(connection, query, {"id": dataset.id, "scope": scope.like})
    return await asyncio.to_thread(draw, [one[0] for one in found], [one[1] for one in found], _Plain(shown.deck, imported.COLOR), shown.legend, land)


async def _fetch(connection: AsyncConnection, query: sql.Composed, parameters: dict) -> list[tuple]:
    async with connection.transaction():
        await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(TIMEOUT)))
        return await (await connection.execute(query, parameters)).fetchall()


async def _kept(connection: AsyncConnection, layer_id: str, prefix: str) -> str:
    found = await row(connection, "SELECT svg FROM layer_thumbnails WHERE layer_id = %(id)s AND prefix = %(prefix)s", {"id": layer_id, "prefix": prefix})
    return found["svg"] if found else ""


def draw(shapes: Sequence[bytes], properties: Sequence[dict], painter: Painter, legend: tuple[LegendEntry, ...], land: np.ndarray) -> str | None:
    """The picture of features (WKB, storage degrees) over the silhouette of the land; None when there is nothing to show. At most BYTES_MAX of paths."""
    found = np.asarray(shapely.from_wkb(list(shapes)), dtype=object)
    full = ~(shapely.is_missing(found) | shapely.is_empty(found)) if len(found) else np.array([], dtype=bool)
    if not full.any():
        return None
    window = sheet_frame.fit(_room(shapely.total_bounds(found[full])), crs.STORAGE, WIDTH, HEIGHT)
    drawing = sheet_map.Drawing(painter, legend, _PENS)
    placed, kept, size, seen = _coarse(window, found), [], 0, set()
    for at in np.flatnonzero(full):
        shape = placed[at]
        size += 12 + (_DISC_BYTES if shapely.get_dimensions(shape) == 0 else 12) * int(shapely.get_num_coordinates(shape))
        mark = shapely.to_wkb(shape)
        if size > BYTES_MAX:
            break
        if mark not in seen:
            seen.add(mark)
            kept.append(at)
    drawing.add(placed[kept], [properties[at] for at in kept])
    ground = "".join(sheet_map.outline(shape) for shape in shapely.simplify(window.paper(land), 0.4)) if len(land) else ""
    body = drawing.svg()
    if not body:
        return None
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}">{LAND}{ground}"/>{body}</svg>'


class _Plain(Painter):
    """The same colours, for a picture that is looked at from afar: areas that are filled at all are filled well."""

    def paint(self, row: Mapping[str, object]) -> Paint:
        """How a feature of these properties is drawn."""
        found = super().paint(row)
        fill = found.fill and (found.fill[0], 0.9 if found.fill[1] > 0.25 else found.fill[1])
        return replace(found, fill=fill)


def _room(box: np.ndarray) -> tuple[float, float, float, float]:
    """The box with at least 0.02° to a side, so that a single point has surroundings."""
    west, south, east, north = box
    x, y = max(0.0, 0.02 - (east - west)) / 2, max(0.0, 0.016 - (north - south)) / 2
    return float(west - x), float(south - y), float(east + x), float(north + y)


def _coarse(window: Window, shapes: np.ndarray) -> np.ndarray:
    """Shapes in pixels, thinned to half of one; an area or line below 1.6 is a square of two on a grid of them."""
    placed = shapely.simplify(window.paper(shapes), 0.5)
    bounds = shapely.bounds(placed)
    tiny = (np.nan_to_num(np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])) < 1.6) & (shapely.get_dimensions(placed) > 0) & ~shapely.is_empty(placed)
    if tiny.any():
        x, y = np.round(bounds[tiny, 0]), np.round(bounds[tiny, 1])
        placed[tiny] = shapely.box(x, y, x + 2.0, y + 2.0)
    return placed
