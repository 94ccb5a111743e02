"""CAP 1.2 messages of others, read: no entities, nothing fetched, held against the OASIS schema beside this file, every refusal with its place and reason.

An XML signature in a message is not judged: who may send is known from the session, not from the message.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as Xml

import shapely
import xmlschema
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from grid.errors import InvalidInput, TooLarge

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SCHEMA = Path(__file__).with_name("CAP-v1.2.xsd")
MOST_BYTES = 1_000_000
MOST_DEPTH = 12
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_OLDER = {"urn:oasis:names:tc:emergency:cap:1.1": "1.1", "http://www.incident.com/cap/1.0": "1.0"}


@dataclass(frozen=True, slots=True)
class Area:
    """One area of a message: its words, and its shape (EPSG:4326, longitude first) where it gives one that can be read."""

    text: str
    shape: shapely.Geometry | None


@dataclass(frozen=True, slots=True)
class Info:
    """One info block. Times as written, None where absent."""

    language: str
    category: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    headline: str
    effective: str | None
    expires: str | None
    areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `references`: (sender, identifier, sent) of earlier ones; `remarks`: what could not be used, and why."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    references: tuple[tuple[str, str, str], ...]
    infos: tuple[Info, ...]
    signed: bool
    remarks: list[str] = field(default_factory=list)


@cache
def _schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SCHEMA), allow="local", defuse="always")


def read(content: bytes) -> Message:
    """A message from its bytes. Raises TooLarge, and InvalidInput for what is no XML, names entities, is of CAP 1.1 or 1.0, or breaks the schema."""
    if len(content) > MOST_BYTES:
        raise TooLarge(f"CAP 消息 {len(content):,} 字节 · a CAP message of {len(content):,} bytes", remedy=f"at most {MOST_BYTES:,}")
    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as hostile:
        raise InvalidInput(f"CAP 消息含有 DTD 或实体 · the message holds a DTD or entities: {type(hostile).__name__}", remedy="去掉 DOCTYPE 再发 · send it without a DOCTYPE") from hostile
    except (Xml.ParseError, ValueError, LookupError) as damage:
        raise InvalidInput(f"不是完整的 XML · this is no whole XML: {damage}", remedy="send a CAP 1.2 message as application/cap+xml") from damage
    _shallow(root)
    space, _, name = root.tag.removeprefix("{").rpartition("}")
    if name != "alert" or space != NAMESPACE:
        version = _OLDER.get(space)
        found = f"CAP {version}" if version else f"{name!r} of {space[:80]!r}"
        raise InvalidInput(f"只接收 CAP 1.2，这是 {found} · only CAP 1.2 is taken, this is {found}", remedy=f'xmlns="{NAMESPACE}"', namespace=space[:200])
    signed = root.find(_SIGNATURE) is not None
    for signature in root.findall(_SIGNATURE):
        root.remove(signature)
    broken = [_fault(error) for _, error in zip(range(20), _schema().iter_errors(root), strict=False)]
    if broken:
        raise InvalidInput(f"不符合 CAP 1.2 · breaks CAP 1.2 at {broken[0]['place']}: {broken[0]['message']}", remedy="OASIS CAP-v1.2.xsd", errors=broken)
    return _message(root, signed)


def _shallow(root: Xml.Element) -> None:
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MOST_DEPTH:
            raise InvalidInput("XML 嵌套过深 · the XML is nested too deep", remedy=f"at most {MOST_DEPTH} levels")
        level = [child for element in level for child in element]


def _fault(error: xmlschema.XMLSchemaValidationError) -> dict[str, str]:
    shorter = f"{{{NAMESPACE}}}"
    return {"place": (error.path or "/alert").replace(shorter, ""), "message": (error.reason or "invalid").replace(shorter, "")[:300]}


def _message(root: Xml.Element, signed: bool) -> Message:
    remarks: list[str] = []
    text = _text(root, "sent") or ""
    try:
        sent = datetime.fromisoformat(text)
        sent.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"sent 无法读取 · sent {text[:60]!r} is no time that can be read", remedy="2026-11-22T08:00:00+08:00") from error
    if sent.tzinfo is None:
        raise InvalidInput(f"sent {text} 没有时区 · names no zone", remedy="2026-11-22T08:00:00+08:00")
    references = tuple(tuple(part) for each in (_text(root, "references") or "").split() if len(part := each.split(",")) == 3)
    infos = tuple(_info(found, remarks) for found in root.findall(_tag("info")))
    return Message(
        _text(root, "identifier") or "", _text(root, "sender") or "", sent, _text(root, "status") or "", _text(root, "msgType") or "", _text(root, "scope") or "",
        references, infos, signed, remarks,
    )  # fmt: skip


def _info(found: Xml.Element, remarks: list[str]) -> Info:
    areas = tuple(Area(_text(each, "areaDesc") or "", _shape(each, remarks)) for each in found.findall(_tag("area")))
    said = {name: _text(found, name) or "" for name in ("event", "urgency", "severity", "certainty", "headline")}
    categories = tuple(each.text or "" for each in found.findall(_tag("category")))
    return Info(_text(found, "language") or "en-US", categories, **said, effective=_text(found, "effective"), expires=_text(found, "expires"), areas=areas)


def _shape(area: Xml.Element, remarks: list[str]) -> shapely.Geometry | None:
    shapes = []
    for name, reading in (("polygon", polygon), ("circle", circle)):
        for each in area.findall(_tag(name)):
            try:
                shapes.append(reading(each.text or ""))
            except InvalidInput as error:
                remarks.append(error.detail)
    return shapely.union_all(shapes) if shapes else None


def polygon(text: str) -> shapely.Geometry:
    """A ring of `lat,lon` pairs as a polygon, longitude first. Raises InvalidInput.

    >>> polygon("36,120 36,121 37,121 36,120").bounds
    (120.0, 36.0, 121.0, 37.0)
    """
    pairs = [_pair(each) for each in text.split()]
    if len(pairs) < 4 or pairs[0] != pairs[-1]:
        raise InvalidInput(f"polygon 须至少四点且首尾相同 · a polygon has four pairs or more and ends where it began: {text[:60]!r}", remedy="lat,lon lat,lon …")
    return shapely.make_valid(shapely.Polygon(pairs))


def circle(text: str) -> shapely.Geometry:
    """A circle `lat,lon radius` (km) as a polygon of 64 corners, stretched for its latitude. Raises InvalidInput.

    >>> circle("36.0,120.0 1").bounds[1] > 35.99
    True
    """
    centre, _, radius = text.strip().partition(" ")
    lon, lat = _pair(centre)
    try:
        north = float(radius) * 1000 / 110_950.0
    except ValueError as error:
        raise InvalidInput(f"circle 的半径不是数 · the radius is no number: {text[:60]!r}", remedy="lat,lon radius_km") from error
    if not 0 <= north <= 90 or abs(lat) > 89:
        raise InvalidInput(f"circle 的半径不可能 · an impossible radius: {text[:60]!r}", remedy="lat,lon radius_km")
    unit = shapely.Point(0, 0).buffer(1.0, quad_segs=16)
    east = north / math.cos(math.radians(lat))
    return shapely.transform(unit, lambda xy: xy * [max(east, 1e-7), max(north, 1e-7)] + [lon, lat])


def _pair(text: str) -> tuple[float, float]:
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidInput(f"不是 lat,lon · is no lat,lon: {text[:40]!r}", remedy="36.07,120.38") from error
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise InvalidInput(f"坐标超出范围 · outside ±90, ±180: {text[:40]!r}", remedy="lat,lon in degrees")
    return lon, lat


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _text(parent: Xml.Element, name: str) -> str | None:
    found = parent.find(_tag(name))
    return None if found is None or not (found.text or "").strip() else found.text.strip()
