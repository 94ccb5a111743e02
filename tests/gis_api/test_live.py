"""The real server and worker as processes: streaming through real HTTP, and what a kill leaves behind."""

import json
import time

import httpx
import psycopg
import pytest

from gis_api.auth import COOKIE
from grid.settings import Settings

pytestmark = pytest.mark.live


def publish(settings: Settings, region: str) -> int:
    """Publishes that an alert was opened, as the product does; gives the event's id. Jobs of the worker publish events of their own meanwhile."""
    with psycopg.connect(settings.database_url) as connection:
        (number,) = connection.execute("UPDATE event_clock SET last_id = last_id + 1 RETURNING last_id").fetchone()
        connection.execute("INSERT INTO events (id, kind, entity_id, region_code) VALUES (%s, 'alert.opened', %s, %s)", [number, str(number), region])
        connection.execute("SELECT pg_notify('hdq_events', %s)", [str(number)])
    return number


def events_of(lines, wanted: int) -> list[dict]:
    """Reads until `wanted` opened alerts have come."""
    found = []
    for line in lines:
        if line.startswith("data: ") and '"alert.opened"' in line:
            found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == wanted:
                break
    return found


def test_the_stream_survives_a_killed_server_without_a_gap(live):
    client = live.login("linye")
    with client.stream("GET", "/api/events", timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        began = time.monotonic()
        first = publish(live.settings, "370202001")
        assert events_of(lines, 1)[0]["id"] == first
        assert time.monotonic() - began < 2
    live.kill("server")
    unheard = [publish(live.settings, "370212"), publish(live.settings, "3702")]
    live.start("server")
    live.wait()
    with client.stream("GET", "/api/events", headers={"Last-Event-ID": str(first)}, timeout=60) as answer:
        assert [event["id"] for event in events_of(answer.iter_lines(), 2)] == unheard


def test_a_district_s_stream_holds_nothing_of_another(live):
    client = live.login("shinan")
    with client.stream("GET", "/api/events", timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        for region in ("370212", "3702", "370202"):
            publish(live.settings, region)
        assert [event["region_code"] for event in events_of(lines, 1)] == ["370202"]


def test_a_killed_worker_s_heartbeat_fades_and_a_new_one_is_seen(live):
    client = live.login("admin")
    live.kill("worker")
    live.start("worker")
    live.wait()
    status = client.get("/api/status").json()
    assert {check["name"]: check["ok"] for check in status["health"]["checks"]}["worker"]


def test_logs_hold_no_secret_and_the_session_cookie_is_the_only_key(live):
    client = live.login("linye")
    token = client.cookies[COOKIE]
    assert httpx.get(f"{live.url}/api/status").status_code == 401
    client.post("/api/login", json={"username": "linye", "password": "canary-password-7381"})
    text = "".join(file.read_text(errors="replace") for file in (live.settings.data_dir / "run").iterdir() if file.is_file())
    assert token not in text and "canary-password-7381" not in text and "haidongqing-demo" not in text
