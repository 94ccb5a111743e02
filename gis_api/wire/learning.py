"""What verdicts taught, reviewers' minutes, versions on trial and where to look next, on the wire."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire


class LessonOut(Wire):
    """What is known of one algorithm in the city."""

    algorithm: str
    labels: int
    precision: float = Field(description="share of its findings that are true, by weighted verdicts")
    curve: list[tuple[float, float]] = Field(description="(score, chance that it is true); empty while fewer than 30 verdicts are known")
    scenes: dict[str, float] = Field(description="precision by kind of camera and light, shrunk towards the city", examples=[{"tower/night": 0.41}])
    cameras: int
    fitted_at: datetime


class SensorRecordOut(Wire):
    """How often one camera was right for an algorithm, shrunk towards its scene."""

    sensor: str = Field(examples=["camera:12"])
    name: str
    precision: float
    verdicts: float = Field(description="effective number behind it")


class BudgetIn(Wire):
    """Minutes that the reviewers of the caller's region have each day; null takes the budget away and shows everything."""

    minutes_a_day: float | None = Field(gt=0, le=100_000, allow_inf_nan=False)


class BudgetOut(Wire):
    """Minutes for review: what fits, what is set aside, what came by lot."""

    region_code: str
    minutes_a_day: float | None
    price: float = Field(description="least chance of a true finding that a minute must bring")
    needed: float = Field(description="minutes a day that everything would take")
    aside: int
    lots: int = Field(description="shown by lot in the last 14 days, five of a hundred below the threshold")
    audit_share: float
    priced_at: datetime | None


class RolloutIn(Wire):
    """A new version to be put into shadow; versions as observations carry them."""

    algorithm: str = Field(min_length=1, max_length=100)
    standing: str = Field(min_length=1, max_length=200)
    candidate: str = Field(min_length=1, max_length=200)
    share: float = Field(0.1, gt=0, le=0.5, description="camera-hours the canary will get")


class RolloutStepIn(Wire):
    """The next step of a trial; it is rolled back by itself."""

    action: Literal["canary", "live", "withdraw"]


class ShadowOut(Wire):
    """Both versions of a trial on the same frames, at one camera and light or over all cameras of the region under one light."""

    camera_id: int | None = Field(description="null: all cameras")
    camera: str
    condition: Literal["day", "dusk", "night"]
    cameras: int
    frames: int
    agreed: int = Field(description="things in frames that both saw")
    standing_only: int
    candidate_only: int
    agreement: float | None = Field(description="2 agreed / (2 agreed + those that only one saw); null while neither saw a thing")
    true_alerts: int = Field(description="of the standing version's, by verdict")
    true_kept: int = Field(description="of these, seen by the candidate too")
    false_alerts: int
    false_spared: int = Field(description="of these, not seen by the candidate")
    standing_ms: float
    candidate_ms: float


class RolloutOut(Wire):
    """A version on trial. `evidence`: how many times a bet that it is worse has multiplied; at `limit` it is rolled back."""

    id: int
    algorithm: str
    standing: str
    candidate: str
    state: Literal["shadow", "canary", "live", "rolled_back", "withdrawn"]
    share: float
    record: float | None
    evidence: float
    limit: float
    verdicts: dict[str, int] = Field(description="new, new_true, standing, standing_true")
    shadow: list[ShadowOut] = Field(description="both versions on the same frames, over all cameras, by light")
    actions: list[str]
    created_at: datetime
    canary_at: datetime | None
    ended_at: datetime | None


class PlaceOut(Wire):
    """A camera in the order of looking."""

    camera_id: int
    name: str
    kind: Literal["tower", "street"]
    lon: float
    lat: float
    age_h: float = Field(description="hours since somebody looked; 168 at most")
    rate_h: float = Field(description="events expected per hour now")
    worth: float = Field(description="events expected per second of compute, relative")
    found: int
    open_near: bool
    by_floor: bool = Field(description="here because it waited longest, not for its yield")
