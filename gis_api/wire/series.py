"""An index over time at a point, on the wire."""

from datetime import datetime

from pydantic import Field

from gis_api.wire.base import Wire


class SeriesPoint(Wire):
    """The index in one scene."""

    scene: str
    taken_at: datetime
    value: float | None = Field(description="−1 … 1; null: no data there")
    cloud: bool | None = Field(description="cloud or its shadow lies over the place; null: its bands cannot tell")
    simulated: bool


class Series(Wire):
    """The index of a place in every scene that shows it, oldest first."""

    index: str = Field(examples=["ndvi"])
    title: str
    title_en: str
    source: str = Field(description="where the index is defined")
    points: list[SeriesPoint]
