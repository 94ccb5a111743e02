"""Studies: analyses that are no change of a pair of scenes (volumes, objects, footprints without permit, crops)."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Page, database, page
from gis_api.problems import RESPONSES
from gis_api.wire.studies import StudyFeature, StudyFeatures, StudyIn, StudyKind, StudyOut
from grid import audit
from imagery.scenes import studies, studying

router = APIRouter(prefix="/api/studies", tags=["surveys"], responses=RESPONSES)
Number = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/kinds")
async def list_kinds(caller: Caller = Depends(signed_in)) -> list[StudyKind]:
    """Every kind of study with what it takes and the JSON Schema of its parameters."""
    return [
        StudyKind(id=one.id, version=one.version, title=one.title, title_en=one.title_en, takes=one.takes, parameters=type(one).model_json_schema()) for one in studies.catalogue().values()
    ]


@router.post("", status_code=202, responses={200: {"model": StudyOut, "description": "已经做过 · this study exists"}})
async def ask_study(
    body: StudyIn, response: Response, caller: Caller = Depends(may("surveys")), connection: AsyncConnection = Depends(database)
) -> StudyOut:
    """Asks for a study. The same kind, scenes, dataset and parameters are one study; a failed or cancelled one is queued anew. Audited when it is to be run."""
    run, new = await studying.request(
        connection, caller.scope, kind=body.kind, scenes=body.scenes, dataset_id=body.dataset, parameters=body.parameters, again=body.again, by=caller.id
    )
    if new:
        await audit.note(connection, caller.id, "study.asked", f"study/{run.id}", {"kind": run.kind, "again": body.again})
    else:
        response.status_code = 200
    return StudyOut(**asdict(run))


@router.get("")
async def list_studies(
    kind: Annotated[str | None, Query(max_length=64)] = None,
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[StudyOut]:
    """Studies of the caller's region, newest first."""
    return [StudyOut(**asdict(run)) for run in await studying.page(connection, caller.scope, kind=kind, limit=paging.limit, offset=paging.offset)]


@router.get("/{study_id}")
async def study(study_id: Number, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> StudyOut:
    """One study with its progress, result or reason of failure."""
    return StudyOut(**asdict(await studying.get(connection, caller.scope, study_id)))


@router.get("/{study_id}/features")
async def study_features(
    study_id: Number, paging: Page = Depends(page), caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)
) -> StudyFeatures:
    """A page of what a study found, as GeoJSON in its order; `result.features` of the study says how many there are, `observation_id` names the finding
    that a feature became."""
    run = await studying.get(connection, caller.scope, study_id)
    found = await studying.features(connection, caller.scope, run.id, limit=paging.limit, offset=paging.offset)
    return StudyFeatures(features=[StudyFeature(**studying.shape_of(one)) for one in found])


@router.post("/{study_id}/cancel")
async def cancel_study(study_id: Number, caller: Caller = Depends(may("surveys")), connection: AsyncConnection = Depends(database)) -> StudyOut:
    """Calls a queued or running study off; 409 when it has ended."""
    cancelled = await studying.cancel(connection, caller.scope, study_id)
    await audit.note(connection, caller.id, "study.cancelled", f"study/{study_id}", {"kind": cancelled.kind})
    return StudyOut(**asdict(cancelled))
