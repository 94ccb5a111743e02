"""What a candidate says of the frames that the standing version examines, beside it, per camera and light. The only writer of `shadow_runs` and `shadow_tallies`.

A frame on which both are silent only counts; one on which either speaks is kept, so that a verdict on the standing version's finding also tells whether the
candidate would have made it: how many true alerts it keeps, how many false ones it spares. That needs nobody's minutes, and comes before the canary.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.database import Scope, rows
from grid.sensing.calibration import TRUE

MOST = 500
"""Places of one trial that are listed, those where the two differ most first."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The trials that touch one algorithm in a region: `live` version in place of the shipped one, `candidate` on trial beside `standing` (None: none)."""

    live: str | None = None
    rollout_id: int | None = None
    standing: str | None = None
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class ShadowRun:
    """Both versions on one frame: things both saw, and things that only one did; milliseconds that each took."""

    rollout_id: int
    camera_id: int
    recorded_at: datetime
    condition: str
    agreed: int
    standing_only: int
    candidate_only: int
    standing_ms: float
    candidate_ms: float


@dataclass(frozen=True, slots=True)
class ShadowPlace:
    """A trial at one camera and light (all cameras: `camera_id` None). Things in frames; `true_alerts` and `false_alerts` as judged of the standing
    version's, `true_kept` of them seen and `false_spared` not seen by the candidate; mean milliseconds a frame.

    A frame in which the candidate saw some of the standing version's things and not others does not tell which of them the alert is about: an alert is
    judged by its other frames, and counted nowhere where it has none."""

    rollout_id: int
    camera_id: int | None
    camera: str
    condition: str
    cameras: int
    frames: int
    agreed: int
    standing_only: int
    candidate_only: int
    true_alerts: int
    true_kept: int
    false_alerts: int
    false_spared: int
    standing_ms: float
    candidate_ms: float

    @property
    def agreement(self) -> float | None:
        """Positive agreement (Dice) of the two, 0–1; None while neither saw a thing."""
        said = 2 * self.agreed + self.standing_only + self.candidate_only
        return 2 * self.agreed / said if said else None


async def versions(connection: AsyncConnection, algorithms: Sequence[str], region_code: str) -> dict[str, Versions]:
    """The versions on trial or taken live, of the algorithms that have any, where the trial's region holds `region_code`."""
    found = await rows(
        connection,
        """
        SELECT id, algorithm, standing, candidate, state FROM rollouts
        WHERE algorithm = ANY(%(algorithms)s) AND state IN ('shadow', 'canary', 'live') AND starts_with(%(region)s, region_code) ORDER BY id
        """,
        {"algorithms": list(algorithms), "region": region_code},
    )
    told: dict[str, Versions] = {}
    for r in found:
        known = told.get(r["algorithm"], Versions())
        told[r["algorithm"]] = (
            Versions(r["candidate"], known.rollout_id, known.standing, known.candidate)
            if r["state"] == "live"
            else Versions(known.live, r["id"], r["standing"], r["candidate"])
        )
    return told


async def record(connection: AsyncConnection, runs: Sequence[ShadowRun]) -> None:
    """Counts frames that both versions examined; call it last in the transaction, for it locks the tallies of the camera."""
    for run in sorted(runs, key=lambda run: run.rollout_id):
        values = {name: getattr(run, name) for name in ShadowRun.__dataclass_fields__}
        if run.agreed or run.standing_only or run.candidate_only:
            await connection.execute(
                """
                INSERT INTO shadow_runs (rollout_id, camera_id, recorded_at, condition, agreed, standing_only, candidate_only)
                VALUES (%(rollout_id)s, %(camera_id)s, %(recorded_at)s, %(condition)s, %(agreed)s, %(standing_only)s, %(candidate_only)s) ON CONFLICT DO NOTHING
                """,
                values,
            )
        await connection.execute(
            """
            INSERT INTO shadow_tallies AS t (rollout_id, camera_id, condition, frames, agreed, standing_only, candidate_only, standing_ms, candidate_ms)
            VALUES (%(rollout_id)s, %(camera_id)s, %(condition)s, 1, %(agreed)s, %(standing_only)s, %(candidate_only)s, %(standing_ms)s, %(candidate_ms)s)
            ON CONFLICT (rollout_id, camera_id, condition) DO UPDATE SET frames = t.frames + 1, agreed = t.agreed + EXCLUDED.agreed,
                standing_only = t.standing_only + EXCLUDED.standing_only, candidate_only = t.candidate_only + EXCLUDED.candidate_only,
                standing_ms = t.standing_ms + EXCLUDED.standing_ms, candidate_ms = t.candidate_ms + EXCLUDED.candidate_ms
            """,
            values,
        )


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Deletes the single frames of trials that ended before a time; their tallies stay. Returns how many."""
    cursor = await connection.execute("DELETE FROM shadow_runs s USING rollouts r WHERE r.id = s.rollout_id AND r.ended_at < %(before)s", {"before": before})
    return cursor.rowcount


_PLACES = f"""
    WITH judged AS (
        SELECT r.id AS rollout_id, o.camera_id, min(s.condition) AS condition, bool_or(s.agreed > 0) AS seen,
               (array_agg({TRUE} ORDER BY d.id DESC))[1] AS truth
        FROM rollouts r
        JOIN observations o ON o.algorithm = r.algorithm AND o.model_version = r.standing AND o.recorded_at >= r.created_at - interval '1 hour'
        JOIN shadow_runs s ON s.rollout_id = r.id AND s.camera_id = o.camera_id AND s.recorded_at = o.recorded_at
        JOIN decisions d ON d.alert_id = o.alert_id LEFT JOIN cases k ON k.id = d.case_id
        WHERE r.id = ANY(%(ids)s) AND d.undone_at IS NULL AND d.verdict IN ('true', 'false') AND (s.standing_only = 0 OR s.agreed = 0)
        GROUP BY r.id, o.camera_id, o.alert_id
    ), counted AS (
        SELECT rollout_id, camera_id, condition, count(*) FILTER (WHERE truth) AS true_alerts, count(*) FILTER (WHERE truth AND seen) AS true_kept,
               count(*) FILTER (WHERE NOT truth) AS false_alerts, count(*) FILTER (WHERE NOT truth AND NOT seen) AS false_spared
        FROM judged GROUP BY rollout_id, camera_id, condition
    ), places AS (
        SELECT t.*, c.name AS camera, v.true_alerts, v.true_kept, v.false_alerts, v.false_spared
        FROM shadow_tallies t JOIN cameras c ON c.id = t.camera_id LEFT JOIN counted v USING (rollout_id, camera_id, condition)
        WHERE t.rollout_id = ANY(%(ids)s) AND c.region_code LIKE %(scope)s
    )
    SELECT rollout_id, {{camera}} condition, count(DISTINCT camera_id)::int AS cameras, sum(frames)::bigint AS frames, sum(agreed)::bigint AS agreed,
           sum(standing_only)::bigint AS standing_only, sum(candidate_only)::bigint AS candidate_only, coalesce(sum(true_alerts), 0)::int AS true_alerts,
           coalesce(sum(true_kept), 0)::int AS true_kept, coalesce(sum(false_alerts), 0)::int AS false_alerts,
           coalesce(sum(false_spared), 0)::int AS false_spared, sum(standing_ms) / sum(frames) AS standing_ms, sum(candidate_ms) / sum(frames) AS candidate_ms
    FROM places GROUP BY {{group}} ORDER BY {{order}} LIMIT %(most)s
"""


async def _grouped(connection: AsyncConnection, scope: Scope, ids: Sequence[int], **parts: str) -> list[ShadowPlace]:
    async with connection.cursor(row_factory=class_row(ShadowPlace)) as cursor:
        await cursor.execute(_PLACES.format(**parts), {"ids": list(ids), "scope": scope.like, "most": MOST})
        return await cursor.fetchall()


async def places(connection: AsyncConnection, scope: Scope, rollout_id: int) -> list[ShadowPlace]:
    """A trial per camera and light inside the scope, where the two differ most first."""
    return await _grouped(
        connection, scope, [rollout_id],
        camera="camera_id, camera,", group="rollout_id, camera_id, camera, condition", order="sum(standing_only + candidate_only) DESC, camera_id, condition",
    )  # fmt: skip


async def by_light(connection: AsyncConnection, scope: Scope, ids: Sequence[int]) -> dict[int, list[ShadowPlace]]:
    """Trials per light over all cameras inside the scope, by rollout id."""
    told: dict[int, list[ShadowPlace]] = defaultdict(list)
    for place in await _grouped(connection, scope, ids, camera="NULL::bigint AS camera_id, '' AS camera,", group="rollout_id, condition", order="rollout_id, condition"):
        told[place.rollout_id].append(place)
    return dict(told)
