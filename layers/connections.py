"""Collections of other systems that datasets follow on a schedule. The only writer of `connections`.

A run fetches (layers.connecting) and hands the file to the import door (layers.imports), which stores it whole or not at all. States: never -> fetching ->
importing -> ok, held (quarantine) or failed. What fails leaves the dataset as it was; its layer is stale from then on (see `promises`).
"""

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from grid import audit, crs, jobs
from grid.database import Scope, row, rows
from grid.errors import Conflict, HdqError, InvalidInput, NotFound
from layers import changes, datasets, imports, originals
from layers.connecting.door import Door, Limits, checked, secret
from layers.connecting.fetching import Fetched, Preview, fetch, look
from layers.connecting.spec import Ask, Connector
from layers.connectors import connectors
from layers.datasets import About
from layers.readers import Options

MODES = ("replace", "upsert")
ABANDONED = timedelta(hours=2)
"""After so long a run that never ended (its worker died, its job was lost) is due again."""
_FIELDS = """
    c.id, c.title, c.kind, c.address, c.collection, c.mode, c.key_name, c.frame, c.page_size, c.secret_name, c.every_minutes, c.active, c.dataset_id, c.region_code,
    c.created_by, coalesce(s.name, '') AS created_by_name, c.created_at, c.last_run_at, c.last_good_at, c.last_state, c.last_error, c.last_features, c.last_import
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person decides about a connection. `key_name`: attribute that tells features apart ("id": the feature's own id where it has no such
    attribute); `frame`: None as the source says; `secret_name`: of HDQ_CONNECTOR_SECRET_…; `dataset_id`: an existing dataset to follow the source, else None."""

    title: str
    kind: str
    address: str
    collection: str
    mode: str = "replace"
    key_name: str | None = None
    frame: str | None = None
    page_size: int = 1000
    secret_name: str | None = None
    every_minutes: int = 1440
    active: bool = True
    dataset_id: str | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection as stored: what was decided, and how its last run went."""

    id: int
    title: str
    kind: str
    address: str
    collection: str
    mode: str
    key_name: str | None
    frame: str | None
    page_size: int
    secret_name: str | None
    every_minutes: int
    active: bool
    dataset_id: str
    region_code: str
    created_by: int | None
    created_by_name: str
    created_at: datetime
    last_run_at: datetime | None
    last_good_at: datetime | None
    last_state: str
    last_error: dict[str, Any] | None
    last_features: int | None
    last_import: UUID | None

    @property
    def next_run_at(self) -> datetime | None:
        """When it is due, None while it is switched off; in the past: as soon as the worker looks."""
        if not self.active:
            return None
        return (self.last_run_at or self.created_at) + timedelta(minutes=self.every_minutes if self.last_run_at else 0)


@dataclass(frozen=True, slots=True)
class Promise:
    """How fresh a followed dataset has to be. `failed`: why its last run failed, "" when it did not."""

    late: timedelta
    stale: timedelta
    good_at: datetime | None
    failed: str


def connector_of(kind: str) -> Connector:
    """The connector of a kind. Raises InvalidInput."""
    found = connectors().get(kind)
    if found is None:
        raise InvalidInput(f"未知来源种类 · unknown kind of source: {kind[:40]!r}", remedy=", ".join(connectors()))
    return found


def _sound(plan: Plan, allowed: frozenset[str], environment: Mapping[str, str]) -> Plan:
    """The plan in its one spelling. Raises InvalidInput, UnknownCrs."""
    title = " ".join(plan.title.split())
    if not 1 <= len(title) <= 120:
        raise InvalidInput(f"标题须为 1–120 字 · a title has 1 to 120 characters: {len(title)}", remedy="给连接起个名字 · name it")
    checked(plan.address, connector_of(plan.kind).schemes, allowed)
    secret(plan.secret_name, environment)
    if plan.mode not in MODES or (plan.mode == "upsert" and not plan.key_name):
        raise InvalidInput(f"方式 {plan.mode[:20]!r} 需要键 · mode {plan.mode[:20]!r} needs a key", remedy="replace，或 upsert 加 key · replace, or upsert with a key")
    if not plan.collection.strip():
        raise InvalidInput("没有写集合 · no collection is named", remedy="先检查连接，看有哪些集合 · check the connection: it lists them")
    return replace(plan, title=title, frame=crs.name(plan.frame) if plan.frame else None, key_name=plan.key_name or None, secret_name=plan.secret_name or None)


async def add(connection: AsyncConnection, scope: Scope, plan: Plan, allowed: frozenset[str], staff_id: int, environment: Mapping[str, str] = os.environ) -> Connected:
    """Stores a connection and has it run at once, in the caller's transaction; audited. Raises InvalidInput, NotFound, Forbidden, Conflict."""
    plan = _sound(plan, allowed, environment)
    if plan.dataset_id is not None:
        await changes.writable(connection, scope, plan.dataset_id)
    named = plan.dataset_id or datasets.make_id(plan.title, hashlib.sha256(f"{scope.prefix} {plan.kind} {plan.address} {plan.collection}".encode()).hexdigest())
    cursor = await connection.execute(
        """
        INSERT INTO connections (title, kind, address, collection, mode, key_name, frame, page_size, secret_name, every_minutes, active, dataset_id, region_code, created_by)
        VALUES (%(title)s, %(kind)s, %(address)s, %(collection)s, %(mode)s, %(key_name)s, %(frame)s, %(page_size)s, %(secret_name)s, %(every_minutes)s, %(active)s,
            %(dataset_id)s, %(region)s, %(by)s)
        ON CONFLICT (dataset_id) DO NOTHING RETURNING id
        """,
        {**asdict(plan), "dataset_id": named, "region": scope.prefix, "by": staff_id},
    )
    made = await cursor.fetchone()
    if made is None:
        raise Conflict(f"已有连接更新此数据集 · a connection feeds this dataset already: {named}", remedy="修改原连接，或换一个标题 · change that one, or use another title")
    stored = await get(connection, scope, made[0])
    await _audit(connection, staff_id, "connection.created", stored)
    await _enqueue(connection, stored.id)
    return stored


async def change(connection: AsyncConnection, scope: Scope, connection_id: int, wanted: Mapping[str, Any], allowed: frozenset[str], staff_id: int, environment: Mapping[str, str] = os.environ) -> Connected:
    """Changes some of what a person decides (members of Plan, its dataset excepted); audited. Raises NotFound, InvalidInput, UnknownCrs."""
    old = await get(connection, scope, connection_id)
    plan = _sound(Plan(**{name: getattr(old, name) for name in Plan.__dataclass_fields__} | dict(wanted)), allowed, environment)
    await connection.execute(
        """
        UPDATE connections SET title = %(title)s, kind = %(kind)s, address = %(address)s, collection = %(collection)s, mode = %(mode)s, key_name = %(key_name)s,
            frame = %(frame)s, page_size = %(page_size)s, secret_name = %(secret_name)s, every_minutes = %(every_minutes)s, active = %(active)s, changed_at = now()
        WHERE id = %(id)s
        """,
        {**asdict(plan), "id": connection_id},
    )
    stored = await get(connection, scope, connection_id)
    await _audit(connection, staff_id, "connection.changed", stored, {"changed": sorted(wanted)})
    return stored


async def remove(connection: AsyncConnection, scope: Scope, connection_id: int, staff_id: int) -> None:
    """Ends a connection; its dataset stays, and ages as any other. Audited. Raises NotFound."""
    old = await get(connection, scope, connection_id)
    await connection.execute("DELETE FROM connections WHERE id = %(id)s", {"id": connection_id})
    await _audit(connection, staff_id, "connection.deleted", old)


async def ask_to_run(connection: AsyncConnection, scope: Scope, connection_id: int, staff_id: int) -> Connected:
    """Has it run as soon as a worker is free; asking twice is one run. Audited. Raises NotFound."""
    found = await get(connection, scope, connection_id)
    await _audit(connection, staff_id, "connection.run", found)
    await _enqueue(connection, connection_id)
    return found


async def _enqueue(connection: AsyncConnection, connection_id: int) -> None:
    await jobs.enqueue(connection, "connection_run", {"connection_id": connection_id}, queueing_lock=f"connection {connection_id}", lock="connections")


async def _audit(connection: AsyncConnection, staff_id: int | None, action: str, of: Connected, more: dict[str, Any] | None = None) -> None:
    detail = {"title": of.title, "kind": of.kind, "address": of.address, "collection": of.collection, "dataset": of.dataset_id, **(more or {})}
    await audit.note(connection, staff_id, action, f"connection/{of.id}", detail)


async def page(connection: AsyncConnection, scope: Scope) -> list[Connected]:
    """Connections of the caller's region, by title."""
    return await _read(connection, "WHERE c.region_code LIKE %(scope)s ORDER BY c.title, c.id", {"scope": scope.like})


async def get(connection: AsyncConnection, scope: Scope, connection_id: int) -> Connected:
    """One of the caller's region. Raises NotFound."""
    found = await _read(connection, "WHERE c.id = %(id)s AND c.region_code LIKE %(scope)s", {"id": connection_id, "scope": scope.like})
    if not found:
        raise NotFound(f"没有连接 {connection_id} · no such connection", remedy="GET /api/connections lists them")
    return found[0]


async def _read(connection: AsyncConnection, tail: str, params: dict[str, Any]) -> list[Connected]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"SELECT {_FIELDS} FROM connections AS c LEFT JOIN staff AS s ON s.id = c.created_by {tail}", params)
        return [Connected(**found) for found in await cursor.fetchall()]


def check(kind: str, address: str, collection: str, secret_name: str | None, allowed: frozenset[str], environment: Mapping[str, str] = os.environ) -> Preview:
    """A dry run of what a connection would read. Slow and synchronous: in a thread. Raises what `add` and the connector raise."""
    connector = connector_of(kind)
    limits = Limits(silent_s=10.0, answer_s=20.0, total_s=45.0, pauses_s=())
    with Door(address, connector.schemes, allowed, limits=limits, secret=secret(secret_name, environment)) as door:
        return look(connector, address, collection, door)


async def due(connection: AsyncConnection) -> int:
    """Takes over how finished imports went, and enqueues the runs that are due; returns how many. One that waits for a decision in quarantine is not."""
    await settle(connection)
    found = await rows(
        connection,
        """
        SELECT id FROM connections AS c
        WHERE active AND (last_run_at IS NULL OR last_run_at < now() - make_interval(mins => every_minutes))
            AND (last_state NOT IN ('fetching', 'importing') OR last_run_at < now() - %(abandoned)s::interval)
            AND NOT (last_state = 'held' AND EXISTS (SELECT FROM quarantine AS q WHERE q.dataset_id = c.dataset_id AND q.state = 'held'))
        ORDER BY last_run_at NULLS FIRST
        """,
        {"abandoned": ABANDONED},
    )
    for each in found:
        await _enqueue(connection, each["id"])
    return len(found)


async def settle(connection: AsyncConnection) -> None:
    """Takes over how the imports of runs went."""
    waiting = await rows(
        connection,
        """
        SELECT c.id, i.state, i.problem FROM connections AS c LEFT JOIN imports AS i ON i.id = c.last_import
        WHERE c.last_state = 'importing' AND (i.id IS NULL OR i.state IN ('done', 'failed', 'cancelled')) FOR UPDATE OF c SKIP LOCKED
        """,
    )
    for each in waiting:
        problem = each["problem"] or {}
        if each["state"] == "done" and "quarantine" in problem:
            told = _told("坐标可疑，已隔离 · suspicious coordinates, held in quarantine", "在隔离区查看并决定，再修正连接的坐标系 · decide there, then correct the connection's frame")
            await _mark(connection, each["id"], "held", {**told, "quarantine": problem["quarantine"]})
        elif each["state"] == "done":
            await _mark(connection, each["id"], "ok", None)
        else:
            lost = _told("导入被取消或丢失 · the import was called off or lost", "再运行一次 · run it again")
            await _mark(connection, each["id"], "failed", {k: problem[k] for k in ("title", "detail", "remedy") if k in problem} or lost)


def _told(detail: str, remedy: str) -> dict[str, Any]:
    return {"title": "未同步 · Not synchronised", "detail": detail, "remedy": remedy}


async def _mark(connection: AsyncConnection, connection_id: int, state: str, error: dict[str, Any] | None) -> None:
    await connection.execute(
        """
        UPDATE connections SET last_state = %(state)s, last_error = %(error)s::jsonb, last_good_at = CASE WHEN %(state)s = 'ok' THEN last_run_at ELSE last_good_at END
        WHERE id = %(id)s
        """,
        {"id": connection_id, "state": state, "error": None if error is None else json.dumps(error, ensure_ascii=False, default=str)},
    )


async def run(pool: AsyncConnectionPool, data_dir: Path, connection_id: int, allowed: frozenset[str], *, limits: Limits = Limits(), environment: Mapping[str, str] = os.environ) -> None:
    """Fetches a source and hands the file to the import door; running twice is the same. What the source is to blame for ends in `last_error`; anything
    else is stored there too, and raised."""
    async with pool.connection() as connection:
        await settle(connection)
        cursor = await connection.execute(
            """
            UPDATE connections SET last_state = 'fetching', last_run_at = now()
            WHERE id = %(id)s AND (last_state <> 'importing' OR last_run_at < now() - %(abandoned)s::interval) RETURNING id
            """,
            {"id": connection_id, "abandoned": ABANDONED},
        )
        if await cursor.fetchone() is None:
            return
        (this,) = await _read(connection, "WHERE c.id = %(id)s", {"id": connection_id})
    folder = data_dir / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".connector-", dir=folder)
    os.close(handle)
    path = Path(name)
    try:
        made = await asyncio.to_thread(_fetch, this, path, allowed, limits, environment)
        await _hand_over(pool, data_dir, this, path, made)
    except HdqError as refusal:
        async with pool.connection() as connection:
            await _mark(connection, connection_id, "failed", {"title": refusal.title, "detail": refusal.detail, "remedy": refusal.remedy})
    except Exception as error:
        async with pool.connection() as connection:
            await _mark(connection, connection_id, "failed", _told(f"内部错误 · internal error: {type(error).__name__}", "查看 worker 日志 · see the worker's log"))
        raise
    finally:
        path.unlink(missing_ok=True)


def _fetch(this: Connected, path: Path, allowed: frozenset[str], limits: Limits, environment: Mapping[str, str]) -> Fetched:
    connector = connector_of(this.kind)
    with Door(this.address, connector.schemes, allowed, limits=limits, secret=secret(this.secret_name, environment)) as door:
        return fetch(connector, Ask(this.address, this.collection, this.page_size), door, path, key=this.key_name)


async def _hand_over(pool: AsyncConnectionPool, data_dir: Path, this: Connected, path: Path, made: Fetched) -> None:
    """Leaves the file to the import door: a new dataset at first, then a replacement or upsert; the very same content is not imported again."""
    sha256 = await asyncio.to_thread(originals.digest, path)
    scope = Scope(this.region_code)
    async with pool.connection() as connection:
        known = await row(connection, "SELECT source_sha256, declared_crs FROM datasets WHERE id = %(id)s", {"id": this.dataset_id})
        await connection.execute("UPDATE connections SET last_features = %(n)s WHERE id = %(id)s", {"n": made.features, "id": this.id})
        frame = this.frame or made.frame
        if known is not None and (known["source_sha256"], known["declared_crs"]) == (sha256, frame):
            await _mark(connection, this.id, "ok", None)
            return
        about = About(title=this.title, owner=this.created_by_name, created_by=this.created_by, id=this.dataset_id)
        options = Options(crs=frame, key=this.key_name)
        mode, target = ("create", None) if known is None else (this.mode, this.dataset_id)
        job = await imports.submit(connection, data_dir, path, f"{this.kind}-{this.id}.geojsonl", about, options, scope=scope, mode=mode, dataset_id=target)
        await connection.execute("UPDATE connections SET last_state = 'importing', last_import = %(import)s WHERE id = %(id)s", {"import": job.id, "id": this.id})


async def promises(connection: AsyncConnection) -> dict[str, Promise]:
    """What each followed dataset promises, by its id: late after twice its period, stale after four."""
    found = await rows(connection, "SELECT dataset_id, every_minutes, last_good_at, last_state, last_error ->> 'detail' AS detail FROM connections")
    return {
        each["dataset_id"]: Promise(
            timedelta(minutes=2 * each["every_minutes"] + 10),
            timedelta(minutes=4 * each["every_minutes"] + 30),
            each["last_good_at"],
            (each["detail"] or "同步失败 · synchronisation failed") if each["last_state"] in ("failed", "held") else "",
        )
        for each in found
    }
