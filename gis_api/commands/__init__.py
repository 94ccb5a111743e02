"""The commands of `hdq`, one file a command, discovered by folder scan: a file exposes `command` (a function) or `group` (a typer.Typer)."""

import importlib
import keyword
import pkgutil
import sys
from collections.abc import Callable

import pydantic
import typer
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


def discover(app: typer.Typer) -> None:
    """Mounts every file of this folder on the application. A file with neither `command` nor `group` stops the start with its name."""
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{__name__}.{found.name}")
        name = found.name.rstrip("_") if keyword.iskeyword(found.name.rstrip("_")) else found.name
        command: Callable | None = getattr(module, "command", None)
        group: typer.Typer | None = getattr(module, "group", None)
        if command is not None:
            app.command(name, context_settings=getattr(module, "CONTEXT", {}))(command)
        elif group is not None:
            app.add_typer(group, name=name)
        else:
            raise TypeError(f"{module.__file__} exposes neither command nor group")
