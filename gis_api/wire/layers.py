"""The layer catalogue on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire


class LayerGroup(Wire):
    """A branch of the layer tree."""

    id: str
    title: str
    title_en: str


class LayerSource(Wire):
    """Where the data comes from; never inline. `{z}/{x}/{y}` stand for a tile."""

    type: Literal["mvt", "geojson", "raster"]
    url: str = Field(examples=["/tiles/districts/{z}/{x}/{y}.mvt"])


class LegendLine(Wire):
    """A line of the legend: exactly what is painted."""

    label: str
    label_en: str
    color: str = Field(examples=["#E5484D"])
    shape: str = Field(examples=["diamond"])


class TooltipLine(Wire):
    """A property that the tooltip shows."""

    field: str
    label: str
    label_en: str
    unit: str | None


class Visible(Wire):
    """On which faces the layer is on at first."""

    wall: bool
    review: bool
    field: bool


class LayerContract(Wire):
    """How much there is and how fresh it is, for this caller. `updated_at` null: the table does not say."""

    updated_at: datetime | None
    count: int


class Layer(Wire):
    """A layer: a deck.gl declaration without data (@deck.gl/json), its source, legend and tooltip."""

    id: str
    title: str
    title_en: str
    group: str
    deck: dict[str, Any] = Field(examples=[{"@@type": "MVTLayer", "id": "districts"}])
    source: LayerSource
    legend: list[LegendLine]
    tooltip: list[TooltipLine]
    min_zoom: int
    max_zoom: int
    visible: Visible
    live: bool
    refreshed_by: list[str] = Field(description="kinds of events after which it must be read again; `alert.*` means all of that noun", examples=[["alert.*"]])
    simulated: bool
    attribution: str
    contract: LayerContract


class LayerEnvelope(Wire):
    """All layers a caller may draw, bottom of the map first. `rev` changes when declarations change, not when data does."""

    rev: str
    groups: list[LayerGroup]
    layers: list[Layer]
