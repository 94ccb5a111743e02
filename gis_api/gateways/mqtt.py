"""Findings that devices publish over MQTT 3.1.1, through the same door: CloudEvents in structured mode, or the JSON of an observation.

`HDQ_MQTT_URL=mqtt://host` (mqtts:// for TLS) starts one consumer beside the worker; the host is on HDQ_CONNECTOR_HOSTS. Who a device is, says the level of
the topic where HDQ_MQTT_TOPIC has its `+`: the broker's access rules let a user name publish on its own topic only. A message is acknowledged (QoS 1)
after the commit, so what a killed consumer held comes again, and the two ids of a finding make it the same finding then. What can never be taken is
kept among the dead letters with the reason, and acknowledged.
"""

import asyncio
import contextlib
import queue
import signal
import socket
import ssl
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

import orjson
import psycopg
import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import ValidationError

from gis_api import logs
from gis_api.gateways import devices, mqtt_devices
from gis_api.gateways.mqtt_devices import Device
from gis_api.wire import cloudevents
from gis_api.wire.observations import ObservationIn, finding_of
from grid.database import Scope, driver_errors, make_pool
from grid.errors import Forbidden, HdqError, InvalidInput, NotFound, TooLarge, Unavailable
from grid.sensing import intake
from grid.sensing.observations import Finding
from grid.settings import Settings
from layers.connecting.door import checked

SCHEMES = {"mqtt": 1883, "mqtts": 8883}
LARGEST_BYTES = 2**20
HELD = 2_000
HELD_BYTES = 64 * LARGEST_BYTES
"""Messages in our memory at most, and bytes of those that are not done; beyond them the line is not read, and the broker waits."""
AT_ONCE = 400
LOOK_S = 0.2
AGAIN_S = 2.0
REFUSED_S = 10.0
"""Until a subscription that the broker refused is asked for again, over a new connection."""
KEEPALIVE_S = 30
LATER = (Unavailable, psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, OSError)
"""The database is away: the message waits, it is not the message's fault."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came: `username` is the level of its topic that names the device, `line` the connection whose acknowledgement it waits for.

    Of one that is too large, `body` holds no more than tells so.
    """

    topic: str
    username: str
    body: bytes
    mid: int
    qos: int
    line: int


def findings_of(body: bytes, device: Device, cameras: frozenset[int]) -> list[Finding]:
    """The findings of a message, as the device's own. Raises InvalidInput for what cannot be read, Forbidden for what another would have to say.

    A CloudEvent or a list of them, an observation as for POST /api/observations, or `{"observations": [...]}`; without `source` it is the device's.
    """
    if len(body) > LARGEST_BYTES:
        raise TooLarge(f"消息过大 · a message of {len(body):,} bytes", remedy=f"at most {LARGEST_BYTES:,}")
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"不是 JSON · this is no JSON: {error}", remedy="CloudEvents 1.0 JSON, or an observation as for POST /api/observations") from error
    if isinstance(sent, list) or (isinstance(sent, dict) and "specversion" in sent):
        given = cloudevents.observations_of(body)
    else:
        items = sent["observations"] if isinstance(sent, dict) and sent.keys() == {"observations"} else [sent]
        if not isinstance(items, list) or not 0 < len(items) <= cloudevents.MOST:
            raise InvalidInput("observations 须为 1–1000 条的数组 · observations must be a list of 1 to 1,000", remedy='{"observations": [{…}]}')
        given = [_plain(item, number, device) for number, item in enumerate(items)]
    return [_own(finding_of(each, number), device, cameras) for number, each in enumerate(given)]


def _plain(item: Any, number: int, device: Device) -> ObservationIn:
    if not isinstance(item, dict):
        raise InvalidInput(f"observations[{number}] 须为对象 · must be an object", remedy="the fields of a finding, as for POST /api/observations")
    try:
        return ObservationIn.model_validate({"source": device.username} | item)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidInput(f"observations[{number}].{'.'.join(map(str, first['loc']))}：{first['msg']}", remedy="as for POST /api/observations") from error


def _own(finding: Finding, device: Device, cameras: frozenset[int]) -> Finding:
    """The finding under the device's own name, so that no device writes over another's."""
    if finding.source != device.username and finding.source not in device.sources:
        raise Forbidden(f"不是本设备的来源 · no source of {device.username}: {finding.source[:80]!r}", remedy="leave source out, or have it registered with the device")
    if finding.camera_id is not None and finding.camera_id not in cameras:
        raise Forbidden(f"不是本设备的摄像机 · no camera of {device.username}: {finding.camera_id}", remedy="have the camera registered with the device")
    named = device.username if finding.source == device.username else f"{device.username}/{finding.source}"
    return replace(finding, source=f"mqtt:{named}")


async def store(connection: AsyncConnection, username: str, bodies: Sequence[bytes]) -> int:
    """Messages of one device through the door, all or none, in the caller's transaction; how many findings were new. Raises HdqError."""
    device = await mqtt_devices.known(connection, username)
    if device is None:
        raise NotFound(f"未登记的设备 · no device is registered as {username[:64]!r}", remedy="POST /api/mqtt/devices")
    cameras = await mqtt_devices.camera_ids(connection, device)
    findings: list[Finding] = []
    for body in bodies:
        findings += findings_of(body, device, cameras)
        if len(findings) > intake.LARGEST_BATCH:
            raise TooLarge(f"超过 {intake.LARGEST_BATCH:,} 条 · more findings at once than that", remedy="fewer")
    scope, fresh = Scope(device.region_code), 0
    for accepted in await intake.accept(connection, findings, scope=scope):
        if not scope.covers(accepted.region_code):
            raise InvalidInput(f"位于 {device.region_code} 之外 · lies outside {device.region_code}: {accepted.source_event_id}", remedy="findings of its own region only")
        fresh += accepted.new
    await mqtt_devices.heard(connection, username, fresh)
    return fresh


async def take(pool: AsyncConnectionPool, messages: Sequence[Message], city_code: str) -> None:
    """Takes messages in: afterwards each is stored or a dead letter, committed. Raises one of LATER when the database is away."""
    for username, group in groupby(messages, key=lambda message: message.username):
        together = list(group)
        if len(together) > 1 and await _taken(pool, username, together):
            continue
        for message in together:
            await _one(pool, message, city_code)


async def _taken(pool: AsyncConnectionPool, username: str, messages: Sequence[Message]) -> bool:
    """Whether messages of one device could be stored all at once; where one cannot, whatever the reason, each is tried alone."""
    try:
        async with driver_errors(), pool.connection() as connection:
            await store(connection, username, [message.body for message in messages])
    except LATER:
        raise
    except Exception as error:
        structlog.get_logger("mqtt").info("mqtt.one_by_one", device=username, messages=len(messages), reason=f"{type(error).__name__}: {error}"[:300])
        return False
    return True


async def _one(pool: AsyncConnectionPool, message: Message, city_code: str) -> None:
    """Stores a message or buries it. What its device may not say is audited the first time, and at each power of ten of times."""
    log = structlog.get_logger("mqtt").bind(device=message.username)
    try:
        async with driver_errors(), pool.connection() as connection:
            await store(connection, message.username, [message.body])
    except LATER:
        raise
    except HdqError as error:
        why = error
        log.warning("mqtt.refused", detail=error.detail, remedy=error.remedy)
    except Exception as error:
        why = HdqError(f"unforeseen: {type(error).__name__}: {error}")
        log.exception("mqtt.poison")
    else:
        return
    async with pool.connection() as connection:
        device = await mqtt_devices.known(connection, message.username)
        await mqtt_devices.bury(connection, message.topic, message.username, message.body, why, city_code if device is None else device.region_code)
        if isinstance(why, Forbidden) and str(times := await mqtt_devices.refused(connection, message.username, why)).strip("0") == "1":
            await devices.audit(connection, "mqtt.spoofed", message.username, {"why": why.detail, "topic": message.topic, "times": times}, protocol="mqtt")


class Line:
    """The connection to the broker, kept by a thread of its own: it reads while there is room, and acknowledges what it is told to."""

    def __init__(self, settings: Settings) -> None:
        if settings.mqtt_url is None:
            raise Unavailable("缺少 HDQ_MQTT_URL · HDQ_MQTT_URL is not set", remedy="mqtt://host:1883")
        self._parts = urlsplit(checked(settings.mqtt_url, SCHEMES, settings.allowed_hosts))
        self._topic, self._level = settings.mqtt_topic, settings.mqtt_topic.split("/").index("+")
        self._held: queue.Queue[Message] = queue.Queue(HELD)
        self._room, self._bytes = threading.Condition(), 0
        self._ending = threading.Event()
        self._number = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, f"hdq-{settings.city_code}", clean_session=False, manual_ack=True)
        self._client.reconnect_delay_set(1, 30)
        if settings.mqtt_username:
            self._client.username_pw_set(settings.mqtt_username, settings.mqtt_password.get_secret_value() if settings.mqtt_password else None)
        if self._parts.scheme == "mqtts":
            context = ssl.create_default_context(cafile=str(settings.mqtt_ca) if settings.mqtt_ca else None)
            self._client.tls_set_context(context)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._parted
        self._client.on_message = self._came
        self._log = structlog.get_logger("mqtt").bind(broker=self._parts.hostname)

    def open(self) -> None:
        """Begins to connect, and keeps at it."""
        self._client.connect_async(self._parts.hostname or "", self._parts.port or SCHEMES[self._parts.scheme], KEEPALIVE_S)
        self._client.loop_start()

    def close(self) -> None:
        """Parts from the broker, which keeps what was not acknowledged."""
        self._ending.set()
        self._client.disconnect()
        self._client.loop_stop()

    def waiting(self) -> list[Message]:
        """Up to AT_ONCE messages in the order they came, or none after LOOK_S. Blocks."""
        found: list[Message] = []
        try:
            found.append(self._held.get(timeout=LOOK_S))
            while len(found) < AT_ONCE:
                found.append(self._held.get_nowait())
        except queue.Empty:
            return found
        return found

    def done(self, messages: Iterable[Message]) -> None:
        """Acknowledges messages that came over the present connection; an older one's come again. There is room for others then."""
        for message in messages:
            with self._room:
                self._bytes -= len(message.body)
                self._room.notify()
            if message.qos and message.line == self._number:
                self._client.ack(message.mid, message.qos)

    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: paho.ReasonCode, _properties: object) -> None:
        if reason.is_failure:
            self._log.warning("mqtt.refused_by_broker", reason=str(reason))
            return
        self._number += 1
        client.subscribe(self._topic, qos=1)
        self._log.info("mqtt.connected", topic=self._topic)

    def _subscribed(self, client: paho.Client, _data: object, _mid: int, reasons: list[paho.ReasonCode], _properties: object) -> None:
        if not any(reason.is_failure for reason in reasons):
            return
        self._log.warning("mqtt.subscription_refused", topic=self._topic, remedy="let this user subscribe to the topic in the broker's access rules", again_s=REFUSED_S)
        self._ending.wait(REFUSED_S)
        if (line := client.socket()) is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _parted(self, _client: paho.Client, _data: object, _flags: object, reason: paho.ReasonCode, _properties: object) -> None:
        if not self._ending.is_set():
            self._log.warning("mqtt.parted", reason=str(reason))

    def _came(self, _client: paho.Client, _data: object, came: paho.MQTTMessage) -> None:
        levels = came.topic.split("/")
        body = came.payload[: LARGEST_BYTES + 1]
        message = Message(came.topic, levels[self._level] if self._level < len(levels) else "", body, came.mid, came.qos, self._number)
        with self._room:
            while self._bytes + len(body) > HELD_BYTES and not self._ending.is_set():
                self._room.wait(LOOK_S)
            self._bytes += len(body)
        while not self._ending.is_set():
            try:
                return self._held.put(message, timeout=LOOK_S)
            except queue.Full:
                continue


async def consume(line: Line, pool: AsyncConnectionPool, city_code: str) -> None:
    """Takes messages in until cancelled."""
    log = structlog.get_logger("mqtt")
    while True:
        messages = await asyncio.to_thread(line.waiting)
        while messages:
            try:
                await take(pool, messages, city_code)
            except LATER as error:
                log.warning("mqtt.later", error=str(error), held=len(messages))
                await asyncio.sleep(AGAIN_S)
            else:
                line.done(messages)
                break


async def work(settings: Settings) -> None:
    """Consumes until told to end."""
    if settings.database_url is None:
        raise Unavailable("缺少 HDQ_DATABASE_URL · HDQ_DATABASE_URL is not set", remedy="run: hdq up")
    line = Line(settings)
    async with make_pool(settings.database_url, size=2) as pool:
        working = asyncio.create_task(consume(line, pool, settings.city_code))
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, working.cancel)
        line.open()
        try:
            await working
        except asyncio.CancelledError:
            await asyncio.to_thread(line.close)


def main() -> None:
    """Runs the consumer with settings from the environment."""
    settings = Settings()
    logs.configure(settings, "mqtt")
    asyncio.run(work(settings))


if __name__ == "__main__":
    main()
