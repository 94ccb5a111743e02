"""Walk 1 while the database is killed: whatever was accepted is stored, once; every frame is examined, once; the event ids have no hole."""

import hashlib
import io
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from PIL import Image

from gis_api import embedded, supervisor
from grid import evidence
from grid.settings import ROOT, Settings
from imagery.cameras import carried, weights

pytestmark = pytest.mark.skipif(embedded.server_programs() is None, reason="no PostgreSQL server with PostGIS is installed; ./hdq up installs it")
PASSWORD = "haidongqing-demo"
SENDERS = 2
OBSERVATIONS, FRAMES = 75, 30
"""Operations of each sender; there are SENDERS of either kind."""
IMPATIENT_S, AWAY_S = 1.0, 2.5
"""A sender gives an answer up sooner than the database comes back, so that what it sends again may have been done meanwhile."""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    """A private cluster that forgets nothing, for this test to kill."""
    found = embedded.locate(tmp_path_factory.mktemp("cluster"))
    embedded.start(found)
    yield found
    embedded.destroy(found)


@pytest.fixture
def database_url(cluster: embedded.Cluster) -> str:
    """The migrated database of the private cluster, in place of the shared server's."""
    url = embedded.ensure_database(cluster)
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    command.upgrade(config, "head")
    return url


@pytest.fixture
def cameras(people, database_url: str) -> list[int]:
    """Street cameras, and a witness in the database that notes each time a frame leaves the queue."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE witness (frame_id bigint, state text)")
        connection.execute(
            """
            CREATE FUNCTION note_frame() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO witness VALUES (NEW.id, NEW.state); RETURN NULL; END $$
            """
        )
        connection.execute("CREATE TRIGGER note AFTER UPDATE OF state ON frames FOR EACH ROW EXECUTE FUNCTION note_frame()")
        return [
            connection.execute(
                """
                INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, detectors, region_code, geom)
                VALUES (%s, %s, 'street', 90, -10, 60, 100, '{vehicles}', '370202001', ST_SetSRID(ST_MakePoint(%s, 36.06), 4326)) RETURNING id
                """,
                [f"3702020011132{n:07d}", f"路口 {n}", 120.37 + 0.01 * n],
            ).fetchone()[0]
            for n in range(SENDERS)
        ]


@pytest.fixture
def product(settings: Settings, cameras, real_data) -> Iterator[Settings]:
    """The product as its keeper runs it, over the private cluster, with the real weights."""
    carried.take_from_data(weights.models_dir(settings.data_dir), real_data("weights").parent)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        running = settings.model_copy(update={"port": probe.getsockname()[1], "demo": False, "frame_backlog": 1000})
    supervisor.start(running)
    try:
        until(lambda: healthy(running), 60, lambda: said(running))
        yield running
    finally:
        supervisor.stop(running)


def until(check, seconds: float, words=lambda: ""):
    """Asks again until the answer is true; what it was then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come true within {seconds} s {words()}")


def healthy(settings: Settings) -> bool:
    try:
        checks = httpx.get(f"http://127.0.0.1:{settings.port}/api/health", timeout=30).json()["checks"]
    except (httpx.HTTPError, ValueError):
        return False
    return {"database", "worker"} <= {check["name"] for check in checks if check["ok"]}


def said(settings: Settings) -> str:
    return "\n".join(file.read_text(errors="replace")[-1500:] for file in sorted((settings.data_dir / "run").glob("*.*")) if file.suffix != ".pid")


def kill_whole(cluster: embedded.Cluster) -> int:
    """SIGKILL to the server and all its processes, in the middle of whatever they do; the server's process id."""
    server = embedded.server_pid(cluster)
    backends = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    for pid in (server, *map(int, backends)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return server


class Sender(threading.Thread):
    """Sends operations one after another, each with the same ids until it is accepted, and notes on disk what was accepted."""

    def __init__(self, settings: Settings, ledger: Path, operations: list[tuple[str, dict]]) -> None:
        super().__init__(daemon=True)
        self.operations, self.ledger, self.accepted, self.seen = operations, ledger, 0, Counter()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", headers={"X-HDQ-Client": "1"}, timeout=30)
        answer = self.client.post("/api/login", json={"username": "suanfa", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.client.timeout = IMPATIENT_S

    def run(self) -> None:
        with self.ledger.open("a") as book:
            for address, what in self.operations:
                answer = self._send(address, what)
                book.write(json.dumps(answer) + "\n")
                book.flush()
                os.fsync(book.fileno())
                self.accepted += 1

    def _send(self, address: str, what: dict) -> dict:
        while True:
            try:
                answer = self.client.post(address, **what)
            except httpx.HTTPError as error:
                self.seen[type(error).__name__] += 1
            else:
                self.seen[answer.status_code] += 1
                if answer.status_code == 202:
                    return answer.json()
            time.sleep(0.1)


def observation(sender: int, number: int, at: datetime) -> tuple[str, dict]:
    finding = {
        "source": f"sensor-{sender}", "source_event_id": f"event-{number}", "sensor_kind": "device", "kind": "garbage", "score": 0.9,
        "recorded_at": (at + timedelta(seconds=number)).isoformat(),
        "position": {"lon": 120.31 + 0.001 * number, "lat": 36.05 + 0.02 * sender, "accuracy_m": 10},
    }  # fmt: skip
    return "/api/observations", {"json": {"observations": [finding]}}


def frame(camera: int, number: int, at: datetime) -> tuple[str, dict]:
    pixels = np.random.default_rng([camera, number]).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    picture = io.BytesIO()
    Image.fromarray(pixels).resize((320, 240)).save(picture, "JPEG")
    data = {"recorded_at": (at + timedelta(seconds=5 * number)).isoformat()}
    return f"/api/cameras/{camera}/frames", {"files": {"file": ("f.jpg", picture.getvalue(), "image/jpeg")}, "data": data}


def test_nothing_accepted_is_lost_or_doubled_when_the_database_is_killed(product, cluster, cameras, tmp_path):
    at = datetime.now(UTC) - timedelta(minutes=30)
    senders = [Sender(product, tmp_path / f"observations-{n}", [observation(n, k, at) for k in range(OBSERVATIONS)]) for n in range(SENDERS)]
    senders += [Sender(product, tmp_path / f"frames-{camera}", [frame(camera, k, at) for k in range(FRAMES)]) for camera in cameras]
    total = SENDERS * (OBSERVATIONS + FRAMES)
    began = time.monotonic()

    def accepted() -> int:
        return sum(sender.accepted for sender in senders)

    for sender in senders:
        sender.start()
    until(lambda: accepted() >= total // 5, 60)
    os.kill(supervisor.standing(product, "worker").pid, signal.SIGKILL)
    until(lambda: accepted() >= total // 3, 60)
    killed = kill_whole(cluster)
    at_kill = accepted()
    time.sleep(AWAY_S)
    assert embedded.server_pid(cluster) is None and accepted() <= at_kill + len(senders), "accepted without a database"
    embedded.start(cluster)
    assert embedded.server_pid(cluster) != killed
    away = time.monotonic() - began
    for sender in senders:
        sender.join(90)
    assert accepted() == total > at_kill, f"{accepted()} of {total}: {[sender.seen for sender in senders]} {said(product)}"
    sent = time.monotonic() - began

    with psycopg.connect(product.database_url, autocommit=True) as connection:

        def ask(query: str) -> list[tuple]:
            return connection.execute(query).fetchall()

        until(lambda: ask("SELECT count(*) FROM frames WHERE state = 'queued'") == [(0,)], 75, lambda: said(product))
        until(lambda: ask("SELECT count(*) FROM observations WHERE fused_at IS NULL") == [(0,)], 60, lambda: said(product))
        entries = [json.loads(line) for sender in senders for line in sender.ledger.read_text().splitlines()]
        found = {(one["source"], one["source_event_id"], one["id"]) for entry in entries for one in entry.get("accepted", [])}
        stored = ask("SELECT source, source_event_id, id FROM observations WHERE source LIKE 'sensor-%'")
        assert found == set(stored) and len(stored) == SENDERS * OBSERVATIONS == len({row[:2] for row in stored})
        looked = {(entry["frame_id"], entry["sha256"]) for entry in entries if "frame_id" in entry}
        kept = ask("SELECT id, sha256 FROM frames")
        assert looked == set(kept) and len(kept) == SENDERS * FRAMES
        assert all(hashlib.sha256(evidence.read_bytes(product.data_dir, sha256)).hexdigest() == sha256 for _, sha256 in kept)
        assert sorted(ask("SELECT frame_id, state FROM witness")) == sorted((number, "done") for number, _ in kept)
        (events,) = ask("SELECT count(*), min(id), max(id), (SELECT last_id FROM event_clock) FROM events")
        assert events[0] == events[2] == events[3] and events[1] == 1, events
        assert ask("SELECT coalesce(sum(observation_count), 0) = (SELECT count(*) FROM observations WHERE alert_id IS NOT NULL) FROM alerts") == [(True,)]
    seen = sum((sender.seen for sender in senders), Counter())
    keeper = (product.data_dir / "run" / "keeper.out").read_text()
    assert keeper.count("worker ended with -9") == 1 and sum(seen.values()) > total, (seen, keeper)
    assert not [status for status in seen if isinstance(status, int) and status != 202 and status < 500], seen
    print(
        f"{total} operations, {at_kill} accepted when the database was killed, answers {dict(seen)}; database back after {away:.1f} s, all sent after "
        f"{sent:.1f} s, all examined after {time.monotonic() - began:.1f} s; {events[0]} events; ends of processes: {keeper.count(' ended with ')}"
    )
