"""Exposed garbage in the street: merges within 50 m and one day; median score from 0.7, each from 0.5 (see domain.md)."""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_HEAP = Signal("garbage", _T, 120.3800, 36.0700, sensor="camera:2", camera_kind="street", accuracy_m=5.0, score=0.8)
_FAINT = Signal("garbage", _T, 120.3800, 36.0700, sensor="camera:2", camera_kind="street", accuracy_m=5.0, score=0.6)

RULE = Rule(
    id="street_litter",
    version="1.0",
    kind="garbage",
    kinds=("garbage",),
    title="暴露垃圾",
    title_en="Exposed garbage",
    category_code="01002",
    merge_m=50.0,
    merge_s=86_400.0,
    gate=gates.scores(least_median=0.7, least_each=0.5),
    severity=gates.steady(3),
    examples=(
        Example("a clear heap", _HEAP, "opens"),
        Example("a faint one", _FAINT, "does not open"),
        Example("a faint one beside an open alert", _FAINT, "extends", (_HEAP,)),
        Example("a grid worker's report with its case", Signal("garbage", _T, 120.38, 36.07, sensor_kind="person", score=0.9, properties={"case_id": 7}), "does not open"),
        Example("the same beside a camera's alert", Signal("garbage", _T, 120.38, 36.07, sensor_kind="person", score=0.9, properties={"case_id": 7}), "extends", (_HEAP,)),
        Example("two faint ones stay faint", _FAINT, "does not open", (_FAINT,)),
        Example("the same heap 20 m off, an hour later", Signal("garbage", _T + timedelta(hours=1), 120.3802, 36.07, score=0.75), "extends", (_HEAP,)),
        Example("another heap 90 m off", Signal("garbage", _T, 120.3810, 36.07, score=0.75), "opens", (_HEAP,)),
        Example("the same place two days later", Signal("garbage", _T + timedelta(days=2), 120.38, 36.07, score=0.75), "opens", (_HEAP,)),
    ),
)
