"""A warning that an authority sent (CAP): it opens an alert as grave as it says. A minor, past or expired one, or one that is hardly certain, is context only."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from grid.sensing.rule import Example, Gate, Reason, Rule, Signal, Tally

GRAVENESS = {"Extreme": 1, "Severe": 2, "Moderate": 3}
"""CAP's severity to ours; Minor and Unknown ones open nothing."""
WORDS = {"Extreme": "特别严重", "Severe": "严重", "Moderate": "较重", "Minor": "一般"}


def _stands(signal: Signal) -> bool:
    said = signal.properties
    return said.get("severity") in GRAVENESS and said.get("urgency") != "Past" and said.get("certainty") != "Unlikely" and not said.get("expired")


def gate(signals: Sequence[Signal]) -> Gate:
    """Opens for a warning that stands; each is told by its event."""
    standing = [signal for signal in signals if _stands(signal)]
    reasons = []
    for signal in standing or signals[:1]:
        said = signal.properties
        event, graveness = str(said.get("event") or "?")[:80], str(said.get("severity") or "Unknown")
        if standing:
            reasons.append(Reason(f"官方预警：{event}，{WORDS.get(graveness, graveness)}", f"official warning: {event}, {graveness}", event))
        else:
            reasons.append(Reason(f"官方预警 {event} 级别不高、已过时或可能性小，仅作背景", f"official warning {event} is minor, over or unlikely: context only", event))
    return Gate(bool(standing), tuple(dict.fromkeys(reasons)))


def severity(tally: Tally) -> int:
    """The gravest of the warnings that stand."""
    return min((GRAVENESS[signal.properties["severity"]] for signal in tally.signals if _stands(signal)), default=4)


_T = datetime(2026, 8, 1, 2, 0, tzinfo=UTC)


def _warning(graveness: str, later: timedelta = timedelta(0), **said: object) -> Signal:
    properties = {"event": "大风", "severity": graveness, "urgency": "Expected", "certainty": "Likely"} | said
    return Signal("official_warning", _T + later, 120.38, 36.07, sensor="device:cap", sensor_kind="device", accuracy_m=3000.0, properties=properties)


RULE = Rule(
    id="official_warning",
    version="1.0",
    kind="official_warning",
    kinds=("official_warning",),
    title="官方预警",
    title_en="Official warning",
    category_code="99001",
    merge_m=500.0,
    merge_s=24 * 3600.0,
    urgent=True,
    gate=gate,
    severity=severity,
    examples=(
        Example("a severe warning", _warning("Severe"), "opens"),
        Example("a minor one", _warning("Minor"), "does not open"),
        Example("one whose severity is unknown", _warning("Unknown"), "does not open"),
        Example("one that is over", _warning("Extreme", urgency="Past"), "does not open"),
        Example("one that expired before it came", _warning("Extreme", expired=True), "does not open"),
        Example("one that is unlikely", _warning("Severe", certainty="Unlikely"), "does not open"),
        Example("an update for the same area three hours later", _warning("Extreme", timedelta(hours=3)), "extends", (_warning("Severe"),)),
        Example("a warning two days later", _warning("Severe", timedelta(days=2)), "opens", (_warning("Severe"),)),
    ),
)
