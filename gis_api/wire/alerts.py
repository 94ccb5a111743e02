"""Alerts, the observations behind them, verdicts and dispatch proposals on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Place, Wire

Severity = Literal[1, 2, 3, 4]
AlertState = Literal["open", "acknowledged", "confirmed", "dismissed", "closed"]
SensorKind = Literal["satellite", "camera", "drone", "person", "device"]


class AlertSummary(Wire):
    """A line of the alert list. `severity` 1 特急 2 紧急 3 一般 4 提示."""

    id: int
    kind: str = Field(examples=["forest_fire"])
    title: str
    title_en: str
    severity: Severity
    state: AlertState
    agreement: Literal["nominal", "high", "highest"]
    sensor_kinds: list[SensorKind]
    probability: float = Field(ge=0, le=1)
    place: Place
    first_seen_at: datetime
    last_seen_at: datetime
    opened_at: datetime
    acknowledged_at: datetime | None
    dispatched_at: datetime | None
    observation_count: int
    thumbnail: str | None = Field(None, description="SHA-256 of the newest evidence that may be shown")
    case_id: int | None = None
    simulated: bool
    version: int


class Observation(Wire):
    """One finding: who saw what, when, how sure and by which model."""

    id: int
    source: str
    source_event_id: str
    sensor_kind: SensorKind
    kind: str
    class_name: str
    score: float
    recorded_at: datetime
    received_at: datetime
    algorithm: str
    model_version: str
    model_hash: str
    accuracy_m: float
    lon: float
    lat: float
    camera_id: int | None
    camera_name: str | None
    bearing_deg: float | None
    footprint: dict[str, Any] | None = Field(None, description="GeoJSON geometry of where it may be")
    evidence: list[str] = Field(description="SHA-256 of frames or photos, shown at /api/evidence/{sha256}")
    boxes: list[dict[str, Any]] = Field(description="{evidence, box: [x0,y0,x1,y1] as fractions of the frame, class, score}")
    properties: dict[str, Any]
    alert_id: int | None = Field(description="the alert it belongs to; null while it waits for fusion, or when no rule opened one")
    simulated: bool


class Reason(Wire):
    """One line of 'why did this fire'."""

    text: str
    text_en: str
    value: float | str | None = None


class LegalityLine(Wire):
    """What one register says about the place: which layer, which version, which clause."""

    layer: str = Field(examples=["forest_zones"])
    name: str
    verdict: Literal["suspect", "verify", "lawful", "context"] = Field(description="suspect 疑似违法, verify 需核实, lawful 合法, context 背景")
    clause: str = ""
    area_m2: float | None = None
    text: str
    text_en: str
    rule: str = Field("", description="id of the rule")
    version: int | None = Field(None, description="version of the register that decided")
    flipped_from: str | None = Field(None, description="the verdict that stood before a register was corrected")


class Precision(Wire):
    """How often the same sensor and algorithm was right: `hits` of the last `total` verdicts."""

    sensor: str
    algorithm: str
    hits: int
    total: int


class Comparison(Wire):
    """Two vintages behind a changed patch."""

    before_scene: str
    after_scene: str
    before_at: datetime
    after_at: datetime
    area_m2: float
    analysis: str


class AlertDetail(AlertSummary):
    """All that the evidence pane shows."""

    rule_id: str
    rule_version: str
    reasons: list[Reason]
    legality: list[LegalityLine]
    observations: list[Observation]
    precision: list[Precision]
    region50: dict[str, Any] | None = Field(None, description="GeoJSON MultiPolygon holding half of the probability")
    region90: dict[str, Any] | None = None
    comparison: Comparison | None = None
    buildings_500m: int
    households_500m: int
    history: list[dict[str, Any]] = Field(description="alerts and cases within 500 m in the last 365 days: {type, id, title, at, state}")
    actions: list[str] = Field(description="what this caller may do now: acknowledge, verdict, undo, dispatch")
    undo_until: datetime | None = None


class AlertPage(Wire):
    """Alerts, in the order asked for, with the number of all that match."""

    items: list[AlertSummary]
    total: int
    as_of: datetime


class VerdictIn(Wire):
    """A person's judgement on an alert. True opens a case; false wants a reason."""

    verdict: Literal["true", "false", "other", "unsure"]
    reason: str = Field("", max_length=64, examples=["cloud"])
    note: str = Field("", max_length=2000)
    category_code: str | None = Field(None, description="category of the case; unset: the rule's own")
    version: int | None = Field(None, description="version of the alert that was judged; another one is refused with 409")


class VerdictOut(Wire):
    """What the verdict did."""

    decision_id: int
    alert: AlertSummary
    case_id: int | None
    undo_until: datetime


class ProposedUnit(Wire):
    """A unit that could go: along roads (vehicle) or straight (drone)."""

    unit_id: int
    code: str
    name: str
    kind: Literal["vehicle", "drone", "team"]
    distance_m: float
    eta_s: float
    position_age_s: float
    along: Literal["road", "straight"] = Field(description="straight: the air line (drone), or 1.4 times it where no road leads")
    route: dict[str, Any] = Field(description="GeoJSON LineString")


class Package(Wire):
    """The proposed two vehicles and one drone; `missing` says in words what could not be found."""

    alert_id: int
    units: list[ProposedUnit]
    missing: list[str]
    as_of: datetime


class OrdersIn(Wire):
    """Confirms an order to these units."""

    unit_ids: list[int] = Field(min_length=1, max_length=10)
    exercise: bool = False
