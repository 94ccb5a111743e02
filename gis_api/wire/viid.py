"""GA/T 1400 devices on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gis_api.wire.base import Wire

DeviceCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{20}$")]


class ViidDeviceIn(Wire):
    """A device that shall be let in. Of the password only hashes are kept, and it is shown to nobody."""

    device_id: DeviceCode = Field(examples=["37020200001190000001"])
    name: str = Field(min_length=1, max_length=200, examples=["市南卡口平台"])
    username: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")
    password: str = Field(min_length=12, max_length=200)
    cameras: list[DeviceCode] = Field(default_factory=list, max_length=10_000, description="codes of the cameras that a platform speaks for")


class ViidDeviceOut(Wire):
    """A device. `registered_at` null: it is not registered now."""

    device_id: str
    name: str
    username: str
    cameras: int
    region_code: str
    registered_at: datetime | None
    seen_at: datetime | None
    created_at: datetime
