"""Versions on trial as rows: in shadow, as canary, live, rolled back by the sequential test. The only writer of `rollouts`.

A version is what observations carry as `model_version`. In shadow, and outside its camera-hours, a candidate's findings are kept and say why they opened
nothing. The standing version goes on everywhere, so that no place is blind because a candidate is: the test counts the candidate's alerts in its
camera-hours and the standing version's in all others.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import audit, events, jobs
from grid.database import Scope, row, rows
from grid.errors import Conflict, IllegalStep, InvalidInput, NotFound
from grid.sensing.calibration import SENSOR, TRUE
from grid.sensing.observations import Observation
from grid.sensing.rollout import SHARE, Trial, arm, judged

STEPS = {"canary": ("shadow",), "live": ("canary",), "withdraw": ("shadow", "canary")}
STATE_AFTER = {"canary": "canary", "live": "live", "withdraw": "withdrawn"}
SILENT = {
    "shadow": ("新版本影子运行，不产生告警", "a new version in shadow opens no alert"),
    "canary": ("新版本试运行，本时段由现行版本负责", "a canary: this camera-hour is the standing version's"),
    "rolled_back": ("该版本已自动回退", "this version was rolled back"),
    "withdrawn": ("该版本已撤回", "this version was withdrawn"),
}


@dataclass(frozen=True, slots=True)
class Rollout:
    """A trial of `candidate` against `standing`. `evidence` is the e-value that the candidate is worse (rolled back at 1 / ALPHA); `verdicts` counts:
    new, new_true, standing, standing_true; `record`: precision of the standing version when the canary began."""

    id: int
    algorithm: str
    standing: str
    candidate: str
    state: str
    share: float
    region_code: str
    record: float | None
    evidence: float
    verdicts: dict[str, int]
    created_at: datetime
    canary_at: datetime | None
    ended_at: datetime | None


_COLUMNS = ", ".join(Rollout.__dataclass_fields__)
_VERDICTS = f"""
    SELECT DISTINCT ON (d.alert_id) d.id, o.model_version = %(candidate)s AS is_new, {SENSOR} AS sensor,
           floor(extract(epoch FROM o.recorded_at) / 3600)::bigint AS hour, {TRUE} AS truth
    FROM decisions d JOIN observations o ON o.alert_id = d.alert_id LEFT JOIN cases k ON k.id = d.case_id
    WHERE d.undone_at IS NULL AND d.verdict IN ('true', 'false') AND o.algorithm = %(algorithm)s AND o.recorded_at >= %(since)s
      AND o.model_version IN (%(standing)s, %(candidate)s) AND o.region_code LIKE %(scope)s
    ORDER BY d.alert_id, d.id DESC, o.model_version = %(candidate)s DESC, o.recorded_at
"""


def _hour(observation: Observation) -> int:
    return int(observation.recorded_at.timestamp() // 3600)


async def silent(connection: AsyncConnection, observations: Sequence[Observation]) -> dict[int, dict]:
    """Findings that must open nothing because of the newest trial of their version whose region holds them: observation id -> note for its row."""
    found = await rows(
        connection,
        """
        SELECT DISTINCT ON (algorithm, candidate, region_code) id, algorithm, candidate, state, share, region_code FROM rollouts
        WHERE algorithm = ANY(%(algorithms)s) ORDER BY algorithm, candidate, region_code, id DESC
        """,
        {"algorithms": list({o.algorithm for o in observations})},
    )
    trials: dict[tuple[str, str], list[dict]] = {}
    for r in sorted(found, key=lambda r: -r["id"]):
        trials.setdefault((r["algorithm"], r["candidate"]), []).append(r)
    notes = {}
    for o in observations:
        trial = next((t for t in trials.get((o.algorithm, o.model_version), ()) if Scope(t["region_code"]).covers(o.region_code)), None)
        if trial is None or trial["state"] == "live":
            continue
        if trial["state"] == "canary" and arm(str(trial["id"]), o.sensor, _hour(o), trial["share"]):
            continue
        text, text_en = SILENT[trial["state"]]
        notes[o.id] = {"trial": {"id": trial["id"], "text": text, "text_en": text_en}}
    return notes


async def page(connection: AsyncConnection, scope: Scope, limit: int = 100) -> list[Rollout]:
    """Trials inside the scope, newest first."""
    async with connection.cursor(row_factory=class_row(Rollout)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM rollouts WHERE region_code LIKE %(scope)s ORDER BY id DESC LIMIT %(limit)s", {"scope": scope.like, "limit": limit}
        )
        return await cursor.fetchall()


async def get(connection: AsyncConnection, scope: Scope, rollout_id: int) -> Rollout:
    """One trial inside the scope, locked until the transaction ends. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Rollout)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM rollouts WHERE id = %(id)s AND region_code LIKE %(scope)s FOR NO KEY UPDATE", {"id": rollout_id, "scope": scope.like}
        )
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有版本试运行 {rollout_id} · no trial {rollout_id}", remedy="GET /api/rollouts")
    return found


async def begin(connection: AsyncConnection, scope: Scope, staff_id: int, algorithm: str, standing: str, candidate: str, share: float = SHARE) -> Rollout:
    """Puts a candidate into shadow. Raises InvalidInput (the same version, an impossible share) or Conflict (one is on trial already)."""
    if candidate == standing or not 0 < share <= 0.5:
        raise InvalidInput(f"试运行参数不合理 · {candidate!r} against {standing!r}, share {share}", remedy="name two versions and a share above 0, at most 0.5")
    busy = await row(connection, "SELECT candidate FROM rollouts WHERE algorithm = %(algorithm)s AND state IN ('shadow', 'canary')", {"algorithm": algorithm})
    if busy is not None:
        raise Conflict(f"{algorithm} 已有版本在试运行 · {busy['candidate']} of {algorithm} is on trial already", remedy="withdraw it or take it live first")
    created = await row(
        connection,
        """
        INSERT INTO rollouts (algorithm, standing, candidate, share, region_code, created_by)
        VALUES (%(algorithm)s, %(standing)s, %(candidate)s, %(share)s, %(region)s, %(staff)s) RETURNING id
        """,
        {"algorithm": algorithm, "standing": standing, "candidate": candidate, "share": share, "region": scope.prefix, "staff": staff_id},
    )
    return await _changed(connection, scope, created["id"], staff_id, "rollout.shadow")


async def step(connection: AsyncConnection, scope: Scope, staff_id: int, rollout_id: int, action: str) -> Rollout:
    """Takes a trial on: canary, live, withdraw. Raises IllegalStep from a state that the step does not lead from, InvalidInput for an unknown one."""
    if action not in STEPS:
        raise InvalidInput(f"没有这一步 · no step {action!r}", remedy=f"use one of {', '.join(STEPS)}")
    trial = await get(connection, scope, rollout_id)
    if trial.state not in STEPS[action]:
        raise IllegalStep(f"试运行处于 {trial.state} · trial {rollout_id} is {trial.state}", remedy=f"{action} follows {' or '.join(STEPS[action])}")
    await connection.execute(
        """
        UPDATE rollouts SET state = %(state)s, canary_at = CASE WHEN %(state)s = 'canary' THEN clock_timestamp() ELSE canary_at END,
            record = CASE WHEN %(state)s = 'canary' THEN (SELECT base FROM learnt WHERE algorithm = rollouts.algorithm AND labels >= 30) ELSE record END,
            ended_at = CASE WHEN %(state)s = 'canary' THEN NULL ELSE clock_timestamp() END
        WHERE id = %(id)s
        """,
        {"id": rollout_id, "state": STATE_AFTER[action]},
    )
    return await _changed(connection, scope, rollout_id, staff_id, f"rollout.{STATE_AFTER[action]}")


async def _changed(connection: AsyncConnection, scope: Scope, rollout_id: int, staff_id: int | None, kind: str) -> Rollout:
    """An audit row and an event; call it last in the transaction."""
    trial = await get(connection, scope, rollout_id)
    detail = {"algorithm": trial.algorithm, "standing": trial.standing, "candidate": trial.candidate, "evidence": round(trial.evidence, 3), **trial.verdicts}
    await audit.note(connection, staff_id, kind, f"rollout/{rollout_id}", detail)
    await events.publish(connection, kind, rollout_id, trial.region_code, detail)
    return trial


async def ask(connection: AsyncConnection, alert_id: int) -> None:
    """Enqueues a reading of the canaries when this alert's algorithms have one: after a verdict, or its undoing."""
    found = await row(
        connection,
        "SELECT 1 FROM rollouts r JOIN observations o ON o.algorithm = r.algorithm WHERE o.alert_id = %(id)s AND r.state = 'canary' LIMIT 1",
        {"id": alert_id},
    )
    if found is not None:
        await jobs.enqueue(connection, "judge_canaries", queueing_lock="judge_canaries")


async def trial_of(connection: AsyncConnection, rollout: Rollout) -> Trial:
    """The test of a canary over all verdicts since it began, in their order."""
    found = await rows(
        connection,
        f"SELECT * FROM ({_VERDICTS}) v ORDER BY id",
        {"algorithm": rollout.algorithm, "standing": rollout.standing, "candidate": rollout.candidate, "since": rollout.canary_at, "scope": Scope(rollout.region_code).like},
    )
    counted = [(r["is_new"], r["truth"]) for r in found if r["is_new"] == arm(str(rollout.id), r["sensor"], r["hour"], rollout.share)]
    return judged(counted, rollout.share, rollout.record)


async def judge(connection: AsyncConnection) -> list[int]:
    """Reads every canary's test; one that is worse is rolled back at once, with an event and an audit row. Returns those rolled back."""
    async with connection.cursor(row_factory=class_row(Rollout)) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM rollouts WHERE state = 'canary' ORDER BY id FOR NO KEY UPDATE")
        running = await cursor.fetchall()
    ended = []
    for rollout in running:
        trial = await trial_of(connection, rollout)
        counts = {"new": trial.new, "new_true": trial.new_true, "standing": trial.standing, "standing_true": trial.standing_true}
        await connection.execute(
            """
            UPDATE rollouts SET evidence = %(evidence)s, verdicts = %(verdicts)s::jsonb, state = CASE WHEN %(worse)s THEN 'rolled_back' ELSE state END,
                ended_at = CASE WHEN %(worse)s THEN clock_timestamp() END WHERE id = %(id)s
            """,
            {"id": rollout.id, "evidence": min(trial.evidence, 1e12), "verdicts": json.dumps(counts), "worse": trial.worse},
        )
        if trial.worse:
            ended.append(rollout)
    for rollout in ended:
        await _changed(connection, Scope(rollout.region_code), rollout.id, None, "rollout.rolled_back")
    return [rollout.id for rollout in ended]
