"""Many people close together where they do not belong or may come to harm: merges within 50 m and 30 minutes. Counted, never recognised."""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_CROWD = Signal("crowd", _T, 120.3800, 36.0700, sensor="camera:2", camera_kind="street", accuracy_m=10.0, score=0.75)

RULE = Rule(
    id="crowd",
    version="1.0",
    kind="crowd",
    kinds=("crowd",),
    title="人群聚集",
    title_en="Crowd",
    category_code="05080",
    merge_m=50.0,
    merge_s=1800.0,
    gate=gates.scores(least_median=0.6, least_each=0.5),
    severity=gates.steady(3),
    examples=(
        Example("a clear crowd", _CROWD, "opens"),
        Example("a doubtful one", Signal("crowd", _T, 120.38, 36.07, score=0.4), "does not open"),
        Example("still there ten minutes later", Signal("crowd", _T + timedelta(minutes=10), 120.3802, 36.07, score=0.7), "extends", (_CROWD,)),
        Example("another an hour later", Signal("crowd", _T + timedelta(hours=1), 120.38, 36.07, score=0.7), "opens", (_CROWD,)),
    ),
)
