"""Imported files as layers: the only writer of `datasets`. An import is stored whole or not at all, and nobody sees a part of it."""

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import shapely
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from shapely.geometry.base import BaseGeometry

from grid import clock, events, jobs
from grid.database import Scope
from grid.errors import Conflict, Forbidden, InvalidInput, NotFound
from grid.world import regions as divisions
from layers import gate, geocoding, originals, readers, search, staging
from layers.quarantine import Held
from layers.readers import Options, Reject
from layers.reading.correcting import Correction
from layers.reading.documents import plain
from layers.staging import Staged

NAMED_AT_ONCE = 20_000
SPOOLED_IN_MEMORY = 8 * 1024**2
_VINTAGE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One imported file. `bbox` is west, south, east, north in degrees and `feature_count` a number, both of what the caller may see."""

    id: str
    title: str
    title_en: str
    group_name: str
    format: str
    geometry_type: str
    declared_crs: str
    crs_origin: str
    source_name: str
    source_sha256: str
    attributes: tuple[tuple[str, str], ...]
    feature_count: int
    rejected: tuple[Reject, ...]
    rejected_count: int
    mended: int
    licence: str
    owner: str
    vintage: str
    region_code: str
    simulated: bool
    created_at: datetime
    updated_at: datetime
    version: int
    key_name: str | None
    store: str | None
    bbox: tuple[float, float, float, float] | None

    @property
    def layer_id(self) -> str:
        """The id of its layer."""
        return f"dataset_{self.id}"


@dataclass(frozen=True, slots=True)
class About:
    """What people say about a file they import. `id`: lower case words joined by _, made from title and content when None.
    `vintage`: the time the data stand for, see `vintage`."""

    title: str
    title_en: str = ""
    group_name: str = "imported"
    licence: str = ""
    owner: str = ""
    vintage: str = ""
    simulated: bool = False
    created_by: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A file being read for a dataset of an id: chunks of rows in COPY's format and, last, a summary."""

    dataset_id: str
    title: str
    sha256: str
    chunks: Iterator[readers.Chunk | readers.Summary]


async def surroundings(connection: AsyncConnection, scope: Scope) -> readers.Surroundings:
    """What a reader has to know of the world."""
    known = [r for level in (2, 3, 4) for r in await divisions.of_level(connection, level)]
    return readers.Surroundings(await reference(connection), known, scope)


def start(path: Path, name: str, about: About, options: Options, around: readers.Surroundings, dataset_id: str | None = None) -> Reading:
    """Begins to read the file at `path` (called `name` by its sender). Slow and synchronous, as is advancing its chunks: in a thread.

    Raises InvalidInput for a title or id that cannot be one, and what `layers.readers.stream` raises. `dataset_id`: rows for a dataset that exists.
    """
    title = _title(about)
    sha256 = originals.digest(path)
    chosen = dataset_id or about.id or make_id(title, sha256)
    chunks = readers.stream(path, name, options, around, chosen)
    return Reading(chosen, title, sha256, chunks if options.resolved is None else _without(Path(options.resolved), chunks))


def _title(about: About) -> str:
    title = " ".join(about.title.split())
    if not 1 <= len(title) <= 120:
        raise InvalidInput(f"标题须为 1–120 字 · a title has 1 to 120 characters: {len(title)}", remedy="给数据集起个名字 · name the dataset")
    return title


def _without(places: Path, chunks: Iterator[readers.Chunk | readers.Summary]) -> Iterator[readers.Chunk | readers.Summary]:
    """The chunks; the file of places goes when they end."""
    try:
        yield from chunks
    finally:
        places.unlink(missing_ok=True)


def spooled(path: Path, name: str, about: About, options: Options, around: readers.Surroundings) -> Reading:
    """The same, read to its end: the rows wait in a temporary file, and storing them takes no longer than the database does. Raises what reading raises."""
    reading = start(path, name, about, options, around)
    store = tempfile.SpooledTemporaryFile(SPOOLED_IN_MEMORY, prefix="hdq-rows-")  # noqa: SIM115 - closed when its rows were read again
    found: list[tuple[int, float, int]] = []
    try:
        for chunk in reading.chunks:
            if isinstance(chunk, readers.Summary):
                summary = chunk
                continue
            found.append((chunk.rows, chunk.done, store.write(chunk.data)))
    except BaseException:
        store.close()
        raise

    def again() -> Iterator[readers.Chunk | readers.Summary]:
        with store:
            store.seek(0)
            for rows, done, size in found:
                yield readers.Chunk(rows, done, store.read(size))
        yield summary

    return replace(reading, chunks=again())


async def import_file(
    connection: AsyncConnection,
    data_dir: Path,
    path: Path,
    name: str,
    about: About,
    options: Options = Options(),
    *,
    scope: Scope = Scope("3702"),
    progress: Callable[[int, int], None] | None = None,
    reading: Reading | None = None,
    settled: Correction | None = None,
) -> Dataset | Held:
    """Reads the file at `path` (called `name` by its sender) and stores it as a dataset, in the caller's transaction; nobody sees any of it before that ends.

    Rows outside `scope` are rejected. `progress(done, total)` counts stored features, of an estimate until the end. `reading`: a file already begun (or
    spooled) by `start`. Raises what `start` raises, and Conflict when the same file is there under the same title. Publishes `dataset.imported`, last.
    A file whose coordinates contradict what is known is held instead (see layers.gate), unless how to read its rows was `settled` by a person.
    """
    if reading is None:
        _title(about)  # nothing is read, and no address looked up, for a set that cannot be named
        around = replace(await surroundings(connection, scope), correction=settled)
        placed = await geocoding.placed(connection, scope, path, name, options)
        reading = await asyncio.to_thread(start, path, name, about, placed, around)
    await _unused(connection, reading.dataset_id)

    async def watch(rows: int, done: float) -> None:
        if progress is not None:
            progress(rows, max(rows, round(rows / max(done, 1e-9))))

    staged = await staging.fill(connection, reading.dataset_id, reading.chunks, watch)
    if progress is not None:
        progress(staged.summary.kept, staged.summary.kept)
    if settled is None:
        admitted = await gate.admit(connection, data_dir, path, name, reading.title, reading.sha256, reading.dataset_id, about, options, staged)
        if isinstance(admitted, Held):
            return admitted
        staged = admitted
    await originals.importing(connection)
    await asyncio.to_thread(originals.keep, data_dir, path, reading.sha256)
    return await create(connection, reading.dataset_id, reading.title, name, reading.sha256, about, options, staged, scope)


def vintage(text: str) -> str:
    """The time that data stand for, as somebody declares it: YYYY, YYYY-MM or YYYY-MM-DD, not before 1900 and not in the future; empty: not stated. Raises InvalidInput."""
    said = text.strip()
    if not said:
        return ""
    today = clock.today()
    with contextlib.suppress(ValueError):
        if _VINTAGE.fullmatch(said) and date(1900, 1, 1) <= date.fromisoformat((said + "-01-01")[:10]) <= today:
            return said
    raise InvalidInput(f"数据时间无效 · no time that data could stand for: {text[:40]!r}", remedy=f"写成 2026、2026-05 或 2026-05-31，不晚于今天 · a year, month or day up to {today}")


async def create(
    connection: AsyncConnection, dataset_id: str, title: str, name: str, sha256: str, about: About, options: Options, staged: Staged, scope: Scope
) -> Dataset:
    """A dataset of staged rows, in the caller's transaction. Raises Conflict when the id is taken. Publishes `dataset.imported`, last."""
    summary = staged.summary
    cursor = await connection.execute(
        """
        INSERT INTO datasets (id, title, title_en, group_name, format, geometry_type, declared_crs, crs_origin, source_name, source_sha256, attributes,
            feature_count, rejected, rejected_count, mended, licence, owner, vintage, region_code, simulated, created_by, extent, key_name)
        VALUES (%(id)s, %(title)s, %(title_en)s, %(group)s, %(format)s, %(geometry_type)s, %(crs)s, %(origin)s, %(source)s, %(sha256)s, %(attributes)s::jsonb,
            %(count)s, %(rejected)s::jsonb, %(bad)s, %(mended)s, %(licence)s, %(owner)s, %(vintage)s, %(region)s, %(simulated)s, %(by)s, %(extent)s, %(key)s)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        {
            "id": dataset_id,
            "title": title,
            "title_en": about.title_en,
            "group": about.group_name,
            "format": summary.format,
            "geometry_type": summary.geometry_type,
            "crs": summary.crs,
            "origin": summary.crs_origin,
            "source": name[:255],
            "sha256": sha256,
            "attributes": attributes_json(summary.attributes),
            "count": summary.kept,
            "rejected": rejected_json(summary.rejected),
            "bad": summary.rejected_count,
            "mended": summary.mended,
            "licence": about.licence,
            "owner": about.owner,
            "vintage": about.vintage,
            "region": summary.region_code,
            "simulated": about.simulated,
            "by": about.created_by,
            "extent": extent(summary.bounds),
            "key": options.key,
        },
    )
    if await cursor.fetchone() is None:
        raise _taken(dataset_id)
    store = await staging.switch_in(connection, staged)
    if store is not None:
        await connection.execute("UPDATE datasets SET store = %(store)s WHERE id = %(id)s", {"store": store, "id": dataset_id})
    await name_features(connection, dataset_id, summary.kept)
    stored = await get(connection, scope, dataset_id)
    await events.publish(connection, "dataset.imported", dataset_id, stored.region_code, {"title": title, "count": summary.kept, "layer": stored.layer_id})
    return stored


async def name_features(connection: AsyncConnection, dataset_id: str, count: int) -> None:
    """Makes features findable by name: at once where they are few, else by a job, so that a large layer is served before its last name is indexed."""
    if count <= NAMED_AT_ONCE:
        await search.index_dataset(connection, dataset_id)
    else:
        await jobs.enqueue(connection, "dataset_names", {"dataset_id": dataset_id}, queueing_lock=f"dataset_names {dataset_id}", lock="dataset_names")


async def _unused(connection: AsyncConnection, dataset_id: str) -> None:
    cursor = await connection.execute("SELECT 1 FROM datasets WHERE id = %(id)s", {"id": dataset_id})
    if await cursor.fetchone() is not None:
        raise _taken(dataset_id)


def _taken(dataset_id: str) -> Conflict:
    return Conflict(
        f"数据集已存在 · the dataset exists already: {dataset_id}",
        remedy="换一个标题，先删除原数据集，或以追加、替换、更新导入 · use another title, delete the old one first, or append, replace or upsert",
        dataset_id=dataset_id,
    )


_SELECT = """
    SELECT id, title, title_en, group_name, format, geometry_type, declared_crs, crs_origin, source_name, source_sha256, attributes, rejected, rejected_count, mended,
        licence, owner, vintage, region_code, simulated, created_at, updated_at, version, key_name, store,
        CASE WHEN region_code LIKE %(scope)s THEN feature_count ELSE seen.count END AS feature_count,
        CASE WHEN region_code LIKE %(scope)s THEN Box2D(extent) ELSE seen.box END AS box
    FROM datasets
    LEFT JOIN LATERAL (
        SELECT count(*) AS count, ST_Extent(geom) AS box FROM dataset_features
        WHERE region_code LIKE %(scope)s AND dataset_id = datasets.id AND datasets.region_code NOT LIKE %(scope)s
    ) AS seen ON true
    WHERE (region_code LIKE %(scope)s OR (%(prefix)s <> '' AND starts_with(%(prefix)s, region_code) AND seen.count > 0))
"""


async def page(connection: AsyncConnection, scope: Scope) -> list[Dataset]:
    """All datasets of which the caller may see something, newest first; counts and boxes are of that part."""
    return await _read(connection, scope, "ORDER BY created_at DESC, id", {})


async def get(connection: AsyncConnection, scope: Scope, dataset_id: str) -> Dataset:
    """One dataset. Raises NotFound, also outside the scope."""
    found = await _read(connection, scope, "AND id = %(id)s", {"id": dataset_id})
    if not found:
        raise NotFound(f"没有数据集 {dataset_id[:80]!r} · no such dataset", remedy="GET /api/datasets lists them")
    return found[0]


async def as_layer_rows(connection: AsyncConnection, scope: Scope) -> list[Dataset]:
    """What the layer tree needs of each dataset of the caller: `layer_id`, titles, group, geometry type, attributes, bbox, count, simulated."""
    return await page(connection, scope)


async def delete(connection: AsyncConnection, scope: Scope, dataset_id: str) -> None:
    """Removes a dataset, its features and its names; its file goes when no other dataset came from it. Publishes `dataset.deleted`, last.

    Raises NotFound, and Forbidden when the dataset reaches beyond the caller's region.
    """
    found = await get(connection, scope, dataset_id)
    if not scope.covers(found.region_code):
        raise Forbidden(f"数据集 {dataset_id} 超出辖区 · the dataset reaches beyond your region", remedy="请市级数据管理员删除 · ask a city data administrator")
    await search.forget_dataset(connection, dataset_id)
    await staging.remove(connection, dataset_id, found.store)
    await connection.execute("DELETE FROM imports WHERE dataset_id = %(id)s AND state IN ('done', 'failed', 'cancelled')", {"id": dataset_id})
    await connection.execute("DELETE FROM datasets WHERE id = %(id)s AND region_code LIKE %(scope)s", {"id": dataset_id, "scope": scope.like})
    await jobs.enqueue(connection, "dataset_originals", queueing_lock="dataset_originals")
    await events.publish(connection, "dataset.deleted", dataset_id, found.region_code, {"title": found.title, "layer": found.layer_id})


async def reference(connection: AsyncConnection) -> BaseGeometry | None:
    """The surveyed outlines of the districts, against which a file of outlines shows whether it is GCJ-02; None before they are loaded."""
    outlines = [r.geom for r in await divisions.of_level(connection, 2) if not r.simulated]
    return shapely.GeometryCollection(outlines) if outlines else None


def make_id(title: str, sha256: str) -> str:
    """A dataset's id from its title in pinyin and the first digits of its hash.

    >>> make_id("青岛 区县 2024", "ab12cd34ef"), make_id("★", "ab12cd34ef")
    ('qingdao_quxian_2024_ab12cd34', 'd_ab12cd34')
    """
    from pypinyin import lazy_pinyin  # its dictionary takes half a second to read: not at every start

    words = [re.sub(r"[^a-z0-9]", "", "".join(lazy_pinyin(word)).lower()) for word in title.split()]
    return f"{'_'.join(word for word in words if word)[:48].strip('_') or 'd'}_{sha256[:8]}"


async def _read(connection: AsyncConnection, scope: Scope, tail: str, params: dict) -> list[Dataset]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_SELECT + tail, {"scope": scope.like, "prefix": scope.prefix, **params})
        return [
            Dataset(
                **{
                    **row,
                    "attributes": tuple((a["name"], a["type"]) for a in row["attributes"]),
                    "rejected": tuple(Reject(r["row"], r["reason"]) for r in row["rejected"]),
                    "bbox": _box(row["bbox"]),
                }
            )
            for found in await cursor.fetchall()
            for row in [{**{k: v for k, v in found.items() if k != "box"}, "bbox": found["box"]}]
        ]


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    """PostGIS prints box2d as BOX(w s,e n)."""
    if text is None:
        return None
    west, south, east, north = (float(v) for v in re.findall(r"[-+.\deE]+", text.removeprefix("BOX")))
    return west, south, east, north


def extent(bounds: tuple[float, float, float, float]) -> BaseGeometry | None:
    """The box as a polygon, a hair wide where it is one point: a polygon needs an area."""
    west, south, east, north = bounds
    hair = 1e-6
    if not west <= east:
        return None
    return shapely.set_srid(shapely.box(max(west - hair, -180), max(south - hair, -90), min(east + hair, 180), min(north + hair, 90)), 4326)


def attributes_json(attributes: tuple[tuple[str, str], ...]) -> str:
    """As `datasets.attributes` holds them."""
    return json.dumps([{"name": str(plain(n)), "type": t} for n, t in attributes], ensure_ascii=False)


def rejected_json(rejected: tuple[Reject, ...]) -> str:
    """As `datasets.rejected` holds them."""
    return json.dumps([{"row": r.row, "reason": str(plain(r.reason))} for r in rejected], ensure_ascii=False)
