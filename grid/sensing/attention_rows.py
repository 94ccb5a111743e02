"""What the rows say of where to look next: records of cameras, hours and seasons for `grid.sensing.attention`.

A camera's exposure is the hours in which a frame of it was examined, its events are the alerts it took part in that nobody judged false. Weather enters by
what it does to pictures (a camera that is blurred or dark sees less) and by the light; a season and an hour of the day by what its scene held in them.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from psycopg import AsyncConnection

from grid.clock import ZONE
from grid.database import Scope, rows
from grid.sensing import light
from grid.sensing.attention import FLOOR, Watch
from grid.world.cameras import RUNS

MEMORY_DAYS = 90
STAY_H = {"tower": 1.0, "street": 2.0}
"""Hours that an event stays to be seen, by kind of camera: smoke for one, rubbish and stalls for more."""

SEEN = {"day": 0.9, "dusk": 0.75, "night": 0.6}
"""Chance that a look sees what is there, by light; `POOR` of it where the picture is blurred or dark."""

POOR = 0.45
NEAR_M = 500.0
NEVER_H = 24.0 * 7
SLOTS = 4 * 24


@dataclass(frozen=True, slots=True)
class Place:
    """A camera in the order of looking: events expected per second of compute, how long nobody looked, and what speaks for it."""

    camera_id: int
    name: str
    kind: str
    lon: float
    lat: float
    age_h: float
    rate_h: float
    worth: float
    found: int
    open_near: bool
    by_floor: bool


def slot_of(at: datetime) -> int:
    """Season and hour of the day in the city, 0–95: winter (December to February) first.

    >>> slot_of(datetime(2026, 1, 1, 0, tzinfo=UTC)), slot_of(datetime(2026, 7, 1, 15, 30, tzinfo=UTC))
    (8, 71)
    """
    local = at.astimezone(ZONE)
    return (local.month % 12 // 3) * 24 + local.hour


async def _cameras(connection: AsyncConnection, scope: Scope) -> list[dict]:
    return await rows(
        connection,
        f"""
        SELECT c.id, c.name, c.kind, c.state, {RUNS} AS cost, ST_X(c.geom) AS lon, ST_Y(c.geom) AS lat,
            extract(epoch FROM now() - c.last_frame_at)::float8 / 3600 AS age_h,
            EXISTS (SELECT 1 FROM alerts a WHERE a.region_code LIKE %(scope)s AND a.state IN ('open', 'acknowledged', 'confirmed') AND a.geom && ST_Expand(coalesce(c.view, c.geom), %(degrees)s)
                    AND ST_DWithin(a.geom::geography, coalesce(c.view, c.geom)::geography, %(near)s)) AS open_near
        FROM cameras c WHERE c.region_code LIKE %(scope)s AND c.stream IS NOT NULL AND c.state NOT IN ('offline', 'moved') ORDER BY c.id
        """,
        {"scope": scope.like, "near": NEAR_M, "degrees": NEAR_M / 80_000.0},
    )


async def _counted(connection: AsyncConnection, ids: Sequence[int]) -> tuple[list[dict], list[dict]]:
    """(events, exposures): camera, hour (aware) and number; each alert of a camera once, each camera-hour with an examined frame once."""
    params = {"ids": list(ids), "days": MEMORY_DAYS}
    events = await rows(
        connection,
        """
        SELECT camera_id, date_trunc('hour', min(recorded_at)) AS hour FROM observations o
        WHERE camera_id = ANY(%(ids)s) AND alert_id IS NOT NULL AND recorded_at > now() - make_interval(days => %(days)s)
          AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.alert_id = o.alert_id AND d.undone_at IS NULL AND d.verdict = 'false')
        GROUP BY camera_id, alert_id
        """,
        params,
    )
    exposures = await rows(
        connection,
        """
        SELECT DISTINCT camera_id, date_trunc('hour', recorded_at) AS hour FROM frames
        WHERE camera_id = ANY(%(ids)s) AND state = 'done' AND recorded_at > now() - make_interval(days => %(days)s)
        """,
        params,
    )
    return events, exposures


async def ranking(connection: AsyncConnection, scope: Scope, limit: int, *, at: datetime | None = None, floor: float = FLOOR) -> list[Place]:
    """The cameras of a scope to look at next, `limit` at most: for the floor's share the longest unseen, then by events expected per second.

    Cameras that have no stream, are offline or have moved are left out: nobody can look through them.
    """
    cameras = await _cameras(connection, scope)
    if not cameras:
        return []
    events, exposures = await _counted(connection, [c["id"] for c in cameras])
    return await asyncio.to_thread(_ordered, cameras, events, exposures, at or datetime.now(UTC), limit, floor)


async def turn(
    connection: AsyncConnection, scope: Scope, budget: float, most: int, looks: Mapping[str, float],
    *, among: Collection[int], seen: Mapping[int, datetime], at: datetime | None = None,
) -> list[int]:  # fmt: skip
    """Cameras (ids) `among` those of a scope whose streams are to be followed now, `most` at the utmost, within `budget` runs of a detector a minute.

    `looks`: frames a minute that a camera of each kind gives; `seen`: when a frame was last taken of cameras, where that is newer than what was examined.
    The floor's share of budget and places goes to the longest unseen; a camera dearer than the whole budget has it alone. Cameras that `ranking` leaves
    out are left out here too.
    """
    now = at or datetime.now(UTC)
    cameras = [c for c in await _cameras(connection, scope) if c["id"] in among]
    if not cameras or budget <= 0 or most <= 0:
        return []
    for c in cameras:
        if c["id"] in seen:
            age_h = (now - seen[c["id"]]).total_seconds() / 3600
            c["age_h"] = age_h if c["age_h"] is None else min(age_h, c["age_h"])
        c["cost"] = min(c["cost"] * looks[c["kind"]], budget)
    events, exposures = await _counted(connection, [c["id"] for c in cameras])
    return await asyncio.to_thread(_taken, cameras, events, exposures, now, budget, most)


def _taken(cameras: Sequence[dict], events: Sequence[dict], exposures: Sequence[dict], now: datetime, budget: float, most: int) -> list[int]:
    watch, _, worth, _ = _weighed(cameras, events, exposures, now)
    return [cameras[int(i)]["id"] for i in watch.choose(budget, worth, most=most)]


def _weighed(cameras: Sequence[dict], events: Sequence[dict], exposures: Sequence[dict], now: datetime) -> tuple[Watch, np.ndarray, np.ndarray, np.ndarray]:
    """What is known of the cameras; rate per hour, worth of a look and whether an alert is open near it, of each now."""
    kinds = sorted({c["kind"] for c in cameras})
    place = {c["id"]: i for i, c in enumerate(cameras)}
    watch = Watch(
        np.array([kinds.index(c["kind"]) for c in cameras]),
        np.array([float(c["cost"]) for c in cameras]),
        np.array([STAY_H[c["kind"]] for c in cameras]),
        SLOTS,
    )
    watch.age_h = np.array([NEVER_H if c["age_h"] is None else min(max(c["age_h"], 0.0), NEVER_H) for c in cameras])
    for tally, counted in (("hours", exposures), ("found", events)):
        code = np.array([place[r["camera_id"]] for r in counted], int)
        np.add.at(getattr(watch.cameras, tally), code, 1.0)
        np.add.at(getattr(watch.scenes, tally), watch.scene[code], 1.0)
    _situations(watch, events, exposures, place)
    slot = slot_of(now)
    seen = np.array([SEEN[light.condition(now, c["lon"], c["lat"])] * (POOR if c["state"] in ("blurred", "dark") else 1.0) for c in cameras])
    near = np.array([c["open_near"] for c in cameras])
    return watch, watch.rates(slot), watch.worth(slot, seen, near), near


def _ordered(cameras: Sequence[dict], events: Sequence[dict], exposures: Sequence[dict], now: datetime, limit: int, floor: float) -> list[Place]:
    """The order of looking, out of what the rows say."""
    watch, rate, worth, near = _weighed(cameras, events, exposures, now)
    share = np.ceil(floor * min(limit, len(cameras)))
    oldest = np.argsort(-watch.age_h, kind="stable")[: int(share)]
    rest = [i for i in np.argsort(-worth, kind="stable") if i not in set(oldest.tolist())]
    order = [*oldest.tolist(), *rest][:limit]
    return [
        Place(
            c["id"], c["name"], c["kind"], c["lon"], c["lat"], float(watch.age_h[i]), float(rate[i]), float(worth[i]),
            int(watch.cameras.found[i]), bool(near[i]), number < share,
        )
        for number, i in enumerate(order)
        for c in (cameras[i],)
    ]  # fmt: skip


def _situations(watch: Watch, events: Sequence[dict], exposures: Sequence[dict], place: dict[int, int]) -> None:
    """Enters events and expected events by scene and slot: the expectation is each camera's own mean, so good cameras make no good hours."""
    usual = watch.rates(0)
    for r in exposures:
        i = place[r["camera_id"]]
        watch.situations.hours[watch.scene[i], slot_of(r["hour"])] += usual[i]
    for r in events:
        watch.situations.found[watch.scene[place[r["camera_id"]]], slot_of(r["hour"])] += 1.0
