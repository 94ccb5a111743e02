"""Verdicts on alerts, and taking them back within ten seconds."""

from fastapi import APIRouter, Depends
from psycopg import AsyncConnection

from gis_api.auth import Caller, may
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.routes.alerts import summary_of
from gis_api.wire.alerts import AlertSummary, VerdictIn, VerdictOut
from grid.casework import decisions

router = APIRouter(prefix="/api/alerts", tags=["decisions"], responses=RESPONSES)


@router.post("/{alert_id}/verdict")
async def give_verdict(
    alert_id: int, body: VerdictIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)
) -> VerdictOut:
    """Judges an alert: true opens a case, false dismisses it with a reason, unsure keeps it. 409 when judged already or changed since."""
    verdict = decisions.Verdict(body.verdict, body.reason, body.note, body.category_code, body.version)
    decided = await decisions.decide(connection, caller.scope, caller.id, alert_id, verdict)
    return VerdictOut(
        decision_id=decided.decision_id,
        alert=await summary_of(connection, caller.scope, alert_id),
        case_id=decided.case_id,
        undo_until=decided.undo_until,
    )


@router.delete("/{alert_id}/verdict")
async def undo_verdict(alert_id: int, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> AlertSummary:
    """Takes back the caller's own verdict within ten seconds: the case it opened is cancelled, the label removed."""
    await decisions.undo(connection, caller.scope, caller.id, alert_id)
    return await summary_of(connection, caller.scope, alert_id)
