"""Requests to see the original of a piece of evidence, on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire


class UnsealingIn(Wire):
    """Why, and for how long."""

    reason: str = Field(min_length=10, max_length=1000, examples=["行政处罚案件 2026-118 需核对车身编号"])
    minutes: int = Field(60, ge=1, le=1440)


class UnsealingDecision(Wire):
    """What the second person says."""

    approve: bool
    note: str = Field("", max_length=500)


class UnsealingOut(Wire):
    """A request. `state`: waiting, lapsed (nobody decided within a day), refused, open, expired."""

    id: int
    sha256: str
    reason: str
    minutes: int
    asked_by_name: str
    asked_at: datetime
    decided_by_name: str
    decided_at: datetime | None
    note: str
    expires_at: datetime | None
    opened: int
    state: Literal["waiting", "lapsed", "refused", "open", "expired"]
    mine: bool = Field(description="the caller asked")
