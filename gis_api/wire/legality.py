"""Verdicts that flipped and photos as proof, on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire

Verdict = Literal["lawful", "suspect", "verify", "context"]


class Flip(Wire):
    """A verdict in force that turned when a register was corrected."""

    alert_id: int
    title: str = Field(description="of the alert")
    title_en: str
    place: str
    lon: float
    lat: float
    rule_id: str = Field(examples=["building_permit"])
    rule: str = Field(description="the rule in words", examples=["建设用地许可"])
    rule_en: str
    register_name: str = Field(description="the register that decided, in words", examples=["许可证"])
    register_name_en: str
    flipped_from: Verdict
    verdict: Verdict
    decided_by: str = Field(description="the register that decided", examples=["permits"])
    version: int | None = Field(description="its version: id of the edit")
    judged_at: datetime


class Stand(Wire):
    """Where to stand and where to look: degrees, azimuth clockwise from true north, metres from the photo's place, share of the patch in view."""

    lon: float
    lat: float
    azimuth_deg: float
    distance_m: float
    seen: float


class PhotoProof(Wire):
    """Whether a photo proves the changed polygon of an alert, and if not why, and where to stand instead."""

    counts: bool
    reason: Literal["seen", "hash", "early", "late", "accuracy", "far", "azimuth", "building", "terrain", "uncertain", "incomplete"]
    text: str
    text_en: str
    seen: float = Field(description="share of the patch in view from the stated pose")
    probability: float = Field(description="share of the poses within its errors that see it")
    stand: Stand | None = None
