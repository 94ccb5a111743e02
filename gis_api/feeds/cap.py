"""Alerts as Common Alerting Protocol messages (OASIS CAP 1.2). Pairs of coordinates are latitude first, as CAP has them; WGS84, which CGCS2000 equals here.

What is simulated, and every drill, has status Exercise. Findings are for those who work on them: scope Restricted. The first message of an alert is an
Alert, later versions are Updates that refer to all before, a dismissed alert is a Cancel; a closed one is an Update that says AllClear.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree as Xml

import shapely

from grid.errors import Conflict
from grid.sensing.alerts import Alert

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"
SENDER = "haidongqing"
VALID = timedelta(hours=24)
MOST_VERTICES = 400
_CHINA = timezone(timedelta(hours=8))
_CATEGORY = {
    "forest_fire": "Fire", "smoke": "Fire", "straw_burning": "Fire", "burn_scar": "Fire", "garbage": "Env", "algal_bloom": "Env", "spoil_heap": "Env",
    "muck_truck": "Transport", "vegetation_loss": "Env", "farmland_change": "Env", "land_change": "Env", "construction": "Infra",
    "illegal_structure": "Infra", "crowd": "Safety",
}  # fmt: skip
_SEVERITY = {1: "Extreme", 2: "Severe", 3: "Moderate", 4: "Minor"}
_URGENCY = {1: "Immediate", 2: "Expected", 3: "Expected", 4: "Future"}
_RESTRICTION = "城市治理相关部门 · departments of city governance"


@dataclass(frozen=True, slots=True)
class Issued:
    """A message that went out: its identifier and its `sent` as written in it."""

    identifier: str
    sent: str


def moment(at: datetime) -> str:
    """A time as CAP writes it: whole seconds and an offset, never Z.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 22, 5, 12, 0, 123, tzinfo=UTC))
    '2026-11-22T13:12:00+08:00'
    """
    return at.astimezone(_CHINA).isoformat(timespec="seconds")


def identifier(city: str, alert: Alert) -> str:
    """Names a version of an alert for ever."""
    return f"hdq-{city}-alert-{alert.id}-v{alert.version}"


def sender(city: str) -> str:
    """Who sends, without blanks, commas or < & as CAP demands."""
    return f"{SENDER}@{city}"


def message_type(alert: Alert, before: list[Issued]) -> str:
    """Alert, Update or Cancel. Raises Conflict for a dismissed alert of which nobody was told: there is nothing to cancel."""
    if alert.state == "dismissed":
        if not before:
            raise Conflict(f"告警 {alert.id} 已排除，且从未以 CAP 发出 · alert {alert.id} is dismissed and was never sent as CAP", remedy="无需取消 · nothing is to be cancelled")
        return "Cancel"
    return "Update" if before else "Alert"


def certainty(alert: Alert) -> str:
    """How sure: a person confirmed it (Observed), above one half Likely, above one tenth Possible."""
    if alert.state in ("confirmed", "closed"):
        return "Observed"
    return "Likely" if alert.probability > 0.5 else "Possible" if alert.probability > 0.1 else "Unlikely"


def message(alert: Alert, region90: shapely.MultiPolygon | None, city: str, sent: datetime, before: list[Issued]) -> bytes:
    """The message as UTF-8 XML. `before`: what was sent of this alert, oldest first. Raises Conflict (see message_type)."""
    root = Xml.Element(f"{{{NAMESPACE}}}alert")
    kind = message_type(alert, before)
    _add(root, "identifier", identifier(city, alert))
    _add(root, "sender", sender(city))
    _add(root, "sent", moment(sent))
    _add(root, "status", "Exercise" if alert.simulated else "Actual")
    _add(root, "msgType", kind)
    _add(root, "source", f"{alert.rule_id} {alert.rule_version}")
    _add(root, "scope", "Restricted")
    _add(root, "restriction", _RESTRICTION)
    if alert.simulated:
        _add(root, "note", "模拟数据 · simulated data")
    if before:
        _add(root, "references", " ".join(f"{sender(city)},{each.identifier},{each.sent}" for each in before))
    for language in ("zh-CN", "en-US"):
        _info(root, alert, region90, language, sent)
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=NAMESPACE)


def trial(city: str, sent: datetime) -> bytes:
    """A message of status Test, which says nothing but that messages arrive."""
    root = Xml.Element(f"{{{NAMESPACE}}}alert")
    said = {"identifier": f"hdq-{city}-test-{sent.timestamp():.0f}", "sender": sender(city), "sent": moment(sent), "status": "Test", "msgType": "Alert", "scope": "Restricted"}
    for name, text in (said | {"restriction": _RESTRICTION, "note": "测试，无需处置 · a test, nothing is to be done"}).items():
        _add(root, name, text)
    return Xml.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=NAMESPACE)


def _info(root: Xml.Element, alert: Alert, region90: shapely.MultiPolygon | None, language: str, sent: datetime) -> None:
    chinese = language == "zh-CN"
    title = alert.title if chinese else alert.title_en
    info = _add(root, "info")
    over = alert.state in ("closed", "dismissed")
    _add(info, "language", language)
    _add(info, "category", _CATEGORY.get(alert.kind, "Other"))
    _add(info, "event", title)
    _add(info, "responseType", "AllClear" if over else "Assess")
    _add(info, "urgency", "Past" if over else _URGENCY[alert.severity])
    _add(info, "severity", _SEVERITY[alert.severity])
    _add(info, "certainty", certainty(alert))
    code = _add(info, "eventCode")
    _add(code, "valueName", "hdq:kind")
    _add(code, "value", alert.kind)
    _add(info, "effective", moment(sent))
    _add(info, "onset", moment(alert.first_seen_at))
    _add(info, "expires", moment(sent if over else sent + VALID))
    _add(info, "senderName", "海东青" if chinese else "Haidongqing")
    _add(info, "headline", f"{title} · {alert.place_name}")
    for name, value in (("hdq:alert", alert.id), ("hdq:probability", f"{alert.probability:.2f}"), ("hdq:accuracy_m", f"{alert.accuracy_m:.0f}"), ("hdq:agreement", alert.agreement)):
        parameter = _add(info, "parameter")
        _add(parameter, "valueName", name)
        _add(parameter, "value", str(value))
    area = _add(info, "area")
    _add(area, "areaDesc", alert.place_name or alert.region_code)
    rings = polygons(region90)
    for ring in rings:
        _add(area, "polygon", ring)
    if not rings:
        _add(area, "circle", circle(alert.geom.x, alert.geom.y, alert.accuracy_m))
    geocode = _add(area, "geocode")
    _add(geocode, "valueName", "GB/T 2260")
    _add(geocode, "value", alert.region_code)


def circle(lon: float, lat: float, radius_m: float) -> str:
    """`lat,lon radius` with the radius in kilometres.

    >>> circle(120.3826, 36.0671, 150)
    '36.067100,120.382600 0.150'
    """
    return f"{lat:.6f},{lon:.6f} {radius_m / 1000:.3f}"


def polygons(region: shapely.MultiPolygon | None) -> list[str]:
    """Outer rings as CAP writes them: `lat,lon` pairs, the first again at the end; ones of very many vertices simplified. CAP has no holes.

    >>> polygons(shapely.MultiPolygon([shapely.box(120, 36, 121, 37)]))
    ['36.000000,121.000000 37.000000,121.000000 37.000000,120.000000 36.000000,120.000000 36.000000,121.000000']
    """
    rings = []
    for part in shapely.get_parts(region) if region is not None else ():
        tolerance = 1e-5
        while len(part.exterior.coords) > MOST_VERTICES:
            part, tolerance = shapely.Polygon(part.exterior).simplify(tolerance), tolerance * 2
        rings.append(" ".join(f"{lat:.6f},{lon:.6f}" for lon, lat in shapely.get_coordinates(part.exterior)))
    return rings


def _add(parent: Xml.Element, name: str, text: str | None = None) -> Xml.Element:
    child = Xml.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = None if text is None else "".join(letter for letter in text if letter.isprintable())
    return child
