"""What a person reports that no other rule owns, when it has no case yet."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Gate, Reason, Rule, Signal


def gate(_signals: Sequence[Signal]) -> Gate:
    """Opens for whatever a hotline or another city system hands in; reports with a case never come here."""
    return Gate(True, (Reason("人员上报，尚未立案", "reported by a person, no case yet"),))


_T = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
_CALL = Signal("person_report", _T, 120.3800, 36.0700, sensor="person:hotline", sensor_kind="person", accuracy_m=20.0)

RULE = Rule(
    id="person_report",
    version="1.0",
    kind="person_report",
    kinds=("person_report",),
    title="群众上报",
    title_en="Reported by a person",
    category_code="99001",
    merge_m=50.0,
    merge_s=6 * 3600.0,
    gate=gate,
    severity=gates.steady(3),
    examples=(
        Example("a call without a case", _CALL, "opens"),
        Example("a grid worker's report with its case", Signal("person_report", _T, 120.38, 36.07, properties={"case_id": 7}), "does not open"),
        Example("a second caller nearby", Signal("person_report", _T + timedelta(minutes=9), 120.3801, 36.07, sensor="person:b"), "extends", (_CALL,)),
    ),
)
