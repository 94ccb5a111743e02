"""Base maps on the wire: what may lie under the layers, without the address or key of anybody's server."""

from pydantic import Field

from gis_api.wire.base import Wire


class BaseMapLayer(Wire):
    """Pictures of one source as XYZ tiles of 256 pixels in Web Mercator."""

    id: str = Field(examples=["tianditu-vec"])
    tiles: str = Field(description="address template", examples=["/basemaps/tianditu-vec/{z}/{x}/{y}"])
    min_zoom: int
    max_zoom: int


class BaseMapOut(Wire):
    """A choice: our own vector map (no layers, a style), or pictures, ground first and labels above it."""

    id: str = Field(examples=["haidongqing"])
    title: str
    title_en: str
    kind: str = Field(description="vector or raster", examples=["raster"])
    style: str | None = Field(None, description="MapLibre style of our own map")
    layers: list[BaseMapLayer] = []
    labelled: bool = Field(False, description="carries its own names, so ours need not be drawn")
    attribution: str = Field("", description="must stand on the map; with its 审图号 where configured")
    problem: str | None = Field(None, description="why the source's last answer failed; null when it did not")
