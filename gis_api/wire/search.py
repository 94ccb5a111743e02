"""Found layers, places and addresses on the wire."""

from pydantic import Field

from gis_api.wire.base import Wire


class SearchHit(Wire):
    """A layer, a place or an address: what it is, its id there, and where the map flies to (null: nowhere, a layer of the whole catalogue)."""

    kind: str = Field(examples=["region"], description="layer, region, cell, camera, forest_zone, road, coast, building (also for addresses) or dataset")
    ref: str = Field(examples=["370202"])
    name: str = Field(examples=["市南区"])
    detail: str = Field(examples=["青岛市"])
    lon: float | None
    lat: float | None
    zoom: float


class SearchResult(Wire):
    """Best first."""

    items: list[SearchHit]
