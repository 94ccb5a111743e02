"""CAP messages that went out and came in. The only writer of `cap_issued` and `cap_messages`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import shapely
from psycopg import AsyncConnection

from gis_api.feeds import cap
from gis_api.feeds.cap_reading import Info, Message
from grid.casework import decisions
from grid.crs import QINGDAO
from grid.database import Scope, point, row, rows
from grid.errors import InvalidInput
from grid.sensing import alerts, intake
from grid.sensing.observations import Finding

_SCORE = {"Observed": 1.0, "Likely": 0.8, "Possible": 0.5, "Unlikely": 0.2, "Unknown": 0.5}
_IGNORED = ("System", "Draft")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message. `observations`: ids of its areas that lie in the city; `remarks`: what was left out, and why."""

    new: bool
    observations: tuple[int, ...]
    remarks: tuple[str, ...]


async def issue(connection: AsyncConnection, scope: Scope, alert_id: int, city: str, *, keep: bool = True) -> bytes:
    """The CAP message of the alert's version of now; `keep`: it goes out, and later ones refer to it. Raises NotFound, and Conflict when there is nothing to cancel."""
    alert = await alerts.get(connection, scope, alert_id)
    shape = await row(connection, "SELECT region90 FROM alerts WHERE id = %(id)s", {"id": alert_id})
    now = datetime.now(UTC).replace(microsecond=0)
    if keep:
        await connection.execute(
            "INSERT INTO cap_issued (alert_id, version, identifier, sent) VALUES (%(id)s, %(version)s, %(identifier)s, %(sent)s) ON CONFLICT DO NOTHING",
            {"id": alert_id, "version": alert.version, "identifier": cap.identifier(city, alert), "sent": now},
        )
    known = await rows(connection, "SELECT version, identifier, sent FROM cap_issued WHERE alert_id = %(id)s ORDER BY version", {"id": alert_id})
    before = [cap.Issued(each["identifier"], cap.moment(each["sent"])) for each in known if each["version"] < alert.version]
    sent = next((each["sent"] for each in known if each["version"] == alert.version), now)
    return cap.message(alert, shape["region90"], city, sent, before)


async def take(connection: AsyncConnection, scope: Scope, staff_id: int, found: Message, body: str) -> Taken:
    """Stores a message once; its areas in the city become observations of kind official_warning. Raises InvalidInput outside the caller's region.

    An Update or a Cancel marks the messages of the same sender that it refers to, and an undecided alert is dismissed once all that it rests on is
    cancelled. A Cancel, an Ack, an Error and drafts become no observation;
    Exercise and Test become simulated ones.
    """
    known = await row(
        connection,
        "SELECT observations FROM cap_messages WHERE sender = %(sender)s AND identifier = %(identifier)s AND sent = %(sent)s",
        {"sender": found.sender, "identifier": found.identifier, "sent": found.sent},
    )
    if known is not None:
        return Taken(False, tuple(known["observations"]), ("已经收过 · known already",))
    remarks = list(found.remarks)
    findings = _findings(found, remarks)
    accepted = await intake.accept(connection, findings)
    for each in accepted:
        if not scope.covers(each.region_code):
            raise InvalidInput("预警区域位于辖区之外 · the area lies outside your region", remedy=f"send messages for {scope.prefix} only")
    await connection.execute(
        """
        INSERT INTO cap_messages (sender, identifier, sent, status, msg_type, body, observations, region_code, received_by)
        VALUES (%(sender)s, %(identifier)s, %(sent)s, %(status)s, %(type)s, %(body)s, %(observations)s, %(region)s, %(staff)s)
        """,
        {
            "sender": found.sender, "identifier": found.identifier, "sent": found.sent, "status": found.status, "type": found.msg_type, "body": body,
            "observations": [each.id for each in accepted], "region": accepted[0].region_code if accepted else scope.prefix, "staff": staff_id,
        },
    )  # fmt: skip
    if found.msg_type in ("Update", "Cancel"):
        await _mark(connection, scope, found, remarks)
    if found.msg_type == "Cancel":
        await _dismiss(connection, scope, staff_id, found)
    return Taken(True, tuple(each.id for each in accepted), tuple(remarks))


async def _mark(connection: AsyncConnection, scope: Scope, found: Message, remarks: list[str]) -> None:
    for sender, identifier, _ in found.references:
        if sender != found.sender:
            remarks.append(f"引用他人的消息，未改动 · refers to a message of {sender}, which stays as it is")
            continue
        cursor = await connection.execute(
            """
            UPDATE cap_messages SET state = CASE WHEN %(type)s = 'Cancel' THEN 'cancelled' ELSE 'updated' END
            WHERE sender = %(sender)s AND identifier = %(identifier)s AND region_code LIKE %(scope)s
            """,
            {"type": found.msg_type, "sender": sender, "identifier": identifier, "scope": scope.like},
        )
        if not cursor.rowcount:
            remarks.append(f"引用的消息未收到过 · the message it refers to never came: {identifier[:80]}")


async def _dismiss(connection: AsyncConnection, scope: Scope, staff_id: int, found: Message) -> None:
    """Judges undecided alerts over messages that this one cancels, where nothing else stands behind them; neither true nor false, so no sensor's record changes."""
    over = await rows(
        connection,
        """
        SELECT DISTINCT a.id FROM cap_messages m JOIN observations o ON o.id = ANY(m.observations) JOIN alerts a ON a.id = o.alert_id
        WHERE m.sender = %(sender)s AND m.identifier = ANY(%(identifiers)s) AND m.state = 'cancelled'
            AND a.state IN ('open', 'acknowledged') AND a.region_code LIKE %(scope)s AND NOT EXISTS (
                SELECT 1 FROM observations s WHERE s.alert_id = a.id
                    AND NOT EXISTS (SELECT 1 FROM cap_messages c WHERE c.state = 'cancelled' AND s.id = ANY(c.observations))
            )
        ORDER BY a.id
        """,
        {"sender": found.sender, "identifiers": [identifier for _, identifier, _ in found.references], "scope": scope.like},
    )
    note = f"发布方已撤销 · cancelled by its sender: {found.identifier[:80]}"
    for each in over:
        await decisions.decide(connection, scope, staff_id, each["id"], decisions.Verdict("other", reason="cancelled", note=note))


def _findings(found: Message, remarks: list[str]) -> list[Finding]:
    if found.msg_type not in ("Alert", "Update") or found.status in _IGNORED:
        remarks.append(f"不作为观测 · no observation: {found.status} {found.msg_type}")
        return []
    city = shapely.box(*QINGDAO)
    findings: list[Finding] = []
    seen: set[str] = set()
    for info in found.infos:
        expired = _expired(info, remarks)
        for area in info.areas:
            if area.shape is None or area.shape.is_empty:
                continue
            if not area.shape.intersects(city):
                remarks.append(f"不在本市 · lies outside the city: {area.text[:80]}")
            elif (key := shapely.normalize(area.shape).wkt) not in seen:
                seen.add(key)
                findings.append(_finding(found, info, expired, shapely.intersection(area.shape, city), len(findings)))
    return findings


def _expired(info: Info, remarks: list[str]) -> bool:
    """Whether it had expired before it came here; the schema's 24:00 is the midnight that follows. A time that cannot be read has not passed."""
    if not info.expires:
        return False
    day, at_midnight, rest = info.expires.partition("T24:00:00")
    try:
        expires = datetime.fromisoformat(f"{day}T00:00:00{rest}") + timedelta(days=1) if at_midnight else datetime.fromisoformat(info.expires)
        return expires < datetime.now(UTC)
    except (ValueError, OverflowError, TypeError):
        remarks.append(f"expires 无法读取，按未过期处理 · expires {info.expires[:60]!r} is no time that can be read, taken as not yet past")
        return False


def _finding(found: Message, info: Info, expired: bool, shape: shapely.Geometry, number: int) -> Finding:
    centre = shape.representative_point()
    radius = shapely.get_coordinates(shape) - [centre.x, centre.y]
    reach_m = float((((radius * [90_000.0, 111_000.0]) ** 2).sum(axis=1) ** 0.5).max())
    said = {"event": info.event, "category": list(info.category), "urgency": info.urgency, "severity": info.severity, "certainty": info.certainty, "expired": expired}
    return Finding(
        source=f"cap:{found.sender}"[:200],
        source_event_id=f"{found.identifier},{found.sent.isoformat()},{number}"[:200],
        sensor_kind="device",
        kind="official_warning",
        class_name=info.event[:200],
        score=_SCORE.get(info.certainty, 0.5),
        recorded_at=found.sent,
        place=point(centre.x, centre.y),
        accuracy_m=min(max(reach_m, 1.0), 100_000.0),
        footprint=shape if shape.geom_type in ("Polygon", "MultiPolygon") else None,
        properties={**said, "headline": info.headline[:500], "effective": info.effective, "expires": info.expires, "msg_type": found.msg_type, "status": found.status},
        simulated=found.status in ("Exercise", "Test"),
    )
