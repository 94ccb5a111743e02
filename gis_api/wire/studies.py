"""Studies on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire


class StudyKind(Wire):
    """An analysis that is no change of a pair, and the JSON Schema of its parameters."""

    id: str = Field(examples=["volumes"])
    version: str
    title: str = Field(examples=["堆体与开挖方量"])
    title_en: str
    takes: str = Field(description="which scenes and dataset it wants")
    parameters: dict[str, Any] = Field(description="JSON Schema")


class StudyIn(Wire):
    """Asks for a study."""

    kind: str = Field(max_length=64, examples=["volumes"])
    scenes: list[str] = Field(default_factory=list, max_length=600, examples=[["dsm-before", "dsm-after"]])
    dataset: str = Field("", max_length=63, description="id of an imported dataset")
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=32, examples=[{"minimum_area_m2": 50}])
    again: bool = Field(False, description="do a finished one anew, e.g. when its registers changed")


class StudyOut(Wire):
    """A study: `progress` 0…1; `error` the reason once failed; `result` its figures once done."""

    id: int
    kind: str
    version: str
    scenes: list[str]
    dataset_id: str | None
    parameters: dict[str, Any]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: float = Field(ge=0, le=1)
    error: str | None
    result: dict[str, Any]
    region_code: str
    created_by: int | None
    created_at: datetime
    finished_at: datetime | None


class StudyFeature(Wire):
    """One thing that a study found; `properties` hold its class and figures."""

    type: Literal["Feature"] = "Feature"
    id: int
    geometry: dict[str, Any]
    properties: dict[str, Any]


class StudyFeatures(Wire):
    """A page of them, as GeoJSON."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[StudyFeature]
