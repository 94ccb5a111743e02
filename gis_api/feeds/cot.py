"""Alerts as Cursor on Target events (MITRE CoT Event 2.0), as situation maps of field teams read them.

Heights are unknown: `hae` and `le` are 9999999.0, CoT's word for it. `ce` is the radius in metres that holds the truth 9 times of 10.
"""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as Xml

from grid.sensing.alerts import Alert

MEDIA_TYPE = "application/xml"
STALE = timedelta(hours=1)
_UNKNOWN = "9999999.0"
_TYPES = {"forest_fire": "b-r-f-h-c", "smoke": "b-r-f-h-c", "straw_burning": "b-r-f-h-c"}
_OTHER = "b-m-p-s-p-i"


def kind(alert: Alert) -> str:
    """The CoT type: b-r-f-h-c (a report of fire) for what burns, b-m-p-s-p-i (a point of interest) for everything else."""
    return _TYPES.get(alert.kind, _OTHER)


def event(alert: Alert, city: str, now: datetime) -> bytes:
    """The event as UTF-8 XML. `how`: h-e once a person judged it, m-g while machines say so. Of an ended alert the time of going stale is now."""
    ended = alert.state in ("dismissed", "closed")
    root = Xml.Element(
        "event",
        version="2.0",
        uid=f"hdq-{city}-alert-{alert.id}",
        type=kind(alert),
        how="h-e" if alert.state in ("confirmed", "closed") else "m-g",
        time=moment(now),
        start=moment(alert.first_seen_at),
        stale=moment(now if ended else now + STALE),
    )
    if alert.simulated:
        root.set("opex", "e-exercise")
    Xml.SubElement(root, "point", lat=f"{alert.geom.y:.7f}", lon=f"{alert.geom.x:.7f}", hae=_UNKNOWN, ce=f"{alert.accuracy_m:.1f}", le=_UNKNOWN)
    detail = Xml.SubElement(root, "detail")
    Xml.SubElement(detail, "contact", callsign=_plain(alert.title))
    Xml.SubElement(detail, "remarks", source="haidongqing").text = _plain(f"{alert.title} · {alert.title_en} · {alert.place_name}")
    Xml.SubElement(
        detail, "hdq", kind=alert.kind, state=alert.state, severity=str(alert.severity), probability=f"{alert.probability:.2f}", version=str(alert.version)
    )
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True)


def ping(city: str, now: datetime) -> bytes:
    """An event of type t-x-c-t, by which CoT systems ask whether a line is there; it stands nowhere."""
    stamp = {"time": moment(now), "start": moment(now), "stale": moment(now + timedelta(minutes=1))}
    root = Xml.Element("event", version="2.0", uid=f"hdq-{city}-ping", type="t-x-c-t", how="m-g", **stamp)
    Xml.SubElement(root, "point", lat="0.0", lon="0.0", hae=_UNKNOWN, ce=_UNKNOWN, le=_UNKNOWN)
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True)


def moment(at: datetime) -> str:
    """A time as CoT writes it: UTC with milliseconds and Z.

    >>> moment(datetime(2026, 11, 22, 5, 12, tzinfo=UTC))
    '2026-11-22T05:12:00.000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
