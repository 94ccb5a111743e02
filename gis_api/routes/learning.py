"""What verdicts taught of each algorithm, the reviewers' minutes, and versions on trial."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.learning import BudgetIn, BudgetOut, LessonOut, RolloutIn, RolloutOut, RolloutStepIn, SensorRecordOut, ShadowOut
from grid.sensing import audit_stream, learning_rows, rollout, rollout_rows, shadow_rows
from grid.sensing.rollout_rows import Rollout
from grid.sensing.shadow_rows import ShadowPlace

router = APIRouter(prefix="/api", tags=["learning"], responses=RESPONSES)
Algorithm = Annotated[str, Path(max_length=100)]


async def _trials(connection: AsyncConnection, found: Sequence[Rollout], caller: Caller) -> list[RolloutOut]:
    beside = await shadow_rows.by_light(connection, caller.scope, [each.id for each in found])
    return [_trial(each, caller, beside.get(each.id, [])) for each in found]


def _trial(found: Rollout, caller: Caller, beside: Sequence[ShadowPlace]) -> RolloutOut:
    same = RolloutOut.model_fields.keys() - {"limit", "actions", "shadow"}
    shadow = [ShadowOut.model_validate(place) for place in beside]
    steps = [action for action, sources in rollout_rows.STEPS.items() if found.state in sources and caller.may("models")]
    return RolloutOut(**{name: getattr(found, name) for name in same}, limit=1 / rollout.ALPHA, actions=steps, shadow=shadow)


@router.get("/learning")
async def lessons(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[LessonOut]:
    """Each algorithm with findings in the caller's region: its precision, its curve from score to chance, its scenes."""
    return [LessonOut.model_validate(found) for found in await learning_rows.lessons(connection, caller.scope)]


@router.get("/learning/{algorithm}/cameras")
async def records(
    algorithm: Algorithm,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[SensorRecordOut]:
    """Cameras of the caller's region by how often they were right for an algorithm, the worst first."""
    return [SensorRecordOut.model_validate(found) for found in await learning_rows.of_sensors(connection, caller.scope, algorithm, limit)]


@router.get("/review-budget")
async def budget(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> BudgetOut:
    """The minutes of the caller's own region, and what they reach."""
    found = await audit_stream.budget(connection, caller.scope)
    same = BudgetOut.model_fields.keys() - {"audit_share"}
    return BudgetOut(**{name: value for name, value in asdict(found).items() if name in same}, audit_share=audit_stream.SHARE)


@router.put("/review-budget")
async def set_budget(body: BudgetIn, caller: Caller = Depends(may("models")), connection: AsyncConnection = Depends(database)) -> BudgetOut:
    """Sets the minutes: what they do not reach is set aside (alerts of the gravest severity never), five of a hundred of it shown by lot."""
    await audit_stream.set_budget(connection, caller.scope, caller.id, body.minutes_a_day)
    return await budget(caller, connection)


@router.get("/rollouts")
async def rollouts(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[RolloutOut]:
    """Versions on trial in the caller's region, newest first."""
    return await _trials(connection, await rollout_rows.page(connection, caller.scope), caller)


@router.get("/rollouts/{rollout_id}/shadow")
async def shadow(rollout_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[ShadowOut]:
    """Both versions of a trial on the same frames, per camera of the caller's region and light, where they differ most first."""
    return [ShadowOut.model_validate(place) for place in await shadow_rows.places(connection, caller.scope, rollout_id)]


@router.post("/rollouts", status_code=201)
async def begin_rollout(body: RolloutIn, caller: Caller = Depends(may("models")), connection: AsyncConnection = Depends(database)) -> RolloutOut:
    """Puts a new version into shadow: its findings are kept and open nothing. 409 while another version of the algorithm is on trial."""
    begun = await rollout_rows.begin(connection, caller.scope, caller.id, body.algorithm, body.standing, body.candidate, body.share)
    return (await _trials(connection, [begun], caller))[0]


@router.post("/rollouts/{rollout_id}/steps")
async def step_rollout(
    rollout_id: int, body: RolloutStepIn, caller: Caller = Depends(may("models")), connection: AsyncConnection = Depends(database)
) -> RolloutOut:
    """Takes a trial on: from shadow to canary, from canary to live, or back out of it."""
    stepped = await rollout_rows.step(connection, caller.scope, caller.id, rollout_id, body.action)
    return (await _trials(connection, [stepped], caller))[0]
