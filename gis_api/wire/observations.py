"""Findings handed in from outside."""

from datetime import datetime
from typing import Any

import shapely
from pydantic import Field

from gis_api.wire.alerts import Observation, SensorKind
from gis_api.wire.base import Position, Wire
from grid.database import point
from grid.errors import InvalidInput
from grid.sensing.observations import Finding


class ObservationIn(Wire):
    """One finding by one sensor. (source, source_event_id) names it for ever: sending it again is the same finding."""

    source: str = Field(min_length=1, max_length=200, examples=["viirs-snpp"])
    source_event_id: str = Field(min_length=1, max_length=200, examples=["2026-11-22T05:12:00Z/36.2012,120.6144"])
    sensor_kind: SensorKind = Field(examples=["satellite"])
    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["hotspot"], description="forest_fire, smoke, garbage, vegetation_loss, … (GET /api/rules)")
    class_name: str = Field("", max_length=200)
    score: float = Field(ge=0, le=1, allow_inf_nan=False, examples=[0.7])
    recorded_at: datetime = Field(examples=["2026-11-22T13:12:00+08:00"], description="when the sensor saw it, with offset")
    position: Position
    footprint: dict[str, Any] | None = Field(None, description="GeoJSON geometry of where it may be: pixel, wedge, polygon")
    algorithm: str = Field("", max_length=200)
    model_version: str = Field("", max_length=200)
    model_hash: str = Field("", max_length=200)
    camera_id: int | None = Field(None, ge=1, le=9_223_372_036_854_775_807)
    bearing_deg: float | None = Field(None, ge=0, le=360, allow_inf_nan=False, description="clockwise from true north, seen from the camera")
    bearing_sigma_deg: float | None = Field(None, gt=0, le=90, allow_inf_nan=False)
    evidence: list[str] = Field(default_factory=list, max_length=12, description="SHA-256 of pictures sent to POST /api/evidence before")
    boxes: list[dict[str, Any]] = Field(default_factory=list, max_length=100, description="{evidence, box: [x0,y0,x1,y1] as fractions, class, score}")
    properties: dict[str, Any] = Field(default_factory=dict)
    simulated: bool = False


def shape_of(geojson: dict, field: str) -> shapely.Geometry:
    """A GeoJSON geometry, read strictly: every coordinate a number. Raises InvalidInput."""
    try:
        if not _numbers(geojson.get("coordinates")):
            raise ValueError("coordinates must be numbers")
        return shapely.geometry.shape(geojson)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise InvalidInput(f"{field} 不是 GeoJSON 几何 · is not a GeoJSON geometry: {error}", remedy='{"type": "Polygon", "coordinates": [[[lon, lat], …]]}') from error


def _numbers(value: object, depth: int = 0) -> bool:
    if isinstance(value, list):
        return depth < 5 and all(_numbers(item, depth + 1) for item in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def finding_of(given: ObservationIn, number: int) -> Finding:
    """The finding that row `number` of a request stands for. Raises InvalidInput."""
    same = ObservationIn.model_fields.keys() & Finding.__dataclass_fields__.keys() - {"footprint", "evidence", "boxes"}
    return Finding(
        **{name: getattr(given, name) for name in same},
        place=point(given.position.lon, given.position.lat),
        accuracy_m=given.position.accuracy_m,
        footprint=None if given.footprint is None else shape_of(given.footprint, f"observations[{number}].footprint"),
        evidence=tuple(given.evidence),
        boxes=tuple(given.boxes),
    )


class ObservationsIn(Wire):
    """A batch: all are taken, or none."""

    observations: list[ObservationIn] = Field(min_length=1, max_length=1000)


class AcceptedOut(Wire):
    """What became of one finding."""

    id: int
    source: str
    source_event_id: str
    new: bool = Field(description="false: it was known already under the same two ids")
    region_code: str
    cell_code: str | None


class AcceptedBatch(Wire):
    """Answers to a batch, in its order. Stored: rules will judge them in a moment."""

    accepted: list[AcceptedOut]
    new: int


class ObservationList(Wire):
    """Findings, newest first, as of a moment."""

    items: list[Observation]
    as_of: datetime


class SuppressionIn(Wire):
    """Keeps findings of a kind in an area from opening alerts until it expires."""

    kind: str = Field("any", pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["forest_fire"], description="kind of alert, or any")
    reason: str = Field(min_length=1, max_length=500, examples=["计划烧除"])
    expires_at: datetime
    area: dict[str, Any] = Field(
        description="GeoJSON Polygon (EPSG:4326, lon before lat)",
        examples=[{"type": "Polygon", "coordinates": [[[120.6, 36.2], [120.61, 36.2], [120.61, 36.21], [120.6, 36.2]]]}],
    )


class SuppressionOut(Wire):
    """A suppression, running or ended."""

    id: int
    kind: str
    reason: str
    created_by: str | None
    created_at: datetime
    expires_at: datetime
    region_code: str
    area: dict[str, Any]
    active: bool
    held: int = Field(description="findings it has kept from opening an alert")


class RuleExample(Wire):
    """A line of a rule's own table, proved by the tests."""

    name: str
    expect: str


class RuleOut(Wire):
    """A rule that turns findings into alerts."""

    id: str
    version: str
    kind: str
    kinds: list[str]
    title: str
    title_en: str
    category_code: str
    merge_m: float
    merge_s: float
    examples: list[RuleExample]
