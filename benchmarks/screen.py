"""From a finding to the eye: POSTed observation -> row on the wall, and accepted camera frame -> row on the wall.

    python -m benchmarks.screen [--rounds 10]

Runs against the installation that `hdq up` started, through its real HTTP, worker, fusion, stream and client in headless Chromium. The limit
it is compared with is the same wall polling nothing: the time the server itself needs until the alert is stored (POST -> row in GET /api/alerts).
Clocks: everything runs on one machine, so Date.now() in the page and time.time() here are one clock.
"""

import argparse
import json
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
from playwright.sync_api import Page, sync_playwright

from gis_api import address
from grid.settings import Settings

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
PASSWORD = "haidongqing-demo"
PATIENCE_S = 10.0
WATCH = """
() => {
  window.__seen = [];
  const note = () => {
    for (const row of document.querySelectorAll('[data-testid^="alert-"][data-version]')) {
      const key = `${row.dataset.testid.slice(6)}:${row.dataset.version}`;
      if (!window.__seen.some((s) => s.key === key)) window.__seen.push({ key, id: Number(row.dataset.testid.slice(6)), at: Date.now() });
    }
  };
  note();
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
}
"""


def sign_in(url: str, username: str) -> httpx.Client:
    """A client with a session of its own."""
    client = httpx.Client(base_url=url, headers={"X-HDQ-Client": "1"}, timeout=60)
    client.post("/api/login", json={"username": username, "password": PASSWORD}).raise_for_status()
    return client


def open_wall(page: Page, url: str) -> None:
    """The wall as the commander sees it, with every new row and version noted with its time."""
    page.goto(f"{url}/login")
    page.click('[data-testid="account-zhihui"]')
    page.wait_for_selector('[data-testid="wall"]')
    page.wait_for_selector('[data-testid^="alert-"][data-version], [data-testid="state-empty"]')
    page.wait_for_timeout(4000)
    page.evaluate(WATCH)


def on_screen(page: Page, alert_id: int, since: float, patience_s: float = PATIENCE_S) -> float | None:
    """Epoch seconds when a row of this alert first appeared or changed after `since`; None when it did not."""
    end = time.time() + patience_s
    while time.time() < end:
        times = page.evaluate("(a) => window.__seen.filter((s) => s.id === a.id && s.at >= a.since).map((s) => s.at)", {"id": alert_id, "since": since * 1000})
        if times:
            return min(times) / 1000
        page.wait_for_timeout(20)
    return None


def stored(client: httpx.Client, matches, patience_s: float = PATIENCE_S) -> tuple[int, float] | None:
    """Alert id of the first finding that `matches`, and when it was first seen through the API."""
    end = time.time() + patience_s
    while time.time() < end:
        for found in client.get("/api/observations", params={"limit": 50}).json()["items"]:
            if found.get("alert_id") and matches(found):
                return found["alert_id"], time.time()
        time.sleep(0.02)
    return None


def observations(page: Page, algorithm: httpx.Client, command: httpx.Client, rounds: int) -> list[dict]:
    """One fire each round, somewhere in the north of the city: where another burns within 2 km it would only extend that alert."""
    results, elsewhere = [], random.Random()
    for _ in range(rounds):
        key = str(uuid4())
        lon, lat = elsewhere.uniform(119.5, 120.9), elsewhere.uniform(36.45, 37.1)
        body = {
            "source": "benchmark:screen", "source_event_id": key, "sensor_kind": "satellite", "kind": "forest_fire", "score": 0.95,
            "recorded_at": datetime.now(UTC).isoformat(), "position": {"lon": lon, "lat": lat, "accuracy_m": 300.0}, "algorithm": "benchmark", "model_version": "1",
            "simulated": True,
        }  # fmt: skip
        begin = time.time()
        algorithm.post("/api/observations", json={"observations": [body]}).raise_for_status()
        accepted = time.time()
        found = stored(command, lambda item, key=key: item["source_event_id"] == key)
        shown = on_screen(page, found[0], begin) if found else None
        results.append({"accepted": accepted - begin, "stored": found[1] - begin if found else None, "screen": shown - begin if shown else None})
        time.sleep(0.5)
    return results


def frames(page: Page, algorithm: httpx.Client, command: httpx.Client, rounds: int, folder: Path) -> list[dict]:
    """Three frames of one sequence to a tower each round; timed from the acceptance of the frame that confirms it."""
    pictures = sorted(folder.glob("*.jp*g"))[:60]
    towers = command.get("/api/cameras", params={"kind": "tower", "limit": 200}).json()
    results = []
    for number, tower in enumerate(random.Random().sample(towers, min(rounds, len(towers)))):
        picture = pictures[number % len(pictures)].read_bytes()
        now = datetime.now(UTC)
        begin = accepted = time.time()
        for step in range(3):
            # Same scene, another moment: bytes after the JPEG's end make it another file.
            answer = algorithm.post(
                f"/api/cameras/{tower['id']}/frames",
                files={"file": ("frame.jpg", picture + str(uuid4()).encode(), "image/jpeg")},
                data={"recorded_at": (now - timedelta(seconds=60 - 30 * step)).isoformat()},
            )
            answer.raise_for_status()
            accepted = time.time()
            if step < 2:
                time.sleep(0.7)
            begin = accepted
        found = stored(command, lambda item, camera=tower["id"], at=now: item["camera_id"] == camera and item["received_at"] >= at.isoformat(), 6)
        shown = on_screen(page, found[0], begin) if found else None
        results.append({"stored": found[1] - begin if found else None, "screen": shown - begin if shown else None})
    return results


def middle(results: list[dict], name: str) -> float | None:
    """Median in seconds over all rounds; a round that never got there counts as PATIENCE_S."""
    values = [PATIENCE_S if result.get(name) is None else result[name] for result in results]
    return round(statistics.median(values), 3) if values else None


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    settings = Settings()
    settings = address.choose(settings)
    url = f"http://{settings.host}:{settings.port}"
    algorithm, command = sign_in(url, "suanfa"), sign_in(url, "zhihui")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        open_wall(page, url)
        posted = observations(page, algorithm, command, rounds)
        folder = (settings.test_data or Path("absent")) / "cameras" / "hpwren-smoke" / "labelled"
        framed = frames(page, algorithm, command, rounds, folder) if folder.is_dir() else []
        browser.close()
    figures = {
        "observation_accepted_s": middle(posted, "accepted"), "observation_stored_s": middle(posted, "stored"), "observation_screen_s": middle(posted, "screen"),
        "observation_rounds": sum(result["screen"] is not None for result in posted), "frame_stored_s": middle(framed, "stored"),
        "frame_screen_s": middle(framed, "screen"), "frame_rounds": sum(result["screen"] is not None for result in framed), "frame_tried": len(framed),
    }  # fmt: skip
    if figures["observation_screen_s"] and figures["observation_stored_s"]:
        figures["screen_over_stored"] = round(figures["observation_screen_s"] / figures["observation_stored_s"], 2)
    print(f"{'from':<28}{'accepted':>10}{'alert stored':>14}{'on screen':>12}   median, s")
    print(f"{'POST /api/observations':<28}{figures['observation_accepted_s'] or '-':>10}{figures['observation_stored_s'] or '-':>14}{figures['observation_screen_s'] or '-':>12}")
    print(f"{'frame accepted (3rd of 3)':<28}{0:>10}{figures['frame_stored_s'] or '-':>14}{figures['frame_screen_s'] or '-':>12}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
