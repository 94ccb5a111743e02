"""Scenes as STAC items, analyses and surveys on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from gis_api.wire.base import Wire


class StacItem(Wire):
    """A STAC 1.1 Item. Pixels come from its `xyz` link; `properties["hdq:simulated"]` marks what no satellite took."""

    model_config = ConfigDict(extra="allow")

    type: Literal["Feature"]
    stac_version: str = Field(examples=["1.1.0"])
    stac_extensions: list[str] = []
    id: str = Field(examples=["hdq-sim-20260915"])
    geometry: dict[str, Any]
    bbox: list[float] = Field(examples=[[120.49, 36.095, 120.69, 36.30]])
    properties: dict[str, Any] = Field(
        examples=[{"datetime": "2026-09-15T02:45:00Z", "title": "模拟影像 崂山 2026-09", "gsd": 20.0, "proj:code": "EPSG:32651", "hdq:simulated": True}]
    )
    links: list[dict[str, Any]]
    assets: dict[str, dict[str, Any]]
    collection: str | None = None


class StacItems(Wire):
    """A STAC ItemCollection, newest picture first."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[StacItem]
    links: list[dict[str, Any]] = []


class LegendStep(Wire):
    """A value of an index and its colour."""

    value: float
    colour: str = Field(examples=["#0a501e"])


class ShowOut(Wire):
    """A way to show a scene that has these bands."""

    id: str = Field(examples=["ndvi"])
    title: str = Field(examples=["植被指数 NDVI"])
    title_en: str = Field(examples=["Vegetation index NDVI"])
    bands: list[str] = Field(examples=[["nir", "red"]])
    source: str = Field(description="its paper, or what it is made of")
    legend: list[LegendStep]


class AnalysisOut(Wire):
    """A change analysis and the JSON Schema of its parameters (titles zh · en, units, bounds, defaults)."""

    id: str = Field(examples=["vegetation_loss"])
    version: str = Field(examples=["1.0.0"])
    title: str = Field(examples=["植被减少"])
    title_en: str = Field(examples=["Vegetation loss"])
    kind: str = Field(description="kind of the observations it raises", examples=["vegetation_loss"])
    bands: list[str] = Field(description="common band names it reads; empty: all that both scenes have", examples=[["red", "nir"]])
    parameters: dict[str, Any] = Field(description="JSON Schema")
    available: bool
    reason: str = Field("", description="why it is not available")


class SurveyIn(Wire):
    """Asks for an analysis of a pair of scenes, the earlier first."""

    analysis: str = Field(max_length=64, examples=["vegetation_loss"])
    before: str = Field(max_length=128, examples=["hdq-sim-20260503"])
    after: str = Field(max_length=128, examples=["hdq-sim-20260915"])
    parameters: dict[str, float | bool] = Field(default_factory=dict, max_length=32, examples=[{"drop": 0.25}])


class SurveyOut(Wire):
    """A survey: `progress` 0…1; `error` the reason once failed; `result` counts, areas, shift of the scenes once done."""

    id: int
    analysis: str = Field(examples=["vegetation_loss"])
    analysis_version: str
    before_scene: str
    after_scene: str
    parameters: dict[str, Any]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float = Field(ge=0, le=1)
    error: str | None
    result: dict[str, Any] = Field(examples=[{"patches": 3, "area_m2": 271000.0, "shift": {"east": 0.34, "south": -0.24, "residual": 0.03, "tiles": 9}}])
    region_code: str
    created_by: int | None
    created_at: datetime
    finished_at: datetime | None


class BadRow(Wire):
    """A row that was left out; the header is row 1."""

    row: int = Field(examples=[17])
    column: str = Field(examples=["latitude"])
    value: str
    detail: str


class HotspotsOut(Wire):
    """What became of a table of fire rows."""

    accepted: int = Field(description="rows that are now observations, known ones included")
    new: int
    outside: int = Field(description="good rows outside the city's box")
    bad: list[BadRow] = Field(description="at most 200 of them")
    bad_count: int
