"""Batches from a broker: through the same door, once however often they come, only in their district; what can never be taken is set aside with its reason."""

import asyncio
import contextlib
import shutil
import socket
import subprocess

import nats
import psycopg
import pyarrow as pa
import pytest
from psycopg_pool import PoolTimeout

from gis_api.gateways import broker
from grid.database import make_pool, rows
from grid.errors import InvalidInput
from tests.gis_api.test_batches import arrow, as_json, item

SERVER = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


@pytest.fixture
async def pool(database_url, people):
    async with make_pool(database_url, size=3) as pool:
        yield pool


async def _count(pool) -> int:
    async with pool.connection() as connection:
        return (await rows(connection, "SELECT count(*) FROM observations"))[0]["count"]


async def test_a_batch_counts_once_and_in_its_district_only(pool):
    assert await broker.take(pool, "370202", arrow(5), broker.ARROW) == 5
    assert await broker.take(pool, "370202", as_json(*map(item, range(6))), "application/json") == 1
    with pytest.raises(InvalidInput, match="370212"):
        await broker.take(pool, "370212", as_json(item(9)), "application/json")
    assert await _count(pool) == 6


class _Given:
    """A stream and its one subscription, of messages given; then the end. Keeps what became of each."""

    def __init__(self, *bodies: bytes) -> None:
        self.waiting = [_Message(body) for body in bodies]
        self.messages, self.refused = list(self.waiting), []

    async def pull_subscribe(self, *_, **__) -> "_Given":
        return self

    async def fetch(self, *_, **__) -> list["_Message"]:
        if not self.waiting:
            raise asyncio.CancelledError
        return [self.waiting.pop(0)]

    async def publish(self, subject: str, body: bytes, headers: dict) -> None:
        self.refused.append((subject, body, headers["Hdq-Reason"]))


class _Message:
    def __init__(self, data: bytes) -> None:
        self.data, self.headers, self.became, self.told = data, {}, "", 0

    async def in_progress(self) -> None:
        self.told += 1

    async def ack(self) -> None:
        self.became = "ack"

    async def nak(self, delay: float) -> None:
        self.became = f"nak {delay}"

    async def term(self) -> None:
        self.became = "term"


async def test_a_poisonous_message_is_set_aside_and_the_next_one_is_taken(monkeypatch):
    raised = {b"poison": KeyError("no\nsuch"), b"wrong": InvalidInput("nothing"), b"down": psycopg.InterfaceError("gone"), b"busy": PoolTimeout(), b"net": OSError()}

    async def take(pool, district, body, media_type):
        if body in raised:
            raise raised[body]
        return 1

    monkeypatch.setattr(broker, "take", take)
    given = _Given(*raised, b"sound")
    with pytest.raises(asyncio.CancelledError):
        await broker._district(given, None, "370202", asyncio.Semaphore(1))
    assert [m.became for m in given.messages] == ["term", "term", "nak 2.0", "nak 2.0", "nak 2.0", "ack"]
    assert [(body, "\n" in reason) for _, body, reason in given.refused] == [(b"poison", False), (b"wrong", False)]
    assert "KeyError" in given.refused[0][2] and given.refused[0][0] == f"{broker.REFUSED}.370202"


async def test_one_consumer_works_on_one_batch_at_a_time_and_says_that_it_still_does(monkeypatch):
    monkeypatch.setattr(broker, "ACK_WAIT_S", 0.03)
    under_way, most = 0, 0

    async def take(pool, district, body, media_type):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return 1

    monkeypatch.setattr(broker, "take", take)
    room, given = asyncio.Semaphore(1), [_Given(b"one"), _Given(b"two")]
    await asyncio.gather(*(broker._district(each, None, "370202", room) for each in given), return_exceptions=True)
    assert most == 1 and [each.messages[0].became for each in given] == ["ack", "ack"]
    assert given[1].messages[0].told > 0, "it waited for its turn longer than the broker waits for an answer"


async def test_a_time_that_no_clock_shows_is_refused_by_its_value(pool):
    early = as_json(item(1, recorded_at="0001-01-01T00:00:00+14:00"))
    beyond = [arrow(1, recorded_at=pa.array([us], pa.timestamp("us", "UTC"))) for us in (2**62, -(2**62))]
    for body, media_type in ((early, "application/json"), *((each, broker.ARROW) for each in beyond)):
        with pytest.raises(InvalidInput, match="recorded_at"):
            await broker.take(pool, "370202", body, media_type)
    assert await _count(pool) == 0


@pytest.mark.skipif(SERVER is None, reason="nats-server is not installed (Debian: apt install nats-server)")
async def test_from_the_broker_to_the_table(pool, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen([SERVER, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = await nats.connect(f"nats://127.0.0.1:{port}", allow_reconnect=True, max_reconnect_attempts=50, reconnect_time_wait=0.1)
        stream = client.jetstream()
        await broker.prepare(stream)
        await broker.publish(stream, "370202", arrow(5), batch_id="a", media_type=broker.ARROW)
        await broker.publish(stream, "370202", arrow(5), batch_id="a", media_type=broker.ARROW)
        await broker.publish(stream, "370202", b"{", batch_id="b")
        await broker.publish(stream, "370202", arrow(8), batch_id="c", media_type=broker.ARROW)
        working = asyncio.create_task(broker.consume(client, pool, ["370202"], 1))
        async with asyncio.timeout(60):
            while await _count(pool) < 8 or (await stream.stream_info(broker.STREAM)).state.messages:
                await asyncio.sleep(0.05)
        refused = await stream.get_last_msg(f"{broker.STREAM}_REFUSED", f"{broker.REFUSED}.370202")
        assert refused.data == b"{" and "not JSON" in refused.headers["Hdq-Reason"]
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await client.close()
        assert await _count(pool) == 8
    finally:
        running.kill()
        running.wait()
