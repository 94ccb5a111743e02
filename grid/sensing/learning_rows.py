"""Labels out of verdicts and case outcomes, and what was learnt of them, as rows. The only writer of `learnt` and `learnt_sensors`.

A label is an alert with a verdict that stands, seen by one sensor and algorithm: its highest score, under the light it was seen in. A case that was
opened and then refused or cancelled makes its alert a false one, whatever the first verdict said.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import AsyncConnection

from grid.database import Scope, row, rows
from grid.sensing import light
from grid.sensing.calibration import SENSOR, TRUE
from grid.sensing.learning import Count, Curve, Labels, Learnt, fit
from grid.sensing.observations import Observation

MEMORY_DAYS = 180
MOST = 50_000
"""Labels of one algorithm that are fitted, the newest."""

LABELS = f"""
    SELECT l.*, coalesce(s.propensity, 1) AS propensity FROM (
        SELECT DISTINCT ON (d.alert_id, {SENSOR}) d.id, d.alert_id, {SENSOR} AS sensor, coalesce(c.kind, o.sensor_kind) AS scene, o.score,
               o.recorded_at, ST_X(o.geom) AS lon, ST_Y(o.geom) AS lat, {TRUE} AS truth, d.at
        FROM decisions d JOIN observations o ON o.alert_id = d.alert_id LEFT JOIN cameras c ON c.id = o.camera_id LEFT JOIN cases k ON k.id = d.case_id
        WHERE d.undone_at IS NULL AND d.verdict IN ('true', 'false') AND o.algorithm = %(algorithm)s AND d.at > now() - make_interval(days => %(days)s)
        ORDER BY d.alert_id, {SENSOR}, d.id DESC, o.score DESC
    ) l LEFT JOIN audit_stream s USING (alert_id) ORDER BY l.id DESC LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is known of one algorithm in the city, as a page shows it. `curve`: (score, chance) points; `cameras`: how many have a record."""

    algorithm: str
    labels: int
    precision: float
    curve: tuple[tuple[float, float], ...]
    scenes: dict[str, float]
    cameras: int
    fitted_at: datetime


@dataclass(frozen=True, slots=True)
class SensorRecord:
    """Precision of one camera for an algorithm, shrunk, with the verdicts (effective number) behind it."""

    sensor: str
    name: str
    precision: float
    verdicts: float


def scene_of(observation: Observation) -> str:
    """The parent of a sensor in the hierarchy: the kind of its camera, else the kind of sensor."""
    return observation.camera_kind or observation.sensor_kind


async def labels(connection: AsyncConnection, algorithm: str) -> Labels:
    """The judged findings of an algorithm, newest first, MOST at most."""
    found = await rows(connection, LABELS, {"algorithm": algorithm, "days": MEMORY_DAYS, "most": MOST})
    return Labels(
        score=np.array([r["score"] for r in found], float),
        truth=np.array([r["truth"] for r in found], bool),
        propensity=np.array([r["propensity"] for r in found], float),
        camera=np.array([r["sensor"] for r in found], object),
        scene=np.array([r["scene"] for r in found], object),
        condition=np.array([light.condition(r["recorded_at"], r["lon"], r["lat"]) for r in found], object),
    )


async def learn(connection: AsyncConnection, algorithm: str) -> Learnt:
    """Fits an algorithm anew on its labels and writes what came out; running twice is the same."""
    learnt = fit(await labels(connection, algorithm))
    knowledge = {
        "score": [learnt.score.x, learnt.score.y],
        "correction": [learnt.correction.x, learnt.correction.y],
        "strengths": [learnt.scene_strength, learnt.camera_strength, learnt.place_strength],
        "scenes": [[scene, condition, count.hits, count.total] for (scene, condition), count in learnt.scenes.items()],
    }
    await connection.execute(
        """
        INSERT INTO learnt (algorithm, labels, base, knowledge) VALUES (%(algorithm)s, %(labels)s, %(base)s, %(knowledge)s::jsonb)
        ON CONFLICT (algorithm) DO UPDATE SET labels = EXCLUDED.labels, base = EXCLUDED.base, knowledge = EXCLUDED.knowledge, fitted_at = clock_timestamp()
        """,
        {"algorithm": algorithm, "labels": learnt.labels, "base": learnt.base, "knowledge": json.dumps(knowledge)},
    )
    by_sensor: dict[str, dict[str, list[float]]] = {sensor: {} for sensor in learnt.cameras}
    for (sensor, condition), count in learnt.places.items():
        by_sensor[sensor][condition] = [count.hits, count.total]
    await connection.execute("DELETE FROM learnt_sensors WHERE algorithm = %(algorithm)s", {"algorithm": algorithm})
    await connection.execute(
        """
        INSERT INTO learnt_sensors (algorithm, sensor, expected, hits, total, conditions)
        SELECT %(algorithm)s, * FROM unnest(%(sensors)s::text[], %(expected)s::float8[], %(hits)s::float8[], %(total)s::float8[], %(conditions)s::jsonb[])
        """,
        {
            "algorithm": algorithm,
            "sensors": list(by_sensor),
            "expected": [learnt.expected[sensor] for sensor in by_sensor],
            "hits": [learnt.cameras[sensor].hits for sensor in by_sensor],
            "total": [learnt.cameras[sensor].total for sensor in by_sensor],
            "conditions": [json.dumps(each) for each in by_sensor.values()],
        },
    )
    return learnt


async def stale(connection: AsyncConnection) -> list[str]:
    """Algorithms with verdicts (given, taken back, or overtaken by their case) since they were last fitted."""
    found = await rows(
        connection,
        """
        SELECT DISTINCT o.algorithm FROM decisions d JOIN observations o ON o.alert_id = d.alert_id LEFT JOIN cases k ON k.id = d.case_id
        LEFT JOIN learnt l ON l.algorithm = o.algorithm
        WHERE o.algorithm <> '' AND d.verdict IN ('true', 'false') AND d.at > now() - make_interval(days => %(days)s)
          AND (l.fitted_at IS NULL OR d.at > l.fitted_at OR d.undone_at > l.fitted_at
               OR EXISTS (SELECT 1 FROM case_steps t WHERE t.case_id = k.id AND t.to_state IN ('rejected', 'cancelled') AND t.at > l.fitted_at))
        ORDER BY 1
        """,
        {"days": MEMORY_DAYS},
    )
    return [r["algorithm"] for r in found]


async def known(connection: AsyncConnection, keys: Sequence[tuple[str, str]]) -> dict[str, Learnt]:
    """What was learnt of each algorithm, with the records of the sensors in `keys` (sensor, algorithm) only."""
    found = await rows(connection, "SELECT algorithm, labels, base, knowledge FROM learnt WHERE algorithm = ANY(%(names)s)", {"names": [k[1] for k in keys]})
    learnt = {r["algorithm"]: _learnt(r) for r in found}
    if learnt:
        records = await rows(
            connection,
            """
            SELECT algorithm, sensor, expected, hits, total, conditions
            FROM unnest(%(sensors)s::text[], %(algorithms)s::text[]) AS k (sensor, algorithm) JOIN learnt_sensors USING (sensor, algorithm)
            """,
            {"sensors": [k[0] for k in keys], "algorithms": [k[1] for k in keys]},
        )
        for r in records:
            of = learnt[r["algorithm"]]
            of.cameras[r["sensor"]] = Count(r["hits"], r["total"])
            of.expected[r["sensor"]] = r["expected"]
            of.places.update({(r["sensor"], condition): Count(*counted) for condition, counted in r["conditions"].items()})
    return learnt


def _learnt(stored: dict) -> Learnt:
    knows = stored["knowledge"]
    curves = [Curve(*(tuple(points) for points in knows[name])) for name in ("score", "correction")]
    scenes = {(scene, condition): Count(hits, total) for scene, condition, hits, total in knows["scenes"]}
    return Learnt(stored["labels"], stored["base"], *curves, *knows["strengths"], scenes=scenes)


async def chances(connection: AsyncConnection, observations: Sequence[Observation]) -> dict[int, float]:
    """Probability that each finding is true, by observation id, of those whose algorithm has been learnt."""
    learnt = await known(connection, list({(o.sensor, o.algorithm) for o in observations}))
    told: dict[int, float] = {}
    for algorithm, knows in learnt.items():
        mine = [o for o in observations if o.algorithm == algorithm]
        if not knows.score.x or not mine:
            continue
        columns = [np.array(values, object) for values in zip(*((o.sensor, scene_of(o), light.condition(o.recorded_at, o.geom.x, o.geom.y)) for o in mine), strict=True)]
        told |= dict(zip((o.id for o in mine), knows.chance(np.array([o.score for o in mine]), *columns).tolist(), strict=True))
    return told


async def lessons(connection: AsyncConnection, scope: Scope) -> list[Lesson]:
    """What was learnt of each algorithm that was seen inside the scope, by name."""
    found = await rows(
        connection,
        """
        SELECT l.algorithm, l.labels, l.base, l.knowledge, l.fitted_at, (SELECT count(*) FROM learnt_sensors s WHERE s.algorithm = l.algorithm) AS cameras
        FROM learnt l WHERE EXISTS (SELECT 1 FROM observations o WHERE o.algorithm = l.algorithm AND o.region_code LIKE %(scope)s) ORDER BY l.algorithm
        """,
        {"scope": scope.like},
    )
    told = []
    for r in found:
        learnt = _learnt(r)
        scenes = {f"{scene}/{condition}": count.shrunk(learnt.base, learnt.scene_strength) for (scene, condition), count in learnt.scenes.items()}
        curve = tuple(zip(learnt.score.x, learnt.score.y, strict=True))
        told.append(Lesson(r["algorithm"], r["labels"], r["base"], curve, scenes, r["cameras"], r["fitted_at"]))
    return told


async def of_sensors(connection: AsyncConnection, scope: Scope, algorithm: str, limit: int = 50) -> list[SensorRecord]:
    """Cameras inside the scope by precision for an algorithm, the worst first."""
    stored = await row(connection, "SELECT labels, base, knowledge FROM learnt WHERE algorithm = %(algorithm)s", {"algorithm": algorithm})
    if stored is None:
        return []
    strength = _learnt(stored).camera_strength
    found = await rows(
        connection,
        """
        SELECT s.sensor, c.name, (%(strength)s * s.expected + s.hits) / (%(strength)s + s.total) AS precision, s.total AS verdicts
        FROM learnt_sensors s JOIN cameras c ON s.sensor = 'camera:' || c.id
        WHERE s.algorithm = %(algorithm)s AND c.region_code LIKE %(scope)s ORDER BY precision, s.sensor LIMIT %(limit)s
        """,
        {"algorithm": algorithm, "scope": scope.like, "strength": strength, "limit": limit},
    )
    return [SensorRecord(**r) for r in found]
