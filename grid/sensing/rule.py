"""What a rule is: which findings belong together, when they open an alert, how grave it is, and the tables that prove it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from grid import geometry


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of 'why did this fire' (or why not), in both languages; `value` is the figure in it."""

    text: str
    text_en: str
    value: float | str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """What a rule sees of one finding. `probability`: score weighed with the sensor's record. `fire_risk` 1–5 of the forest zone within reach, else None.

    `mast` (lon, lat) with a bearing and its sigma in degrees where a camera of known place saw the direction.
    """

    kind: str
    recorded_at: datetime
    lon: float
    lat: float
    score: float = 0.8
    probability: float = 0.8
    sensor: str = "camera:1"
    sensor_kind: str = "camera"
    accuracy_m: float = 50.0
    camera_kind: str | None = None
    forest_name: str | None = None
    fire_risk: int | None = None
    area_m2: float | None = None
    mast: tuple[float, float] | None = None
    bearing_deg: float | None = None
    bearing_sigma_deg: float | None = None
    properties: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether findings together open an alert, and why or why not."""

    opens: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What is known of an alert when its severity is judged. `agreement`: nominal, high (two sensors), highest (two kinds of system)."""

    probability: float
    agreement: str
    signals: tuple[Signal, ...]

    @property
    def fire_risk(self) -> int | None:
        """The highest forest fire risk (1–5) that a finding lies in; None outside forest."""
        return max((s.fire_risk for s in self.signals if s.fire_risk is not None), default=None)

    @property
    def area_m2(self) -> float:
        """The largest changed area of a finding; 0 when none has one."""
        return max((s.area_m2 for s in self.signals if s.area_m2 is not None), default=0.0)


@dataclass(frozen=True, slots=True)
class Example:
    """A line of a rule's own table: after `earlier` findings (one alert if they open one), what does `then` do?"""

    name: str
    then: Signal
    expect: Literal["opens", "does not open", "extends"]
    earlier: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, pure: no database, no clock. `kinds` of findings it owns, `kind` of the alert it opens.

    Findings join an alert within `merge_m` metres and `merge_s` seconds of it; `slack_m` lets uncertain places reach further by their own
    accuracy, up to so many metres. Findings that have opened a case themselves (a grid worker's report: `case_id` in their properties) open no alert
    beside it unless `beside_case`: one thing, one queue. `urgent`: its alerts may be of severity 1, so its findings are judged ahead of all others.
    `category_code` is the case category (GB/T 30428) when a person confirms and names none.
    """

    id: str
    version: str
    kind: str
    kinds: tuple[str, ...]
    title: str
    title_en: str
    category_code: str
    merge_m: float
    merge_s: float
    gate: Callable[[Sequence[Signal]], Gate]
    severity: Callable[[Tally], int]
    examples: tuple[Example, ...]
    slack_m: float = 0.0
    beside_case: bool = False
    urgent: bool = False

    def opens(self, signals: Sequence[Signal]) -> Gate:
        """Whether findings together open an alert, and why or why not."""
        case = next((s.properties["case_id"] for s in signals if s.properties.get("case_id")), None)
        if case is not None and not self.beside_case and all(s.properties.get("case_id") for s in signals):
            return Gate(False, (Reason("该上报已立案，不再另发告警", "this report has its case already: no alert beside it", str(case)),))
        return self.gate(signals)

    def near(self, signal: Signal, lon: float, lat: float, accuracy_m: float, first: datetime, last: datetime) -> bool:
        """Whether a finding belongs to a thing at a place (90 % radius `accuracy_m`), seen from `first` to `last`.

        Where uncertainty alone would join them, a bearing must also point there: the range is what a single camera knows badly.
        """
        slack = timedelta(seconds=self.merge_s)
        if not first - slack <= signal.recorded_at <= last + slack:
            return False
        away = geometry.inverse(signal.lon, signal.lat, lon, lat)[1]
        if away <= self.merge_m or signal.mast is None or signal.bearing_deg is None or signal.bearing_sigma_deg is None:
            return away <= self.merge_m + min(signal.accuracy_m + accuracy_m, self.slack_m)
        azimuth, metres = geometry.inverse(*signal.mast, lon, lat)
        off = math.radians(min(90.0, abs((azimuth - signal.bearing_deg + 180.0) % 360.0 - 180.0)))
        aside = self.merge_m + min(accuracy_m, self.slack_m) + 3.0 * math.radians(signal.bearing_sigma_deg) * metres
        return away <= self.merge_m + min(signal.accuracy_m + accuracy_m, self.slack_m) and metres * math.sin(off) <= aside

    def judge(self, earlier: Sequence[Signal], then: Signal) -> Literal["opens", "does not open", "extends"]:
        """What `then` does after `earlier`: the same decisions as fusion takes, on signals alone."""
        open_alert: list[Signal] = []
        loose: list[Signal] = []
        outcome: Literal["opens", "does not open", "extends"] = "does not open"
        for signal in (*earlier, then):
            outcome = "does not open"
            if open_alert and self._joins(signal, open_alert):
                open_alert.append(signal)
                outcome = "extends"
                continue
            group = [s for s in loose if self.near(s, signal.lon, signal.lat, signal.accuracy_m, signal.recorded_at, signal.recorded_at)] + [signal]
            if self.opens([signal]).opens or self.opens(group).opens:
                open_alert, outcome = group, "opens"
            else:
                loose.append(signal)
        return outcome

    def _joins(self, signal: Signal, members: Sequence[Signal]) -> bool:
        times = [m.recorded_at for m in members]
        best = min(members, key=lambda m: m.accuracy_m)
        return self.near(signal, best.lon, best.lat, best.accuracy_m, min(times), max(times))
