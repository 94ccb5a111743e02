"""How the installation stands: counts, queue, versions and which parts answer."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version as version_of

import psycopg
from psycopg import AsyncConnection, sql

from gis_api import supervisor
from gis_api.wire.status import Check, Health, Status
from grid.database import rows
from grid.settings import Settings

SCOPED = ("regions", "buildings", "cells", "cameras", "units", "forest_zones", "parcels", "observations", "alerts", "cases", "scenes", "surveys", "patches")
WORKER_SILENT_S = 30


async def _by(connection: AsyncConnection, table: str, column: str, like: str) -> dict[str, int]:
    query = sql.SQL("SELECT {column}::text AS label, count(*) AS n FROM {table} WHERE region_code LIKE %(like)s GROUP BY 1 ORDER BY 1")
    return {line["label"]: line["n"] for line in await rows(connection, query.format(column=sql.SQL(column), table=sql.Identifier(table)), {"like": like})}


async def checks(connection: AsyncConnection, settings: Settings) -> list[Check]:
    """What answers: the database (it does, or this raises), the worker by its heartbeat, the processes by their pid files."""
    (workers,) = await (
        await connection.execute("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %(s)s)", {"s": WORKER_SILENT_S})
    ).fetchone()
    found = [
        Check(name="database", ok=True, detail=connection.info.parameter_status("server_version") or ""),
        Check(name="worker", ok=workers > 0, detail=f"{workers} alive" if workers else f"no heartbeat for {WORKER_SILENT_S} s; run hdq up"),
    ]
    for service in supervisor.services(settings):
        if service.name not in ("worker", "server"):
            held = supervisor.standing(settings, service.name)
            found.append(Check(name=service.name, ok=held.alive, detail="runs" if held.alive else "not running; run hdq up"))
    return found


def health(found: list[Check]) -> Health:
    """The checks in one word."""
    return Health(status="ok" if all(check.ok for check in found) else "degraded", checks=found, now=datetime.now(UTC))


async def gather(connection: AsyncConnection, settings: Settings, like: str = "%", address: str | None = None) -> Status:
    """Everything `hdq status` shows. `like` narrows the counts to a scope; `address` is where the server answers."""
    counts: dict[str, int] = {}
    for table in SCOPED:
        query = sql.SQL("SELECT count(*) FROM {} WHERE {} LIKE %(like)s")
        column = sql.Identifier("code" if table == "regions" else "region_code")
        (counts[table],) = await (await connection.execute(query.format(sql.Identifier(table), column), {"like": like})).fetchone()
    (counts["datasets"],) = await (await connection.execute("SELECT count(*) FROM datasets")).fetchone()
    counts["layers"] = _catalog_size() + counts["datasets"]
    sensors = await rows(
        connection,
        "SELECT sensor.kind, count(*) AS n FROM alerts, unnest(sensor_kinds) AS sensor (kind) WHERE region_code LIKE %(like)s GROUP BY 1 ORDER BY 1",
        {"like": like},
    )
    jobs = {line["label"]: line["n"] for line in await rows(connection, "SELECT status::text AS label, count(*) AS n FROM procrastinate_jobs GROUP BY 1")}
    frames = {line["label"]: line["n"] for line in await rows(connection, "SELECT state AS label, count(*) AS n FROM frames GROUP BY 1")}
    revision = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
    last_event = await (await connection.execute("SELECT last_id FROM event_clock")).fetchone()
    server = connection.info.parameter_status("server_version") or ""
    (postgis,) = await (await connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'postgis'")).fetchone()
    return Status(
        address=address,
        version=version_of("haidongqing"),
        versions={"python": platform.python_version(), "postgresql": server, "postgis": postgis},
        schema_revision=revision[0] if revision else None,
        demo=settings.demo,
        counts=counts,
        alerts_by_sensor_kind={line["kind"]: line["n"] for line in sensors},
        alerts_by_state=await _by(connection, "alerts", "state", like),
        cases_by_state=await _by(connection, "cases", "state", like),
        queue={state: jobs.get(state, 0) for state in ("todo", "doing", "failed")},
        frames={state: frames.get(state, 0) for state in ("queued", "done", "dropped", "failed")},
        last_event_id=last_event[0] if last_event else 0,
        health=health(await checks(connection, settings)),
        as_of=datetime.now(UTC),
    )


def _catalog_size() -> int:
    from layers.catalog import catalog

    return len(catalog())


def unreachable(error: psycopg.Error | Exception) -> Health:
    """The health of an installation whose database does not answer."""
    return Health(status="down", checks=[Check(name="database", ok=False, detail=f"does not answer: {type(error).__name__}; run hdq up")], now=datetime.now(UTC))
