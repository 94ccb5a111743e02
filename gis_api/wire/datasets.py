"""Imported datasets and found places on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire


class Attribute(Wire):
    """A column of the file."""

    name: str = Field(examples=["名称"])
    type: Literal["integer", "number", "boolean", "text", "json"]


class RejectedRow(Wire):
    """A row of the file that was left out; the header is not counted."""

    row: int = Field(ge=1, examples=[17])
    reason: str = Field(examples=["坐标轴颠倒（纬度在前）· swapped axes (latitude first): 36.06, 120.38"])


class Dataset(Wire):
    """An imported file. `feature_count` and `bbox` are of the part that the caller may see."""

    id: str = Field(examples=["gongyuan_2026_ab12cd34"])
    layer: str = Field(examples=["dataset_gongyuan_2026_ab12cd34"], description="id of its layer")
    title: str = Field(examples=["公园 2026"])
    title_en: str
    format: str = Field(examples=["GeoJSON"])
    geometry_type: Literal["Point", "LineString", "Polygon", "Mixed"]
    crs: str = Field(examples=["GCJ-02"], description="frame the file was in")
    crs_origin: Literal["declared", "file", "format", "detected"] = Field(description="who said so; format: the standard of the format fixes it")
    source_name: str
    source_sha256: str
    attributes: list[Attribute]
    feature_count: int
    rejected: list[RejectedRow] = Field(description="the first 5,000 of them")
    rejected_count: int
    mended: int = Field(description="invalid shapes that were repaired")
    licence: str
    owner: str
    vintage: str = Field(description="the time the data stand for: a year, month or day; empty: not stated")
    region_code: str
    simulated: bool
    created_at: datetime
    updated_at: datetime
    version: int = Field(description="rises with every append, replace and upsert")
    key: str | None = Field(description="attribute that tells features apart")
    bbox: tuple[float, float, float, float] | None = Field(description="west, south, east, north in degrees")
