"""hdq models: what a person at the terminal sees."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gis_api.commands import models
from gis_api.commands.models import group
from grid.errors import InvalidInput

RUN = CliRunner()


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of the test's own, and room for whole lines."""
    monkeypatch.setenv("HDQ_DATA_DIR", str(tmp_path / "hdq"))
    monkeypatch.setattr(models, "console", Console(width=250, highlight=False))


def test_models_are_added_and_listed_with_the_algorithms_they_serve(white_model: Path) -> None:
    empty = RUN.invoke(group, [])
    assert empty.exit_code == 0
    assert "hdq models add FILE --id smoke-fire" in " ".join(empty.output.split())
    added = RUN.invoke(group, ["add", str(white_model), "--id", "smoke-fire", "--licence", "CC0", "--provenance", "a test"])
    assert added.exit_code == 0, added.output
    listed = RUN.invoke(group, []).output
    assert "CC0" in listed and "a test" in listed


def test_a_refused_model_raises_our_error_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"garbage")
    refused = RUN.invoke(group, ["add", str(tmp_path / "x.onnx"), "--id", "smoke-fire"])
    assert isinstance(refused.exception, InvalidInput)
    assert refused.exception.remedy
