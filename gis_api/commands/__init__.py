"""The commands of `hdq`, one file a command, discovered by folder scan: a file exposes `command` (a function) or `group` (a typer.Typer)."""

import ast
import importlib
import keyword
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path

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


def summary(module: str) -> str:
    """What a command's file says of it, read without importing it: the docstring of `command`, or the `help` of `group`."""
    for node in ast.parse((Path(__path__[0]) / f"{module}.py").read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name="command"):
                return ast.get_docstring(node) or ""
            case ast.Assign(targets=[ast.Name("group")], value=ast.Call(keywords=keywords)):
                return next((word.value.value for word in keywords if word.arg == "help" and isinstance(word.value, ast.Constant)), "")
    return ""


class Folder(typer.core.TyperGroup):
    """The command group of this folder; a command is imported when it is asked for, so that `hdq down` need not load the detectors."""

    _listing = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in alphabetical order."""
        return list(names())

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands by the docstrings in their files: eleven commands import for seconds, a list of them reads."""
        self._listing = True
        super().format_help(ctx, formatter)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a file; a file with neither `command` nor `group` is refused with its name."""
        if cmd_name not in names():
            return None
        if self._listing:
            return click.Command(cmd_name, help=summary(names()[cmd_name]))
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
