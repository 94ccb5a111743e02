"""What leaves the doors about an index over polygons."""

from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire


class ZoneFigures(Wire):
    """An index in one grid; null where the scene shows nothing of it."""

    code: str
    name: str
    mean: float | None
    deviation: float | None
    least: float | None
    most: float | None
    share: float = Field(description="of the grid's area that the scene shows, 0…1")


class ZoneOut(Wire):
    """A grid with its figures."""

    type: Literal["Feature"] = "Feature"
    id: str
    geometry: dict[str, Any]
    properties: ZoneFigures


class ZonalOut(Wire):
    """A scene's index over the grids that were in force when it was taken."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    scene: str
    index: str = Field(examples=["ndvi"])
    title: str
    title_en: str
    source: str = Field(description="where the index comes from")
    step: float = Field(description="values are stored in steps of this")
    features: list[ZoneOut]
