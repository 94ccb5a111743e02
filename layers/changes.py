"""What staged rows would do to a dataset that exists, and doing it: append, replace, or upsert by key. Both in the caller's transaction."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, sql

from grid import events
from grid.database import Scope, row, rows
from grid.errors import Conflict, Forbidden, InvalidInput, UnknownCrs
from layers import datasets, gate, levels, placing, search, staging
from layers.datasets import Dataset
from layers.readers import Options
from layers.staging import Staged

MODES = ("append", "replace", "upsert")
EXAMPLES = 5
"""Examples shown of each kind of change."""


@dataclass(frozen=True, slots=True)
class Example:
    """One feature that would change: `kind` new, changed or removed; its attributes before and after (None where there is none)."""

    kind: str
    key: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What storing would do to version `version` of the dataset. `unchanged` counts staged rows that are there already, `kept` those it leaves alone."""

    mode: str
    version: int
    new: int
    changed: int
    removed: int
    unchanged: int
    kept: int
    examples: tuple[Example, ...]


_SIDES = """
    s AS (SELECT id, properties ->> {key} AS key, properties, label, region_code, geom FROM {staged}),
    c AS (SELECT id, properties ->> {key} AS key, properties, geom FROM dataset_features WHERE dataset_id = {dataset}),
    both_sides AS (
        SELECT s.id AS new_id, c.id AS old_id, coalesce(s.key, c.key) AS key, c.properties AS before, s.properties AS after,
            s.id IS NOT NULL AND c.id IS NOT NULL AND (s.properties <> c.properties OR NOT ST_OrderingEquals(s.geom, c.geom)) AS differs
        FROM s FULL JOIN c ON s.key = c.key
    )
"""


async def writable(connection: AsyncConnection, scope: Scope, dataset_id: str) -> Dataset:
    """The dataset, if the caller may change all of it. Raises NotFound and Forbidden."""
    found = await datasets.get(connection, scope, dataset_id)
    if not scope.covers(found.region_code):
        raise Forbidden(f"数据集 {dataset_id} 超出辖区 · the dataset reaches beyond your region", remedy="请市级数据管理员处理 · ask a city data administrator")
    return found


async def preview(connection: AsyncConnection, dataset: Dataset, staged: Staged, mode: str, key: str | None) -> Changes:
    """Counts and examples. Raises InvalidInput: upsert without a key, or a key that is not unique in the dataset."""
    fitting(dataset, staged, mode, key)
    if key is None:
        total = staged.summary.kept
        shown = [Example("new", None, None, r["properties"]) for r in await rows(connection, sql.SQL("SELECT properties FROM {} ORDER BY id LIMIT {}").format(sql.Identifier(staged.table), EXAMPLES))]
        gone = dataset.feature_count if mode == "replace" else 0
        return Changes(mode, dataset.version, total, 0, gone, 0, dataset.feature_count - gone, tuple(shown))
    names = {"key": sql.Literal(key), "staged": sql.Identifier(staged.table), "dataset": sql.Literal(dataset.id)}
    twice = await row(connection, sql.SQL("SELECT properties ->> {key} AS key FROM dataset_features WHERE dataset_id = {dataset} AND properties ? {key} GROUP BY 1 HAVING count(*) > 1 LIMIT 1").format(**names))
    if twice is not None:
        raise InvalidInput(f"数据集中键 {key!r} 不唯一 · key {key!r} is not unique in the dataset: {str(twice['key'])[:60]!r}", remedy="换一个键，或整体替换 · use another key, or replace without one")
    found = await row(
        connection,
        sql.SQL(
            "WITH " + _SIDES + """
            SELECT count(*) FILTER (WHERE old_id IS NULL) AS new, count(*) FILTER (WHERE differs) AS changed, count(*) FILTER (WHERE new_id IS NULL) AS absent,
                count(*) FILTER (WHERE new_id IS NOT NULL AND old_id IS NOT NULL AND NOT differs) AS same
            FROM both_sides"""
        ).format(**names),
    )
    shown = []
    for kind, test in (("new", "old_id IS NULL"), ("changed", "differs"), ("removed", "new_id IS NULL")):
        if (kind == "changed" and mode == "append") or (kind == "removed" and mode != "replace"):
            continue
        for r in await rows(connection, sql.SQL("WITH " + _SIDES + f"SELECT key, before, after FROM both_sides WHERE {test} ORDER BY coalesce(new_id, old_id) LIMIT {EXAMPLES}").format(**names)):
            shown.append(Example(kind, r["key"], r["before"], r["after"]))
    changed, removed = (0 if mode == "append" else found["changed"]), (found["absent"] if mode == "replace" else 0)
    unchanged = found["same"] + (found["changed"] if mode == "append" else 0)
    return Changes(mode, dataset.version, found["new"], changed, removed, unchanged, found["absent"] - removed, tuple(shown))


async def screen(connection: AsyncConnection, data_dir: Path, path: Path, name: str, options: Options, staged: Staged) -> None:
    """The coordinate firewall before rows join a dataset that is on the map. Raises UnknownCrs with what it found: such a file must be put right first."""
    summary = staged.summary
    if summary.by_address:
        return
    total = summary.kept + summary.rejected_count
    judged = await gate.examine(connection, path, name, options, await gate.some_of(connection, staged.table, total), summary.crs, total, summary.rejected)
    verdict = judged.verdict if judged is not None and judged.hold else None
    if verdict is None and (uneven := await levels.examine(connection, data_dir, staged, options)) is not None:
        verdict = uneven[1]
    if verdict is not None:
        raise UnknownCrs(
            "坐标或高程可疑，未写入数据集 · suspicious coordinates or heights, nothing was changed: " + "; ".join(f"{f.kind} ({f.rows})" for f in verdict.findings[:3]),
            remedy="以新数据集导入，在隔离区查看并修正 · import it as a dataset of its own: quarantine shows and mends it",
            candidates=[],
        )


def fitting(dataset: Dataset, staged: Staged, mode: str, key: str | None) -> None:
    """Raises InvalidInput for a mode we do not know, or an upsert without a key."""
    if mode not in MODES:
        raise InvalidInput(f"未知方式 · unknown mode: {mode[:20]!r}", remedy="append, replace, upsert")
    if mode == "upsert" and key is None:
        raise InvalidInput("更新需要键字段 · upsert needs a key", remedy="用 key 指明唯一字段 · name the unique attribute with key")
    if key is not None and key not in dict(staged.summary.attributes):
        raise InvalidInput(f"没有键字段 {key!r} · no attribute {key!r}", remedy="检查 key · check the key's name")


async def apply(connection: AsyncConnection, scope: Scope, dataset: Dataset, staged: Staged, mode: str, key: str | None, *, name: str, sha256: str, vintage: str = "", version: int | None = None) -> Dataset:
    """Makes the change whole; readers see the old dataset until the transaction ends. `version`: as it was when looked at; `vintage`: what the new file stands for, if stated.

    Features whose key stays keep their id, new ones get ids above all others. Raises Conflict when the dataset was changed since. Publishes `dataset.updated`, last.
    """
    fitting(dataset, staged, mode, key)
    cursor = await connection.execute("SELECT version FROM datasets WHERE id = %(id)s FOR UPDATE", {"id": dataset.id})
    (now,) = await cursor.fetchone()
    if now != (dataset.version if version is None else version):
        raise Conflict(f"数据集已被修改 · the dataset was changed meanwhile (version {now})", remedy="重新预览 · look at the changes again")
    await connection.execute("SET LOCAL statement_timeout = '30min'")
    store = dataset.store
    if mode == "replace" and key is None:
        await staging.remove(connection, dataset.id, dataset.store)
        store = await staging.switch_in(connection, staged)
    else:
        await _merge(connection, dataset, staged, mode, key)
        await staging.drop(connection, staged.table)
    await _describe(connection, dataset, staged, mode, key, store, name, sha256, vintage)
    await search.forget_dataset(connection, dataset.id)
    stored = await datasets.get(connection, scope, dataset.id)
    await datasets.name_features(connection, dataset.id, stored.feature_count)
    await events.publish(
        connection, "dataset.updated", dataset.id, stored.region_code, {"title": stored.title, "mode": mode, "count": stored.feature_count, "layer": stored.layer_id}
    )
    return stored


async def _merge(connection: AsyncConnection, dataset: Dataset, staged: Staged, mode: str, key: str | None) -> None:
    names = {
        "key": sql.Literal(key),
        "staged": sql.Identifier(staged.table),
        "dataset": sql.Literal(dataset.id),
        "target": sql.Identifier(dataset.store or "dataset_features"),
    }
    fresh = sql.SQL("")
    if key is not None:
        await connection.execute(sql.SQL("CREATE TEMP TABLE known_keys ON COMMIT DROP AS SELECT id, properties ->> {key} AS key FROM dataset_features WHERE dataset_id = {dataset}").format(**names))
        await connection.execute("CREATE INDEX ON known_keys (key)")
        await connection.execute("ANALYZE known_keys")
        fresh = sql.SQL("WHERE NOT EXISTS (SELECT FROM known_keys AS k WHERE k.key = s.properties ->> {key})").format(**names)
        if mode == "replace":
            await connection.execute(
                sql.SQL("DELETE FROM {target} WHERE dataset_id = {dataset} AND id IN (SELECT id FROM known_keys AS k WHERE NOT EXISTS (SELECT FROM {staged} AS s WHERE s.properties ->> {key} = k.key))").format(**names)
            )
        if mode != "append":
            await connection.execute(
                sql.SQL(
                    """
                    UPDATE {target} AS f SET properties = s.properties, label = s.label, region_code = s.region_code, geom = s.geom
                    FROM {staged} AS s JOIN known_keys AS k ON k.key = s.properties ->> {key}
                    WHERE f.dataset_id = {dataset} AND f.id = k.id AND (f.properties <> s.properties OR NOT ST_OrderingEquals(f.geom, s.geom))
                    """
                ).format(**names)
            )
    await connection.execute(
        sql.SQL(
            """
            INSERT INTO {target} (dataset_id, id, properties, label, region_code, geom)
            SELECT {dataset}, highest + row_number() OVER (ORDER BY s.id), s.properties, s.label, s.region_code, s.geom
            FROM {staged} AS s, (SELECT coalesce(max(id), 0) AS highest FROM dataset_features WHERE dataset_id = {dataset}) AS h {fresh}
            """
        ).format(fresh=fresh, **names)
    )


async def _describe(connection: AsyncConnection, dataset: Dataset, staged: Staged, mode: str, key: str | None, store: str | None, name: str, sha256: str, vintage: str) -> None:
    """Brings the dataset's row up to what its features are now."""
    summary = staged.summary
    kinds = dict(summary.attributes) if mode == "replace" else merged(dataset.attributes, summary.attributes)
    family = summary.geometry_type if mode == "replace" or summary.geometry_type == dataset.geometry_type else "Mixed"
    regions = await rows(connection, "SELECT DISTINCT region_code FROM dataset_features WHERE dataset_id = %(id)s", {"id": dataset.id})
    await connection.execute(
        """
        UPDATE datasets SET version = version + 1, updated_at = now(), attributes = %(attributes)s::jsonb, geometry_type = %(family)s, format = %(format)s,
            declared_crs = %(crs)s, crs_origin = %(origin)s, source_name = %(name)s, source_sha256 = %(sha256)s, rejected = %(rejected)s::jsonb,
            rejected_count = %(bad)s, mended = %(mended)s, region_code = %(region)s, store = %(store)s, key_name = coalesce(%(key)s, key_name), vintage = %(vintage)s,
            feature_count = f.count, extent = ST_SetSRID(ST_Expand(f.box, 0.000001), 4326)
        FROM (SELECT count(*) AS count, ST_Extent(geom)::geometry AS box FROM dataset_features WHERE dataset_id = %(id)s) AS f
        WHERE id = %(id)s
        """,
        {
            "id": dataset.id,
            "attributes": datasets.attributes_json(tuple(kinds.items())),
            "family": family,
            "format": summary.format,
            "crs": summary.crs,
            "origin": summary.crs_origin,
            "name": name[:255],
            "sha256": sha256,
            "rejected": datasets.rejected_json(summary.rejected),
            "bad": summary.rejected_count,
            "mended": summary.mended,
            "region": placing.shared(sorted(r["region_code"] for r in regions)),
            "store": store,
            "key": key,
            "vintage": vintage or ("" if mode == "replace" else dataset.vintage),
        },
    )


def merged(old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Attributes of both, the old ones first, each with a type that holds the values of both.

    >>> merged((("a", "integer"), ("b", "text")), (("a", "number"), ("c", "json"), ("b", "integer")))
    {'a': 'number', 'b': 'text', 'c': 'json'}
    """
    found = dict(old)
    for name, kind in new:
        was = found.setdefault(name, kind)
        if was != kind:
            found[name] = "number" if {was, kind} == {"integer", "number"} else "json" if "json" in (was, kind) else "text"
    return found


def as_json(changes: Changes) -> str:
    """As `imports.changes` holds them."""
    return json.dumps({**{f: getattr(changes, f) for f in ("mode", "version", "new", "changed", "removed", "unchanged", "kept")}, "examples": [{"kind": e.kind, "key": e.key, "before": e.before, "after": e.after} for e in changes.examples]}, ensure_ascii=False)
