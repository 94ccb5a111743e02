"""Zones that cameras watch, what they are in pictures, what crossed lines, and control points, on the wire."""

from datetime import datetime, time
from typing import Annotated, Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire


class CameraZoneIn(Wire):
    """A zone as a person draws it: in one camera's picture (camera_id; fractions of the frame, x right, y down) or on the map (EPSG:4326, lon before lat)."""

    name: str = Field(min_length=1, max_length=80, examples=["第一海水浴场禁航区"])
    purpose: Literal["forbidden", "crowd", "count"] = Field(description="may not be inside; so many are too many; counted across a line")
    detector: str = Field(min_length=1, max_length=80, examples=["boats"], description="an id of GET /api/detectors?any_weights=true")
    classes: list[str] = Field(default_factory=list, max_length=100, description="of the detector; none: all of them")
    camera_id: int | None = Field(None, ge=1, le=9_223_372_036_854_775_807)
    shape: dict[str, Any] = Field(
        description="GeoJSON Polygon, or LineString to count across", examples=[{"type": "Polygon", "coordinates": [[[0.1, 0.5], [0.9, 0.5], [0.5, 0.9], [0.1, 0.5]]]}]
    )
    least: int = Field(1, ge=1, le=1000, description="how many make a crowd")
    min_dwell_s: float = Field(0, ge=0, le=86_400, allow_inf_nan=False)
    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(default_factory=lambda: [1, 2, 3, 4, 5, 6, 7], min_length=1, max_length=7, description="1 Monday to 7 Sunday")
    from_time: time | None = Field(None, description="Asia/Shanghai; with until_time, over midnight when that is earlier")
    until_time: time | None = None
    enabled: bool = True


class CameraZoneChange(CameraZoneIn):
    """A zone anew, as it was at `version`."""

    version: int = Field(ge=1)


class CameraZone(Wire):
    """A zone as it stands. `kind`: the event it makes, empty for a count."""

    id: int
    name: str
    purpose: Literal["forbidden", "crowd", "count"]
    kind: str
    detector: str
    classes: list[str]
    camera_id: int | None
    camera_name: str | None
    shape: dict[str, Any]
    least: int
    min_dwell_s: float
    days: list[int]
    from_time: time | None
    until_time: time | None
    enabled: bool
    active: bool = Field(description="whether it watches at this moment")
    version: int
    region_code: str
    simulated: bool
    changed_by: str | None
    changed_at: datetime


class ZoneInPicture(Wire):
    """A zone in one camera's picture: fractions of the frame; what is hidden or outside is left out."""

    zone_id: int
    camera_id: int
    camera_name: str
    camera_kind: Literal["tower", "street"]
    outline: dict[str, Any] | None = Field(description="GeoJSON in fractions of the frame (x right, y down); null where nothing of it is seen")
    visible: float = Field(description="share of its ground (of its length, for a line) in the picture and not hidden, 0–1")
    border_sigma: float = Field(description="standard error of the border as a share of the picture's width; 0 when drawn in the picture")
    by: Literal["picture", "control", "pose"] = Field(description="drawn there, or placed by control points, or by the camera's pose over the terrain")


class ZoneCount(Wire):
    """What crossed a line in an hour. Forward: from its left to its right, as it was drawn."""

    hour: datetime
    camera_id: int
    forward: int
    backward: int


class CameraPicture(Wire):
    """A camera's newest picture; not `ready`: its copy for people is being made. All null where no frame was ever taken."""

    sha256: str | None
    recorded_at: datetime | None
    ready: bool


class ControlPoint(Wire):
    """A pixel (fractions of the frame) and the place that it shows."""

    x: float = Field(ge=0, le=1, allow_inf_nan=False)
    y: float = Field(ge=0, le=1, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)
    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)


class ControlsIn(Wire):
    """Control points of a camera; none takes them away."""

    points: list[ControlPoint] = Field(max_length=200)


class ControlsOut(Wire):
    """Control points of a camera, how well a camera fits them, and when they were given."""

    points: list[ControlPoint]
    rms_m: float | None
    changed_at: datetime | None
