"""How often each sensor and algorithm was right: every verdict of a person is a label, and the record corrects the score of the next finding.

These are the plain counts that people are told, and what speaks for an algorithm that has not been learnt yet (`learning_rows`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from grid.database import rows

WEIGHT = 10.0
"""How many verdicts a score is worth: with fewer the score speaks, with more the record (a Beta prior of this strength around the score)."""
LAST = 10

SENSOR = """CASE WHEN o.camera_id IS NOT NULL THEN 'camera:' || o.camera_id
    WHEN starts_with(o.source, o.sensor_kind || ':') THEN o.source ELSE o.sensor_kind || ':' || o.source END"""
"""The SQL twin of observations.sensor_of, on alias o; tests/grid/sensing/test_calibration.py holds the two together."""


TRUE = "(d.verdict = 'true' AND coalesce(k.state NOT IN ('rejected', 'cancelled'), true))"
"""Whether verdict d was borne out, with its case k joined: one that was opened and then refused or cancelled makes it a false alarm."""


@dataclass(frozen=True, slots=True)
class Record:
    """Verdicts on one sensor and algorithm."""

    sensor: str
    algorithm: str
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Precision:
    """`hits` of the last `total` judged alerts that this sensor and algorithm took part in were true."""

    sensor: str
    algorithm: str
    hits: int
    total: int


def probability(score: float, hits: int = 0, misses: int = 0) -> float:
    """Chance that a finding is true: its score shrunk towards the record (Beta-Binomial mean).

    >>> probability(0.8), round(probability(0.8, hits=2, misses=8), 2), round(probability(0.8, hits=0, misses=1000), 3)
    (0.8, 0.5, 0.008)
    >>> probability(0.0), probability(1.0)
    (0.0, 1.0)
    """
    return (WEIGHT * score + hits) / (WEIGHT + hits + misses)


async def records(connection: AsyncConnection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Record]:
    """The record of each (sensor, algorithm) that has one."""
    found = await rows(
        connection,
        """
        SELECT sensor, algorithm, hits, misses
        FROM unnest(%(sensors)s::text[], %(algorithms)s::text[]) AS k (sensor, algorithm) JOIN calibration USING (sensor, algorithm)
        """,
        {"sensors": [k[0] for k in keys], "algorithms": [k[1] for k in keys]},
    )
    return {(r["sensor"], r["algorithm"]): Record(**r) for r in found}


async def record(connection: AsyncConnection, alert_id: int, *, hit: bool, undo: bool = False) -> None:
    """Counts a verdict once for every sensor and algorithm behind the alert; `undo` takes the same count back."""
    sign = -1 if undo else 1
    await connection.execute(
        f"""
        INSERT INTO calibration AS c (sensor, algorithm, hits, misses)
        SELECT DISTINCT {SENSOR}, o.algorithm, greatest(0, %(hits)s), greatest(0, %(misses)s)
        FROM observations o WHERE o.alert_id = %(alert_id)s ORDER BY 1, 2
        ON CONFLICT (sensor, algorithm) DO UPDATE
        SET hits = greatest(0, c.hits + %(hits)s), misses = greatest(0, c.misses + %(misses)s), updated_at = now()
        """,
        {"alert_id": alert_id, "hits": sign if hit else 0, "misses": 0 if hit else sign},
    )


async def precision(connection: AsyncConnection, alert_id: int, last: int = LAST) -> list[Precision]:
    """For each sensor and algorithm behind the alert: how many of its last judged alerts, this one left out, were true."""
    found = await rows(
        connection,
        f"""
        WITH behind AS (SELECT DISTINCT {SENSOR} AS sensor, o.algorithm FROM observations o WHERE o.alert_id = %(alert_id)s)
        SELECT b.sensor, b.algorithm, count(*) FILTER (WHERE j.truth)::int AS hits, count(j.truth)::int AS total
        FROM behind b LEFT JOIN LATERAL (
            SELECT {TRUE} AS truth FROM decisions d LEFT JOIN cases k ON k.id = d.case_id
            WHERE d.undone_at IS NULL AND d.verdict IN ('true', 'false') AND d.alert_id <> %(alert_id)s AND EXISTS (
                SELECT 1 FROM observations o WHERE o.alert_id = d.alert_id AND {SENSOR} = b.sensor AND o.algorithm = b.algorithm
            )
            ORDER BY d.id DESC LIMIT %(last)s
        ) j ON true
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"alert_id": alert_id, "last": last},
    )
    return [Precision(**r) for r in found]
