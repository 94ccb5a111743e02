"""The live stream: no gap, no double, only the own region, and an end when the session ends."""

import asyncio
import json

import psycopg
import pytest

from gis_api import auth, sse
from gis_api.auth import COOKIE
from grid import events
from grid.database import Scope, connect


def parse(raw: bytes) -> list[dict]:
    """Server-sent events as dicts of their fields; comments are left out."""
    found = []
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if fields:
            found.append(fields)
    return found


async def yes() -> bool:
    return True


@pytest.fixture
async def hub(app_client):
    return app_client._transport.app.app.framework.state.hub


async def publish(url: str, region: str, count: int = 1) -> None:
    connection = await connect(url)
    for number in range(count):
        await events.publish(connection, "alert.opened", number, region, {"n": number})
        await connection.commit()
    await connection.close()


async def read(stream, wanted: int, timeout: float = 8) -> list[dict]:
    found: list[dict] = []
    async with asyncio.timeout(timeout):
        while len(found) < wanted:
            found += parse(await anext(stream))
    return found


async def test_hello_then_live_events_of_the_own_region_in_order(hub, database_url):
    stream = hub.stream(Scope("370202"), None, yes)
    hello = (await read(stream, 1))[0]
    assert hello["event"] == "hello" and hello["id"] == "0" and json.loads(hello["data"])["last_id"] == 0
    await publish(database_url, "370202001", 3)
    await publish(database_url, "370212", 2)
    await publish(database_url, "3702", 1)
    await publish(database_url, "370202", 1)
    found = await read(stream, 4)
    assert [int(item["id"]) for item in found] == [1, 2, 3, 7] and found[0]["event"] == "alert.opened"
    assert json.loads(found[1]["data"]) | {"created_at": ""} == {
        "id": 2, "kind": "alert.opened", "entity_id": "1", "region_code": "370202001", "created_at": "", "payload": {"n": 1},
    }  # fmt: skip
    await stream.aclose()
    assert hub.subscribers == 0


async def test_after_a_break_nothing_is_missed_and_nothing_comes_twice(hub, database_url):
    await publish(database_url, "3702", 1200)
    stream = hub.stream(Scope("3702"), 100, yes)
    first = await read(stream, 600)
    writer = asyncio.create_task(publish(database_url, "3702", 200))
    rest = await read(stream, 1 + 1300 - len(first), timeout=30)
    await writer
    ids = [int(item["id"]) for item in first + rest if item["event"] != "hello"]
    assert ids == list(range(101, 1401))
    await stream.aclose()


async def test_an_id_from_the_future_starts_from_now(hub, database_url):
    await publish(database_url, "3702", 2)
    stream = hub.stream(Scope("3702"), 999, yes)
    assert (await read(stream, 1))[0]["id"] == "2"
    await publish(database_url, "3702", 1)
    assert (await read(stream, 1))[0]["id"] == "3"
    await stream.aclose()


async def test_a_lost_notification_is_found_by_the_poll(hub, database_url, monkeypatch):
    stream = hub.stream(Scope("3702"), None, yes)
    await read(stream, 1)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE event_clock SET last_id = 1")
        connection.execute("INSERT INTO events (id, kind, entity_id, region_code) VALUES (1, 'alert.opened', '1', '3702')")
    assert (await read(stream, 1, timeout=30))[0]["id"] == "1"
    await stream.aclose()


async def test_a_slow_client_is_let_go_and_others_go_on(hub, database_url, monkeypatch):
    monkeypatch.setattr(sse, "QUEUE_MAX", 20)
    slow, quick = hub.stream(Scope("3702"), None, yes), hub.stream(Scope("3702"), None, yes)
    await read(slow, 1)
    await read(quick, 1)
    reading = asyncio.create_task(read(quick, 60, timeout=20))
    await publish(database_url, "3702", 60)
    assert [int(item["id"]) for item in await reading] == list(range(1, 61))
    got = parse(b"".join([part async for part in slow]))
    ids = [int(item["id"]) for item in got]
    assert ids == list(range(1, len(ids) + 1)) and len(ids) < 60
    again = hub.stream(Scope("3702"), ids[-1] if ids else 0, yes)
    assert [int(item["id"]) for item in await read(again, 61 - len(ids)) if item["event"] != "hello"] == list(range(len(ids) + 1, 61))
    await again.aclose()
    await quick.aclose()


async def test_the_stream_ends_with_the_session(hub, monkeypatch):
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.1)
    allowed = [True]

    async def still() -> bool:
        return allowed[0]

    stream = hub.stream(Scope("3702"), None, still)
    await read(stream, 1)
    allowed[0] = False
    rest = b"".join([part async for part in stream])
    assert parse(rest)[-1]["event"] == "bye"


async def test_a_killed_listener_and_reader_heal(hub, database_url):
    stream = hub.stream(Scope("3702"), None, yes)
    await read(stream, 1)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    await publish(database_url, "3702", 2)
    assert [item["id"] for item in await read(stream, 2, timeout=15)] == ["1", "2"]
    await stream.aclose()


async def test_the_route_wants_a_session_and_a_sound_id(app_client, login):
    assert (await app_client.get("/api/events")).status_code == 401
    await login(app_client, "linye")
    for bad in ("x", "-1", "1" * 30):
        assert (await app_client.get("/api/events", headers={"Last-Event-ID": bad})).status_code == 422


async def test_a_session_scope_is_remembered_briefly_and_forgotten_at_logout(app_client, login, monkeypatch):
    await login(app_client, "shinan")
    token = app_client.cookies[COOKIE]
    pool = app_client._transport.app.app.framework.state.pool
    assert (await auth.session_scope(pool, token)).prefix == "370202"
    await app_client.post("/api/logout")
    assert await auth.session_scope(pool, token) is None
    assert await auth.session_scope(pool, None) is None


async def test_what_happens_at_once_is_one_frame_that_clients_of_a_scope_share(hub, database_url):
    two = [hub.stream(Scope("370202"), None, yes) for _ in range(2)]
    other = hub.stream(Scope("370212"), None, yes)
    for stream in (*two, other):
        await read(stream, 1)
    await publish(database_url, "370202001", 1)
    await asyncio.gather(*(read(stream, 1) for stream in two))
    hub.hand_out([sse.Event(n, region, f"id: {n}\n\n".encode()) for n, region in ((2, "370202"), (3, "370212"), (4, "370202001"))])
    first, second, theirs = [await anext(stream) for stream in (*two, other)]
    assert first is second and [e["id"] for e in parse(first)] == ["2", "4"] and [e["id"] for e in parse(theirs)] == ["3"]
    assert hub.subscribers == 3
    for stream in (*two, other):
        await stream.aclose()
    assert hub.subscribers == 0


def test_a_frame_that_was_half_sent_gives_its_rest():
    frame = sse.Frame(tuple(sse.Event(n, "3702", b"%d" % n) for n in (4, 5, 6)), b"456")
    assert [frame.after(n) for n in (0, 3, 4, 5, 6, 9)] == [b"456", b"456", b"56", b"6", b"", b""]
    assert sse.Frame((), sse.HEARTBEAT).after(99) == sse.HEARTBEAT
