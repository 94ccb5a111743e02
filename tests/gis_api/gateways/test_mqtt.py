"""Findings over MQTT: acknowledged after they are stored and not before, as the device whose topic it is and no other, bad ones set aside with the reason."""

import asyncio
import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import structlog
from paho.mqtt import client as paho
from pydantic import ValidationError

from gis_api import supervisor
from gis_api.gateways import mqtt, mqtt_devices
from gis_api.gateways.mqtt import Line, Message
from grid.database import Scope, make_pool, rows
from grid.errors import Forbidden, InvalidInput, TooLarge
from grid.settings import Settings
from tests.gis_api.gateways import mqtt_broker

NOW = datetime.now(UTC)
DEVICE = mqtt_devices.Device("lamp-7", "灯杆", ["/devices/lamp-7"], [], "370202", None, 0, NOW)
CODE = "37020200001310000001"


def seen(number: int, **more: object) -> dict:
    """An observation in 市南, without a source of its own."""
    return {
        "source_event_id": f"e{number}", "sensor_kind": "device", "kind": "garbage", "score": 0.7,
        "recorded_at": (NOW - timedelta(seconds=30)).isoformat(), "position": {"lon": 120.38, "lat": 36.06, "accuracy_m": 20},
    } | more  # fmt: skip


def event(number: int, source: str = "/devices/lamp-7") -> dict:
    """The same as a CloudEvent."""
    data = seen(number)
    return {"specversion": "1.0", "type": "cn.haidongqing.observation", "id": data.pop("source_event_id"), "source": source, "time": data.pop("recorded_at"), "data": data}


def body(sent: object) -> bytes:
    return json.dumps(sent).encode()


def came(*bodies: bytes, username: str = "lamp-7") -> list[Message]:
    return [Message(f"hdq/observations/{username}", username, each, number, 1, 1) for number, each in enumerate(bodies)]


@pytest.fixture
async def pool(database_url, people):
    async with make_pool(database_url, size=3) as pool:
        async with pool.connection() as connection:
            await connection.execute(
                """INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, region_code, geom)
                SELECT code, '灯杆', 'street', 0, 0, 60, 80, '370202001001', ST_SetSRID(ST_MakePoint(120.38, 36.06), 4326)
                FROM unnest(%(codes)s::text[]) AS code""",
                {"codes": [CODE, CODE[:-1] + "2"]},
            )
            await mqtt_devices.add(connection, Scope("370202"), "lamp-7", "灯杆 7", ["/devices/lamp-7"], [CODE], people["admin"])
        yield pool


async def asked(pool, query: str) -> list[dict]:
    async with pool.connection() as connection:
        return await rows(connection, query)


async def until(wanted) -> None:
    async with asyncio.timeout(60):
        while not await wanted():
            await asyncio.sleep(0.02)


def test_a_message_is_read_as_the_device_it_came_from():
    found = mqtt.findings_of(body(seen(1)), DEVICE, frozenset())
    assert [(f.source, f.source_event_id, f.kind) for f in found] == [("mqtt:lamp-7", "e1", "garbage")]
    assert [f.source for f in mqtt.findings_of(body([event(1), event(2)]), DEVICE, frozenset())] == ["mqtt:lamp-7//devices/lamp-7"] * 2
    assert len(mqtt.findings_of(body({"observations": [seen(1), seen(2)]}), DEVICE, frozenset())) == 2
    assert mqtt.findings_of(body(seen(1, camera_id=5)), DEVICE, frozenset({5}))[0].camera_id == 5
    for wrong in (seen(1, source="lamp-8"), event(1, "/devices/lamp-8"), seen(1, camera_id=6), seen(1, source="viirs-snpp")):
        with pytest.raises(Forbidden):
            mqtt.findings_of(body(wrong), DEVICE, frozenset({5}))
    for wrong in (b"{", b"7", b'"x"', b"[]", body({"observations": []}), body({"observations": 3}), body({"score": 2}), body(event(1) | {"type": "x"}), body([[]]), b"\xff"):
        with pytest.raises(InvalidInput):
            mqtt.findings_of(wrong, DEVICE, frozenset())
    with pytest.raises(TooLarge):
        mqtt.findings_of(b" " * (mqtt.LARGEST_BYTES + 1), DEVICE, frozenset())


async def test_what_is_sound_is_stored_once_and_what_is_not_is_set_aside_with_its_reason(pool):
    far = seen(9, position={"lon": 120.62, "lat": 36.2, "accuracy_m": 5})
    lied = came(body(seen(3, source="lamp-8")))
    await mqtt.take(pool, [*came(body(seen(1)), b"{", body(seen(2)), body(seen(1)), body(far)), *came(body(seen(4)), username="stranger"), *lied, *lied], "3702")
    assert await asked(pool, "SELECT source, source_event_id FROM observations ORDER BY id") == [{"source": "mqtt:lamp-7", "source_event_id": f"e{n}"} for n in (1, 2)]
    letters = await asked(pool, "SELECT username, times, region_code, reason FROM mqtt_dead_letters ORDER BY id")
    assert [(each["username"], each["times"], each["region_code"]) for each in letters] == [
        ("lamp-7", 1, "370202"), ("lamp-7", 1, "370202"), ("stranger", 1, "3702"), ("lamp-7", 2, "370202"),
    ]  # fmt: skip
    for each, word in zip(letters, ("no JSON", "lies outside 370202", "no device is registered", "no source of lamp-7"), strict=True):
        assert word in each["reason"]
    await mqtt.take(pool, [came(body(seen(number, source=f"lamp-{number}")))[0] for number in range(20, 30)], "3702")
    audited = await asked(pool, "SELECT detail -> 'times' AS times FROM audit WHERE action = 'mqtt.spoofed' AND entity = 'mqtt/lamp-7' ORDER BY id")
    assert [each["times"] for each in audited] == [1, 10], "not a row for each of twelve"
    assert (await asked(pool, "SELECT taken, seen_at IS NOT NULL AS seen FROM mqtt_devices"))[0] == {"taken": 2, "seen": True}


async def test_what_nobody_foresaw_is_set_aside_and_the_consumer_lives(pool, monkeypatch):
    sound = mqtt.findings_of

    def failing(body, device, cameras):
        if b"boom" in body:
            raise RecursionError("boom")
        return sound(body, device, cameras)

    monkeypatch.setattr(mqtt, "findings_of", failing)
    deep = body(seen(2, properties={"a": 1})).replace(b'{"a": 1}', b'{"a":' * 1015 + b"1" + b"}" * 1015)
    await mqtt.take(pool, came(b"boom 1", b"boom 2", body(seen(1)), deep), "3702")
    letters = await asked(pool, "SELECT body, reason FROM mqtt_dead_letters ORDER BY id")
    assert [bytes(each["body"]) for each in letters] == [b"boom 1", b"boom 2", deep]
    assert [each["reason"] for each in letters[:2]] == ["unforeseen: RecursionError: boom"] * 2 and "properties" in letters[2]["reason"]
    assert await asked(pool, "SELECT source_event_id FROM observations") == [{"source_event_id": "e1"}]


async def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_lost(pool, monkeypatch):
    tries, acknowledged = [], []
    sound = mqtt.take

    async def take(pool, messages, city_code):
        tries.append(len(messages))
        if len(tries) < 3:
            assert not acknowledged
            raise psycopg.OperationalError("away")
        await sound(pool, messages, city_code)

    class Given:
        left = [came(*(body(seen(n)) for n in range(3)))]

        def waiting(self):
            return self.left.pop() if self.left else []

        def done(self, messages):
            acknowledged.extend(message.mid for message in messages)
            working.cancel()

    monkeypatch.setattr(mqtt, "take", take)
    monkeypatch.setattr(mqtt, "AGAIN_S", 0.01)
    working = asyncio.create_task(mqtt.consume(Given(), pool, "3702"))
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(working, 60)
    assert tries == [3, 3, 3] and acknowledged == [0, 1, 2]
    assert (await asked(pool, "SELECT count(*) AS n FROM observations"))[0]["n"] == 3


async def test_from_the_broker_to_the_table_through_a_cut_line(pool, database_url, monkeypatch):
    begun, may = asyncio.Event(), asyncio.Event()
    sound = mqtt.take

    async def take(pool, messages, city_code):
        begun.set()
        await may.wait()
        await sound(pool, messages, city_code)

    monkeypatch.setattr(mqtt, "take", take)
    async with mqtt_broker.running() as (broker, port):
        settings = Settings(
            database_url=database_url, mqtt_url=f"mqtt://127.0.0.1:{port}", connector_hosts=f"127.0.0.1:{port}", mqtt_username="haidongqing", mqtt_password="broker-password"
        )
        line = Line(settings)
        working = asyncio.create_task(mqtt.consume(line, pool, "3702"))
        line.open()
        try:
            await until(lambda: asyncio.sleep(0, bool(broker.subscribed)))
            for number in range(5):
                broker.publish("hdq/observations/lamp-7", body(event(number)))
            broker.publish("hdq/observations/lamp-7", body(seen(7)), qos=0)
            broker.publish("hdq/observations/lamp-7", b"not json")
            await asyncio.wait_for(begun.wait(), 60)
            assert broker.acknowledged == 0 and len(broker.inflight) == 6
            broker.cut()
            await until(lambda: asyncio.sleep(0, len(broker.subscribed) == 2))
            may.set()
            await until(lambda: asyncio.sleep(0, not broker.inflight))
        finally:
            working.cancel()
            await asyncio.to_thread(line.close)
        with contextlib.suppress(asyncio.CancelledError):
            await working
    stored = await asked(pool, "SELECT source_event_id FROM observations ORDER BY 1")
    assert [each["source_event_id"] for each in stored] == ["e0", "e1", "e2", "e3", "e4", "e7"]
    assert [bytes(each["body"]) for each in await asked(pool, "SELECT body FROM mqtt_dead_letters")] == [b"not json"]
    assert set(broker.subscribed) == {"hdq/observations/+"} and set(broker.signed_in) == {("haidongqing", "broker-password")} and not any(broker.clean)


async def test_a_refused_subscription_is_told_and_asked_for_again(monkeypatch):
    monkeypatch.setattr(mqtt, "REFUSED_S", 0.01)
    found: list[Message] = []

    async def heard() -> bool:
        found.extend(await asyncio.to_thread(line.waiting))
        return bool(found)

    async with mqtt_broker.running() as (broker, port):
        broker.refusals = 1
        with structlog.testing.capture_logs() as told:
            line = Line(Settings(mqtt_url=f"mqtt://127.0.0.1:{port}", connector_hosts=f"127.0.0.1:{port}"))
            line.open()
            try:
                await until(lambda: asyncio.sleep(0, len(broker.subscribed) == 2))
                broker.publish("hdq/observations/lamp-7", b"heard")
                await until(heard)
            finally:
                await asyncio.to_thread(line.close)
        assert [each["topic"] for each in told if each["event"] == "mqtt.subscription_refused"] == ["hdq/observations/+"]


def test_only_a_host_on_the_list_and_no_password_in_the_address():
    with pytest.raises(InvalidInput, match="HDQ_CONNECTOR_HOSTS|not on the list"):
        Line(Settings(mqtt_url="mqtt://broker.example.cn", connector_hosts="other.example.cn"))
    for address in ("mqtt://user:secret@broker.example.cn", "http://broker.example.cn"):
        with pytest.raises(ValidationError, match="mqtt_url"):
            Settings(mqtt_url=address)
    for topic in ("hdq/observations", "hdq/#", "+/+"):
        with pytest.raises(ValidationError, match="mqtt_topic"):
            Settings(mqtt_topic=topic)


def test_messages_wait_outside_while_too_many_bytes_are_held(monkeypatch):
    def message(size: int) -> paho.MQTTMessage:
        given = paho.MQTTMessage(topic=b"hdq/observations/lamp-7")
        given.payload = b"x" * size
        return given

    monkeypatch.setattr(mqtt, "HELD_BYTES", mqtt.LARGEST_BYTES + 1)
    line = Line(Settings(mqtt_url="mqtt://broker.example.cn", connector_hosts="broker.example.cn"))
    line._came(None, None, message(mqtt.LARGEST_BYTES + 500))
    second = threading.Thread(target=line._came, args=(None, None, message(2)), daemon=True)
    second.start()
    first = line.waiting()
    assert [len(each.body) for each in first] == [mqtt.LARGEST_BYTES + 1] and line.waiting() == [] and second.is_alive()
    line.done(first)
    second.join(20)
    assert [each.body for each in line.waiting()] == [b"xx"]


async def test_no_more_is_read_once_a_batch_is_too_large(pool, monkeypatch):
    read = []
    sound = mqtt.findings_of
    monkeypatch.setattr(mqtt, "findings_of", lambda body, *of: read.append(body) or sound(body, *of))
    monkeypatch.setattr(mqtt.intake, "LARGEST_BATCH", 2)
    async with pool.connection() as connection:
        with pytest.raises(TooLarge):
            await mqtt.store(connection, "lamp-7", [body(seen(number)) for number in range(9)])
    assert len(read) == 3


async def test_an_administrator_lets_devices_in_and_tries_dead_letters_again(app_client, login, settings):
    await login(app_client, "admin")
    async with make_pool(settings.database_url, size=2) as pool:
        await mqtt.take(pool, came(body(seen(1)), b"{", username="lamp-9"), "3702")
    letters = (await app_client.get("/api/mqtt/dead-letters")).json()
    assert [(each["text"], each["username"]) for each in letters] == [("{", "lamp-9"), (body(seen(1)).decode(), "lamp-9")]
    retry = f"/api/mqtt/dead-letters/{letters[1]['id']}/retry"
    assert (await app_client.post(retry)).status_code == 404
    wanted = {"username": "lamp-9", "name": "灯杆 9", "sources": ["/l9"]}
    assert (await app_client.post("/api/mqtt/devices", json=wanted | {"cameras": ["1" * 20]})).status_code == 422
    assert (await app_client.post("/api/mqtt/devices", json=wanted)).json()["region_code"] == "3702"
    assert (await app_client.post("/api/mqtt/devices", json=wanted)).status_code == 409
    assert (await app_client.post(retry)).json() == {"new": 1} and (await app_client.post(retry)).status_code == 404
    assert (await app_client.delete(f"/api/mqtt/dead-letters/{letters[0]['id']}")).status_code == 204
    assert (await app_client.get("/api/mqtt/dead-letters")).json() == []
    listed = (await app_client.get("/api/mqtt/devices")).json()
    assert listed["address"] is None and [(each["username"], each["taken"]) for each in listed["devices"]] == [("lamp-9", 1)]
    assert (await app_client.delete("/api/mqtt/devices/lamp-9")).status_code == 204
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute("SELECT array_agg(action ORDER BY id) FROM audit WHERE entity = 'mqtt/lamp-9'").fetchone()[0] == [
            "mqtt.added", "mqtt.retried", "mqtt.discarded", "mqtt.removed",
        ]  # fmt: skip


def test_a_consumer_is_kept_where_a_broker_is_named_and_its_password_reaches_it(tmp_path):
    given = {"data_dir": tmp_path, "mqtt_url": "mqtts://broker.example.cn", "mqtt_password": "broker-password"}
    named = {service.name: service.module for service in supervisor.services(Settings(**given))}
    assert named["mqtt"] == "gis_api.gateways.mqtt" and "mqtt" not in {service.name for service in supervisor.services(Settings(data_dir=tmp_path))}
    assert supervisor.environment(Settings(**given))["HDQ_MQTT_PASSWORD"] == "broker-password" and "broker-password" not in str(Settings(**given))
