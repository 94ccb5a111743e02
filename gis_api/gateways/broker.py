"""Beyond one machine: batches of findings from NATS JetStream, one consumer for each district, through the same door.

`HDQ_NATS_URL=nats://… python -m gis_api.gateways.broker`, as often and on as many machines as wanted. A message on `observations.<district>` (or the
city's code) is what is POSTed to /api/observations/batch, JSON or Arrow by its Content-Type. It is acknowledged after the commit, so what a killed
consumer held comes again, to another; the two ids of a finding make it the same finding then. One batch of a district is under way at a time,
whoever has it: districts run beside each other, each in its order. One consumer works on one batch at a time (HDQ_NATS_AT_ONCE), so it keeps one core
and one batch of memory: start as many as there are cores. What can never be taken goes to `observations-refused.<district>` with the reason.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import psycopg
import structlog
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as Silence
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gis_api import logs
from gis_api.wire.batches import ARROW, from_arrow, from_json
from grid.database import Scope, driver_errors, make_pool, rows
from grid.errors import HdqError, InvalidInput, Unavailable
from grid.sensing import intake
from grid.settings import Settings

STREAM = "HDQ_OBSERVATIONS"
SUBJECT = "observations"
REFUSED = "observations-refused"
ACK_WAIT_S = 10.0
FETCH_S = 2.0
AGAIN_S = 2.0


async def prepare(stream: JetStreamContext) -> None:
    """The stream of batches and that of refused ones, where they are not yet: kept on disk until acknowledged, or for a week."""
    week = 7 * 86_400.0
    await stream.add_stream(StreamConfig(name=STREAM, subjects=[f"{SUBJECT}.*"], retention=RetentionPolicy.WORK_QUEUE, max_age=week, duplicate_window=120.0))
    await stream.add_stream(StreamConfig(name=f"{STREAM}_REFUSED", subjects=[f"{REFUSED}.*"], max_age=week, max_bytes=2**30))


async def publish(stream: JetStreamContext, district: str, body: bytes, *, batch_id: str, media_type: str = "application/json") -> None:
    """Hands a batch to the broker; returns when it is on its disk. The same `batch_id` within two minutes is the same message."""
    await stream.publish(f"{SUBJECT}.{district}", body, headers={"Nats-Msg-Id": batch_id, "Content-Type": media_type})


async def consume(client: Client, pool: AsyncConnectionPool, districts: list[str], at_once: int) -> None:
    """Takes batches in until cancelled, of so many districts at once; those of the others wait their turn, here or in another consumer."""
    stream = client.jetstream()
    await prepare(stream)
    room = asyncio.Semaphore(at_once)
    async with asyncio.TaskGroup() as group:
        for district in districts:
            group.create_task(_district(stream, pool, district, room))


@asynccontextmanager
async def _kept(message: Msg) -> AsyncIterator[None]:
    """Tells the broker that a message is still being worked on, or it would go to another consumer too. A killed consumer tells nothing."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            await message.in_progress()

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _district(stream: JetStreamContext, pool: AsyncConnectionPool, district: str, room: asyncio.Semaphore) -> None:
    config = ConsumerConfig(ack_wait=ACK_WAIT_S, max_ack_pending=1)
    waiting = await stream.pull_subscribe(f"{SUBJECT}.{district}", durable=f"intake-{district}", stream=STREAM, config=config)
    log = structlog.get_logger("broker").bind(district=district)
    while True:
        try:
            (message,) = await waiting.fetch(1, timeout=FETCH_S)
        except (Silence, TimeoutError):
            continue
        try:
            async with _kept(message), room:
                count = await take(pool, district, message.data, (message.headers or {}).get("Content-Type", ""))
        except (Unavailable, psycopg.Error, PoolTimeout, OSError) as error:
            log.warning("broker.later", error=str(error))
            await message.nak(delay=AGAIN_S)
        except HdqError as error:
            log.warning("broker.refused", detail=error.detail, remedy=error.remedy)
            await _refuse(stream, district, message, error.detail)
        except Exception as error:
            log.exception("broker.poison")
            await _refuse(stream, district, message, f"unforeseen: {type(error).__name__}: {error}")
        else:
            await message.ack()
            log.debug("broker.taken", new=count)


async def take(pool: AsyncConnectionPool, district: str, body: bytes, media_type: str) -> int:
    """One batch through the door, committed when this returns; how many findings were new. Raises HdqError for one that can never be taken."""
    given = await asyncio.to_thread(from_arrow if media_type == ARROW else from_json, body)
    async with driver_errors(), pool.connection() as connection:
        scope = Scope(district)
        taken = await intake.accept_columns(connection, given, scope=scope)
        outside = taken.first_outside(scope)
        if outside is not None:
            raise InvalidInput(f"observations[{outside}] 位于 {district} 之外 · lies outside {district}", remedy="publish it under its own district, or under the city")
    return int(taken.new.sum())


async def _refuse(stream: JetStreamContext, district: str, message: Msg, reason: str) -> None:
    headers = {"Content-Type": (message.headers or {}).get("Content-Type", "application/json"), "Hdq-Reason": _ascii(reason)}
    await stream.publish(f"{REFUSED}.{district}", message.data, headers=headers)
    await message.term()


def _ascii(reason: str) -> str:
    """A text as a header of the broker may hold it: one line of printable ASCII."""
    return " ".join(reason.encode("ascii", "replace").decode().split())[:500]


async def work(settings: Settings) -> None:
    """Consumes for every district and the city until told to end."""
    if settings.nats_url is None or settings.database_url is None:
        raise Unavailable("消费者缺少 HDQ_NATS_URL 或 HDQ_DATABASE_URL · the consumer lacks one of them", remedy="set both")
    async with make_pool(settings.database_url, size=settings.pool_size) as pool:
        async with pool.connection() as connection:
            districts = [r["code"] for r in await rows(connection, "SELECT code FROM regions WHERE level <= 2 ORDER BY code")]
        client = await nats.connect(settings.nats_url, max_reconnect_attempts=-1, name="haidongqing")
        working = asyncio.create_task(consume(client, pool, districts, settings.nats_at_once))
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, working.cancel)
        try:
            await working
        except asyncio.CancelledError:
            await client.close()


def main() -> None:
    """Runs one consumer with settings from the environment."""
    settings = Settings()
    logs.configure(settings, "broker")
    uvloop.run(work(settings))


if __name__ == "__main__":
    main()
