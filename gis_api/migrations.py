"""Brings the schema to its newest revision (or back) with the migrations of alembic/.

Alembic and SQLAlchemy take a second to import: the usual start, where nothing is missing, compares two words without them.
"""

import contextlib
import io
import re
from typing import TYPE_CHECKING

import psycopg

from grid.settings import ROOT

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION = re.compile(r'^(revision|down_revision)\s*(?::[^=]+)?=\s*["\']([^"\']+)["\']', re.MULTILINE)


def configuration(url: str) -> "Config":
    """Alembic's configuration for a database."""
    from alembic.config import Config

    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    return config


def head() -> str:
    """The newest revision in the folder: the one that no other follows. Raises ValueError when there is not exactly one."""
    names: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for file in (ROOT / "alembic" / "versions").glob("*.py"):
        for kind, name in _REVISION.findall(file.read_text(encoding="utf-8")):
            names[kind].add(name)
    (newest,) = names["revision"] - names["down_revision"]
    return newest


def applied(url: str) -> str | None:
    """The revision a database stands at; None before the first."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return found[0] if found else None


def upgrade(url: str, revision: str = "head") -> None:
    """Applies what is missing; nothing when nothing is."""
    if revision == "head" and applied(url) == head():
        return
    from alembic import command

    with contextlib.redirect_stdout(io.StringIO()):
        command.upgrade(configuration(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Takes migrations back, by default all: every table is dropped."""
    from alembic import command

    with contextlib.redirect_stdout(io.StringIO()):
        command.downgrade(configuration(url), revision)
