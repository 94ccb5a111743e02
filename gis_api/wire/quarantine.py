"""Imports held back by the coordinate firewall, on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire


class Finding(Wire):
    """Rows that lie right when read otherwise than declared, with the figures that say so. Distances are medians in metres."""

    kind: Literal["gcj02", "bd09", "overcorrected", "swapped", "prefix", "zone", "web_mercator", "degrees", "heights"]
    reading: str = Field(examples=["GCJ-02", "swapped:EPSG:4326", "EPSG:4528|GCJ-02"], description="how to read these rows")
    crs: str = Field(examples=["GCJ-02"])
    rows: int
    share: float = Field(description="of all rows", examples=[0.35])
    shift_m: float | None = Field(description="how far the fix moves them; null where they lie nowhere on Earth as declared")
    reference: str | None = Field(description="what decided: buildings, roads, districts, coast, terrain; null where the place alone tells")
    gain: float | None = Field(description="log likelihood gained over the declaration alone, in nats")
    decoy_gain: float | None = Field(description="the most that a random shift gains")
    declared_m: float | None = Field(description="distance to the reference as declared")
    proposed_m: float | None = Field(description="distance to the reference as proposed")
    text: str
    text_en: str


class FlaggedRow(Wire):
    """A suspicious row of the file, from 1, and the reading that puts it right."""

    row: int
    reading: str


class Quarantine(Wire):
    """A file held back, and later what was decided about it. No row of it is on the map while it is held."""

    id: int
    state: Literal["held", "fixed", "overridden", "discarded"]
    title: str
    dataset_id: str = Field(description="the dataset it becomes, or became")
    layer: str = Field(description="id of its layer once it is published")
    source_name: str
    source_sha256: str
    declared_crs: str
    crs_origin: str
    row_count: int
    suspicious_rows: int
    findings: list[Finding]
    reference: str | None = Field(description="the reference that explains most of the rows")
    likelihood: float = Field(description="log likelihood of the chosen readings above mere accident, in nats")
    bbox: tuple[float, float, float, float] | None = Field(description="where the rows would lie: west, south, east, north in degrees")
    region_code: str
    created_at: datetime
    created_by: str
    decided_at: datetime | None
    decided_by: str
    reason: str


class QuarantineDetail(Quarantine):
    """With the first of its suspicious rows."""

    flagged: list[FlaggedRow]


class DecisionIn(Wire):
    """fix: publish with the proposed readings; override: publish as declared, with a reason; discard: let it go."""

    decision: Literal["fix", "override", "discard"]
    reason: str = Field("", max_length=500, examples=["已与现场测量核对 · checked against the survey"])


class ShiftVectors(Wire):
    """GeoJSON: a line from the place as declared to the proposed place of each sampled row; a point where the declared place is nowhere on Earth."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[dict[str, Any]]
