"""Whatever is enqueued by its name is a job that exists."""

import ast
from pathlib import Path

from gis_api import tasks

ROOT = Path(tasks.__file__).parents[2]


def enqueued() -> dict[str, str]:
    """Literal names given to `enqueue` and where."""
    found = {}
    for path in (path for room in ("grid", "layers", "imagery", "gis_api") for path in sorted((ROOT / room).rglob("*.py"))):
        for call in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call) and len(node.args) > 1):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name == "enqueue" and isinstance(call.args[1], ast.Constant):
                found[call.args[1].value] = f"{path.relative_to(ROOT)}:{call.lineno}"
    return found


def test_every_name_that_is_enqueued_is_a_job():
    found, known = enqueued(), tasks.discover().tasks
    assert "dataset_names" in found and len(found) > 10
    assert {name: place for name, place in found.items() if name not in known} == {}
