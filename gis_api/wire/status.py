"""The standing of an installation on the wire; also what `hdq status --json` prints."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire


class Check(Wire):
    """One thing looked at."""

    name: str = Field(examples=["worker"])
    ok: bool
    detail: str = ""


class Health(Wire):
    """Whether the parts answer. `degraded`: the map is served, some part is down."""

    status: Literal["ok", "degraded", "down"]
    checks: list[Check]
    now: datetime


class Status(Wire):
    """Address, versions, counts, queue and health."""

    address: str | None
    version: str
    versions: dict[str, str]
    schema_revision: str | None
    demo: bool
    counts: dict[str, int]
    alerts_by_sensor_kind: dict[str, int]
    alerts_by_state: dict[str, int]
    cases_by_state: dict[str, int]
    queue: dict[str, int] = Field(description="jobs by state: todo, doing, failed")
    frames: dict[str, int] = Field(description="frames by state: queued, done, dropped, failed")
    last_event_id: int
    health: Health
    as_of: datetime
