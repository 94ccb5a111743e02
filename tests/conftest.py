"""Shared fixtures: a migrated template database, copied for each test that wants one, and the real data when present."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from alembic import command
from alembic.config import Config
from grid.database import connect
from grid.settings import ROOT, Settings


def _swap(url: str, name: str) -> str:
    head, _, tail = url.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + (f"?{tail}" if tail else "")


@pytest.fixture(scope="session")
def admin_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server on which databases may be created: HDQ_TEST_DATABASE_URL, or the private cluster."""
    given = os.environ.get("HDQ_TEST_DATABASE_URL")
    if given:
        return given
    from gis_api import embedded

    return embedded.ensure(Settings()).replace("/hdq", "/postgres")


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
