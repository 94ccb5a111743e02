"""Exports on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from gis_api.wire.base import Wire


class ExportIn(Wire):
    """Asks for a file of a layer."""

    layer: str = Field(min_length=1, max_length=80, examples=["buildings"])
    format: Literal["geoparquet", "gpkg", "shapefile", "geojson", "csv", "xlsx", "pdf"] = Field(description="pdf: a map sheet")
    crs: Literal["EPSG:4326", "EPSG:4490", "EPSG:4528", "EPSG:3857", "GCJ-02"] = Field("EPSG:4490", description="GCJ-02 only of public layers")
    reason: str = Field(min_length=2, max_length=400, description="what it is for; kept in the audit and in the file", examples=["违建核查外业底图"])
    filter: str | None = Field(None, max_length=16_384, description="CQL2", examples=["use = 'office' AND height_m > 30"])
    filter_lang: Literal["cql2-text", "cql2-json"] = "cql2-text"
    bbox: tuple[float, float, float, float] | None = Field(None, description="west, south, east, north in degrees")
    paper: Literal["A4", "A3"] = Field("A4", description="of a map sheet, landscape")
    title: str = Field("", max_length=80, description="of a map sheet; the layer's own when empty")


class ExportOut(Wire):
    """An export; `file` is where it is fetched once `state` is done, for a day."""

    id: UUID
    layer: str
    format: str
    crs: str
    filter: str | None
    reason: str
    state: Literal["queued", "running", "done", "failed", "expired"]
    row_count: int
    bytes: int
    sha256: str
    error: str
    created_at: datetime
    finished_at: datetime | None
    file: str | None = Field(examples=["/api/exports/0192…/file"])
