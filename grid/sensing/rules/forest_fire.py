"""Smoke or fire: from a high tower, in or near forest, from a satellite hotspot, a drone or a person. Merges within 2 km and 2 h."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from grid.sensing.rule import Example, Gate, Reason, Rule, Signal, Tally

LEAST = 0.35
LEAST_ELSEWHERE = 0.6
"""A street camera sees steam, exhaust and reflections: outside forest it must be surer, or another must agree."""


def gate(signals: Sequence[Signal]) -> Gate:
    """Opens on one likely finding where fire matters, on a surer one elsewhere, or when two sensors agree."""
    best = max(signals, key=lambda s: s.probability)
    forest = next((s for s in signals if s.fire_risk is not None), None)
    sensors = {s.sensor for s in signals}
    reasons = []
    if forest is not None:
        reasons.append(Reason(f"位于或临近{forest.forest_name}，火险等级 {forest.fire_risk}", f"in or near {forest.forest_name}, fire risk {forest.fire_risk}", forest.fire_risk))
    if any(s.camera_kind == "tower" for s in signals):
        reasons.append(Reason("由林火高点摄像机发现", "seen by a high forest-fire tower"))
    if any(s.sensor_kind == "satellite" for s in signals):
        reasons.append(Reason("卫星热异常", "satellite thermal anomaly"))
    matters = bool(reasons) or any(s.sensor_kind in ("drone", "person") for s in signals)
    least = LEAST if matters or len(sensors) > 1 else LEAST_ELSEWHERE
    reasons.append(Reason(f"单项可信度 {best.probability:.0%}（起报 {least:.0%}）", f"credible at {best.probability:.0%} (opens from {least:.0%})", round(best.probability, 3)))
    return Gate(best.probability >= least, tuple(reasons))


def severity(tally: Tally) -> int:
    """1 when sure and dangerous: agreement of two systems, or likely in forest of risk 4–5; 2 when likely; 3 otherwise."""
    risk = tally.fire_risk or 0
    if tally.probability >= 0.85 and (tally.agreement == "highest" or risk >= 4):
        return 1
    if tally.probability >= 0.7 and risk >= 4:
        return 1
    if tally.probability >= 0.6 or tally.agreement != "nominal" or risk >= 4:
        return 2
    return 3


_T = datetime(2026, 4, 5, 6, 0, tzinfo=UTC)
_TOWER = Signal("smoke", _T, 120.60, 36.20, sensor="camera:1", camera_kind="tower", accuracy_m=400.0, probability=0.6)
_STREET = Signal("smoke", _T, 120.38, 36.07, sensor="camera:2", camera_kind="street", accuracy_m=20.0, probability=0.5)
_PIXEL = Signal("forest_fire", _T + timedelta(minutes=40), 120.612, 36.205, sensor="satellite:viirs", sensor_kind="satellite", accuracy_m=400.0, probability=0.7)

RULE = Rule(
    id="forest_fire",
    version="1.0",
    kind="forest_fire",
    kinds=("smoke", "forest_fire", "fire", "hotspot"),
    title="疑似火情",
    title_en="Suspected fire",
    category_code="04080",
    merge_m=2000.0,
    merge_s=2 * 3600.0,
    slack_m=8000.0,
    beside_case=True,
    urgent=True,
    gate=gate,
    severity=severity,
    examples=(
        Example("a tower sees smoke", _TOWER, "opens"),
        Example("a satellite pixel alone", _PIXEL, "opens"),
        Example("a tower sees something unlikely", Signal("smoke", _T, 120.60, 36.20, camera_kind="tower", probability=0.2), "does not open"),
        Example("a street camera is half sure", _STREET, "does not open"),
        Example("a street camera is sure", Signal("smoke", _T, 120.38, 36.07, camera_kind="street", probability=0.75), "opens"),
        Example(
            "a half sure street camera in forest",
            Signal("smoke", _T, 120.60, 36.20, camera_kind="street", probability=0.5, forest_name="林班 1", fire_risk=4),
            "opens",
        ),
        Example("two street cameras agree", Signal("smoke", _T, 120.381, 36.07, sensor="camera:3", probability=0.5), "opens", (_STREET,)),
        Example(
            "a grid worker reports fire, with a case: command must see it all the same",
            Signal("forest_fire", _T, 120.38, 36.07, sensor="person:3", sensor_kind="person", probability=0.9, properties={"case_id": 7}),
            "opens",
        ),
        Example("a satellite pixel 1.2 km away, 40 min later", _PIXEL, "extends", (_TOWER,)),
        Example("the same place three hours later", Signal("smoke", _T + timedelta(hours=3), 120.60, 36.20, camera_kind="tower"), "opens", (_TOWER,)),
        Example("5 km away and sharply located", Signal("fire", _T, 120.656, 36.20, sensor="drone:1", sensor_kind="drone", accuracy_m=20.0), "opens", (_TOWER,)),
        Example(
            "5 km away but hardly located",
            Signal("smoke", _T, 120.656, 36.20, sensor="camera:4", camera_kind="tower", accuracy_m=4000.0),
            "extends",
            (_TOWER,),
        ),
        Example(
            "5 km away, hardly located, but looking past it",
            Signal(
                "smoke", _T, 120.656, 36.20, sensor="camera:4", camera_kind="tower", accuracy_m=4000.0, mast=(120.656, 36.10), bearing_deg=0.0,
                bearing_sigma_deg=0.5,
            ),
            "opens",
            (_TOWER,),
        ),
        Example(
            "5 km away, hardly located, and looking towards it",
            Signal(
                "smoke", _T, 120.656, 36.20, sensor="camera:4", camera_kind="tower", accuracy_m=4000.0, mast=(120.70, 36.20), bearing_deg=270.0,
                bearing_sigma_deg=0.5,
            ),
            "extends",
            (_TOWER,),
        ),
        Example("an unlikely one beside an open alert", Signal("smoke", _T, 120.60, 36.20, sensor="camera:5", probability=0.2), "extends", (_TOWER,)),
    ),
)  # fmt: skip
