"""Vehicles, drones and teams: where they last said they were, and the trail behind them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid import events
from grid.database import Scope, rows
from grid.errors import InvalidInput, NotFound
from grid.world.bulk import copy_rows

STALE_AFTER = timedelta(minutes=2)
STATES = ("idle", "ordered", "moving", "on_site", "returning", "offline")


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit to be stored, standing at its `home`."""

    code: str
    name: str
    kind: str
    speed_kmh: float
    state: str
    region_code: str
    home: BaseGeometry
    geom: BaseGeometry
    heading_deg: float
    accuracy_m: float
    simulated: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit now: degrees (EPSG:4326), heading clockwise from true north, `age_s` since it reported, its live order if any."""

    id: int
    code: str
    name: str
    kind: str
    state: str
    lon: float
    lat: float
    home_lon: float
    home_lat: float
    heading_deg: float
    accuracy_m: float
    speed_kmh: float
    reported_at: datetime
    age_s: float
    stale: bool
    region_code: str
    order_id: int | None
    staff_id: int | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class UnitPosition:
    """A reported position: `recorded_at` by the unit's clock, aware. `state` other than None becomes the unit's state."""

    unit_id: int
    lon: float
    lat: float
    recorded_at: datetime
    heading_deg: float = 0.0
    accuracy_m: float = 10.0
    state: str | None = None


@dataclass(frozen=True, slots=True)
class TrailPoint:
    """One point of a trail."""

    lon: float
    lat: float
    heading_deg: float
    recorded_at: datetime


async def load(connection: AsyncConnection, units: Sequence[NewUnit]) -> int:
    """Appends units. Returns how many."""
    return await copy_rows(connection, "units", units)


async def fleet(connection: AsyncConnection, scope: Scope, now: datetime) -> list[Unit]:
    """Every unit of a scope by code, with its age at `now` (aware); stale after 2 minutes of silence."""
    return await _read(connection, "u.region_code LIKE %(scope)s", {"scope": scope.like, "now": now})


async def get(connection: AsyncConnection, unit_id: int, scope: Scope, now: datetime) -> Unit:
    """One unit of a scope. Raises NotFound."""
    found = await _read(connection, "u.id = %(id)s AND u.region_code LIKE %(scope)s", {"id": unit_id, "scope": scope.like, "now": now})
    if not found:
        raise NotFound(f"no unit {unit_id}", remedy="list units with GET /api/units")
    return found[0]


async def _read(connection: AsyncConnection, condition: str, params: dict) -> list[Unit]:
    async with connection.cursor(row_factory=class_row(Unit)) as cursor:
        await cursor.execute(
            f"""
            SELECT u.id, u.code, u.name, u.kind, u.state, ST_X(u.geom) AS lon, ST_Y(u.geom) AS lat, ST_X(u.home) AS home_lon,
                ST_Y(u.home) AS home_lat, u.heading_deg, u.accuracy_m, u.speed_kmh, u.reported_at, u.region_code, o.id AS order_id,
                u.staff_id, u.simulated, greatest(extract(epoch FROM %(now)s - u.reported_at), 0)::float8 AS age_s,
                %(now)s - u.reported_at > %(stale)s AS stale
            FROM units u LEFT JOIN orders o ON o.unit_id = u.id AND o.state NOT IN ('done', 'cancelled')
            WHERE {condition} ORDER BY u.code
            """,
            {**params, "stale": STALE_AFTER},
        )
        return await cursor.fetchall()


async def move(connection: AsyncConnection, positions: Sequence[UnitPosition]) -> int:
    """Stores reported positions and their trail in one statement, then publishes one units.moved event a region. Returns how many units moved.

    A position older than the one known joins the trail and moves nothing; the same position twice is stored once. At most one
    position a unit in a batch. Raises NotFound for an unknown unit.
    """
    if not positions:
        return 0
    if len({p.unit_id for p in positions}) != len(positions):
        raise InvalidInput("a unit appears twice in one batch of positions", remedy="send one position a unit, oldest batch first")
    if any(p.recorded_at.tzinfo is None for p in positions):
        raise InvalidInput("a position's recorded_at has no time zone", remedy="send RFC 3339 with an offset, e.g. 2026-11-22T08:00:00+08:00")
    # in the order of their ids, as an order locks them: else two that share units could wait for each other
    await connection.execute("SELECT id FROM units WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE", {"ids": [p.unit_id for p in positions]})
    found = await rows(
        connection,
        """
        WITH given AS (
            SELECT unit_id, recorded_at, heading_deg, accuracy_m, state, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS geom
            FROM unnest(%(ids)s::bigint[], %(lons)s::float8[], %(lats)s::float8[], %(times)s::timestamptz[], %(headings)s::real[],
                %(accuracies)s::real[], %(states)s::text[]) AS t (unit_id, lon, lat, recorded_at, heading_deg, accuracy_m, state)
        ), trail AS (
            INSERT INTO unit_positions (unit_id, recorded_at, heading_deg, accuracy_m, geom)
            SELECT unit_id, recorded_at, heading_deg, accuracy_m, geom FROM given
            WHERE EXISTS (SELECT FROM units WHERE id = unit_id)
            ON CONFLICT DO NOTHING
        )
        UPDATE units u SET
            geom = CASE WHEN fresh THEN given.geom ELSE u.geom END,
            heading_deg = CASE WHEN fresh THEN given.heading_deg ELSE u.heading_deg END,
            accuracy_m = CASE WHEN fresh THEN given.accuracy_m ELSE u.accuracy_m END,
            state = CASE WHEN fresh THEN coalesce(given.state, u.state) ELSE u.state END,
            reported_at = greatest(u.reported_at, given.recorded_at)
        FROM (SELECT given.*, given.recorded_at > known.reported_at AS fresh FROM given JOIN units known ON known.id = given.unit_id) AS given
        WHERE u.id = given.unit_id
        RETURNING u.id, u.region_code, u.state, u.heading_deg, u.reported_at, ST_X(u.geom) AS lon, ST_Y(u.geom) AS lat, given.fresh
        """,
        {
            "ids": [p.unit_id for p in positions],
            "lons": [p.lon for p in positions],
            "lats": [p.lat for p in positions],
            "times": [p.recorded_at for p in positions],
            "headings": [p.heading_deg for p in positions],
            "accuracies": [p.accuracy_m for p in positions],
            "states": [p.state for p in positions],
        },
    )
    missing = {p.unit_id for p in positions} - {r["id"] for r in found}
    if missing:
        raise NotFound(f"no unit {min(missing)}", remedy="list units with GET /api/units")
    by_region: dict[str, list[dict]] = defaultdict(list)
    for r in sorted(found, key=lambda r: r["id"]):
        if r["fresh"]:
            place = {"lon": round(r["lon"], 6), "lat": round(r["lat"], 6), "heading": round(r["heading_deg"], 1)}
            by_region[r["region_code"]].append({"id": r["id"], **place, "state": r["state"], "at": r["reported_at"].isoformat()})
    for region_code, moved in sorted(by_region.items()):
        await events.publish(connection, "units.moved", region_code, region_code, {"units": moved})
    return sum(len(moved) for moved in by_region.values())


async def set_state(connection: AsyncConnection, unit_ids: Sequence[int], state: str) -> None:
    """Puts units into a state (of STATES); casework does so when an order changes."""
    await connection.execute("UPDATE units SET state = %(state)s WHERE id = ANY(%(ids)s)", {"state": state, "ids": list(unit_ids)})


async def trail(connection: AsyncConnection, unit_id: int, scope: Scope, since: datetime) -> list[TrailPoint]:
    """Where a unit of a scope went after `since` (aware), oldest first; empty outside the scope."""
    async with connection.cursor(row_factory=class_row(TrailPoint)) as cursor:
        await cursor.execute(
            """
            SELECT ST_X(p.geom) AS lon, ST_Y(p.geom) AS lat, p.heading_deg, p.recorded_at
            FROM unit_positions p JOIN units u ON u.id = p.unit_id
            WHERE p.unit_id = %(id)s AND p.recorded_at > %(since)s AND u.region_code LIKE %(scope)s ORDER BY p.recorded_at
            """,
            {"id": unit_id, "since": since, "scope": scope.like},
        )
        return await cursor.fetchall()


async def forget_trails(connection: AsyncConnection, before: datetime) -> int:
    """Deletes trail points recorded before a time (kept 24 h). Returns how many."""
    return (await connection.execute("DELETE FROM unit_positions WHERE recorded_at < %(before)s", {"before": before})).rowcount
