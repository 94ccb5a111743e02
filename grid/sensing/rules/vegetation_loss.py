"""Loss of vegetation between two vintages: felling, clearing, land opened up. From 600 m² (about one mu)."""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_PATCH = Signal("vegetation_loss", _T, 120.61, 36.21, sensor="satellite:pair", sensor_kind="satellite", accuracy_m=60.0, score=0.8, area_m2=5000.0)

RULE = Rule(
    id="vegetation_loss",
    version="1.0",
    kind="vegetation_loss",
    kinds=("vegetation_loss",),
    title="疑似毁林毁绿",
    title_en="Suspected loss of vegetation",
    category_code="01080",
    merge_m=120.0,
    merge_s=45 * 86_400.0,
    gate=gates.patches(least_area_m2=600.0, least_score=0.5),
    severity=gates.by_area(urgent_m2=10_000.0, notable_m2=2000.0),
    examples=(
        Example("a large, clear patch", _PATCH, "opens"),
        Example("a small patch", Signal("vegetation_loss", _T, 120.61, 36.21, sensor_kind="satellite", score=0.9, area_m2=300.0), "does not open"),
        Example("a doubtful patch", Signal("vegetation_loss", _T, 120.61, 36.21, sensor_kind="satellite", score=0.3, area_m2=5000.0), "does not open"),
        Example("no area known", Signal("vegetation_loss", _T, 120.61, 36.21, sensor_kind="satellite", score=0.9), "does not open"),
        Example(
            "the same patch in the next pair, a month later",
            Signal("vegetation_loss", _T + timedelta(days=30), 120.6101, 36.21, sensor="satellite:pair", sensor_kind="satellite", score=0.7, area_m2=5000.0),
            "extends",
            (_PATCH,),
        ),
        Example("another patch 1 km away", Signal("vegetation_loss", _T, 120.621, 36.21, sensor_kind="satellite", score=0.8, area_m2=5000.0), "opens", (_PATCH,)),
    ),
)
