"""The command line lists its commands without importing them, and says the same of each as the command itself."""

import importlib
import subprocess
import sys

import click

from gis_api import commands
from gis_api.__main__ import app


def test_help_lists_every_command_without_importing_one():
    code = "import sys\nfrom gis_api.__main__ import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    print([name for name in ('fastapi', 'alembic', 'rasterio') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(f" {name} " in shown for name in commands.names())
    assert shown.rstrip().endswith("[]")


def test_the_list_says_what_the_command_says():
    folder = commands.Folder(name="hdq")
    context = click.Context(folder)
    for name, module in commands.names().items():
        listed = commands.summary(module)
        assert listed
        group = getattr(importlib.import_module(f"gis_api.commands.{module}"), "group", None)
        assert listed == (group.info.help if group else folder.get_command(context, name).help)


def test_no_command_shows_the_list():
    assert app.info.no_args_is_help
