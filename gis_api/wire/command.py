"""Units, orders, key figures and the time bar on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Position, Wire


class Unit(Wire):
    """A vehicle, drone or team where it last said it was."""

    id: int
    code: str
    name: str
    kind: Literal["vehicle", "drone", "team"]
    state: Literal["idle", "ordered", "moving", "on_site", "returning", "offline"]
    lon: float
    lat: float
    heading_deg: float
    accuracy_m: float
    speed_kmh: float
    reported_at: datetime
    age_s: float
    stale: bool
    region_code: str
    order_id: int | None
    simulated: bool


class PositionIn(Wire):
    """Where a unit is now."""

    position: Position
    heading_deg: float = Field(0, ge=0, lt=360)
    recorded_at: datetime


class Order(Wire):
    """An order to a unit. `state`: confirmed > acknowledged > moving > arrived > done, or cancelled."""

    id: int
    alert_id: int
    case_id: int | None
    unit_id: int
    unit_name: str
    unit_kind: Literal["vehicle", "drone", "team"]
    state: Literal["confirmed", "acknowledged", "moving", "arrived", "done", "cancelled"]
    distance_m: float
    eta_s: float
    eta_at: datetime
    exercise: bool
    ordered_by: str | None
    ordered_at: datetime
    acknowledged_at: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    actions: list[str]
    route: dict | None = Field(None, description="GeoJSON LineString")
    version: int


class OrderStepIn(Wire):
    """acknowledge, depart, arrive, finish or cancel."""

    action: Literal["acknowledge", "depart", "arrive", "finish", "cancel"]
    version: int


class Figure(Wire):
    """A key figure, its 24 hourly values (oldest first; null: not known), and the list behind it."""

    id: Literal["open_alerts", "on_time_rate", "free_units", "online_cameras", "unseen_area"]
    name: str
    name_en: str
    value: float | None
    of: float | None = Field(None, description="the whole it is a part of")
    unit: str
    parts: dict[str, float] = Field(default_factory=dict, description="for example open alerts by severity")
    line: list[float | None]
    list_url: str
    as_of: datetime


class TimeBar(Wire):
    """Counts per 10 minutes, oldest first."""

    start: datetime
    step_s: int
    alerts: list[int]
    observations: list[int]
    cases: list[int]


class TrailPoint(Wire):
    """One point of a unit's trail."""

    lon: float
    lat: float
    heading_deg: float
    recorded_at: datetime
