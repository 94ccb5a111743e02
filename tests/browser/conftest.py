"""A small demo city behind the real server, worker and simulator, and headless Chromium that may reach nothing else."""

import asyncio
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from psycopg import sql

from gis_api.demo.city import load
from grid.settings import ROOT, Settings
from tests.conftest import PASSWORD, Live

_SAY = "(a) => a instanceof Error ? String(a.stack || a).slice(0, 300) : String(a && a.message || a).slice(0, 300)"
SHOTS = Path(__file__).parent / "screenshots"
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
SLOW_MS = 60_000
"""How long a test waits for what must come: two busy cores are slow, and seconds decide no test."""
expect.set_options(timeout=SLOW_MS)
FOREST = (120.62, 36.19)
"""A place on 崂山 that no replayed tower looks at."""


@pytest.fixture(scope="session")
def city(admin_url: str, template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The demo city at a small size, served; its surveys run, its cameras stay silent so that tests decide what happens."""
    if not (ROOT / "frontend" / "dist" / "index.html").exists():
        pytest.fail("the client is not built: run ./hdq test, which builds it, or npm run build in frontend/")
    name = f"hdq_browser_{secrets.token_hex(5)}"
    template = template_url.partition("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    head, _, tail = template_url.partition("?")
    url = head.rsplit("/", 1)[0] + "/" + name + (f"?{tail}" if tail else "")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data_dir=tmp_path_factory.mktemp("city"), database_url=url, port=port, demo=True)
    asyncio.run(load(settings, lambda stage, share: None, cameras=120, buildings=4000))
    running = Live(settings)
    for process in ("server", "worker", "simulator"):
        running.start(process)
    try:
        running.wait()
        yield running
    finally:
        running.stop()
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. Not for the whole session: while Playwright is open its event loop runs, and no asynchronous test could."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.fail("no Chromium: apt-get install chromium (./hdq test does so)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """Everything a page said or asked for that it should not have."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.faults: list[str] = []

    def follow(self, page: Page) -> None:
        """Notes console errors, uncaught exceptions, CSP reports and requests that leave the origin."""
        page.on("console", lambda message: message.type == "error" and self.faults.append(f"console: {message.text[:300]} {[a.evaluate(_SAY) for a in message.args]} {message.location.get('url', '')}"))
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _request(self, url: str) -> None:
        if not url.startswith((self.origin, "blob:", "data:")):
            self.faults.append(f"left the origin: {url}")


SignIn = Callable[..., Page]


@pytest.fixture
def sign_in(city: Live, chromium: Browser) -> Iterator[SignIn]:
    """`page = sign_in("zhihui", 1920, 1080)`: signed in through the login page, on the face of that person. Faults fail the test at its end."""
    contexts: list[BrowserContext] = []
    watched = Watched(city.url)

    def enter(username: str, width: int, height: int, **options) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, locale="de-DE", timezone_id="America/New_York", base_url=city.url, reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        watched.follow(page)
        page.goto("/login")
        page.click(f'[data-testid="account-{username}"]')
        page.wait_for_url(lambda url: "/login" not in url)
        return page

    enter.watched = watched
    yield enter
    for context in contexts:
        context.close()
    assert watched.faults[:5] == []


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps a screenshot for people to look at: tests/browser/screenshots/NAME.png."""

    def take(page: Page, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}.png")

    return take


@pytest.fixture
def api(city: Live) -> Callable[[str], httpx.Client]:
    """A signed-in HTTP client beside the browser."""

    def client(username: str) -> httpx.Client:
        found = httpx.Client(base_url=city.url, headers={"X-HDQ-Client": "1"}, timeout=60)
        found.post("/api/login", json={"username": username, "password": PASSWORD}).raise_for_status()
        return found

    return client
