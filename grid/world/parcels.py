"""Land parcels 地块 with their category, and the permits that rest on them: when they were in force, and when we knew it (bitemporal).

A correction is an UPDATE or DELETE of a row: triggers keep what was held before, with its time, in parcels_past and permits_past.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, point, rows
from grid.world.bulk import copy_columns

CATEGORIES = ("farmland", "orchard", "forest", "residential", "commercial", "industrial", "public", "transport", "water", "green", "bare")
PERMIT_KINDS = ("construction", "land_use", "felling", "sea_use")
_NAMES = ("code", "category", "basic_farmland", "owner", "area_m2", "region_code", "simulated", "geom")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel; `area_m2` geodesic; `basic_farmland` 永久基本农田, which nothing may be built on."""

    code: str
    category: str
    basic_farmland: bool
    owner: str
    area_m2: float
    region_code: str
    simulated: bool
    geom: BaseGeometry
    since: date = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit on the parcel `parcel_code` from `since` to `until` (exclusive)."""

    number: str
    kind: str
    parcel_code: str
    since: date
    until: date
    simulated: bool


async def load(connection: AsyncConnection, parcels: Sequence[Parcel], permits: Sequence[Permit]) -> int:
    """Appends parcels and the permits on them. Returns how many rows."""
    if not parcels:
        return 0
    columns = {name: [getattr(p, name) for p in parcels] for name in _NAMES}
    stored = await copy_columns(connection, "parcels", {**columns, "valid": [f"[{p.since:%Y-%m-%d},)" for p in parcels]})
    if not permits:
        return stored
    found = await rows(connection, "SELECT id, code FROM parcels WHERE code = ANY(%(codes)s)", {"codes": [p.parcel_code for p in permits]})
    ids = {r["code"]: r["id"] for r in found}
    return stored + await copy_columns(
        connection,
        "permits",
        {
            "number": [p.number for p in permits],
            "kind": [p.kind for p in permits],
            "parcel_id": [ids[p.parcel_code] for p in permits],
            "valid": [f"[{p.since:%Y-%m-%d},{p.until:%Y-%m-%d})" for p in permits],
            "simulated": [p.simulated for p in permits],
        },
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A parcel as it was on a day, by what was known at a time: in force from `since` to `until`, known from `known_from` to `known_until` (None: open).
    `permits`: numbers and kinds of the permits in force on it that day, by the same knowledge."""

    code: str
    category: str
    basic_farmland: bool
    owner: str
    area_m2: float
    region_code: str
    simulated: bool
    since: date
    until: date | None
    known_from: datetime
    known_until: datetime | None
    permits: list[list[str]]


async def at(connection: AsyncConnection, scope: Scope, lon: float, lat: float, on: date | None = None, known_at: datetime | None = None) -> list[Held]:
    """The parcels over a point (EPSG:4326, degrees) on a day (default: today in Shanghai) as the register stood at a time (aware; default: now), by code."""
    found = await rows(
        connection,
        """
        WITH asked AS (
            SELECT coalesce(%(on)s::date, hdq_today()) AS day, coalesce(%(known)s::timestamptz, 'infinity'::timestamptz) AS moment, %(point)s AS point
        ), held AS (
            SELECT id, code, category, basic_farmland, owner, area_m2, region_code, simulated, valid, tstzrange(recorded_at, NULL) AS recorded, geom FROM parcels, asked
            WHERE ST_Covers(geom, asked.point)
            UNION ALL
            SELECT id, code, category, basic_farmland, owner, area_m2, region_code, simulated, valid, recorded, geom FROM parcels_past, asked
            WHERE ST_Covers(geom, asked.point)
        ), permitted AS (
            SELECT parcel_id, number, kind, valid, tstzrange(recorded_at, NULL) AS recorded FROM permits WHERE parcel_id IN (SELECT id FROM held)
            UNION ALL SELECT parcel_id, number, kind, valid, recorded FROM permits_past WHERE parcel_id IN (SELECT id FROM held)
        )
        SELECT code, category, basic_farmland, owner, area_m2, region_code, simulated, lower(valid) AS since, upper(valid) AS until,
            lower(recorded) AS known_from, upper(recorded) AS known_until,
            coalesce((
                SELECT jsonb_agg(jsonb_build_array(p.number, p.kind) ORDER BY p.number) FROM permitted AS p
                WHERE p.parcel_id = held.id AND p.valid @> asked.day
                    AND p.recorded @> asked.moment
            ), '[]') AS permits
        FROM held, asked
        WHERE region_code LIKE %(scope)s AND valid @> asked.day AND recorded @> asked.moment ORDER BY code
        """,
        {"on": on, "known": known_at, "point": point(lon, lat), "scope": scope.like},
    )
    return [Held(**r) for r in found]
