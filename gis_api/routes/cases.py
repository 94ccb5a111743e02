"""Cases, the tasks of one person, and the event categories."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import Page, database, page
from gis_api.problems import RESPONSES
from gis_api.wire.base import Place
from gis_api.wire.cases import CaseAction, CaseDetail, CasePage, CaseStep, CaseSummary, Category, StepIn, Task
from grid import geometry
from grid.casework import cases, categories, deadlines, workflow
from grid.world import staff

router = APIRouter(prefix="/api", tags=["cases"], responses=RESPONSES)

OPENED = ("立案", "Opened")


def summary(case: dict[str, Any], calendar: deadlines.Calendar, now: datetime) -> CaseSummary:
    """The wire shape of a joined case row."""
    name, name_en = workflow.STATES[case["state"]]
    left = None
    if case["due_at"] is not None and case["state"] in workflow.OPEN:
        left = deadlines.remaining(now, case["due_at"], case["clock"], calendar).total_seconds()
    return CaseSummary(
        **{key: case[key] for key in ("id", "number", "category_code", "category_name", "category_name_en", "title", "origin", "state", "urgent")},
        **{key: case[key] for key in ("supervised", "opened_at", "due_at", "handler", "alert_id", "simulated", "version")},
        state_name=name,
        state_name_en=name_en,
        remaining_s=left,
        place=Place(
            lon=case["lon"],
            lat=case["lat"],
            accuracy_m=case["accuracy_m"],
            region_code=case["region_code"],
            cell_code=case["cell_code"],
            name=case["place_name"],
        ),
    )


def _action(step: workflow.Step) -> CaseAction:
    return CaseAction(action=step.action, name=step.name, name_en=step.name_en, to_state=step.target, needs=list(step.needs))


def actions(caller: Caller, case: dict[str, Any]) -> list[CaseAction]:
    """The steps this caller may take on a case now."""
    standing = workflow.Standing(case["state"], case["handler_id"], case["reporter_id"])
    return [_action(step) for step in workflow.allowed(workflow.Person(caller.id, caller.role), standing)]


async def detail(connection: AsyncConnection, caller: Caller, case_id: int) -> CaseDetail:
    """All of a case, as this caller may see and move it."""
    case = await cases.get(connection, caller.scope, case_id)
    calendar = await deadlines.load_calendar(connection)
    steps = []
    for step in await cases.steps(connection, case_id):
        known = workflow.STEPS.get(step["action"])
        name, name_en = (known.name, known.name_en) if known else OPENED
        steps.append(
            CaseStep(
                **{key: step[key] for key in ("action", "from_state", "to_state", "by", "note", "evidence", "at")}, action_name=name, action_name_en=name_en
            )
        )
    return CaseDetail(
        **summary(case, calendar, datetime.now(UTC)).model_dump(),
        description=case["description"],
        reporter=case["reporter"],
        verifier=case["verifier"],
        evidence=list(dict.fromkeys(sha256 for step in steps for sha256 in step.evidence)),
        steps=steps,
        actions=actions(caller, case),
        handlers=[{"id": p.id, "name": p.name, "department": p.department} for p in await staff.handlers(connection, case["region_code"])],
    )


@router.get("/cases")
async def list_cases(
    state: Annotated[str | None, Query(description="a state, or 'open' for all that have not ended", examples=["open"])] = None,
    origin: Literal["alert", "report", "patch"] | None = None,
    overdue: bool = False,
    mine: Annotated[bool, Query(description="only those the caller handles")] = False,
    alert_id: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> CasePage:
    """Cases of the caller's region: open before ended, urgent before others, soonest deadline first."""
    filters = cases.Filters(state, origin, overdue, caller.id if mine else None, None, alert_id)
    items, total = await cases.page(connection, caller.scope, filters, paging.limit, paging.offset)
    calendar, now = await deadlines.load_calendar(connection), datetime.now(UTC)
    return CasePage(items=[summary(item, calendar, now) for item in items], total=total, as_of=now)


@router.get("/cases/{case_id}")
async def get_case(case_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> CaseDetail:
    """A case with its life-cycle and the steps the caller may take."""
    return await detail(connection, caller, case_id)


@router.post("/cases/{case_id}/steps")
async def take_step(case_id: int, body: StepIn, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> CaseDetail:
    """Takes one step. 409 when the workflow has no such step from here, or the case changed meanwhile."""
    taken = cases.StepTaken(body.action, body.version, body.note, tuple(body.evidence), body.handler_id)
    await cases.take_step(connection, caller.scope, workflow.Person(caller.id, caller.role), case_id, taken)
    return await detail(connection, caller, case_id)


@router.get("/tasks")
async def tasks(
    lon: Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False)] = None,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[Task]:
    """What waits for this person: cases they handle, their own reports still open, and cases they may verify; soonest deadline first."""
    mine, _ = await cases.page(connection, caller.scope, cases.Filters("open", handler_id=caller.id), 200, 0)
    own, _ = await cases.page(connection, caller.scope, cases.Filters("open", reporter_id=caller.id), 200, 0)
    verify, _ = await cases.page(connection, caller.scope, cases.Filters("handled"), 200, 0)
    calendar, now = await deadlines.load_calendar(connection), datetime.now(UTC)
    found = {case["id"]: case for case in mine + own + verify}
    result = []
    for case in found.values():
        next_actions = actions(caller, case)
        distance = None
        if lon is not None and lat is not None:
            distance = geometry.inverse(lon, lat, case["lon"], case["lat"])[1]
        result.append(Task(case=summary(case, calendar, now), distance_m=distance, next_action=next_actions[0] if next_actions else None))
    result.sort(key=lambda task: (task.next_action is None, task.case.due_at or now, task.case.id))
    return result


@router.get("/categories")
async def list_categories(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[Category]:
    """Event categories with their limits and whose figures those are."""
    wanted = Category.model_fields
    return [Category(**{name: getattr(item, name) for name in wanted}) for item in await categories.every(connection)]
