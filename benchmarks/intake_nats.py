"""Part of benchmarks.intake: consumers of a NATS JetStream in processes of their own, one and two, and one of two killed half-way."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nats
import psycopg
from nats.js.errors import NotFoundError

from benchmarks.ingest import ACROSS, SOUTH, STEP, UP, WEST
from gis_api.gateways import broker
from gis_api.wire.batches import ARROW
from grid.sensing.columns import Columns

BATCHES, SIZE = 32, 2500
DISTRICTS = ("370202", "370203", "370212", "370213")


@contextmanager
def server() -> Iterator[str]:
    """A NATS server with JetStream on a free port of this machine; FileNotFoundError where there is none installed."""
    program = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if program is None:
        raise FileNotFoundError("nats-server is not installed (Debian: apt install nats-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        running = subprocess.Popen([program, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"nats://127.0.0.1:{port}"
        finally:
            running.kill()
            running.wait()


def spread(url: str) -> None:
    """Three districts more, so that there is something to do side by side: their own strips of the bench's district."""
    with psycopg.connect(url) as connection:
        for number, code in enumerate(DISTRICTS[1:], 1):
            connection.execute(
                "INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, 2, %s, '3702', ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4326)))",
                (code, code, WEST + number, SOUTH, WEST + number + STEP * ACROSS, SOUTH + STEP * UP),
            )


def _consumer(url: str, address: str, folder: str, at_once: int) -> subprocess.Popen:
    environment = {**os.environ, "HDQ_NATS_AT_ONCE": str(at_once), "HDQ_NATS_URL": address, "HDQ_DATABASE_URL": url, "HDQ_DATA_DIR": folder, "HDQ_LOG_LEVEL": "error"}
    return subprocess.Popen([sys.executable, "-m", "gis_api.gateways.broker"], env=environment, cwd=Path(__file__).resolve().parent.parent, stdout=subprocess.DEVNULL)


def _bodies(drawn: Callable[[int, int], Columns], encode: Callable[[Columns], bytes], seed: int, batches: int) -> list[tuple[str, bytes]]:
    bodies = []
    for number in range(batches):
        which = number % len(DISTRICTS)
        batch = drawn(SIZE, seed + number)
        batch.lon[:] += which
        bodies.append((DISTRICTS[which], encode(batch)))
    return bodies


async def _send(address: str, bodies: list[tuple[str, bytes]], listening: int) -> None:
    """Publishes batches once so many consumers listen."""
    client = await nats.connect(address)
    stream = client.jetstream()
    await broker.prepare(stream)
    while listening:
        with contextlib.suppress(NotFoundError):
            if (await stream.consumer_info(broker.STREAM, f"intake-{DISTRICTS[-1]}")).num_waiting >= listening:
                break
        await asyncio.sleep(0.2)
    for district, body in bodies:
        await broker.publish(stream, district, body, batch_id=secrets.token_hex(8), media_type=ARROW)
    await client.close()


def _stored(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT count(*) FROM observations").fetchone()[0]


def _numbered(connection: psycopg.Connection) -> int:
    """The last id that a row got: tells how far they are at a thousandth of what counting them costs the two cores that are measured."""
    return connection.execute("SELECT last_value FROM observations_id_seq").fetchone()[0]


def _spent(connection: psycopg.Connection, consumers: list[subprocess.Popen]) -> float:
    """CPU seconds of consumers and of the database processes that serve them; NaN where those run elsewhere."""
    served = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").fetchall()
    try:
        return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9 for pid in [each.pid for each in consumers] + [pid for (pid,) in served])
    except OSError:
        return float("nan")


def _drain(url: str, address: str, drawn, encode, consumers: int, seed: int, kill: bool = False, at_once: int = 1) -> tuple[float, int, float]:
    """Seconds a finding, from the first to the last row, of so many consumers, already at work; rows that are missing at the end; and cores kept busy."""
    with TemporaryDirectory() as folder, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE observations, procrastinate_jobs, events CASCADE")
        bodies, first = _bodies(drawn, encode, seed, BATCHES), _bodies(drawn, encode, seed + BATCHES, 4 * len(DISTRICTS))
        processes = [_consumer(url, address, folder, at_once) for _ in range(consumers)]
        try:
            asyncio.run(_send(address, first, consumers))
            while _stored(connection) < len(first) * SIZE:
                time.sleep(0.1)
            connection.execute("TRUNCATE observations, procrastinate_jobs, events CASCADE")
            wanted, deadline, before = BATCHES * SIZE, time.time() + 120, _numbered(connection)
            asyncio.run(_send(address, bodies, 0))
            started = None
            while ((stored := _numbered(connection) - before) < wanted or _stored(connection) < wanted) and time.time() < deadline:
                if stored and started is None:
                    stored = _stored(connection)
                    started = (time.perf_counter(), stored, _spent(connection, processes))
                if kill and stored > wanted // 3:
                    processes[0].send_signal(signal.SIGKILL)
                    kill = False
                time.sleep(0.02)
            if started is None:
                return float("inf"), wanted, 0.0
            took = time.perf_counter() - started[0]
            cores = (_spent(connection, processes) - started[2]) / took
            return took / max(1, wanted - started[1]), wanted - _stored(connection), cores
        finally:
            for each in processes:
                each.kill()
                each.wait()


def measure(url: str, drawn, encode, rounds: int) -> dict:
    """Findings a second of one consumer and of two, each with one batch at a time, and of one that works on all districts at once, in turn, with the
    cores that each kept busy; and what is missing after one of two was killed."""
    spread(url)
    ways = {"one": (1, 1), "two": (2, 1), "wide": (1, len(DISTRICTS))}
    found: dict[str, list[tuple[float, int, float]]] = {name: [] for name in ways}
    with server() as address:
        for number in range(rounds):
            for place, (name, (consumers, at_once)) in enumerate(ways.items()):
                found[name].append(_drain(url, address, drawn, encode, consumers, 1_000_000 * (10 * number + place + 1), at_once=at_once))
        lost = _drain(url, address, drawn, encode, 2, 900_000_000, kill=True)[1]
    middle = {name: sorted(each)[len(each) // 2] for name, each in found.items()}
    return {name: 1 / took for name, (took, _, _) in middle.items()} | {"lost": lost, "cores": {name: cores for name, (_, _, cores) in middle.items()}}
