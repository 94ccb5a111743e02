"""Cases, their steps, reports and tasks on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from gis_api.wire.base import Place, Position, Wire


class CaseSummary(Wire):
    """A line of the case list. `remaining_s` counts to the deadline by the category's clock; negative is late."""

    id: int
    number: str = Field(examples=["3702022026112200001"])
    category_code: str
    category_name: str
    category_name_en: str
    title: str
    origin: Literal["alert", "report", "patch"]
    state: str
    state_name: str
    state_name_en: str
    urgent: bool
    supervised: bool
    place: Place
    opened_at: datetime
    due_at: datetime | None
    remaining_s: float | None
    handler: str | None
    alert_id: int | None
    simulated: bool
    version: int


class CaseStep(Wire):
    """One step of the life-cycle."""

    action: str
    action_name: str
    action_name_en: str
    from_state: str | None
    to_state: str
    by: str | None
    note: str
    evidence: list[str]
    at: datetime


class CaseAction(Wire):
    """A step this caller may take now."""

    action: str = Field(examples=["dispatch"])
    name: str
    name_en: str
    to_state: str
    needs: list[Literal["note", "evidence", "handler"]]


class CaseDetail(CaseSummary):
    """All of a case."""

    description: str
    reporter: str | None
    verifier: str | None
    evidence: list[str]
    steps: list[CaseStep]
    actions: list[CaseAction]
    handlers: list[dict[str, str | int]] = Field(description="{id, name, department}: whom it may be dispatched to")


class CasePage(Wire):
    """Cases in the order asked for."""

    items: list[CaseSummary]
    total: int
    as_of: datetime


class StepIn(Wire):
    """Takes one step; refused with 409 when the case is not at `version` or the step is illegal."""

    action: str
    version: int
    note: str = Field("", max_length=2000)
    evidence: list[str] = Field(default_factory=list, max_length=12)
    handler_id: int | None = None


class EvidenceOut(Wire):
    """A stored picture."""

    sha256: str
    media_type: str
    width: int
    height: int


class ReportIn(Wire):
    """What a grid worker reports. `client_key` is made on the phone: sending twice is the same report."""

    client_key: UUID
    category_code: str
    position: Position
    recorded_at: datetime
    note: str = Field("", max_length=2000)
    evidence: list[str] = Field(default_factory=list, max_length=12)


class ReportOut(Wire):
    """The case a report opened (or had opened before)."""

    report_id: int
    case: CaseSummary
    repeated: bool


class Category(Wire):
    """An event category with its limit."""

    code: str
    major: str
    name: str
    name_en: str
    icon: str
    clock: Literal["urgent_hours", "work_hours", "work_days", "natural_days"]
    limit_value: float
    provenance: str


class Task(Wire):
    """A card on the phone: one case that waits for this person."""

    case: CaseSummary
    distance_m: float | None
    next_action: CaseAction | None
