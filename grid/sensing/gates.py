"""Gates and severities that rules share: enough score, enough area, enough graveness."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

from grid.sensing.rule import Example, Gate, Reason, Signal, Tally

NAMES = {"satellite": ("卫星", "satellite"), "camera": ("摄像机", "camera"), "drone": ("无人机", "drone"), "person": ("人员", "person"), "device": ("设备", "device")}


def scores(least_median: float, least_each: float) -> Callable[[Sequence[Signal]], Gate]:
    """Opens when the median score reaches `least_median` and each `least_each` (0–1)."""

    def gate(signals: Sequence[Signal]) -> Gate:
        values = [s.score for s in signals]
        middle, least = median(values), min(values)
        if middle >= least_median and least >= least_each:
            return Gate(True, (Reason(f"置信度 {middle:.2f}，达到 {least_median:.2f}", f"score {middle:.2f}, at least {least_median:.2f}", round(middle, 3)),))
        return Gate(
            False,
            (
                Reason(
                    f"置信度中位 {middle:.2f}、最低 {least:.2f}，未达到 {least_median:.2f}、{least_each:.2f}",
                    f"median score {middle:.2f}, least {least:.2f}: below {least_median:.2f}, {least_each:.2f}",
                    round(middle, 3),
                ),
            ),
        )

    return gate


def patches(least_area_m2: float, least_score: float) -> Callable[[Sequence[Signal]], Gate]:
    """Opens when one changed patch has the area (m², geodesic) and the score (0–1)."""

    def gate(signals: Sequence[Signal]) -> Gate:
        best = max(signals, key=lambda s: (s.score >= least_score, s.area_m2 or 0.0))
        area = best.area_m2 or 0.0
        reasons = (
            Reason(f"变化面积 {area:,.0f} 平方米（起报 {least_area_m2:,.0f}）", f"changed area {area:,.0f} m² (from {least_area_m2:,.0f})", round(area, 1)),
            Reason(f"变化得分 {best.score:.2f}（起报 {least_score:.2f}）", f"change score {best.score:.2f} (from {least_score:.2f})", round(best.score, 3)),
        )
        return Gate(area >= least_area_m2 and best.score >= least_score, reasons)

    return gate


def patch_table(kind: str, *, least_area_m2: float, sensor_kind: str = "satellite", again_days: int = 30) -> tuple[Example, ...]:
    """What a rule of changed patches of one kind must do: open from its area and score, and take the next look at the same patch as the same alert."""
    at = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
    patch = Signal(kind, at, 120.61, 36.21, sensor=f"{sensor_kind}:pair", sensor_kind=sensor_kind, accuracy_m=60.0, area_m2=5 * least_area_m2)
    again = replace(patch, recorded_at=at + timedelta(days=again_days), lon=120.6101, score=0.7)
    return (
        Example("a large, clear patch", patch, "opens"),
        Example("a small patch", replace(patch, score=0.9, area_m2=least_area_m2 / 2), "does not open"),
        Example("a doubtful patch", replace(patch, score=0.3), "does not open"),
        Example("no area known", replace(patch, score=0.9, area_m2=None), "does not open"),
        Example("the same patch at the next look", again, "extends", (patch,)),
        Example("another patch 5 km away", replace(patch, lon=120.665), "opens", (patch,)),
    )


def trespass_table(kind: str) -> tuple[Example, ...]:
    """What a rule of things where they may not be must do: open with a clear one, take the next look at the same place as the same alert for half an hour."""
    at = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
    inside = Signal(kind, at, 120.38, 36.07, sensor="camera:2", camera_kind="tower", accuracy_m=20.0, score=0.7)
    return (
        Example("clearly inside", inside, "opens"),
        Example("perhaps inside", replace(inside, score=0.3), "does not open"),
        Example("still there ten minutes later", replace(inside, recorded_at=at + timedelta(minutes=10), lon=120.3803), "extends", (inside,)),
        Example("another two hours later", replace(inside, recorded_at=at + timedelta(hours=2)), "opens", (inside,)),
        Example("another 2 km away", replace(inside, lon=120.4022), "opens", (inside,)),
    )


def by_area(*, urgent_m2: float, notable_m2: float) -> Callable[[Tally], int]:
    """2 from `urgent_m2`, 3 from `notable_m2`, else 4."""

    def severity(tally: Tally) -> int:
        return 2 if tally.area_m2 >= urgent_m2 else 3 if tally.area_m2 >= notable_m2 else 4

    return severity


def steady(level: int) -> Callable[[Tally], int]:
    """Always the same level; one worse to the sight when it is hardly likely (below 0.5)."""

    def severity(tally: Tally) -> int:
        return level if tally.probability >= 0.5 else min(4, level + 1)

    return severity
