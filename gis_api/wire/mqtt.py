"""MQTT devices and messages that could not be taken, on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gis_api.wire.base import Wire
from gis_api.wire.viid import DeviceCode

Source = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,120}$")]


class MqttDeviceIn(Wire):
    """A device whose messages shall be taken: the broker lets its user name publish on its own topic only."""

    username: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", examples=["lamp-7"], description="the level of the topic that names it")
    name: str = Field(min_length=1, max_length=200, examples=["香港中路 7 号智慧灯杆"])
    sources: list[Source] = Field(default_factory=list, max_length=100, description="names it may give as source beside its user name", examples=[["/devices/lamp-7"]])
    cameras: list[DeviceCode] = Field(default_factory=list, max_length=10_000, description="codes of the cameras it speaks for")


class MqttDeviceOut(Wire):
    """A device, when it was last heard of, and how many findings it handed in."""

    username: str
    name: str
    sources: list[str]
    cameras: int
    region_code: str
    seen_at: datetime | None
    taken: int
    created_at: datetime


class DeadLetterOut(Wire):
    """A message that could not be taken, and why; `text` is the beginning of what was sent."""

    id: int
    topic: str
    username: str
    text: str
    bytes: int
    reason: str
    remedy: str
    times: int = Field(description="how often the same message came")
    region_code: str
    first_at: datetime
    last_at: datetime


class MqttOut(Wire):
    """Where messages are taken from: null address, no broker is set (HDQ_MQTT_URL)."""

    address: str | None
    topic: str
    devices: list[MqttDeviceOut]


class LetterTaken(Wire):
    """A dead letter was taken after all."""

    new: int = Field(description="findings that were not known already")
