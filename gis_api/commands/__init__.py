"""The commands of `hdq`, one file a command, discovered by folder scan: a file exposes `command` (a function) or `group` (a typer.Typer)."""

import importlib
import keyword
import pkgutil
import sys
from collections.abc import Callable

import click
import pydantic
import typer
import typer.core
import typer.main
from rich.console import Console

from gis_api import embedded
from grid.settings import Settings

console = Console(highlight=False)


def settings_or_exit() -> Settings:
    """Settings from the environment; a nonsensical one ends the command with its name and what is wrong with it."""
    try:
        return Settings()
    except pydantic.ValidationError as error:
        for item in error.errors():
            place = "_".join(str(part) for part in item["loc"]).upper()
            Console(stderr=True).print(f"[red]设置有误 · bad setting[/red] HDQ_{place}: {item['msg']}")
        sys.exit(2)


def ready() -> Settings:
    """Settings whose database answers; the private cluster is started when it is not running."""
    return embedded.ensure(settings_or_exit())


def names() -> dict[str, str]:
    """Command name -> module name, of every file of this folder; a keyword's file ends with an underscore (import_.py)."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name.rstrip("_") if keyword.iskeyword(name.rstrip("_")) else name: name for name in found}


class Folder(typer.core.TyperGroup):
    """The command group of this folder; a command is imported when it is asked for, so that `hdq down` need not load the detectors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in alphabetical order."""
        return list(names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a file; a file with neither `command` nor `group` is refused with its name."""
        if cmd_name not in names():
            return None
        module = importlib.import_module(f"{__name__}.{names()[cmd_name]}")
        command: Callable | None = getattr(module, "command", None)
        group: typer.Typer | None = getattr(module, "group", None)
        if command is not None:
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name, context_settings=getattr(module, "CONTEXT", {}))(command)
            return typer.main.get_command(alone)
        if group is not None:
            made = typer.main.get_group(group)
            made.name = cmd_name
            return made
        raise TypeError(f"{module.__file__} exposes neither command nor group")
