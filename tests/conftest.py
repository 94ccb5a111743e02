"""Shared fixtures: a migrated template database, copied for each test that wants one, and the real data when present."""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import AsyncConnection, sql
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from gis_api import supervisor
from grid.database import connect
from grid.settings import ROOT, Settings


class Rooms(LoadScopeScheduling):
    """Processes that run tests side by side take whole files; one takes all that drive a browser, for two browsers would fight over the processors."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Rooms:
    return Rooms(config, log)


def _swap(url: str, name: str) -> str:
    head, _, tail = url.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + (f"?{tail}" if tail else "")


@pytest.fixture(scope="session")
def admin_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server on which databases may be created: HDQ_TEST_DATABASE_URL, or a private cluster that only tests use."""
    given = os.environ.get("HDQ_TEST_DATABASE_URL")
    if given:
        return given
    from gis_api import embedded

    return embedded.test_server(Settings())


@pytest.fixture(scope="session")
def template_url(admin_url: str) -> Iterator[str]:
    """A database with every migration applied and nothing in it; never connected to after this."""
    name = f"hdq_template_{secrets.token_hex(4)}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(sql.Identifier(name))
        )
    url = _swap(admin_url, name)
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    command.upgrade(config, "head")
    yield url
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(admin_url: str, template_url: str) -> Iterator[str]:
    """A fresh copy of the template, dropped afterwards."""
    name = f"hdq_test_{secrets.token_hex(6)}"
    template = template_url.partition("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    yield _swap(admin_url, name)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a product whose data folder and database belong to this test alone."""
    return Settings(data_dir=tmp_path / "hdq", database_url=database_url)


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection to the test's own database; nothing is committed unless the test commits."""
    connection = await connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Gives the path of real data (HDQ_TEST_DATA or ../shared/data), or skips the test and says what is absent."""
    root = Path(os.environ.get("HDQ_TEST_DATA") or ROOT.parent / "shared" / "data")

    def find(relative: str) -> Path:
        path = root / relative
        if not path.exists():
            pytest.skip(f"real data {relative} is absent: set HDQ_TEST_DATA to a folder that holds it")
        return path

    return find


PEOPLE = {
    "wangge": ("grid_worker", "370202001001"),
    "chuzhi": ("grid_worker", "370202001"),
    "linye": ("inspector", "3702"),
    "guotu": ("inspector", "3702"),
    "zhihui": ("commander", "3702"),
    "shinan": ("commander", "370202"),
    "laoshan": ("inspector", "370212"),
    "shuju": ("data_admin", "3702"),
    "suanfa": ("algorithm_operator", "3702"),
    "admin": ("system_admin", "3702"),
    "shenji": ("auditor", "3702"),
}
PASSWORD = "haidongqing-demo"
BOXES = {
    "3702": (1, None, "青岛市", (119.5, 35.5, 121.2, 37.2)),
    "370202": (2, "3702", "市南区", (120.30, 36.04, 120.44, 36.10)),
    "370212": (2, "3702", "崂山区", (120.44, 36.08, 120.72, 36.33)),
    "370202001": (3, "370202", "香港中路街道", (120.36, 36.05, 120.42, 36.08)),
    "370202001001": (4, "370202001", "八大关社区", (120.37, 36.055, 120.39, 36.07)),
}


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Argon2 hash of the test password, made once."""
    from gis_api.auth import hash_password

    return hash_password(PASSWORD)


@pytest.fixture
def people(database_url: str, password_hash: str) -> dict[str, int]:
    """City, two districts, a street and a community as boxes, and one account of every role (password PASSWORD): username -> staff id."""
    with psycopg.connect(database_url) as connection:
        for code, (level, parent, name, box) in BOXES.items():
            connection.execute(
                """
                INSERT INTO regions (code, level, name, parent_code, geom)
                VALUES (%s, %s, %s, %s, ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4326))) ON CONFLICT DO NOTHING
                """,
                [code, level, name, parent, *box],
            )
        return {
            username: connection.execute(
                "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES (%s, %s, %s, %s, %s) RETURNING id",
                [username, f"测试 {username}", role, region, password_hash],
            ).fetchone()[0]
            for username, (role, region) in PEOPLE.items()
        }


@pytest.fixture
async def app_client(settings: Settings, people: dict[str, int]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole ASGI application, guards and tiles included, in this process; nobody is signed in."""
    from gis_api.main import assemble

    application = assemble(settings)
    framework = application.app.framework
    async with framework.router.lifespan_context(framework):
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hdq.test", headers={"X-HDQ-Client": "1"}) as client:
            yield client


@pytest.fixture
def login() -> Callable[[httpx.AsyncClient, str], Awaitable[dict]]:
    """Signs a client in: `me = await login(app_client, "linye")`."""

    async def sign_in(client: httpx.AsyncClient, username: str) -> dict:
        answer = await client.post("/api/login", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return sign_in


class Live:
    """The real server and worker as processes of a test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.port}"
        self._processes: dict[str, subprocess.Popen] = {}

    def start(self, name: str) -> None:
        """Starts `server`, `worker`, `watcher` or `simulator`."""
        service = next(service for service in supervisor.SERVICES if service.name == name)
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        self._processes[name] = supervisor.spawn(self.settings, service, supervisor.environment(self.settings))

    def kill(self, name: str) -> None:
        """SIGKILL: what a crash or the kernel's memory killer does."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def wait(self, worker: bool = True) -> None:
        """Waits until the server answers, and the worker's heartbeat is seen."""
        deadline = time.monotonic() + 120
        seen = "nothing"
        client = httpx.Client(base_url=self.url, timeout=30)
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                assert process.poll() is None, f"{name} ended: {self.output(name)}"
            try:
                seen = client.get("/api/health").text
                checks = {check["name"]: check["ok"] for check in json.loads(seen)["checks"]}
                if checks["database"] and (checks.get("worker") or not worker):
                    return
            except (httpx.HTTPError, ValueError, KeyError):
                pass
            time.sleep(0.1)
        raise AssertionError(f"not healthy within 120 s: {seen}; {self.output('server')}")

    def output(self, name: str) -> str:
        """The last words of a process, and its log."""
        folder = self.settings.data_dir / "run"
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in (folder / f"{name}.out", folder / f"{name}.jsonl") if file.exists())

    def login(self, username: str) -> httpx.Client:
        """A signed-in client with a cookie of its own."""
        client = httpx.Client(base_url=self.url, headers={"X-HDQ-Client": "1"}, timeout=30)
        answer = client.post("/api/login", json={"username": username, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return client

    def stop(self) -> None:
        """Ends what still runs."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def live(settings: Settings, people: dict[str, int]) -> Iterator[Live]:
    """Real HTTP on a free loopback port and a real worker process over this test's own database, with `people` in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Live(settings.model_copy(update={"port": port, "demo": False}))
    running.start("server")
    running.start("worker")
    try:
        running.wait()
        yield running
    finally:
        running.stop()
