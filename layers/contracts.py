"""The contract of a layer: fresh, complete, valid, and of known descent. A job checks and stores what it found; how good that is, is judged when it is read.

The only writer of `layer_checks` and `layer_counts`. States, best first: ok, late, unknown, stale, broken. A check that is itself old makes a layer unknown:
nothing looks fresh because nobody looked.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import psycopg
from psycopg import AsyncConnection, sql

from grid.database import Scope, row, rows
from layers import connections, figures, sources
from layers.catalog import Catalog
from layers.sources import SOURCES, Source
from layers.spec import LayerSpec

State = Literal["ok", "late", "unknown", "stale", "broken"]
RANK: dict[State, int] = {"ok": 0, "late": 1, "unknown": 2, "stale": 3, "broken": 4}
CHECK_EVERY = timedelta(minutes=5)
CHECK_HOLDS = 6 * CHECK_EVERY
WHOLE, POSSIBLE = 0.95, 0.999
"""Least shares of complete and of valid rows."""
DATASET = Source("导入数据", "Imported data", late=365 * sources.DAY, stale=730 * sources.DAY)


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. `changed_at`: when the register that was silent longest was last written, None: nobody knows, or age says nothing."""

    layer_id: str
    checked_at: datetime
    rows: int
    incomplete: int
    invalid: int
    changed_at: datetime | None
    broken_sources: tuple[str, ...]
    error: str | None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a layer stands now; `state` is the worst of the four. `rows`: inside the caller's region, None: not counted yet."""

    state: State
    freshness: State
    completeness: State
    validity: State
    lineage: State
    checked_at: datetime | None
    changed_at: datetime | None
    rows: int | None
    detail: str = ""
    simulated: bool = False


UNCHECKED = Standing("unknown", "unknown", "unknown", "unknown", "unknown", None, None, None)


def worst(states: Iterable[State]) -> State:
    """The worst of some states.

    >>> worst(["ok", "late", "ok"]), worst(["stale", "unknown"])
    ('late', 'stale')
    """
    return max(states, key=RANK.__getitem__, default="ok")


def aged(changed_at: datetime | None, source: Source, now: datetime) -> State:
    """How fresh a register is that last spoke at a time.

    >>> day = datetime(2026, 1, 1, tzinfo=UTC)
    >>> year = Source("", "", late=timedelta(days=365), stale=timedelta(days=730))
    >>> [aged(day, year, day + timedelta(days=n)) for n in (10, 400, 800)], aged(None, year, day), aged(None, Source("", ""), day)
    (['ok', 'late', 'stale'], 'unknown', 'ok')
    """
    if source.late is None or source.stale is None:
        return "ok"
    if changed_at is None:
        return "unknown"
    age = now - changed_at
    return "stale" if age > source.stale else "late" if age > source.late else "ok"


def judge(check: Check, source: Source, now: datetime, *, least: int, changed_at: datetime | None, rows_seen: int | None) -> Standing:
    """The standing of a layer by its last check. `changed_at`: when its source last spoke, as known now; `least`: fewer rows are a fault."""
    if now - check.checked_at > CHECK_HOLDS:
        detail = f"检查停止于 {check.checked_at:%m-%d %H:%M} UTC · not checked since"
        return Standing("unknown", "unknown", "unknown", "unknown", "unknown", check.checked_at, changed_at, rows_seen, detail, check.simulated)
    freshness = aged(changed_at, source, now)
    completeness: State = "broken" if check.error or check.rows < least or check.incomplete > (1 - WHOLE) * check.rows else "ok"
    validity: State = "broken" if check.error or check.invalid > (1 - POSSIBLE) * check.rows else "ok"
    lineage: State = "broken" if check.error or check.broken_sources else "ok"
    notes = [check.error or ""]
    if check.rows < least:
        notes.append("没有数据 · no rows")
    if check.incomplete:
        notes.append(f"{check.incomplete} 行缺属性 · rows lack an attribute")
    if check.invalid:
        notes.append(f"{check.invalid} 行无效 · rows cannot be right")
    if check.broken_sources:
        notes.append(f"来源异常 · sources at fault: {', '.join(check.broken_sources)}")
    detail = "；".join(note for note in notes if note)
    return Standing(worst((freshness, completeness, validity, lineage)), freshness, completeness, validity, lineage, check.checked_at, changed_at, rows_seen, detail, check.simulated)


def least_rows(catalog: Catalog, spec: LayerSpec) -> int:
    """1 for layers that are never empty: figures, and the whole of a register. A question asked of a register, or what happens, may have no answer today."""
    return int(sources.figured(spec) or (spec.id not in catalog.families and not spec.live))


async def standings(connection: AsyncConnection, catalog: Catalog, scope: Scope, now: datetime | None = None) -> dict[str, Standing]:
    """All layers that were ever checked, imported datasets included."""
    now = now or datetime.now(UTC)
    found = await rows(
        connection,
        """
        SELECT c.layer_id, c.checked_at, c.rows, c.incomplete, c.invalid, c.changed_at, c.broken_sources, c.error, c.simulated, coalesce(n.rows, 0) AS seen
        FROM layer_checks AS c LEFT JOIN layer_counts AS n ON n.prefix = %(prefix)s AND n.layer_id = c.layer_id
        """,
        {"prefix": scope.prefix},
    )
    spoken = await _spoken(connection)
    promised = {f"dataset_{name}": promise for name, promise in (await connections.promises(connection)).items()}
    answers: dict[str, Standing] = {}
    for item in found:
        seen = item.pop("seen")
        check = Check(**item | {"broken_sources": tuple(item["broken_sources"])})
        spec = catalog.get(check.layer_id)
        if spec is None:
            answers[check.layer_id] = _followed(check, promised.get(check.layer_id), now, seen)
            continue
        named = sources.of(spec)
        source = SOURCES[named[0]] if named else DATASET
        changed_at = spoken.get(named[0]) if source.changed and not sources.figured(spec) else check.changed_at
        answers[spec.id] = judge(check, _promise(spec), now, least=least_rows(catalog, spec), changed_at=changed_at, rows_seen=seen)
    return answers


def _followed(check: Check, promise: connections.Promise | None, now: datetime, seen: int) -> Standing:
    """The standing of a dataset; one that follows a source is as fresh as its last good run, and stale from the first that failed."""
    if promise is None:
        return judge(check, DATASET, now, least=1, changed_at=check.changed_at, rows_seen=seen)
    found = judge(check, replace(DATASET, late=promise.late, stale=promise.stale), now, least=1, changed_at=promise.good_at or check.changed_at, rows_seen=seen)
    if not promise.failed:
        return found
    return replace(found, state=worst((found.state, "stale")), freshness="stale", detail="；".join(note for note in (found.detail, promise.failed) if note))


def _promise(spec: LayerSpec) -> Source:
    """The terms of a layer: those of the register it draws; a figure of cameras tells of where they stand, not of what they see."""
    named = sources.of(spec)
    source = SOURCES[named[0]] if named else DATASET
    return SOURCES["cells"] if source.changed and sources.figured(spec) else source


async def schema(connection: AsyncConnection, spec: LayerSpec) -> dict[str, str]:
    """The attributes of a layer and their types, as the database answers them."""
    asked = sql.SQL("SELECT {columns} FROM ({source}) AS source LIMIT 0").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, spec.attributes)) or sql.SQL("id"), source=sql.SQL(spec.sql_at(spec.max_zoom).strip())
    )
    box = "SRID=4326;POLYGON((0 0,0 1,1 1,0 0))"
    cursor = await connection.execute(asked, {"z": spec.max_zoom, "wide": box.replace("4326", "3857"), "degrees": box, "scope": "∅", "prefix": ""})
    names = {r["oid"]: r["name"] for r in await rows(connection, "SELECT oid, format_type(oid, NULL) AS name FROM pg_type WHERE oid = ANY (%(oids)s)", {"oids": [c.type_code for c in cursor.description or ()]})}
    return {column.name: names[column.type_code] for column in cursor.description or ()}


async def descent(connection: AsyncConnection, named: Iterable[str]) -> list[dict]:
    """The registers behind a layer in words, with when each last spoke or was written. A name that is no register (a file) stands for itself."""
    written = {r["register"]: r["at"] for r in await rows(connection, "SELECT register, max(at) AS at FROM register_changes GROUP BY 1")} | await _spoken(connection)
    found = []
    for name in named:
        source = SOURCES.get(name, Source(name, name, ("", "")))
        found.append({"name": name, "title": source.title, "title_en": source.title_en, "owner": source.owner[0], "owner_en": source.owner[1], "written_at": written.get(name)})
    return found


async def _spoken(connection: AsyncConnection) -> dict[str, datetime | None]:
    """When each source that speaks by itself last did."""
    asked = {name: source.changed for name, source in SOURCES.items() if source.changed}
    query = "SELECT " + ", ".join(f"({text}) AS {name}" for name, text in asked.items())
    return await row(connection, query) or {}


async def run(connection: AsyncConnection, catalog: Catalog, *, whole: bool = False, now: datetime | None = None) -> int:
    """Checks every layer and stores what it found, in the caller's transaction. A layer none of whose registers was written since its last check is only
    stamped, except once a day and with `whole`. Returns how many were read."""
    now = now or datetime.now(UTC)
    await connection.execute("DELETE FROM register_changes AS old USING register_changes AS newer WHERE old.register = newer.register AND newer.id > old.id AND old.at < newer.at")
    written = {r["register"]: r["at"] for r in await rows(connection, "SELECT register, max(at) AS at FROM register_changes GROUP BY 1")}
    held = await _held(connection)
    before = {r["layer_id"]: r for r in await rows(connection, "SELECT layer_id, checked_at FROM layer_checks")}
    read = 0
    for spec in catalog:
        if spec.deck is None or spec.count_from is None:
            continue
        named = sources.of(spec)
        times = [written.get(name) for name in named if SOURCES[name].late is not None and (SOURCES[name].changed is None or name != named[0] or sources.figured(spec))]
        known = [at for at in times if at is not None]
        changed_at = min(known) if known and len(known) == len(times) else None
        broken = tuple(name for name in named if not held.get(name, False)) + _behind(spec, written)
        newest = max([*known, written.get(figures.MADE) or _EVER if sources.figured(spec) else _EVER])
        last = before.get(spec.id)
        asleep = last is not None and (not spec.live or sources.figured(spec)) and newest < last["checked_at"] and (now.date() == last["checked_at"].date()) and not whole
        if asleep:
            await connection.execute(
                "UPDATE layer_checks SET checked_at = %(now)s, changed_at = %(changed)s, broken_sources = %(broken)s WHERE layer_id = %(id)s",
                {"id": spec.id, "now": now, "changed": changed_at, "broken": list(broken)},
            )
            continue
        await _read(connection, spec, now, changed_at, broken)
        read += 1
    await connection.execute("DELETE FROM layer_checks WHERE layer_id <> ALL (%(ids)s) AND NOT starts_with(layer_id, 'dataset_')", {"ids": list(catalog.layers)})
    return read + await _datasets(connection, now)


_EVER = datetime(1970, 1, 1, tzinfo=UTC)


async def _held(connection: AsyncConnection) -> dict[str, bool]:
    """Whether each source is there and, where it may not be empty, holds a row."""
    tables = {r["name"] for r in await rows(connection, "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relname = ANY (%(names)s)", {"names": list(SOURCES)})}
    never_empty = sorted(name for name in tables if SOURCES[name].late and not SOURCES[name].changed)
    query = " UNION ALL ".join(f"SELECT '{name}' AS name, EXISTS (SELECT FROM {name}) AS held" for name in never_empty)
    return {name: name in tables for name in SOURCES} | {r["name"]: r["held"] for r in await rows(connection, query)}


def _behind(spec: LayerSpec, written: dict[str, datetime]) -> tuple[str, ...]:
    """Figures that were made more than an hour before their register was last written no longer tell of it."""
    if not sources.figured(spec):
        return ()
    made, register = written.get(figures.MADE), sources.of(spec)[0]
    latest = written.get(register)
    return ("area_figures",) if made is None or (latest is not None and latest - made > timedelta(hours=1)) else ()


def _statement(spec: LayerSpec) -> sql.Composed:
    named = sources.of(spec)
    source = SOURCES[named[0]] if named else DATASET
    counted = spec.count_from or ""
    bare = "*" not in counted and "SELECT" in counted
    whole, possible = ("true", "ST_IsValid(shown)" if " AS shown" in counted else "true") if bare else (source.whole, source.possible)
    return sql.SQL(
        "SELECT {scope} AS region, count(*) AS n, count(*) FILTER (WHERE ({whole}) IS NOT TRUE) AS incomplete, count(*) FILTER (WHERE ({possible}) IS NOT TRUE) AS invalid, coalesce(bool_or({simulated}), false) AS simulated FROM {source} GROUP BY 1"
    ).format(
        simulated=sql.SQL("false" if spec.id == "suppressions" else "simulated"),
        scope=sql.SQL(spec.count_scope), whole=sql.SQL(whole), possible=sql.SQL(possible), source=sql.SQL(counted))


async def _read(connection: AsyncConnection, spec: LayerSpec, now: datetime, changed_at: datetime | None, broken: tuple[str, ...]) -> None:
    began = time.perf_counter()
    found: list[dict] = []
    error: str | None = None
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = '120s'")
            found = await rows(connection, _statement(spec))
    except psycopg.Error as problem:
        error = f"{type(problem).__name__}: {str(problem).splitlines()[0][:300]}"
    await _store(connection, spec.id, found, now, changed_at, broken, error, (time.perf_counter() - began) * 1000)


async def _store(
    connection: AsyncConnection, layer_id: str, found: list[dict], now: datetime, changed_at: datetime | None, broken: tuple[str, ...], error: str | None, took_ms: float
) -> None:
    await connection.execute(
        """
        INSERT INTO layer_checks (layer_id, checked_at, rows, incomplete, invalid, simulated, changed_at, broken_sources, error, took_ms)
        VALUES (%(id)s, %(now)s, %(rows)s, %(incomplete)s, %(invalid)s, %(simulated)s, %(changed)s, %(broken)s, %(error)s, %(took)s)
        ON CONFLICT (layer_id) DO UPDATE SET checked_at = excluded.checked_at, rows = excluded.rows, incomplete = excluded.incomplete, invalid = excluded.invalid,
            simulated = excluded.simulated, changed_at = excluded.changed_at, broken_sources = excluded.broken_sources, error = excluded.error, took_ms = excluded.took_ms
        """,
        {
            "id": layer_id,
            "now": now,
            "rows": sum(r["n"] for r in found),
            "incomplete": sum(r["incomplete"] for r in found),
            "invalid": sum(r["invalid"] for r in found),
            "simulated": any(r["simulated"] for r in found),
            "changed": changed_at,
            "broken": list(broken),
            "error": error,
            "took": took_ms,
        },
    )
    counts: dict[str, int] = {}
    for item in found:
        for length in (4, 6, 9, 12):
            if item["region"] and len(item["region"]) >= length:
                prefix = item["region"][:length]
                counts[prefix] = counts.get(prefix, 0) + item["n"]
    await connection.execute("DELETE FROM layer_counts WHERE layer_id = %(id)s", {"id": layer_id})
    if counts:
        await connection.execute(
            "INSERT INTO layer_counts (layer_id, prefix, rows) SELECT %(id)s, * FROM unnest(%(prefixes)s::text[], %(rows)s::bigint[])",
            {"id": layer_id, "prefixes": list(counts), "rows": list(counts.values())},
        )


async def _datasets(connection: AsyncConnection, now: datetime) -> int:
    """Imported datasets: read once after their import and once a day. A row that was rejected makes them incomplete."""
    due = await rows(
        connection,
        """
        SELECT d.id, d.updated_at, d.rejected_count AS rejected, d.simulated FROM datasets AS d LEFT JOIN layer_checks AS c ON c.layer_id = 'dataset_' || d.id
        WHERE c.checked_at IS NULL OR c.checked_at < d.updated_at OR c.checked_at::date < %(now)s::date
        """,
        {"now": now},
    )
    await connection.execute("UPDATE layer_checks SET checked_at = %(now)s WHERE starts_with(layer_id, 'dataset_')", {"now": now})
    await connection.execute("DELETE FROM layer_checks WHERE starts_with(layer_id, 'dataset_') AND NOT EXISTS (SELECT FROM datasets WHERE 'dataset_' || datasets.id = layer_id)")
    for dataset in due:
        began = time.perf_counter()
        found = await rows(
            connection,
            """
            SELECT region_code AS region, count(*) AS n, 0 AS incomplete, count(*) FILTER (WHERE NOT ST_IsValid(geom)) AS invalid, %(simulated)s AS simulated
            FROM dataset_features WHERE dataset_id = %(id)s GROUP BY 1
            """,
            {"id": dataset["id"], "simulated": dataset["simulated"]},
        )
        if found:
            found[0]["incomplete"] = dataset["rejected"]
        await _store(connection, f"dataset_{dataset['id']}", found, now, dataset["updated_at"], (), None, (time.perf_counter() - began) * 1000)
    return len(due)
