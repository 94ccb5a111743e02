"""Found places on the wire."""

from pydantic import Field

from gis_api.wire.base import Wire


class SearchHit(Wire):
    """A place: what it is, its id there, and where the map flies to."""

    kind: str = Field(examples=["region"], description="region, cell, camera, forest_zone, road, coast, building or dataset")
    ref: str = Field(examples=["370202"])
    name: str = Field(examples=["市南区"])
    detail: str = Field(examples=["青岛市"])
    lon: float
    lat: float
    zoom: float


class SearchResult(Wire):
    """Best first."""

    items: list[SearchHit]
