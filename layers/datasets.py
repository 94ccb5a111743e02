"""Imported files as layers: the only writer of `datasets` and `dataset_features`. An import is stored whole or not at all.
"""

import asyncio
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from pypinyin import lazy_pinyin
from shapely.geometry.base import BaseGeometry

from grid import events, jobs
from grid.database import Scope
from grid.errors import Conflict, Forbidden, InvalidInput, NotFound
from grid.world import regions as divisions
from grid.world.bulk import copy_columns
from layers import originals, placing, readers, search
from layers.readers import Options, Reject

BATCH = 20_000
MAX_RECORD_BYTES = 65_536
MAX_REJECTED_KEPT = 5_000
_LABELS = ("name", "名称", "名字", "标题", "title", "label", "地址", "address", "ad_name", "district", "编号", "code")


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
    mended: int
    licence: str
    owner: str
    region_code: str
    simulated: bool
    created_at: datetime
    bbox: tuple[float, float, float, float] | None

    @property
    def layer_id(self) -> str:
        """The id of its layer."""
        return f"dataset_{self.id}"


@dataclass(frozen=True, slots=True)
class About:
    """What people say about a file they import. `id`: lower case words joined by _, made from title and content when None."""

    title: str
    title_en: str = ""
    group_name: str = "imported"
    licence: str = ""
    owner: str = ""
    simulated: bool = False
    created_by: int | None = None
    id: str | None = None


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
) -> Dataset:
    """Reads the file at `path` (called `name` by its sender) and stores it as a dataset, in the caller's transaction.

    Rows outside `scope` are rejected. `progress(done, total)` counts stored features. Raises what `layers.readers.read` raises, Conflict when
    the same file is there under the same title, InvalidInput for a title or id that cannot be one. Publishes `dataset.imported`, last.
    """
    title = " ".join(about.title.split())
    if not 1 <= len(title) <= 120:
        raise InvalidInput(f"标题须为 1–120 字 · a title has 1 to 120 characters: {len(title)}", remedy="给数据集起个名字 · name the dataset")
    table = await asyncio.to_thread(readers.read, path, name, options, await reference(connection))
    known = [r for level in (2, 3, 4) for r in await divisions.of_level(connection, level)]
    codes = await asyncio.to_thread(placing.region_codes, table.geometries, known)
    kept, documents, rejected = _storable(table, codes, scope)
    await originals.importing(connection)
    sha256 = await asyncio.to_thread(originals.keep, data_dir, path)
    dataset_id = about.id or make_id(title, sha256)
    await connection.execute("SET LOCAL statement_timeout = '15min'")
    cursor = await connection.execute(
        """
        INSERT INTO datasets (id, title, title_en, group_name, format, geometry_type, declared_crs, crs_origin, source_name, source_sha256, attributes,
            feature_count, rejected, mended, licence, owner, region_code, simulated, created_by, extent)
        VALUES (%(id)s, %(title)s, %(title_en)s, %(group)s, %(format)s, %(geometry_type)s, %(crs)s, %(origin)s, %(source)s, %(sha256)s, %(attributes)s::jsonb,
            %(count)s, %(rejected)s::jsonb, %(mended)s, %(licence)s, %(owner)s, %(region)s, %(simulated)s, %(by)s, %(extent)s)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        {
            "id": dataset_id,
            "title": title,
            "title_en": about.title_en,
            "group": about.group_name,
            "format": table.format,
            "geometry_type": table.geometry_type,
            "crs": table.crs,
            "origin": table.crs_origin,
            "source": name[:255],
            "sha256": sha256,
            "attributes": json.dumps([{"name": n, "type": t} for n, t in table.attributes], ensure_ascii=False),
            "count": len(kept),
            "rejected": json.dumps([{"row": r.row, "reason": r.reason} for r in rejected[:MAX_REJECTED_KEPT]], ensure_ascii=False),
            "mended": table.mended,
            "licence": about.licence,
            "owner": about.owner,
            "region": placing.shared(sorted({codes[i] for i in kept})),
            "simulated": about.simulated,
            "by": about.created_by,
            "extent": _extent(table.geometries[kept]),
        },
    )
    if await cursor.fetchone() is None:
        raise Conflict(
            f"数据集已存在 · the dataset exists already: {dataset_id}",
            remedy="换一个标题，或先删除原数据集 · use another title, or delete the old one first",
            dataset_id=dataset_id,
        )
    labels = _labels(table)
    for start in range(0, len(kept), BATCH):
        block = kept[start : start + BATCH]
        await copy_columns(
            connection,
            "dataset_features",
            {
                "dataset_id": [dataset_id] * len(block),
                "id": table.numbers[block],
                "properties": documents[start : start + BATCH],
                "label": [labels[i] for i in block],
                "region_code": [codes[i] for i in block],
                "geom": table.geometries[block],
            },
        )
        if progress is not None:
            progress(start + len(block), len(kept))
    await search.index_dataset(connection, dataset_id)
    stored = await get(connection, scope, dataset_id)
    await events.publish(connection, "dataset.imported", dataset_id, stored.region_code, {"title": title, "count": len(kept), "layer": stored.layer_id})
    return stored


_SELECT = """
    SELECT id, title, title_en, group_name, format, geometry_type, declared_crs, crs_origin, source_name, source_sha256, attributes, rejected, mended, licence,
        owner, region_code, simulated, created_at,
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


def _extent(shapes: np.ndarray) -> BaseGeometry | None:
    """The box of all shapes, a hair wide where they are one point: a polygon needs an area."""
    west, south, east, north = shapely.total_bounds(shapes)
    hair = 1e-6
    box = shapely.box(max(west - hair, -180), max(south - hair, -90), min(east + hair, 180), min(north + hair, 90))
    return shapely.set_srid(box, 4326)


def _storable(table: readers.Table, codes: list[str], scope: Scope) -> tuple[np.ndarray, list[str], tuple[Reject, ...]]:
    """Indexes of the rows that can be stored, their attributes as JSON, and all rejected rows by number."""
    kept, documents, rejected = [], [], list(table.rejected)
    for i, record in enumerate(table.records):
        document = json.dumps(_plain(record), ensure_ascii=False)
        if len(document) > MAX_RECORD_BYTES:
            rejected.append(Reject(int(table.numbers[i]), f"属性超过 {MAX_RECORD_BYTES // 1024} KB · attributes beyond {MAX_RECORD_BYTES // 1024} KB"))
        elif not scope.covers(codes[i]):
            rejected.append(Reject(int(table.numbers[i]), f"不在辖区 {scope.prefix} 内 · outside your region {scope.prefix}"))
        else:
            kept.append(i)
            documents.append(document)
    rejected.sort(key=lambda r: r.row)
    if 2 * len(kept) < len(table.records):
        raise InvalidInput(
            f"{len(table.records)} 行中只有 {len(kept)} 行可存 · only {len(kept)} of {len(table.records)} rows can be stored",
            remedy="按行号修正后重新导入 · mend the rows named and import again",
            rows=[{"row": r.row, "reason": r.reason} for r in rejected[:1000]],
        )
    return np.array(kept, dtype=np.int64), documents, tuple(rejected)


def _plain(value: Any) -> Any:
    """A value that PostgreSQL's jsonb takes: no NaN, no NUL, no lone surrogates; dates and the like as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_plain(str(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int) else _plain(str(value))


def _labels(table: readers.Table) -> list[str]:
    """What each feature is called: its name-like attribute, else its first text; empty where there is none."""
    names = [name for name, kind in table.attributes if kind in ("text", "integer")]
    lowered = {name.lower(): name for name in reversed(names)}
    chosen = next((lowered[label] for label in _LABELS if label in lowered), None) or next((n for n, kind in table.attributes if kind == "text"), None)
    return [str(_plain(str(record.get(chosen) or "")))[:200] if chosen else "" for record in table.records]
