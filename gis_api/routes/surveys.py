"""Change analyses and surveys of scene pairs; the patches they find are gis_api.routes.patches."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Page, database, page
from gis_api.problems import RESPONSES
from gis_api.wire.scenes import AnalysisOut, SurveyIn, SurveyOut
from grid import audit
from imagery.scenes import analyses, surveys

router = APIRouter(prefix="/api", tags=["surveys"], responses=RESPONSES)


@router.get("/analyses")
async def list_analyses(caller: Caller = Depends(signed_in)) -> list[AnalysisOut]:
    """Every analysis with the JSON Schema of its parameters; those that lack a library say so."""
    return [
        AnalysisOut(
            id=one.id,
            version=one.version,
            title=one.title,
            title_en=one.title_en,
            kind=one.kind,
            bands=list(one.bands),
            parameters=type(one).model_json_schema(),
            available=not one.missing(),
            reason=f"缺少 · missing: {', '.join(one.missing())}" if one.missing() else "",
        )
        for one in analyses.catalogue().values()
    ]


@router.post("/surveys", status_code=202, responses={200: {"model": SurveyOut, "description": "已经做过 · this survey exists"}})
async def ask_survey(
    body: SurveyIn, response: Response, caller: Caller = Depends(may("surveys")), connection: AsyncConnection = Depends(database)
) -> SurveyOut:
    """Asks for a survey. The same analysis, pair and parameters are one survey; a failed or cancelled one is queued anew. Audited when it is to be run."""
    survey, new = await surveys.request(
        connection, caller.scope, analysis_id=body.analysis, before=body.before, after=body.after, parameters=body.parameters, by=caller.id
    )
    if new:
        await audit.note(connection, caller.id, "survey.asked", f"survey/{survey.id}", {"analysis": survey.analysis})
    else:
        response.status_code = 200
    return SurveyOut(**asdict(survey))


@router.get("/surveys")
async def list_surveys(
    state: Annotated[Literal["queued", "running", "done", "failed", "cancelled"] | None, Query()] = None,
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[SurveyOut]:
    """Surveys of the caller's region, newest first."""
    found = await surveys.page(connection, caller.scope, state=state, limit=paging.limit, offset=paging.offset)
    return [SurveyOut(**asdict(survey)) for survey in found]


@router.get("/surveys/{survey_id}")
async def survey(survey_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> SurveyOut:
    """One survey with its progress, result or reason of failure."""
    return SurveyOut(**asdict(await surveys.get(connection, caller.scope, survey_id)))


@router.post("/surveys/{survey_id}/cancel")
async def cancel_survey(survey_id: int, caller: Caller = Depends(may("surveys")), connection: AsyncConnection = Depends(database)) -> SurveyOut:
    """Calls a queued or running survey off; 409 when it has ended."""
    cancelled = await surveys.cancel(connection, caller.scope, survey_id)
    await audit.note(connection, caller.id, "survey.cancelled", f"survey/{survey_id}", {"analysis": cancelled.analysis})
    return SurveyOut(**asdict(cancelled))
