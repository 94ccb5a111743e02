"""How the cameras are, on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire

How = Literal["online", "offline", "frozen", "blurred", "dark", "moved", "wrong_pose", "silent"]


class CameraStanding(Wire):
    """A camera and how it is."""

    id: int
    code: str
    name: str
    kind: Literal["tower", "street"]
    owner: str
    lon: float
    lat: float
    region_code: str
    how: How = Field(description="its state; silent: it should stream, was online, and no frame came for 30 minutes")
    since: datetime | None = Field(description="when it came into that state; of a silent one the last frame, null when none ever came")
    last_frame_at: datetime | None
    simulated: bool


class CameraHealth(Wire):
    """Cameras of the caller's region by how they are, and those asked for, longest first."""

    as_of: datetime
    counts: dict[str, int]
    cameras: list[CameraStanding]
