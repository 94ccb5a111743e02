"""Imports of any size as work in progress: received, read by a worker into a table nobody sees, looked at, stored or let go. The only writer of `imports`.

States: waiting -> reading -> (staged -> storing) -> done; failed and cancelled end it anywhere. The file lies under its hash; the row names it.
"""

import asyncio
import json
import time
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from grid import jobs
from grid.database import Scope
from grid.errors import Conflict, HdqError, InvalidInput, NotFound
from layers import changes, datasets, gate, geocoding, originals, staging
from layers.datasets import About
from layers.quarantine import Held
from layers.readers import Options
from layers.reading import apart
from layers.staging import Staged

MODES = ("create", *changes.MODES)
LANES = 2
"""Imports that are read side by side, at most; two into the same dataset never are."""
_TOLD_EVERY_S = 0.5
_FIELDS = (
    "id, state, mode, preview, dataset_id, source_name, source_sha256, source_bytes, about, options, scope_prefix, done, rows, staged, summary, changes, problem, created_by, created_at, updated_at"
)


@dataclass(frozen=True, slots=True)
class Import:
    """One file on its way. `done` is the share read; `summary`, `changes` and `problem` as JSON; `staged` the table of rows that nobody sees yet."""

    id: UUID
    state: str
    mode: str
    preview: bool
    dataset_id: str | None
    source_name: str
    source_sha256: str
    source_bytes: int
    about: dict[str, Any]
    options: dict[str, Any]
    scope_prefix: str
    done: float
    rows: int
    staged: str | None
    summary: dict[str, Any] | None
    changes: dict[str, Any] | None
    problem: dict[str, Any] | None
    created_by: int | None
    created_at: datetime
    updated_at: datetime


class Cancelled(HdqError):
    """Somebody called the import off."""

    title = "已取消 · Cancelled"


async def submit(
    connection: AsyncConnection,
    data_dir: Path,
    path: Path,
    name: str,
    about: About,
    options: Options,
    *,
    scope: Scope,
    mode: str = "create",
    dataset_id: str | None = None,
    preview: bool = False,
) -> Import:
    """Keeps a file under its hash and leaves its reading to a worker, in the caller's transaction. Raises InvalidInput, NotFound, Forbidden."""
    if mode not in MODES or (mode == "create") != (dataset_id is None):
        raise InvalidInput(f"方式 {mode[:20]!r} 与数据集不符 · mode {mode[:20]!r} does not fit the dataset {dataset_id!r}", remedy="create 不带数据集；append、replace、upsert 须指明 · create takes no dataset, the others name one")
    if dataset_id is not None:
        known = await changes.writable(connection, scope, dataset_id)
        if mode == "upsert" and options.key is None and known.key_name is None:
            raise InvalidInput("更新需要键字段 · upsert needs a key", remedy="用 key 指明唯一字段 · name the unique attribute with key")
        if options.key is None and mode != "replace" and known.key_name is not None:
            options = Options(**{**asdict(options), "key": known.key_name})
    await originals.importing(connection)
    sha256 = await asyncio.to_thread(originals.keep, data_dir, path)
    cursor = await connection.execute(
        """
        INSERT INTO imports (mode, preview, dataset_id, source_name, source_sha256, source_bytes, about, options, scope_prefix, created_by)
        VALUES (%(mode)s, %(preview)s, %(dataset)s, %(name)s, %(sha256)s, %(bytes)s, %(about)s::jsonb, %(options)s::jsonb, %(scope)s, %(by)s) RETURNING id
        """,
        {
            "mode": mode,
            "preview": preview,
            "dataset": dataset_id,
            "name": name[:255],
            "sha256": sha256,
            "bytes": path.stat().st_size,
            "about": json.dumps(asdict(about), ensure_ascii=False),
            "options": json.dumps(asdict(options), ensure_ascii=False),
            "scope": scope.prefix,
            "by": about.created_by,
        },
    )
    (made,) = await cursor.fetchone()
    await jobs.enqueue(connection, "import_read", {"import_id": str(made)}, queueing_lock=f"import {made}", lock=f"import lane {zlib.crc32((dataset_id or str(made)).encode()) % LANES}")
    return await get(connection, scope, made)


async def get(connection: AsyncConnection, scope: Scope, import_id: UUID) -> Import:
    """One import of the caller's region. Raises NotFound."""
    found = await _read(connection, "WHERE id = %(id)s AND scope_prefix LIKE %(scope)s", {"id": import_id, "scope": scope.like})
    if not found:
        raise NotFound(f"没有导入 · no such import {import_id}", remedy="GET /api/imports lists them")
    return found[0]


async def page(connection: AsyncConnection, scope: Scope, limit: int = 50) -> list[Import]:
    """The latest imports of the caller's region."""
    return await _read(connection, "WHERE scope_prefix LIKE %(scope)s ORDER BY created_at DESC LIMIT %(limit)s", {"scope": scope.like, "limit": limit})


async def _read(connection: AsyncConnection, tail: str, params: dict) -> list[Import]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"SELECT {_FIELDS} FROM imports {tail}", params)
        return [Import(**found) for found in await cursor.fetchall()]


async def store(connection: AsyncConnection, scope: Scope, import_id: UUID) -> Import:
    """Says yes to what was looked at: a worker stores it. Raises Conflict in any other state."""
    await _move(connection, scope, import_id, ("staged",), "storing")
    await jobs.enqueue(connection, "import_store", {"import_id": str(import_id)}, queueing_lock=f"import {import_id}")
    return await get(connection, scope, import_id)


async def again(connection: AsyncConnection, data_dir: Path, scope: Scope, import_id: UUID, said: dict[str, Any], person: int | None) -> Import:
    """The same file as a new import, with what is `said` differently of its options. Raises Conflict unless it failed or was cancelled, NotFound without its file."""
    found = await get(connection, scope, import_id)
    if found.state not in ("failed", "cancelled"):
        raise Conflict(f"导入处于 {found.state} 状态 · the import is {found.state}", remedy="只有失败或取消的可重试 · only what failed or was cancelled")
    path = originals.path_of(data_dir, found.source_sha256)
    if not path.is_file():
        raise NotFound(f"原文件已清除 · the file is gone: {found.source_name[:80]!r}", remedy="重新上传 · send it again")
    about = About(**{**found.about, "created_by": person})
    options = Options(**{**found.options, **said})
    target = None if found.mode == "create" else found.dataset_id
    return await submit(connection, data_dir, path, found.source_name, about, options, scope=scope, mode=found.mode, dataset_id=target, preview=found.preview)


def bad_rows(found: Import) -> list[dict[str, Any]]:
    """The bad rows that were named, with number and reason: of what was read, or why the whole was refused."""
    named = (found.summary or {}).get("rejected") or (found.problem or {}).get("rows") or []
    return [r for r in named if isinstance(r, dict) and "row" in r and "reason" in r]


async def cancel(connection: AsyncConnection, scope: Scope, import_id: UUID) -> Import:
    """Calls an import off: what was read goes, the dataset stays as it is. Raises Conflict when it is storing or over."""
    found = await _move(connection, scope, import_id, ("waiting", "reading", "staged"), "cancelled")
    if found.staged is not None:
        await staging.drop(connection, found.staged)
        await connection.execute("UPDATE imports SET staged = NULL WHERE id = %(id)s", {"id": import_id})
    return await get(connection, scope, import_id)


async def _move(connection: AsyncConnection, scope: Scope, import_id: UUID, before: tuple[str, ...], after: str) -> Import:
    found = await get(connection, scope, import_id)
    cursor = await connection.execute(
        "UPDATE imports SET state = %(after)s, updated_at = now() WHERE id = %(id)s AND state = ANY(%(before)s) RETURNING id", {"id": import_id, "after": after, "before": list(before)}
    )
    if await cursor.fetchone() is None:
        raise Conflict(f"导入处于 {found.state} 状态 · the import is {found.state}", remedy=f"only from: {', '.join(before)}")
    return found


async def run(pool: AsyncConnectionPool, data_dir: Path, import_id: UUID) -> None:
    """Reads a waiting import and, unless it is to be looked at first, stores it: one transaction, whole or not at all. Running twice is the same.

    What the file is to blame for ends in `problem`; anything else is raised, for another try.
    """
    everyone = Scope("3")
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "UPDATE imports SET state = 'reading', updated_at = now() WHERE id = %(id)s AND state IN ('waiting', 'reading') RETURNING scope_prefix", {"id": import_id}
        )
        if (found := await cursor.fetchone()) is None:
            return
        everyone = Scope(found[0])
    try:
        async with pool.connection() as connection:
            await _run(connection, pool, data_dir, await get(connection, everyone, import_id))
    except Cancelled:
        return
    except HdqError as refusal:
        await _fail(pool, import_id, refusal)


async def _run(connection: AsyncConnection, pool: AsyncConnectionPool, data_dir: Path, job: Import) -> None:
    scope, about, options = Scope(job.scope_prefix), About(**job.about), Options(**job.options)
    path = originals.path_of(data_dir, job.source_sha256)
    target = None if job.dataset_id is None else await changes.writable(connection, scope, job.dataset_id)
    around = await datasets.surroundings(connection, scope)
    placed = await geocoding.placed(connection, scope, path, job.source_name, options)
    reading = await asyncio.to_thread(datasets.start, path, job.source_name, about, placed, around, job.dataset_id)
    told = time.monotonic()

    async def watch(rows: int, done: float) -> None:
        nonlocal told
        if time.monotonic() - told >= _TOLD_EVERY_S:
            told = time.monotonic()
            await _tell(pool, job.id, rows, done)

    staged = await staging.fill(connection, reading.dataset_id, reading.chunks, watch)
    if target is None and not job.preview:
        admitted = await gate.admit(connection, data_dir, path, job.source_name, reading.title, reading.sha256, reading.dataset_id, about, options, staged)
        if isinstance(admitted, Held):
            await _end(connection, job.id, None, staged, {"quarantine": admitted.id, "type": "quarantine"})
            return
        made = await datasets.create(connection, reading.dataset_id, reading.title, job.source_name, reading.sha256, about, options, admitted, scope)
        await _end(connection, job.id, made.id, admitted)
        return
    if target is not None:
        await changes.screen(connection, data_dir, path, job.source_name, options, staged)
    foreseen = None if target is None else await changes.preview(connection, target, staged, job.mode, options.key)
    if job.preview:
        seen = json.dumps({"mode": "create", "version": 0, "new": staged.summary.kept, "changed": 0, "removed": 0, "unchanged": 0, "kept": 0, "examples": []}) if foreseen is None else changes.as_json(foreseen)
        cursor = await connection.execute(
            """
            UPDATE imports SET state = 'staged', done = 1, rows = %(rows)s, staged = %(staged)s, summary = %(summary)s::jsonb, changes = %(changes)s::jsonb,
                dataset_id = coalesce(dataset_id, %(dataset)s), updated_at = now()
            WHERE id = %(id)s AND state = 'reading' RETURNING id
            """,
            {"id": job.id, "rows": staged.summary.kept, "staged": staged.table, "summary": json.dumps(asdict(staged.summary)), "changes": seen, "dataset": reading.dataset_id},
        )
        if await cursor.fetchone() is None:
            raise Cancelled("导入已取消 · the import was called off")
        return
    made = await changes.apply(connection, scope, target, staged, job.mode, options.key, name=job.source_name, sha256=reading.sha256, vintage=about.vintage)
    await _end(connection, job.id, made.id, staged, foreseen=changes.as_json(foreseen))


async def run_store(pool: AsyncConnectionPool, data_dir: Path, import_id: UUID) -> None:
    """Stores what was looked at, in one transaction. Running twice is the same."""
    try:
        async with pool.connection() as connection:
            found = await _read(connection, "WHERE id = %(id)s AND state = 'storing' FOR UPDATE", {"id": import_id})
            if not found:
                return
            (job,) = found
            staged = Staged(job.staged, apart.summary_of(job.summary))
            scope, about, options = Scope(job.scope_prefix), About(**job.about), Options(**job.options)
            if job.mode == "create":
                path = originals.path_of(data_dir, job.source_sha256)
                title = " ".join(about.title.split())
                admitted = await gate.admit(connection, data_dir, path, job.source_name, title, job.source_sha256, job.dataset_id, about, options, staged)
                if isinstance(admitted, Held):
                    await _end(connection, job.id, None, staged, {"quarantine": admitted.id, "type": "quarantine"})
                    return
                made = await datasets.create(connection, job.dataset_id, title, job.source_name, job.source_sha256, about, options, admitted, scope)
            else:
                target = await changes.writable(connection, scope, job.dataset_id)
                made = await changes.apply(
                    connection, scope, target, staged, job.mode, options.key, name=job.source_name, sha256=job.source_sha256, vintage=about.vintage, version=job.changes["version"]
                )
            await _end(connection, job.id, made.id, staged)
    except HdqError as refusal:
        await _fail(pool, import_id, refusal)


async def _tell(pool: AsyncConnectionPool, import_id: UUID, rows: int, done: float) -> None:
    """Progress, on a connection of its own; raises Cancelled when the import was called off."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "UPDATE imports SET rows = %(rows)s, done = %(done)s, updated_at = now() WHERE id = %(id)s AND state = 'reading' RETURNING id", {"id": import_id, "rows": rows, "done": done}
        )
        if await cursor.fetchone() is None:
            raise Cancelled("导入已取消 · the import was called off")


async def _end(connection: AsyncConnection, import_id: UUID, dataset_id: str | None, staged: Staged, problem: dict | None = None, foreseen: str | None = None) -> None:
    cursor = await connection.execute(
        """
        UPDATE imports SET state = 'done', done = 1, rows = %(rows)s, dataset_id = coalesce(%(dataset)s, dataset_id), staged = NULL, summary = %(summary)s::jsonb,
            changes = coalesce(%(changes)s::jsonb, changes), problem = %(problem)s::jsonb, updated_at = now()
        WHERE id = %(id)s AND state IN ('reading', 'storing') RETURNING id
        """,
        {
            "id": import_id,
            "rows": staged.summary.kept,
            "dataset": dataset_id,
            "summary": json.dumps(asdict(staged.summary)),
            "changes": foreseen,
            "problem": None if problem is None else json.dumps(problem, default=str),
        },
    )
    if await cursor.fetchone() is None:
        raise Cancelled("导入已取消 · the import was called off")


async def _fail(pool: AsyncConnectionPool, import_id: UUID, refusal: HdqError) -> None:
    extra = {k: [asdict(c) for c in v] if k == "candidates" else v for k, v in refusal.extra.items()}
    told = {"kind": type(refusal).__name__, "title": refusal.title, "detail": refusal.detail, "remedy": refusal.remedy, **extra}
    async with pool.connection() as connection:
        found = await _read(connection, "WHERE id = %(id)s", {"id": import_id})
        for job in found:
            if job.staged is not None:
                await staging.drop(connection, job.staged)
        await connection.execute(
            "UPDATE imports SET state = 'failed', staged = NULL, problem = %(problem)s::jsonb, updated_at = now() WHERE id = %(id)s AND state <> 'cancelled'",
            {"id": import_id, "problem": json.dumps(told, ensure_ascii=False, default=str)},
        )


async def sweep(connection: AsyncConnection, *, staged_hours: float = 24.0, kept_days: float = 90.0) -> int:
    """Lets go of what nobody stored in a day, of tables without a name, and of old records. Returns how many staged imports went."""
    old = await _read(connection, "WHERE state = 'staged' AND updated_at < now() - make_interval(secs => %(age)s)", {"age": staged_hours * 3600})
    for job in old:
        if job.staged is not None:
            await staging.drop(connection, job.staged)
        await connection.execute("UPDATE imports SET state = 'cancelled', staged = NULL, updated_at = now() WHERE id = %(id)s", {"id": job.id})
    await connection.execute(
        """
        UPDATE imports SET state = 'failed', updated_at = now(), problem = jsonb_build_object('title', '导入未完成 · The import was not finished', 'detail',
            '读取反复中断 · reading broke off again and again', 'remedy', '查看 worker 日志后重新导入 · see the worker''s log, then import again')
        WHERE state IN ('waiting', 'reading', 'storing') AND updated_at < now() - make_interval(secs => %(age)s)
        """,
        {"age": staged_hours * 3600},
    )
    await staging.sweep(connection)
    await connection.execute(
        "DELETE FROM imports WHERE state IN ('done', 'failed', 'cancelled') AND updated_at < now() - make_interval(secs => %(age)s)", {"age": kept_days * 86400}
    )
    return len(old)
