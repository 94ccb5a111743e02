"""Brings the schema to its newest revision (or back) with the migrations of alembic/."""

import contextlib
import io

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from grid.settings import ROOT


def configuration(url: str) -> Config:
    """Alembic's configuration for a database."""
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "alembic"))
    config.attributes["url"] = url
    return config


def head() -> str:
    """The newest revision in the folder; there is exactly one."""
    return ScriptDirectory.from_config(configuration("")).get_current_head()


def upgrade(url: str, revision: str = "head") -> None:
    """Applies what is missing; nothing when nothing is."""
    with contextlib.redirect_stdout(io.StringIO()):
        command.upgrade(configuration(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Takes migrations back, by default all: every table is dropped."""
    with contextlib.redirect_stdout(io.StringIO()):
        command.downgrade(configuration(url), revision)
