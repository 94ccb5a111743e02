"""Whose turn it is to be followed, when one watcher cannot follow every camera: the order of `grid.sensing.attention` under a budget of compute.

A turn lasts a minute. Cameras where something is being seen keep theirs until it is settled, for at most half of the places: three sightings in five minutes
make a finding, so a camera left after the first would never make one. A tenth goes to cameras that are out of the order because they are offline or have
moved, for nobody else would learn that they are back. What is left is chosen by expected yield, the longest unseen first for the floor's share: with N
cameras, S places and a floor of F, each camera has its turn within N / (S F) minutes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil, inf

import structlog
from psycopg import AsyncConnection

from grid.database import Scope, rows
from grid.sensing import attention_rows
from grid.sensing.attention import FLOOR
from grid.world import cameras
from grid.world.cameras import Camera

LOG = structlog.get_logger("watcher")
EVERY_S = {"tower": 5.0, "street": 2.0}
"""Least seconds between frames taken of one camera, by its kind."""

STREAMS = 256
TURN = timedelta(minutes=1)
UNDER_WAY = timedelta(minutes=5)
KEPT, RETRIED = 0.5, 0.1
"""Shares of places and budget for cameras where something is under way, and for those that were given up."""

OUT = ("offline", "moved")


def rotation(watched: Mapping[str, tuple[int, int]], budget: float) -> timedelta:
    """In how long each camera has its turn; zero where there is room for all. `watched`: number and detectors by kind (`cameras.watched`).

    >>> rotation({"tower": (256, 256)}, 0), rotation({"tower": (256, 512)}, 3072.0)
    (datetime.timedelta(0), datetime.timedelta(seconds=800))
    """
    number = sum(n for n, _ in watched.values())
    asked = sum(runs * 60 / EVERY_S[kind] for kind, (_, runs) in watched.items())
    share = max(number / STREAMS, asked / budget if budget else 0.0)
    return TURN * (share / FLOOR) if share > 1.0 else timedelta(0)


@dataclass(slots=True)
class Turns:
    """The turns of one watcher. `budget`: runs of a detector a minute that its cameras may ask for together, 0 for any number; `places`: streams at
    once; `looks`: frames a minute of a camera by its kind. `seen` is told when a frame of a camera was taken; `runs`: detectors of a frame, by camera."""

    city: str
    budget: float
    places: int
    looks: Mapping[str, float]
    turn: timedelta = TURN
    seen: dict[int, datetime] = field(default_factory=dict)
    tried: dict[int, datetime] = field(default_factory=dict)
    runs: dict[int, int] = field(default_factory=dict)
    chosen: frozenset[int] = frozenset()
    until: datetime | None = None

    def cost(self, camera: Camera) -> float:
        """Runs of a detector a minute that following a camera asks for, at most."""
        return self.runs.get(camera.id, 1) * self.looks[camera.kind]

    async def followed(self, connection: AsyncConnection, found: Sequence[Camera], now: datetime | None = None) -> frozenset[int]:
        """Ids of the cameras of `found` to follow now: all where there is room for all, else those whose turn it is."""
        now = now or datetime.now(UTC)
        budget = self.budget or inf
        self.runs = await cameras.runs(connection, [camera.id for camera in found])
        if len(found) <= self.places and sum(map(self.cost, found)) <= budget:
            self.until = None
            return frozenset(camera.id for camera in found)
        if self.until is not None and now < self.until:
            return self.chosen & {camera.id for camera in found}
        by_id = {camera.id: camera for camera in found}
        kept = self._within((by_id[i] for i in await self._under_way(connection, now) if i in by_id), KEPT)
        waiting = sorted((c for c in found if c.state in OUT and c.id not in kept), key=lambda c: (self.tried.get(c.id, datetime.min.replace(tzinfo=UTC)), c.id))
        retried = self._within(waiting, RETRIED, least=1)
        self.tried.update(dict.fromkeys(retried, now))
        spent = sum(self.cost(by_id[i]) for i in (*kept, *retried))
        left = min(max(budget - spent, 0.0), sum(map(self.cost, found)))
        among = by_id.keys() - set(kept) - set(retried)
        ordered = await attention_rows.turn(
            connection, Scope(self.city), left, max(self.places - len(kept) - len(retried), 0), self.looks, among=among, seen=self.seen, at=now
        )
        self.chosen, self.until = frozenset((*kept, *retried, *ordered)), now + self.turn
        LOG.info("turn", cameras=len(found), followed=len(self.chosen), kept=len(kept), retried=len(retried))
        return self.chosen

    def _within(self, ordered: Iterable[Camera], share: float, least: int = 0) -> list[int]:
        """The first of the cameras that fit into a share of the places and of the budget, `least` of them in any case."""
        places, budget, taken = ceil(share * self.places), share * (self.budget or inf), []
        for camera in ordered:
            budget -= self.cost(camera)
            if len(taken) >= max(places, least) or (budget < 0 and len(taken) >= least):
                break
            taken.append(camera.id)
        return taken

    async def _under_way(self, connection: AsyncConnection, now: datetime) -> list[int]:
        """Cameras of the turn that ends in which a detector saw something lately, the newest first."""
        found = await rows(
            connection,
            """
            SELECT camera_id FROM detections WHERE camera_id = ANY(%(ids)s) AND recorded_at BETWEEN %(from)s AND %(now)s
            GROUP BY camera_id ORDER BY max(recorded_at) DESC, camera_id
            """,
            {"ids": list(self.chosen), "from": now - UNDER_WAY, "now": now},
        )
        return [r["camera_id"] for r in found]
