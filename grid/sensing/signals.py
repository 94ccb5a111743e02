"""Observations as rules see them: with the sensor's record, the forest they lie in and the area they cover."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from grid import geometry
from grid.database import rows
from grid.sensing import calibration, learning_rows
from grid.sensing.calibration import Record
from grid.sensing.likelihood import Sight, polar_of
from grid.sensing.observations import Observation
from grid.sensing.rule import Signal

NEAR_FOREST_M = 1000.0


async def of(connection: AsyncConnection, observations: Sequence[Observation]) -> dict[int, Signal]:
    """Signals by observation id. The probability is what verdicts taught of the algorithm (`learning_rows`), else the score weighed with the sensor's record."""
    records = await calibration.records(connection, list({(o.sensor, o.algorithm) for o in observations}))
    learnt = await learning_rows.chances(connection, observations)
    forests = await _forests(connection, [o.id for o in observations])
    return {o.id: _signal(o, records.get((o.sensor, o.algorithm)), learnt.get(o.id), forests.get(o.id)) for o in observations}


def sight(observation: Observation, signal: Signal) -> Sight:
    """What the posterior needs of an observation."""
    return Sight(
        sensor=observation.sensor,
        lon=observation.geom.x,
        lat=observation.geom.y,
        accuracy_m=observation.accuracy_m,
        probability=signal.probability,
        footprint=observation.footprint,
        mast=None if observation.mast is None else (observation.mast.x, observation.mast.y),
        bearing_deg=observation.bearing_deg,
        bearing_sigma_deg=observation.bearing_sigma_deg,
        polar=polar_of(observation.properties.get("polar")),
    )


def _signal(observation: Observation, record: Record | None, learnt: float | None, forest: tuple[str, int] | None) -> Signal:
    return Signal(
        kind=observation.kind,
        recorded_at=observation.recorded_at,
        lon=observation.geom.x,
        lat=observation.geom.y,
        score=observation.score,
        probability=calibration.probability(observation.score, record.hits if record else 0, record.misses if record else 0) if learnt is None else learnt,
        sensor=observation.sensor,
        sensor_kind=observation.sensor_kind,
        accuracy_m=observation.accuracy_m,
        camera_kind=observation.camera_kind,
        forest_name=forest[0] if forest else None,
        fire_risk=forest[1] if forest else None,
        area_m2=_area_m2(observation),
        mast=None if observation.mast is None else (observation.mast.x, observation.mast.y),
        bearing_deg=observation.bearing_deg,
        bearing_sigma_deg=observation.bearing_sigma_deg,
        properties=observation.properties,
    )


def _area_m2(observation: Observation) -> float | None:
    """The area a finding states, or that of a footprint seen from above; a camera's footprint is its uncertainty, not the thing."""
    stated = observation.properties.get("area_m2")
    if isinstance(stated, int | float) and not isinstance(stated, bool) and stated >= 0:
        return float(stated)
    if observation.sensor_kind in ("satellite", "drone") and observation.footprint is not None:
        return geometry.area_m2(observation.footprint) or None
    return None


async def _forests(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    """The most fire-prone forest zone within each finding's own accuracy, 1 km at most."""
    found = await rows(
        connection,
        """
        SELECT o.id, f.name, f.fire_risk FROM observations o CROSS JOIN LATERAL (
            SELECT name, fire_risk FROM forest_zones
            WHERE geom && ST_Expand(o.geom, least(o.accuracy_m, %(near)s) / 80000.0)
              AND ST_DWithin(geom::geography, o.geom::geography, least(o.accuracy_m, %(near)s))
              AND valid @> hdq_today()
            ORDER BY fire_risk DESC, id LIMIT 1
        ) f WHERE o.id = ANY(%(ids)s)
        """,
        {"ids": list(ids), "near": NEAR_FOREST_M},
    )
    return {r["id"]: (r["name"], r["fire_risk"]) for r in found}
