"""A muck truck 渣土车 where a camera algorithm that knows them says so; merges within 50 m and 30 minutes.

Findings of kind `vehicle` (any car or truck of a general model) are not evidence of one and open nothing.
"""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_TRUCK = Signal("muck_truck", _T, 120.3800, 36.0700, sensor="camera:2", camera_kind="street", accuracy_m=8.0, score=0.85)

RULE = Rule(
    id="muck_truck",
    version="1.0",
    kind="muck_truck",
    kinds=("muck_truck",),
    title="疑似渣土车违规",
    title_en="Suspected muck truck offence",
    category_code="03080",
    merge_m=50.0,
    merge_s=1800.0,
    gate=gates.scores(least_median=0.7, least_each=0.5),
    severity=gates.steady(3),
    examples=(
        Example("a clear truck", _TRUCK, "opens"),
        Example("a doubtful one", Signal("muck_truck", _T, 120.38, 36.07, score=0.55), "does not open"),
        Example("still there five minutes later", Signal("muck_truck", _T + timedelta(minutes=5), 120.38, 36.07, score=0.8), "extends", (_TRUCK,)),
        Example("one an hour later", Signal("muck_truck", _T + timedelta(hours=1), 120.38, 36.07, score=0.8), "opens", (_TRUCK,)),
    ),
)
