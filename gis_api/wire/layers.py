"""The layer catalogue on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire
from gis_api.wire.styling import LayerStyle


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


State = Literal["ok", "late", "unknown", "stale", "broken"]


class LayerContract(Wire):
    """How much there is, and whether the layer keeps its promises, for this caller. `state` is the worst of the four, judged now from the last check.

    `updated_at` null: the table does not say. `count` null: not counted yet. `checked_at` null: never checked.
    """

    updated_at: datetime | None
    count: int | None
    state: State
    freshness: State
    completeness: State
    validity: State
    lineage: State
    checked_at: datetime | None
    detail: str = Field(description="what is wrong, in words", examples=["3 行无效 · rows cannot be right"])


class LayerTerms(Wire):
    """Whose the layer is and how it may be used; `lineage`: the registers it stands on, the one it draws first."""

    owner: str
    owner_en: str
    licence: str
    sensitivity: Literal["public", "internal", "restricted"]
    vintage: str
    lineage: list[str]


class SchemaField(Wire):
    """An attribute of a layer: its name and type in the database, and its words where a tooltip shows it."""

    name: str
    type: str
    label: str
    label_en: str
    unit: str | None


class LineageStep(Wire):
    """A register behind a layer, and when it was last written (null: nobody knows)."""

    name: str
    title: str
    title_en: str
    owner: str
    owner_en: str
    written_at: datetime | None


class LayerAbout(Wire):
    """All that is known about one layer."""

    id: str
    title: str
    title_en: str
    group: str
    terms: LayerTerms
    contract: LayerContract
    attributes: list[SchemaField]
    lineage: list[LineageStep]


class Layer(Wire):
    """A layer: a deck.gl declaration without data (@deck.gl/json), its source, legend and tooltip."""

    id: str
    title: str
    title_en: str
    keys: str = Field(description="what a keyboard types for the Chinese title: its pinyin, and its initials", examples=["jianzhu jz"])
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
    style: LayerStyle | None = Field(description="colours by attribute that people gave an imported layer")
    terms: LayerTerms
    contract: LayerContract
    thumbnail: str | None = Field(description="a small picture of it, its address changing with what it shows; null while none was drawn", examples=["/api/layers/districts/thumbnail?v=5f0c"])


class LayerEnvelope(Wire):
    """All layers a caller may draw, bottom of the map first. `rev` changes when declarations change, not when data does."""

    rev: str
    groups: list[LayerGroup]
    layers: list[Layer]
