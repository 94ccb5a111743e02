"""A burnt area between two vintages. From 2,000 m²: smaller ones are shadow and ploughing."""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_PATCH = Signal("burn_scar", _T, 120.61, 36.21, sensor="satellite:pair", sensor_kind="satellite", accuracy_m=60.0, score=0.8, area_m2=5000.0)

RULE = Rule(
    id="burn_scar",
    version="1.0",
    kind="burn_scar",
    kinds=("burn_scar",),
    title="疑似过火迹地",
    title_en="Suspected burn scar",
    category_code="04081",
    merge_m=120.0,
    merge_s=45 * 86_400.0,
    gate=gates.patches(least_area_m2=2000.0, least_score=0.5),
    severity=gates.by_area(urgent_m2=50_000.0, notable_m2=3000.0),
    examples=(
        Example("a large, clear patch", _PATCH, "opens"),
        Example("a small patch", Signal("burn_scar", _T, 120.61, 36.21, sensor_kind="satellite", score=0.9, area_m2=1500.0), "does not open"),
        Example("a doubtful patch", Signal("burn_scar", _T, 120.61, 36.21, sensor_kind="satellite", score=0.3, area_m2=5000.0), "does not open"),
        Example("no area known", Signal("burn_scar", _T, 120.61, 36.21, sensor_kind="satellite", score=0.9), "does not open"),
        Example(
            "the same patch in the next pair, a month later",
            Signal("burn_scar", _T + timedelta(days=30), 120.6101, 36.21, sensor="satellite:pair", sensor_kind="satellite", score=0.7, area_m2=5000.0),
            "extends",
            (_PATCH,),
        ),
        Example("another patch 1 km away", Signal("burn_scar", _T, 120.621, 36.21, sensor_kind="satellite", score=0.8, area_m2=5000.0), "opens", (_PATCH,)),
    ),
)
