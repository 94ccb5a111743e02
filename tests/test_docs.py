"""What the documents say is true: commands exist, links lead somewhere, the one-file promises name real folders."""

import re
from pathlib import Path

import click
import pytest
import typer

from gis_api.__main__ import app
from grid.settings import ROOT, Settings

DOCUMENTS = sorted(file for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:\./|`|^\s*)hdq ([a-z]+)((?: [^\s`|·)]+)*)", re.MULTILINE)


@pytest.fixture(scope="module")
def commands() -> dict[str, click.Command]:
    group = typer.main.get_command(app)
    context = click.Context(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    dead = []
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        path = target.partition("#")[0]
        if not (document.parent / path).exists():
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_commands_and_their_options_exist(document: Path, commands):
    wrong = []
    for name, rest in COMMAND.findall(document.read_text(encoding="utf-8")):
        command = commands.get(name)
        if command is None:
            wrong.append(f"hdq {name}")
            continue
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
        if hasattr(command, "commands"):  # typer may carry a click of its own
            known |= {option for sub in command.commands.values() for parameter in sub.params for option in parameter.opts}
        wrong += [f"hdq {name} {option}" for option in re.findall(r"(--[a-z][a-z-]*)", rest) if option not in known]
    assert wrong == []


def test_every_setting_stands_on_its_page_with_its_default():
    def said(default: object) -> str:
        if default is None or default == "":
            return "unset" if default is None else "empty"
        return str(default).lower() if isinstance(default, bool) else str(default).removeprefix(f"{ROOT}/")

    rows = re.findall(r"^\| `HDQ_([A-Z_]+)` \| `?([^|`]+?)`?(?: beside the program)? \|", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {name.upper(): said(field.default) for name, field in Settings.model_fields.items()}


def test_the_readme_names_the_two_commands_and_the_program_follows_them():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "./hdq up" in text and "./hdq test" in text
    steps = (ROOT / ".ci" / "run").read_text()
    assert "./hdq up" in steps and "./hdq test" in steps
