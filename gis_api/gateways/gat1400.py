"""GA/T 1400.4 (video image information) server side: devices register with Digest, keep alive, report their cameras' state and hand in motor vehicles.

Faces, persons and riders are refused unread: this product takes none. Of a motor vehicle neither plate nor pictures are kept. Every message proves itself
by Digest, and speaks only for its own device and the cameras that the operator gave it; whatever else it claims is refused and audited.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Throttle
from gis_api.gateways import devices, digest
from gis_api.gateways.devices import Device
from grid.database import point, rows
from grid.errors import InvalidInput
from grid.sensing import intake
from grid.sensing.observations import Finding
from grid.world import cameras

MEDIA_TYPE = "application/VIID+JSON;charset=UTF-8"
OK, NOT_ALLOWED, BAD_JSON, BAD_CONTENT = 0, 4, 7, 8
"""Codes of ResponseStatus, ConfirmStatusType of GA/T 1400.4: OK, InvalidOperation, InvalidJSONFormat, InvalidJSONContent."""
MOST_OBJECTS = 1_000
SURE = 1.0
"""GA/T 1400 tells no score: the device either saw a vehicle or sent nothing."""
_CHINA = timezone(timedelta(hours=8))
_KEPT = {"VehicleClass": "vehicle_class", "VehicleColor": "vehicle_color", "PlateClass": "plate_class", "PlateColor": "plate_color", "Speed": "speed_kmh", "Direction": "direction", "LaneNo": "lane"}
_STATES = {"1": "online", "2": "offline"}
"""IsOnline. What we saw for ourselves (moved, wrong_pose, frozen, blurred, dark) is not the device's to change."""
_PEOPLE = ("Faces", "Persons", "NonMotorVehicles")
_LISTS_OF_PEOPLE = ("FaceObjectList", "PersonObjectList", "NonMotorVehicleObjectList")
_REFUSED = "本系统不接收人脸、人员和骑行人信息 · this product takes no faces, persons or riders"
by_address = Throttle(limit=40, window_s=600)
by_username = Throttle(limit=8, window_s=600)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `uri` path and query as sent, headers in lower case, `body` reads it."""

    method: str
    path: str
    uri: str
    headers: Mapping[str, str]
    address: str
    body: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the device gets."""

    status: int
    content: dict[str, Any]
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one object."""

    id: str
    code: int = OK
    text: str = "OK"


async def handle(pool: AsyncConnectionPool, asked: Asked) -> Answer:
    """Answers one message. Raises TooMany after many failures."""
    operation = _OPERATIONS.get((asked.method, asked.path))
    people = asked.path in _PEOPLE
    if operation is None and not people:
        return _one(asked, 404, NOT_ALLOWED, f"不提供 · not offered: {asked.method} /VIID/{asked.path[:80]}")
    device, refusal = await _device(pool, asked)
    if device is None:
        return refusal
    identified = asked.headers.get("user-identify", device.device_id)
    content = b"" if people or identified != device.device_id else await asked.body()
    async with pool.connection() as connection:
        if identified != device.device_id:
            return await _spoofed(connection, asked, device, identified)
        if people or operation is None:
            await devices.audit(connection, "viid.refused", device.device_id, {"why": "people", "path": asked.path})
            return _one(asked, 403, NOT_ALLOWED, _REFUSED, device.device_id)
        if device.registered_at is None and asked.path != "System/Register":
            return _one(asked, 403, NOT_ALLOWED, "未注册 · not registered: POST /VIID/System/Register", device.device_id)
        try:
            sent = orjson.loads(content)
        except orjson.JSONDecodeError:
            return _one(asked, 400, BAD_JSON, "不是 JSON · this is no JSON", device.device_id)
        if not isinstance(sent, dict):
            return _one(asked, 400, BAD_CONTENT, "须为 JSON 对象 · a JSON object is wanted", device.device_id)
        return await operation(connection, asked, device, sent)


async def _device(pool: AsyncConnectionPool, asked: Asked) -> tuple[Device | None, Answer]:
    """The device that proved itself, or what to answer instead; a count of a nonce is used up in a transaction of its own."""
    by_address.check(asked.address)
    header = asked.headers.get("authorization", "")
    claim = digest.claimed(header)
    stale, why = False, ""
    async with pool.connection() as connection:
        if claim is not None:
            who = f"{claim.username} {asked.address}"
            by_username.check(who)
            known = await devices.by_username(connection, claim.username, claim.algorithm)
            secret = known[1] if known else digest.ha1("", "", claim.algorithm)
            if digest.proved(claim, secret, asked.method) and known is not None and claim.uri == asked.uri:
                state = await devices.counted(connection, claim.nonce, claim.count)
                if state == "fresh":
                    by_username.succeeded(who)
                    return known[0], Answer(200, {})
                stale, why = state == "stale", "" if state == "stale" else "replayed"
            else:
                why = "digest"
        elif header:
            why = "header"
        if why:
            by_address.failed(asked.address)
            if why == "digest" and claim is not None:
                by_username.failed(f"{claim.username} {asked.address}")
            await devices.audit(connection, "viid.refused", claim.username if claim else "", {"why": why, "path": asked.path, "address": asked.address})
        given = await devices.nonce(connection)
    answer = _one(asked, 401, NOT_ALLOWED, "需要摘要认证 · Digest authentication is needed")
    return None, Answer(401, answer.content, [("WWW-Authenticate", each) for each in digest.challenges(given, stale=stale)])


async def _spoofed(connection: AsyncConnection, asked: Asked, device: Device, claimed: Any) -> Answer:
    by_address.failed(asked.address)
    await devices.audit(connection, "viid.spoofed", device.device_id, {"claimed": str(claimed)[:64], "path": asked.path, "address": asked.address})
    return _one(asked, 403, NOT_ALLOWED, "DeviceID 与认证的设备不符 · DeviceID is not that of the device that signed in", device.device_id)


def _named(sent: dict[str, Any], name: str) -> Any:
    inner = sent.get(name)
    return inner.get("DeviceID") if isinstance(inner, dict) else None


async def _system(connection: AsyncConnection, asked: Asked, device: Device, sent: dict[str, Any]) -> Answer:
    name, registered = {"System/Register": ("RegisterObject", True), "System/UnRegister": ("UnRegisterObject", False), "System/Keepalive": ("KeepaliveObject", None)}[asked.path]
    given = _named(sent, name)
    if given is None:
        return _one(asked, 400, BAD_CONTENT, f"缺少 · missing: {name}.DeviceID", device.device_id)
    if given != device.device_id:
        return await _spoofed(connection, asked, device, given)
    await devices.mark(connection, device.device_id, registered=registered)
    if registered is not None:
        await devices.audit(connection, "viid.registered" if registered else "viid.unregistered", device.device_id, {"address": asked.address})
    return _one(asked, 200, OK, "OK", device.device_id)


def _objects(sent: dict[str, Any], outer: str, inner: str) -> list[dict[str, Any]] | None:
    """The objects of a list as GA/T 1400 nests them; None when it is none, or too long."""
    holder = sent.get(outer)
    found = holder.get(inner) if isinstance(holder, dict) else None
    found = [found] if isinstance(found, dict) else found
    sound = isinstance(found, list) and 0 < len(found) <= MOST_OBJECTS and all(isinstance(each, dict) for each in found)
    return found if sound else None


async def _apes(connection: AsyncConnection, asked: Asked, device: Device, sent: dict[str, Any]) -> Answer:
    found = _objects(sent, "APEListObject", "APEObject")
    if found is None:
        return _one(asked, 400, BAD_CONTENT, f"须为 1–{MOST_OBJECTS} 个 · wanted: APEListObject.APEObject", device.device_id)
    lines = []
    known = await _cameras(connection, device, [str(each.get("ApeID")) for each in found], held=True)
    for each in found:
        code = str(each.get("ApeID", ""))[:64]
        if code not in known:
            await devices.audit(connection, "viid.spoofed", device.device_id, {"claimed": code, "path": asked.path})
            lines.append(Line(code, NOT_ALLOWED, "不是本设备的摄像机 · no camera of this device"))
            continue
        state, was = _STATES.get(str(each.get("IsOnline"))), known[code]["state"]
        if state not in (None, was) and was in _STATES.values():
            await cameras.update(connection, known[code]["id"], state=state)
            known[code]["state"] = state
        lines.append(Line(code))
    await devices.mark(connection, device.device_id)
    return _many(asked, lines)


async def _vehicles(connection: AsyncConnection, asked: Asked, device: Device, sent: dict[str, Any]) -> Answer:
    found = _objects(sent, "MotorVehicleListObject", "MotorVehicleObject")
    if found is None:
        return _one(asked, 400, BAD_CONTENT, f"须为 1–{MOST_OBJECTS} 个 · wanted: MotorVehicleListObject.MotorVehicleObject", device.device_id)
    return _many(asked, await _take(connection, asked, device, found))


async def _notified(connection: AsyncConnection, asked: Asked, device: Device, sent: dict[str, Any]) -> Answer:
    found = _objects(sent, "SubscribeNotificationListObject", "SubscribeNotificationObject")
    if found is None:
        return _one(asked, 400, BAD_CONTENT, "wanted: SubscribeNotificationListObject.SubscribeNotificationObject", device.device_id)
    held = [_objects(each, "MotorVehicleObjectList", "MotorVehicleObject") for each in found]
    held = [None if any(each.get(people) for people in _LISTS_OF_PEOPLE) else vehicles for each, vehicles in zip(found, held, strict=True)]
    if sum(len(vehicles or ()) for vehicles in held) > intake.LARGEST_BATCH:
        return _one(asked, 400, BAD_CONTENT, f"机动车过多 · more than {intake.LARGEST_BATCH:,} vehicles", device.device_id)
    taken = iter(await _take(connection, asked, device, [vehicle for vehicles in held for vehicle in vehicles or ()]))
    lines = []
    for each, vehicles in zip(found, held, strict=True):
        named = str(each.get("NotificationID", ""))[:64]
        if any(each.get(people) for people in _LISTS_OF_PEOPLE):
            await devices.audit(connection, "viid.refused", device.device_id, {"why": "people", "path": asked.path})
            lines.append(Line(named, NOT_ALLOWED, _REFUSED))
        elif vehicles is None:
            lines.append(Line(named, BAD_CONTENT, "其中没有机动车 · it holds no motor vehicles"))
        else:
            wrong = [line for line in islice(taken, len(vehicles)) if line.code != OK]
            lines.append(Line(named, wrong[0].code, f"{wrong[0].id}: {wrong[0].text}") if wrong else Line(named))
    return _many(asked, lines)


async def _cameras(connection: AsyncConnection, device: Device, codes: list[str], *, held: bool = False) -> dict[str, dict[str, Any]]:
    """The cameras among these codes that the device speaks for, inside its region; `held` locks them as cameras.hold does, by id."""
    mine = sorted({code for code in codes if device.speaks_for(code)})
    query = "SELECT id, code, state, geom, range_m FROM cameras WHERE code = ANY(%(codes)s) AND starts_with(region_code, %(region)s) ORDER BY id"
    return {each["code"]: each for each in await rows(connection, query + " FOR NO KEY UPDATE" * held, {"codes": mine, "region": device.region_code})}


async def _take(connection: AsyncConnection, asked: Asked, device: Device, found: list[dict[str, Any]]) -> list[Line]:
    """Vehicles through intake: sound ones are stored once each, wrong ones named."""
    known = await _cameras(connection, device, [str(each.get("DeviceID")) for each in found])
    lines: dict[int, Line] = {}
    findings: list[tuple[int, Finding]] = []
    for number, each in enumerate(found):
        named, code = str(each.get("MotorVehicleID", ""))[:200], str(each.get("DeviceID", ""))[:64]
        if code not in known:
            if not device.speaks_for(code):
                await devices.audit(connection, "viid.spoofed", device.device_id, {"claimed": code, "path": asked.path})
            lines[number] = Line(named, NOT_ALLOWED, f"不是本设备的摄像机 · no camera of this device: {code}")
            continue
        try:
            findings.append((number, _finding(each, named, known[code])))
        except InvalidInput as wrong:
            lines[number] = Line(named, BAD_CONTENT, wrong.detail)
    if findings:
        lines |= await _stored(connection, findings)
    await devices.mark(connection, device.device_id)
    return [lines[number] for number in range(len(found))]


async def _stored(connection: AsyncConnection, findings: list[tuple[int, Finding]]) -> dict[int, Line]:
    lines = {number: Line(finding.source_event_id) for number, finding in findings}
    try:
        async with connection.transaction():
            await intake.accept(connection, [finding for _, finding in findings])
    except InvalidInput as refused:
        wrong = {findings[error["row"]][0]: str(error["detail"]) for error in refused.extra.get("errors", ())}
        if not wrong:
            raise
        lines |= {number: Line(lines[number].id, BAD_CONTENT, detail) for number, detail in wrong.items()}
        lines |= await _stored(connection, [(number, finding) for number, finding in findings if number not in wrong])
    return lines


def _finding(sent: dict[str, Any], named: str, camera: dict[str, Any]) -> Finding:
    properties = {ours: sent[theirs] for theirs, ours in _KEPT.items() if isinstance(sent.get(theirs), str | int | float) and len(str(sent[theirs])) <= 64 and str(sent[theirs]).isprintable()}
    return Finding(
        source=f"gat1400:{camera['code']}",
        source_event_id=named,
        sensor_kind="camera",
        kind="vehicle_passage",
        class_name="motor_vehicle",
        score=SURE,
        recorded_at=moment(sent.get("PassTime") or sent.get("AppearTime") or sent.get("MarkTime")),
        place=point(camera["geom"].x, camera["geom"].y),
        accuracy_m=max(1.0, camera["range_m"]),
        camera_id=camera["id"],
        algorithm="gat1400",
        properties=properties,
    )


def moment(text: Any) -> datetime:
    """A time of GA/T 1400, yyyymmddhhmmss in Beijing time. Raises InvalidInput.

    >>> moment("20171222102014").isoformat()
    '2017-12-22T10:20:14+08:00'
    """
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=_CHINA)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"时间格式有误 · is no time: {str(text)[:40]!r}", remedy="yyyymmddhhmmss") from error


def _status(asked: Asked, line: Line) -> dict[str, Any]:
    now = datetime.now(UTC).astimezone(_CHINA).strftime("%Y%m%d%H%M%S")
    return {"RequestURL": f"/VIID/{asked.path}", "StatusCode": line.code, "StatusString": line.text, "Id": line.id, "LocalTime": now}


def _one(asked: Asked, status: int, code: int, text: str, device_id: str = "") -> Answer:
    return Answer(status, {"ResponseStatusObject": _status(asked, Line(device_id, code, text))})


def _many(asked: Asked, lines: list[Line]) -> Answer:
    return Answer(200, {"ResponseStatusListObject": {"ResponseStatusObject": [_status(asked, line) for line in lines]}})


_OPERATIONS = {
    ("POST", "System/Register"): _system,
    ("POST", "System/UnRegister"): _system,
    ("POST", "System/Keepalive"): _system,
    ("POST", "APEs"): _apes,
    ("PUT", "APEs"): _apes,
    ("POST", "MotorVehicles"): _vehicles,
    ("POST", "SubscribeNotifications"): _notified,
}
