"""The simulator: units of the demo patrol, and follow their orders: acknowledge, depart, move along the route, arrive, go home.

Only simulated units move. One batch of positions every two seconds through grid.world.units.move, steps of orders through grid.casework.dispatch.
"""

import asyncio
import contextlib
import heapq
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import structlog
from psycopg import AsyncConnection

from gis_api.demo import plane
from grid.casework import dispatch
from grid.database import Scope, connect
from grid.errors import HdqError
from grid.settings import Settings
from grid.world import roads, units
from grid.world.units import Unit, UnitPosition

LOG = structlog.get_logger("simulator")
TICK_S = 2.0
HEARTBEAT_S = 20.0
"""How often a unit that stands still says so: well under the two minutes after which it counts as stale."""

ACKNOWLEDGE_AFTER = timedelta(seconds=3)
DEPART_AFTER = timedelta(seconds=9)
STAY = timedelta(minutes=5)
PATROL_KMH = 24.0
PATROL_M = 2500.0


@dataclass(slots=True)
class Path:
    """A way being followed: points in degrees, metres from its beginning to each, how far the unit is, its speed in m/s."""

    points: np.ndarray
    reached: np.ndarray
    speed: float
    at_m: float = 0.0

    @classmethod
    def along(cls, points: list[tuple[float, float]] | np.ndarray, speed_kmh: float) -> "Path":
        points = np.asarray(points, float)
        x, y = plane.xy(points[:, 0], points[:, 1])
        return cls(points, np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))]), speed_kmh / 3.6)

    @property
    def over(self) -> bool:
        return self.at_m >= self.reached[-1]

    def advance(self, seconds: float) -> tuple[float, float, float]:
        """Moves on and returns lon, lat and heading (degrees clockwise from north)."""
        self.at_m = min(self.at_m + self.speed * seconds, float(self.reached[-1]))
        i = int(np.clip(np.searchsorted(self.reached, self.at_m, side="right") - 1, 0, len(self.points) - 2))
        span = self.reached[i + 1] - self.reached[i]
        share = (self.at_m - self.reached[i]) / span if span > 0 else 1.0
        (ax, ay), (bx, by) = self.points[i], self.points[i + 1]
        heading = math.degrees(math.atan2((bx - ax) * math.cos(math.radians(ay)), by - ay)) % 360
        return float(ax + share * (bx - ax)), float(ay + share * (by - ay)), heading


@dataclass(slots=True)
class Network:
    """The roads in memory: for each node the edges that leave it as (node, seconds, points from here to there)."""

    leaving: dict[int, list[tuple[int, float, list[tuple[float, float]]]]]
    nodes: np.ndarray
    ids: np.ndarray

    @classmethod
    async def read(cls, connection: AsyncConnection) -> "Network":
        leaving: dict[int, list] = {}
        place: dict[int, tuple[float, float]] = {}
        for road in await roads.within(connection, -180, -90, 180, 90):
            points = list(road.geom.coords)
            seconds = road.length_m / (road.speed_kmh / 3.6)
            leaving.setdefault(road.source_node, []).append((road.target_node, seconds, points))
            leaving.setdefault(road.target_node, []).append((road.source_node, seconds, points[::-1]))
            place[road.source_node], place[road.target_node] = points[0], points[-1]
        return cls(leaving, np.array(list(place.values()) or [(0.0, 0.0)]), np.array(list(place)))

    def nearest(self, lon: float, lat: float) -> int | None:
        """The node nearest to a point; None without roads."""
        if not len(self.ids):
            return None
        away = ((self.nodes[:, 0] - lon) * math.cos(math.radians(lat))) ** 2 + (self.nodes[:, 1] - lat) ** 2
        return int(self.ids[away.argmin()])

    def way(self, start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
        """Points of the quickest way by road, or the straight line where none leads."""
        a, b = self.nearest(*start), self.nearest(*end)
        if a is None or b is None:
            return [start, end]
        best, before, queue = {a: 0.0}, {}, [(0.0, a)]
        while queue:
            cost, node = heapq.heappop(queue)
            if node == b:
                break
            if cost > best[node]:
                continue
            for other, seconds, points in self.leaving[node]:
                if cost + seconds < best.get(other, math.inf):
                    best[other], before[other] = cost + seconds, (node, points)
                    heapq.heappush(queue, (cost + seconds, other))
        if b not in before and a != b:
            return [start, end]
        pieces, node = [], b
        while node != a:
            node, points = before[node]
            pieces.append(points)
        return [start, *(point for piece in reversed(pieces) for point in piece), end]

    def stroll(self, start: tuple[float, float], home: tuple[float, float], dice: np.random.Generator) -> list[tuple[float, float]]:
        """A patrol of about twenty edges that turns back when it strays too far from home."""
        node, points, last = self.nearest(*start), [start], None
        for _ in range(20):
            choices = [edge for edge in self.leaving.get(node, []) if edge[0] != last] or self.leaving.get(node, [])
            if not choices:
                break
            east, north = math.cos(math.radians(home[1])) * 111_320, 110_950
            far = [math.hypot((edge[2][-1][0] - home[0]) * east, (edge[2][-1][1] - home[1]) * north) for edge in choices]
            pick = int(np.argmin(far)) if min(far) > PATROL_M else int(dice.integers(len(choices)))
            last, node = node, choices[pick][0]
            points += choices[pick][2]
        return points if len(points) > 1 else [start, start]


@dataclass(slots=True)
class Fleet:
    """What the simulator remembers between two ticks."""

    network: Network
    dice: np.random.Generator = field(default_factory=lambda: plane.dice("movement"))
    paths: dict[int, Path] = field(default_factory=dict)
    following: dict[int, int] = field(default_factory=dict)

    async def tick(self, connection: AsyncConnection, now: datetime, seconds: float) -> int:
        """One step of every simulated unit; returns how many positions were reported. Each step of an order, and the positions, are a transaction of
        their own (a savepoint in the caller's): a published event holds up every other one until commit, so no row is locked after it."""
        everyone = [u for u in await units.fleet(connection, Scope("3702"), now) if u.simulated]
        live = {order["unit_id"]: order for order in await dispatch.page(connection, Scope("3702"), live=True)}
        batch = []
        for unit in everyone:
            order = live.get(unit.id)
            if unit.state == "offline":
                continue
            position = await self._ordered(connection, unit, order, now, seconds) if order else self._free(unit, now, seconds)
            if position is not None:
                batch.append(position)
        async with connection.transaction():
            await units.move(connection, batch)
        return len(batch)

    async def _ordered(self, connection: AsyncConnection, unit: Unit, order: dict, now: datetime, seconds: float) -> UnitPosition | None:
        state = order["state"]
        if state == "confirmed" and now - order["ordered_at"] >= ACKNOWLEDGE_AFTER:
            await self._step(connection, order["id"], "acknowledge")
        elif state == "acknowledged" and now - order["ordered_at"] >= DEPART_AFTER:
            await self._step(connection, order["id"], "depart")
        elif state == "moving":
            if self.following.get(unit.id) != order["id"]:
                self.following[unit.id], self.paths[unit.id] = order["id"], self._route(unit, order)
            path = self.paths[unit.id]
            position = self._at(unit, path, now, seconds)
            if path.over:
                self.paths.pop(unit.id, None)
                await self._step(connection, order["id"], "arrive")
            return position
        elif state == "arrived" and now - order["arrived_at"] >= STAY:
            await self._step(connection, order["id"], "finish")
        return self._still(unit, now)

    @staticmethod
    async def _step(connection: AsyncConnection, order_id: int, action: str) -> None:
        async with connection.transaction():
            await dispatch.step(connection, order_id, action)

    def _route(self, unit: Unit, order: dict) -> Path:
        """The order's route from where the unit is now on it: a restarted simulator goes on instead of jumping back."""
        points = list(order["route"].coords) if order["route"] is not None else [(unit.lon, unit.lat), (unit.lon, unit.lat)]
        speed = max(order["distance_m"] / max(order["eta_s"] - dispatch.TURNOUT_S[unit.kind], 1.0) * 3.6, 5.0)
        path = Path.along(points, min(speed, 1.5 * unit.speed_kmh))
        away = np.hypot((path.points[:, 0] - unit.lon) * math.cos(math.radians(unit.lat)), path.points[:, 1] - unit.lat)
        path.at_m = float(path.reached[int(away.argmin())])
        return path

    def _free(self, unit: Unit, now: datetime, seconds: float) -> UnitPosition | None:
        """A unit without an order: home when it returns, on patrol when it is a vehicle, else standing still."""
        here, home = (unit.lon, unit.lat), (unit.home_lon, unit.home_lat)
        if self.following.pop(unit.id, None) is not None or (unit.state == "returning" and unit.id not in self.paths):
            points = [here, home] if unit.kind == "drone" else self.network.way(here, home)
            self.paths[unit.id] = Path.along(points, unit.speed_kmh * 0.7)
        path = self.paths.get(unit.id)
        if unit.state in ("returning", "ordered", "moving", "on_site"):
            if path is None:
                return self._still(unit, now, "idle")
            position = self._at(unit, path, now, seconds, "idle" if path.at_m + path.speed * seconds >= path.reached[-1] else "returning")
            if path.over:
                self.paths.pop(unit.id)
            return position
        if unit.kind != "vehicle":
            return self._still(unit, now)
        if path is None or path.over:
            path = self.paths[unit.id] = Path.along(self.network.stroll(here, home, self.dice), PATROL_KMH)
        return self._at(unit, path, now, seconds)

    @staticmethod
    def _at(unit: Unit, path: Path, now: datetime, seconds: float, state: str | None = None) -> UnitPosition:
        lon, lat, heading = path.advance(seconds)
        return UnitPosition(unit.id, lon, lat, now, heading, 8.0 if unit.kind != "drone" else 3.0, state)

    @staticmethod
    def _still(unit: Unit, now: datetime, state: str | None = None) -> UnitPosition | None:
        if state is None and unit.age_s < HEARTBEAT_S:
            return None
        return UnitPosition(unit.id, unit.lon, unit.lat, now, unit.heading_deg, unit.accuracy_m, state)


async def simulate(settings: Settings, stop: asyncio.Event) -> None:
    """Moves the demo's units until told to stop; a database that goes away is waited for."""
    fleet: Fleet | None = None
    while not stop.is_set():
        try:
            connection = await connect(settings.database_url or "", autocommit=True)
            try:
                fleet = fleet or Fleet(await Network.read(connection))
                before = datetime.now(UTC)
                while not stop.is_set():
                    now = datetime.now(UTC)
                    await fleet.tick(connection, now, min((now - before).total_seconds(), 3 * TICK_S))
                    before = now
                    await _wait(stop, TICK_S - (datetime.now(UTC) - now).total_seconds())
            finally:
                await connection.close()
        except (HdqError, psycopg.Error) as error:
            LOG.warning("simulation interrupted", error=str(error))
            await _wait(stop, 3 * TICK_S)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), max(seconds, 0.01))
