"""What a client needs to draw all layers: groups, declarations, sources, legends, tooltips, and how fresh each layer is for this caller."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection, sql

from grid.database import Scope, rows
from layers import sources
from layers.catalog import Catalog
from layers.contracts import UNCHECKED, Standing, standings
from layers.live import features
from layers.paint import LegendEntry
from layers.spec import GROUPS, Faces, Field, LayerSpec
from layers.styling import Look

SCENES = 24
"""The newest scenes that are offered as raster layers."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How many rows the caller may see (None: not counted yet), when the newest changed (None: the table does not say), and whether any is simulated."""

    count: int | None
    updated_at: datetime | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose a layer is, and how it may be used; `sensitivity` public, internal or restricted; `vintage` the month its registers were last written, or live."""

    owner: str
    owner_en: str
    licence: str
    sensitivity: str
    vintage: str
    lineage: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A layer as the client sees it. `max_zoom` is the finest zoom of its tiles: nearer, they are drawn larger."""

    id: str
    title: str
    title_en: str
    group: str
    deck: dict
    source_type: str
    source_url: str
    legend: tuple[LegendEntry, ...]
    tooltip: tuple[Field, ...]
    min_zoom: int
    max_zoom: int
    visible: Faces
    live: tuple[str, ...]
    freshness: Freshness
    attribution: str = ""
    terms: Terms = Terms("", "", "", sources.INTERNAL, "", ())
    standing: Standing = UNCHECKED
    look: Look | None = None


async def layer_rows(connection: AsyncConnection, catalog: Catalog, scope: Scope, checked: dict[str, Standing] | None = None) -> list[Row]:
    """The catalogue's layers for a caller, bottom of the map first; each registered scene is a layer of its own. Parts of the base map are not listed."""
    shown = [spec for spec in catalog if spec.deck is not None]
    checked = await standings(connection, catalog, scope) if checked is None else checked
    asked = [spec for spec in shown if spec.id not in catalog.families and (spec.live or spec.id not in checked)]
    fresh = await freshness(connection, asked, scope)
    found: list[Row] = []
    for spec in shown:
        standing = checked.get(spec.id, UNCHECKED)
        if spec.kind == "raster":
            found += [dataclasses.replace(row, terms=terms(spec, standing), standing=standing) for row in await _scenes(connection, catalog, spec, scope)]
            continue
        counted = fresh.get(spec.id, Freshness(standing.rows, standing.changed_at, standing.simulated))
        found.append(dataclasses.replace(_row(spec, catalog.decks[spec.id], counted), terms=terms(spec, standing), standing=standing))
    return found


def terms(spec: LayerSpec, standing: Standing) -> Terms:
    """The terms of a layer: its owner is that of the register it draws, its sensitivity the strictest of all it stands on."""
    named = sources.of(spec)
    if not named:
        return Terms(*sources.CITY_OWNER, "", sources.INTERNAL, "", ())
    first = sources.SOURCES[named[0]]
    strictest = max((sources.SOURCES[name].sensitivity for name in named), key=(sources.PUBLIC, sources.INTERNAL, sources.RESTRICTED).index)
    vintage = "实时 · live" if first.changed and not sources.figured(spec) else f"{standing.changed_at:%Y-%m}" if standing.changed_at else ""
    return Terms(*first.owner, first.licence, strictest, vintage, named)


async def freshness(connection: AsyncConnection, specs: list[LayerSpec], scope: Scope) -> dict[str, Freshness]:
    """Counts of all layers in one statement."""
    counted = [spec for spec in specs if spec.count_from]
    if not counted:
        return {}
    parts = [
        sql.SQL("SELECT {id} AS id, count(*) AS count, {updated} AS updated_at, coalesce(bool_or({simulated}), false) AS simulated FROM {source} WHERE {column} LIKE %(scope)s").format(
            id=sql.Literal(spec.id),
            updated=sql.SQL(spec.updated),
            simulated=sql.SQL("simulated" if spec.id != "suppressions" else "false"),
            source=sql.SQL(spec.count_from),
            column=sql.SQL(spec.count_scope),
        )
        for spec in counted
    ]
    found = await rows(connection, sql.SQL(" UNION ALL ").join(parts), {"scope": scope.like})
    return {item["id"]: Freshness(item["count"], item["updated_at"], item["simulated"]) for item in found}


async def _scenes(connection: AsyncConnection, catalog: Catalog, spec: LayerSpec, scope: Scope) -> list[Row]:
    found = []
    for text in reversed((await features(connection, spec, scope)).items[:SCENES]):
        scene = json.loads(text)["properties"]
        layer_id = f"{spec.show or 'scene'}_{scene['id_text']}"
        row = _row(
            spec,
            {**catalog.decks[spec.id], "id": layer_id},
            Freshness(1, datetime.fromisoformat(scene["created_at"]), scene["simulated"]),
        )
        day = scene["taken_at"][:10]
        name = scene["title"] or scene["id_text"]
        what, what_en = (f"{spec.title} · ", f"{spec.title_en} · ") if spec.show else ("", "")
        found.append(
            dataclasses.replace(
                row, id=layer_id, title=f"{what}{name} {day}", title_en=f"{what_en}{name} {day}", source_url=spec.url.replace("{scene}", scene["id_text"]), attribution=scene["collection"]
            )
        )
    return found


def _row(spec: LayerSpec, deck: dict, fresh: Freshness) -> Row:
    return Row(
        id=spec.id,
        title=spec.title,
        title_en=spec.title_en,
        group=spec.group,
        deck=deck,
        source_type=spec.kind,
        source_url=spec.url,
        legend=spec.legend,
        tooltip=spec.tooltip,
        min_zoom=spec.min_zoom,
        max_zoom=spec.tile_max_zoom if spec.kind != "geojson" else spec.max_zoom,
        visible=spec.visible,
        live=spec.refreshed_by,
        freshness=fresh,
        attribution=spec.attribution,
    )


def revision(found: list[Row]) -> str:
    """A short name of what is declared (not of how fresh it is): the same set gives the same name."""
    declared = [[row.id, row.title, row.title_en, row.group, row.deck, row.source_url, row.min_zoom, row.max_zoom] for row in found]
    return hashlib.blake2b(json.dumps([declared, GROUPS], sort_keys=True, ensure_ascii=False).encode(), digest_size=8).hexdigest()
