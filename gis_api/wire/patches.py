"""Patches 图斑 on the wire: outlines, vintages, history, cycles, and what a reviewer does with them."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.alerts import LegalityLine
from gis_api.wire.base import Wire

State = Literal["open", "confirmed", "dismissed", "split", "merged"]
Outline = dict[str, Any]


class PatchProperties(Wire):
    """What is known of a patch 图斑; `number` counts from 1 in its newest survey, largest first; `before_*` the oldest and `after_*` the newest picture it was seen in."""

    survey_id: int
    number: int
    kind: str = Field(examples=["vegetation_loss"])
    state: State
    score: float = Field(description="highest mean score in the units of the analysis")
    area_m2: float = Field(description="geodesic")
    area_mu: float = Field(description="geodesic, 亩: 15 to the hectare")
    observation_id: int | None
    alert_id: int | None
    case_id: int | None
    analysis: str
    before_scene: str
    after_scene: str
    before_at: datetime
    after_at: datetime
    found_at: datetime
    answered_at: datetime | None
    seen: int = Field(description="surveys that saw it")
    version: int
    parents: list[int] = Field(description="patches it was cut from or joined of")
    region_code: str
    simulated: bool
    lon: float = Field(description="of a point inside it")
    lat: float


class PatchFeature(Wire):
    """A patch as a GeoJSON feature (EPSG:4326)."""

    type: Literal["Feature"] = "Feature"
    id: int
    geometry: Outline
    properties: PatchProperties


class Patches(Wire):
    """Patches as a GeoJSON feature collection."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[PatchFeature]
    total: int = Field(description="how many match, beyond this page")


class PatchStep(Wire):
    """Something that became of a patch (or of one it came from); `geometry` its outline after it, null where that did not change."""

    id: int
    patch_id: int
    action: Literal["found", "grown", "seen", "absorbed", "split", "cut", "merged", "joined", "redrawn", "confirmed", "dismissed", "reopened"]
    survey_id: int | None
    by: str | None
    reason: str
    related: list[int]
    area_m2: float
    before_at: datetime | None
    after_at: datetime | None
    at: datetime
    geometry: Outline | None


class PatchDetail(Wire):
    """A patch with its history and what the registers say of its outline now."""

    patch: PatchFeature
    place: str = Field(description="where it lies, in words")
    steps: list[PatchStep]
    legality: list[LegalityLine]
    may_judge: bool = Field(description="the caller may judge, cut, join and redraw it now")
    undo_until: datetime | None = Field(description="until when the caller may take back the verdict")


class CycleOut(Wire):
    """A cycle 月清、季核、年度评估 in figures; `ids` of the patches due, oldest first."""

    cycle: Literal["month", "quarter", "year"]
    since: date
    until: date = Field(description="first day after it")
    found: int
    answered: int = Field(description="of those found in it, judged (month), or dismissed or closed (quarter, year)")
    due: int
    overdue: int = Field(description="of those due, found before the period")
    found_m2: float
    due_m2: float
    ids: list[int]


class PatchVerdictIn(Wire):
    """A verdict on a patch; false wants a reason."""

    verdict: Literal["true", "false"]
    reason: str = Field("", max_length=64, examples=["seasonal"])
    note: str = Field("", max_length=1000)
    version: int | None = Field(None, description="of the patch as it was seen")


class PatchVerdictOut(Wire):
    """What the verdict did."""

    state: State
    case_id: int | None
    undo_until: datetime


class SplitIn(Wire):
    """Cuts a patch along a line, or without one into its separate parts."""

    line: Outline | None = Field(None, description="GeoJSON LineString, EPSG:4326", examples=[{"type": "LineString", "coordinates": [[120.55, 36.16], [120.57, 36.17]]}])
    reason: str = Field(max_length=500, examples=["两家各占一半"])
    version: int | None = None


class MergeIn(Wire):
    """Joins patches of one kind."""

    ids: list[int] = Field(min_length=2, max_length=20)
    reason: str = Field(max_length=500, examples=["同一工地"])


class RedrawIn(Wire):
    """Gives a patch another outline."""

    geometry: Outline = Field(description="GeoJSON Polygon or MultiPolygon, EPSG:4326")
    reason: str = Field(max_length=500, examples=["去掉阴影"])
    version: int | None = None
