"""The command line `hdq`: it only mounts the commands and prints our errors as a sentence with its remedy."""

import sys

import typer
from rich.console import Console

from gis_api import commands
from grid.errors import HdqError


class _Sentences(typer.Typer):
    def __call__(self, *args: object, **kwargs: object) -> object:
        try:
            return super().__call__(*args, **kwargs)
        except HdqError as error:
            stderr = Console(stderr=True, highlight=False)
            stderr.print(f"[red]{error.title}[/red]")
            stderr.print(error.detail, markup=False)
            if error.remedy:
                stderr.print(f"→ {error.remedy}", markup=False)
            sys.exit(1)


app = _Sentences(name="hdq", cls=commands.Folder, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)


@app.callback()
def hdq() -> None:
    """海东青 Haidongqing: an air–space–ground situational map for city governance (城市治理空天地一体态势图)."""


if __name__ == "__main__":
    app()
