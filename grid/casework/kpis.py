"""The five figures of the wall and the counts of the time bar, each from one statement over the rows it stands for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection

from grid.casework import workflow
from grid.database import Scope, row, rows
from grid.world import units

HOURS = 24
UNSEEN_AFTER = timedelta(hours=6)
STEP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: `value` of a whole `of` in `unit`; `line` holds 24 hourly values, oldest first, None where not known."""

    id: str
    name: str
    name_en: str
    value: float | None
    unit: str
    list_url: str
    as_of: datetime
    of: float | None = None
    parts: dict[str, float] = field(default_factory=dict)
    line: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeBar:
    """Counts per step, oldest first."""

    start: datetime
    step_s: int
    alerts: tuple[int, ...]
    observations: tuple[int, ...]
    cases: tuple[int, ...]


async def figures(connection: AsyncConnection, scope: Scope, now: datetime | None = None) -> list[Figure]:
    """The five figures of a scope as of now."""
    now = now or datetime.now(UTC)
    params = {"scope": scope.like, "now": now, "hours": HOURS, "ended": sorted(workflow.ENDED), "unseen": UNSEEN_AFTER, "stale": units.STALE_AFTER}
    return [
        await _open_alerts(connection, params, now),
        await _on_time_rate(connection, params, now),
        await _free_units(connection, params, now),
        await _online_cameras(connection, params, now),
        await _unseen_area(connection, params, now),
    ]


HOURLY = "generate_series(%(now)s::timestamptz - make_interval(hours => %(hours)s - 1), %(now)s, interval '1 hour') AS t"


async def _open_alerts(connection: AsyncConnection, params: dict, now: datetime) -> Figure:
    parts = await rows(
        connection,
        "SELECT severity, count(*) AS n FROM alerts WHERE region_code LIKE %(scope)s AND state IN ('open', 'acknowledged') GROUP BY severity ORDER BY severity",
        params,
    )
    line = await rows(
        connection,
        f"""
        SELECT (SELECT count(*) FROM alerts WHERE region_code LIKE %(scope)s AND opened_at <= t AND opened_at > t - interval '30 days'
                AND coalesce(closed_at, CASE WHEN state IN ('open', 'acknowledged') THEN 'infinity' ELSE last_seen_at END::timestamptz) > t) AS n
        FROM {HOURLY} ORDER BY t
        """,
        params,
    )
    by_severity = {str(item["severity"]): float(item["n"]) for item in parts}
    return Figure(
        "open_alerts", "待处置告警", "Open alerts", sum(by_severity.values()), "件", "/api/alerts?state=live", now, None, by_severity,
        tuple(float(item["n"]) for item in line),
    )  # fmt: skip


async def _on_time_rate(connection: AsyncConnection, params: dict, now: datetime) -> Figure:
    """On-time closing rate of the local day: closed by the deadline / (closed today + overdue and still open)."""
    found = await rows(
        connection,
        f"""
        SELECT t, count(*) FILTER (WHERE closed_at <= t AND closed_at <= due_at) AS on_time, count(*) AS due
        FROM {HOURLY}
        LEFT JOIN cases ON region_code LIKE %(scope)s AND state NOT IN ('rejected', 'cancelled') AND opened_at <= t
             AND ((closed_at <= t AND closed_at >= date_trunc('day', t, 'Asia/Shanghai')) OR (due_at <= t AND (closed_at IS NULL OR closed_at > t)))
        WHERE cases.id IS NOT NULL
        GROUP BY t ORDER BY t
        """,
        params,
    )
    by_hour = {item["t"]: item["on_time"] / item["due"] for item in found}
    hours = [now - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    line = tuple(round(100 * by_hour[hour], 1) if hour in by_hour else None for hour in hours)
    last = next((item for item in found if item["t"] == now), None)
    return Figure(
        "on_time_rate", "今日按期结案率", "On-time closing today", line[-1], "%", "/api/cases?overdue=1", now, 100.0,
        {"on_time": float(last["on_time"]), "due": float(last["due"])} if last else {}, line,
    )  # fmt: skip


async def _free_units(connection: AsyncConnection, params: dict, now: datetime) -> Figure:
    found = await rows(
        connection,
        """
        SELECT kind, count(*) AS all, count(*) FILTER (WHERE state IN ('idle', 'returning') AND reported_at > %(now)s - %(stale)s) AS free
        FROM units WHERE region_code LIKE %(scope)s GROUP BY kind
        """,
        params,
    )
    line = await rows(
        connection,
        f"""
        SELECT (SELECT count(DISTINCT unit_id) FROM unit_positions JOIN units ON units.id = unit_id
                WHERE units.region_code LIKE %(scope)s AND recorded_at BETWEEN t - interval '5 minutes' AND t) AS reporting,
               (SELECT count(DISTINCT orders.unit_id) FROM orders WHERE orders.region_code LIKE %(scope)s AND ordered_at <= t
                AND coalesce(ended_at, 'infinity') > t) AS busy
        FROM {HOURLY} ORDER BY t
        """,
        params,
    )
    return Figure(
        "free_units", "空闲力量", "Units free", float(sum(item["free"] for item in found)), "个", "/api/units", now, float(sum(item["all"] for item in found)),
        {item["kind"]: float(item["free"]) for item in found},
        tuple(float(max(item["reporting"] - item["busy"], 0)) if item["reporting"] else None for item in line),
    )  # fmt: skip


async def _online_cameras(connection: AsyncConnection, params: dict, now: datetime) -> Figure:
    """Cameras that delivered a frame within 30 minutes: what the register calls online is not yet seeing anything."""
    found = await row(
        connection,
        """
        SELECT count(*) AS all, count(*) FILTER (WHERE state = 'online') AS online,
               count(*) FILTER (WHERE last_frame_at > %(now)s - interval '30 minutes') AS delivering
        FROM cameras WHERE region_code LIKE %(scope)s
        """,
        params,
    )
    line = await rows(
        connection,
        f"""
        SELECT (SELECT count(DISTINCT camera_id) FROM frames JOIN cameras ON cameras.id = camera_id
                WHERE cameras.region_code LIKE %(scope)s AND recorded_at BETWEEN t - interval '1 hour' AND t) AS n
        FROM {HOURLY} ORDER BY t
        """,
        params,
    )
    return Figure(
        "online_cameras", "有画面摄像机", "Cameras delivering", float(found["delivering"]), "路", "/api/cameras", now, float(found["all"]),
        {"registered_online": float(found["online"])}, tuple(float(item["n"]) or None for item in line),
    )  # fmt: skip


async def _unseen_area(connection: AsyncConnection, params: dict, now: datetime) -> Figure:
    """Forest area, km², that no camera which delivered a frame within six hours could see (view sectors, terrain not considered)."""
    found = await row(
        connection,
        """
        WITH seen AS (SELECT ST_Union(view) AS geom FROM cameras WHERE last_frame_at > %(now)s - %(unseen)s AND view IS NOT NULL AND kind = 'tower'),
        forest AS (SELECT geom FROM forest_zones WHERE region_code LIKE %(scope)s AND valid @> (%(now)s AT TIME ZONE 'Asia/Shanghai')::date)
        SELECT coalesce(sum(ST_Area(forest.geom::geography)), 0) AS all,
               coalesce(sum(ST_Area(ST_Intersection(forest.geom, seen.geom)::geography)) FILTER (WHERE forest.geom && seen.geom), 0) AS seen
        FROM forest, seen
        """,
        params,
    )
    whole, unseen = found["all"] / 1e6, (found["all"] - found["seen"]) / 1e6
    return Figure(
        "unseen_area", "林区六小时未观测", "Forest unseen for 6 h", round(unseen, 1) if whole else None, "km²", "/api/cameras?kind=tower", now,
        round(whole, 1) if whole else None, {}, (None,) * (HOURS - 1) + (round(unseen, 1) if whole else None,),
    )  # fmt: skip


async def time_bar(connection: AsyncConnection, scope: Scope, hours: int, now: datetime | None = None) -> TimeBar:
    """Alerts opened, findings recorded and cases opened per 10 minutes of the last `hours`; the last step is the running one."""
    now = now or datetime.now(UTC)
    step_s = int(STEP.total_seconds())
    end = datetime.fromtimestamp((now.timestamp() // step_s + 1) * step_s, UTC)
    start = end - timedelta(hours=hours)
    found = await rows(
        connection,
        """
        SELECT kind, floor(extract(epoch FROM at - %(start)s) / %(step)s)::int AS slot, count(*) AS n FROM (
            SELECT 'alerts' AS kind, opened_at AS at FROM alerts WHERE region_code LIKE %(scope)s AND opened_at >= %(start)s AND opened_at < %(end)s
            UNION ALL
            SELECT 'observations', recorded_at FROM observations WHERE region_code LIKE %(scope)s AND recorded_at >= %(start)s AND recorded_at < %(end)s
            UNION ALL
            SELECT 'cases', opened_at FROM cases WHERE region_code LIKE %(scope)s AND opened_at >= %(start)s AND opened_at < %(end)s
        ) AS happened GROUP BY 1, 2
        """,
        {"scope": scope.like, "start": start, "end": end, "step": step_s},
    )
    counts = {kind: [0] * (hours * 3600 // step_s) for kind in ("alerts", "observations", "cases")}
    for item in found:
        counts[item["kind"]][item["slot"]] = item["n"]
    return TimeBar(start, step_s, tuple(counts["alerts"]), tuple(counts["observations"]), tuple(counts["cases"]))
