"""Any layer as a collection of features: its columns, pages of it in any frame, by box, time and filter. Scope stands in every statement (it is the layer's own).

The layer's statement for the nearest zoom is asked, so what is read is the register itself, not what low zooms draw. The caller's box, and a box that a filter
implies, go into that statement's own parameters: its index answers.
"""

import dataclasses
import math
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import shapely
from psycopg import AsyncConnection, sql
from shapely.geometry.base import BaseGeometry

from grid import crs
from grid.crs import QINGDAO
from grid.database import Scope, row
from grid.errors import InvalidQuery, NotFound
from layers import cql2, datasets
from layers.catalog import Catalog
from layers.cql2 import Column, Node
from layers.frames import CRS84, Frame, in_metres
from layers.live import WORLD_DEGREES, WORLD_METRES
from layers.spec import LayerSpec

COUNT_MAX = 10_000
"""Up to how many features a page says how many there are in all; counting more would cost more than the page."""
TIMEOUT = "10s"
EXTENT_KEPT_S, EXTENT_AGAIN_S, EXTENTS_S, EXTENT_MS, COUNT_MS = 600.0, 30.0, 1.0, 250, 500
"""How long a measured extent counts, and when one that took too long is tried again; how long a list of collections may measure those it does not know, one extent may take, and a count."""
SEEN = ("imagery", "events", "sensing")
"""Groups of layers that may reach beyond the caller's region."""
_KINDS = {
    16: "boolean", 20: "integer", 21: "integer", 23: "integer", 700: "real", 701: "number", 1700: "number", 25: "text", 1042: "text", 1043: "text", 2950: "text",
    1082: "date", 1114: "local", 1184: "timestamp",
}  # fmt: skip
_STORED = {"integer": "number", "number": "number", "boolean": "boolean", "text": "text", "json": "json"}


@dataclass(frozen=True, slots=True)
class Collection:
    """A layer or a dataset to be read feature by feature. `extent` in degrees (west, south, east, north); `time` the column that `datetime` asks.

    `source` is the statement of its rows, `shape` their geometry and its SRID. `extra` are parameters of the statement.
    """

    id: str
    title: str
    title_en: str
    group: str
    attribution: str
    public: bool
    tiled: bool
    extent: tuple[float, float, float, float]
    source: sql.Composable
    shape: Column
    columns: tuple[Column, ...] = ()
    properties: sql.Composable | None = None
    zoom: int = 22
    extra: tuple[tuple[str, Any], ...] = ()
    updated_at: datetime | None = None

    @property
    def queryables(self) -> dict[str, Column]:
        """What a filter may name: attributes, `id` and `geometry` (an attribute of that name goes before)."""
        own = {column.name: column for column in self.columns}
        return {"id": Column("id", "integer", sql.Identifier("id")), "geometry": dataclasses.replace(self.shape, name="geometry")} | own

    @property
    def time(self) -> Column | None:
        """The first attribute that is a moment or a day."""
        return next((column for column in self.columns if column.kind in ("timestamp", "local", "date")), None)


@dataclass(frozen=True, slots=True)
class Ask:
    """What of a collection: inside `area` (EPSG:4326), between two moments (both included, None open), fulfilling `filter` and `equal` attributes."""

    area: BaseGeometry | None = None
    since: datetime | None = None
    until: datetime | None = None
    filter: Node | None = None
    equal: tuple[tuple[str, str], ...] = ()
    limit: int = 10
    offset: int = 0
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Features as GeoJSON texts by rising id, the id after which the next page begins (None: this is the last), and how many there are in all (None: many)."""

    items: tuple[str, ...]
    after: int | None
    matched: int | None


async def collections(connection: AsyncConnection, catalog: Catalog, scope: Scope) -> list[Collection]:
    """All layers and datasets that the caller may see, without their columns. What no time was left to measure has the extent of the caller's region."""
    extent = await _extent(connection, scope)
    deadline = time.monotonic() + EXTENTS_S
    shown = [spec for spec in catalog if spec.kind != "raster" and (spec.deck is not None or spec.public)]
    # what was seen first: registers end where the region ends, findings and pictures need not
    placed = {spec.id: await _placed(connection, scope, _of_layer(spec, extent), deadline) for spec in sorted(shown, key=lambda spec: spec.group not in SEEN)}
    return [placed[spec.id] for spec in shown] + [_of_dataset(dataset) for dataset in await datasets.page(connection, scope)]


async def collection(connection: AsyncConnection, catalog: Catalog, scope: Scope, collection_id: str) -> Collection:
    """One collection with its columns; its extent is measured when it is listed. Raises NotFound, also for a dataset of which the caller may see nothing."""
    spec = catalog.get(collection_id)
    if spec is not None and spec.kind != "raster" and (spec.deck is not None or spec.public):
        return await _placed(connection, scope, await of_layer(connection, spec, await _extent(connection, scope)), -math.inf)
    if collection_id.startswith("dataset_"):
        return _of_dataset(await datasets.get(connection, scope, collection_id.removeprefix("dataset_")))
    raise NotFound(f"没有集合 · no collection {collection_id[:80]!r}", remedy="GET /ogc/collections lists them")


_columns: dict[LayerSpec, tuple[Column, ...]] = {}


async def of_layer(connection: AsyncConnection, spec: LayerSpec, extent: tuple[float, float, float, float] = QINGDAO) -> Collection:
    """A layer as a collection, with its columns."""
    return dataclasses.replace(_of_layer(spec, extent), columns=await columns_of(connection, spec))


async def columns_of(connection: AsyncConnection, spec: LayerSpec) -> tuple[Column, ...]:
    """The attributes of a layer with what each holds, as the database says; asked once a process."""
    if spec not in _columns:
        made = _of_layer(spec, QINGDAO)
        names = sql.SQL(", ").join(sql.Identifier(name) for name in spec.attributes) if spec.attributes else sql.SQL("id")
        cursor = await connection.execute(sql.SQL("SELECT {} FROM ({}) AS source LIMIT 0").format(names, made.source), _parameters(made, Scope(""), None))
        _columns[spec] = tuple(Column(d.name, _KINDS.get(d.type_code, "json"), sql.Identifier(d.name)) for d in cursor.description) if spec.attributes else ()
    return _columns[spec]


def _of_layer(spec: LayerSpec, extent: tuple[float, float, float, float]) -> Collection:
    shape = Column("geometry", "geometry", sql.Identifier("geom_3857"), 3857) if spec.kind == "mvt" else Column("geometry", "geometry", sql.Identifier("geom"))
    source = sql.SQL(spec.sql_at(spec.max_zoom).strip())
    return Collection(spec.id, spec.title, spec.title_en, spec.group, spec.attribution, spec.public, spec.kind == "mvt", extent, source, shape, zoom=spec.max_zoom)


def _of_dataset(dataset: datasets.Dataset) -> Collection:
    """A dataset: each attribute is read out of its document, a value of another kind than declared counts as absent."""
    columns, written, keys = [], [], {}
    for number, (name, kind) in enumerate(dataset.attributes):
        stored = _STORED.get(kind, "json")
        alias = sql.Identifier(f"c{number}")
        text = {
            "text": "properties ->> {key}::text",
            "json": "properties -> {key}::text",
            "number": "CASE WHEN jsonb_typeof(properties -> {key}::text) = 'number' THEN (properties ->> {key}::text)::double precision END",
            "boolean": "CASE WHEN jsonb_typeof(properties -> {key}::text) = 'boolean' THEN (properties ->> {key}::text)::boolean END",
        }[stored]
        keys[f"key_{number}"] = name
        written.append(sql.SQL(text + " AS {alias}").format(key=sql.Placeholder(f"key_{number}"), alias=alias))
        columns.append(Column(name, stored, alias))
    source = sql.SQL(
        "SELECT {} FROM dataset_features WHERE dataset_id = %(dataset)s AND region_code LIKE %(scope)s AND geom && %(degrees)s"
    ).format(sql.SQL(", ").join([sql.SQL("id, geom, properties"), *written]))
    return Collection(
        dataset.layer_id, dataset.title, dataset.title_en or dataset.title, "imported", " · ".join(text for text in (dataset.owner, dataset.licence) if text), False, True,
        dataset.bbox or QINGDAO, source, Column("geometry", "geometry", sql.Identifier("geom")), tuple(columns), sql.SQL("properties"),
        extra=(("dataset", dataset.id), *keys.items()), updated_at=dataset.created_at,
    )  # fmt: skip


async def _extent(connection: AsyncConnection, scope: Scope) -> tuple[float, float, float, float]:
    query = "SELECT ST_XMin(b) AS w, ST_YMin(b) AS s, ST_XMax(b) AS e, ST_YMax(b) AS n FROM (SELECT ST_Extent(geom) AS b FROM regions WHERE code LIKE %(scope)s) AS box"
    found = await row(connection, query, {"scope": scope.like})
    return tuple(round(found[side], 6) for side in "wsen") if found and found["w"] is not None else QINGDAO


_extents: dict[tuple[str, str], tuple[float, tuple[float, float, float, float]]] = {}


async def _placed(connection: AsyncConnection, scope: Scope, of: Collection, deadline: float) -> Collection:
    """The collection with its measured extent, remembered for EXTENT_KEPT_S; that of the region where measuring takes too long, or past the deadline (monotonic)."""
    key, now = (of.id, scope.prefix), time.monotonic()
    kept = _extents.get(key)
    if kept is not None and kept[0] > now:
        return dataclasses.replace(of, extent=kept[1])
    if now > deadline:
        return of
    query = sql.SQL("SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT ST_Extent({}) AS b FROM ({}) AS source) AS box")
    found = await _soon(connection, query.format(of.shape.sql, of.source), _parameters(of, scope, None), EXTENT_MS)
    measured = of.extent
    if found and found[0][0] is not None:
        corners = shapely.box(*found[0])
        west, south, east, north = (crs.to_storage(corners, of.shape.srid) if of.shape.srid == 3857 else corners).bounds
        measured = (round(west - 1e-6, 6), round(south - 1e-6, 6), round(east + 1e-6, 6), round(north + 1e-6, 6))
    if len(_extents) > 20_000:
        _extents.clear()
    _extents[key] = (now + (EXTENT_AGAIN_S if found is None else EXTENT_KEPT_S), measured)
    return dataclasses.replace(of, extent=measured)


def _parameters(of: Collection, scope: Scope, box: BaseGeometry | None) -> dict:
    degrees = WORLD_DEGREES if box is None else shapely.set_srid(box, 4326)
    wide = WORLD_METRES if box is None else in_metres(box)
    return {"z": of.zoom, "wide": wide, "degrees": degrees, "scope": scope.like, "prefix": scope.prefix, **dict(of.extra)}


def asked(of: Collection, scope: Scope, ask: Ask) -> tuple[sql.Composed, dict]:
    """The rows of a question as `FROM … WHERE …`, and its parameters. Raises InvalidQuery for properties that are not there and values of another kind."""
    boxes = [box for box in (cql2.envelope(ask.filter), None if ask.area is None else ask.area.buffer(1e-6).envelope) if box is not None]
    box = min(boxes, key=lambda box: box.area, default=None)
    parameters = _parameters(of, scope, box)
    conditions: list[sql.Composable] = []
    if ask.area is not None:
        parameters["area"] = in_metres(ask.area) if of.shape.srid == 3857 else shapely.set_srid(ask.area, 4326)
        conditions.append(sql.SQL("ST_Intersects({}, %(area)s)").format(of.shape.sql))
    if of.time is not None and (ask.since or ask.until):
        moment = sql.SQL("({} AT TIME ZONE 'UTC')" if of.time.kind == "local" else "{}::timestamptz").format(of.time.sql)
        for name, sign in (("since", ">="), ("until", "<=")):
            if (value := getattr(ask, name)) is not None:
                parameters[name] = value
                conditions.append(sql.SQL("({moment} IS NULL OR {moment} {sign} {value})").format(moment=moment, sign=sql.SQL(sign), value=sql.Placeholder(name)))
    nodes = [ask.filter] if ask.filter is not None else []
    nodes += [_equal(of, name, text) for name, text in ask.equal]
    for number, node in enumerate(nodes):
        found = cql2.where(node, of.queryables)
        renamed = {name: f"{name}_{number}" for name in found.parameters}
        parameters |= {renamed[name]: value for name, value in found.parameters.items()}
        conditions.append(_renamed(found.sql, renamed))
    if ask.after is not None:
        parameters["after"] = ask.after
        conditions.append(sql.SQL("id > %(after)s"))
    where = sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")
    return sql.SQL(" FROM ({}) AS source{}").format(of.source, where), parameters


def _renamed(found: sql.Composable, names: dict[str, str]) -> sql.Composable:
    if isinstance(found, sql.Composed):
        return sql.Composed([_renamed(part, names) for part in found])
    return sql.Placeholder(names[found._obj]) if isinstance(found, sql.Placeholder) else found


def _equal(of: Collection, name: str, text: str) -> Node:
    """`name=text` of a query string: the text is read as what the attribute holds."""
    column = of.queryables.get(name)
    if column is None or column.kind in ("geometry", "json"):
        raise InvalidQuery(f"没有可查询属性 {name[:60]!r} · no such queryable or parameter", remedy=f"queryables: {', '.join(list(of.queryables)[:40])}")
    value: Any = text
    try:
        if column.kind == "integer":
            value = int(text)
        elif column.kind in ("real", "number"):
            value = float(text)
        elif column.kind == "boolean":
            value = {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError) as error:
        raise InvalidQuery(f"{name}={text[:60]!r} 不是 {column.kind} · is no {column.kind}", remedy=f"a value of kind {column.kind}") from error
    return cql2.equals(name, value)


async def page(connection: AsyncConnection, of: Collection, scope: Scope, ask: Ask, frame: Frame = CRS84) -> Page:
    """A page of a collection, by rising id, in a frame. Raises InvalidQuery for what the database finds wrong with a value."""
    rows, parameters = asked(of, scope, ask)
    query = sql.SQL("SELECT id, {}{} ORDER BY id LIMIT {} OFFSET {}").format(_feature(of, frame), rows, sql.Literal(ask.limit + 1), sql.Literal(ask.offset))
    found = await _fetch(connection, query, parameters)
    items = found[: ask.limit]
    matched = None
    if ask.after is None:
        counted = await _soon(connection, sql.SQL("SELECT count(*) FROM (SELECT 1{} LIMIT {}) AS counted").format(rows, sql.Literal(COUNT_MAX + 1)), parameters, COUNT_MS)
        matched = counted[0][0] if counted and counted[0][0] <= COUNT_MAX else None
    return Page(tuple(text for _, text in items), items[-1][0] if len(found) > ask.limit else None, matched)


async def one(connection: AsyncConnection, of: Collection, scope: Scope, feature_id: int, frame: Frame = CRS84) -> str:
    """One feature as GeoJSON text; NotFound when there is none inside the scope."""
    rows, parameters = asked(of, scope, Ask(filter=cql2.equals("id", feature_id)))
    found = await _fetch(connection, sql.SQL("SELECT id, {}{} LIMIT 1").format(_feature(of, frame), rows), parameters)
    if not found:
        raise NotFound(f"集合 {of.id} 没有要素 {feature_id} · no such feature in your region", remedy="it may have been closed or deleted")
    return found[0][1]


async def ids(connection: AsyncConnection, of: Collection, scope: Scope, ask: Ask) -> list[int]:
    """The ids of all features of a question, rising."""
    rows, parameters = asked(of, scope, ask)
    return [found[0] for found in await _fetch(connection, sql.SQL("SELECT id{} ORDER BY id").format(rows), parameters)]


def properties(of: Collection) -> sql.Composable:
    """SQL of a feature's attributes as one JSON object."""
    if of.properties is not None:
        return of.properties
    names = sql.SQL(", ").join(sql.SQL("{} AS {}").format(column.sql, sql.Identifier(column.name)) for column in of.columns)
    return sql.SQL("(SELECT to_json(p) FROM (SELECT {}) AS p)").format(names) if of.columns else sql.SQL("'{}'::json")


def _feature(of: Collection, frame: Frame) -> sql.Composed:
    return sql.SQL("""'{{"type":"Feature","id":' || id || ',"geometry":' || coalesce(ST_AsGeoJSON({shape}, {digits}, 0), 'null') || ',"properties":' || ({properties})::text || '}}'""").format(
        shape=frame.expression(of.shape.sql, of.shape.srid), digits=sql.Literal(frame.digits), properties=properties(of)
    )


async def _soon(connection: AsyncConnection, query: sql.Composed, parameters: dict, ms: int) -> list[tuple] | None:
    """The rows of a question that is worth asking only when it is answered soon; None when it is not."""
    try:
        async with connection.transaction():
            await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(ms)))
            cursor = await connection.execute(query, parameters)
            found = await cursor.fetchall()
            await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(TIMEOUT)))
            return found
    except psycopg.errors.QueryCanceled:
        return None


async def _fetch(connection: AsyncConnection, query: sql.Composed, parameters: dict) -> list[tuple]:
    await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(TIMEOUT)))
    try:
        cursor = await connection.execute(query, parameters)
        return await cursor.fetchall()
    except (psycopg.DataError, psycopg.errors.InternalError_) as error:
        raise InvalidQuery(f"数据库拒绝了过滤条件 · the database refused the filter: {error.diag.message_primary or ''}"[:300], remedy="correct the values of the filter") from error
