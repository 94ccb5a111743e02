"""The house rules that a machine can check (ARCHITECTURE.md)."""

import ast
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from grid.settings import ROOT

PACKAGES = ("gis_api", "grid", "layers", "imagery", "benchmarks")
LINES_MAX = 500
BANNED_NAMES = {"utils", "util", "common", "core", "helpers", "helper", "misc", "shared", "stuff"}
HIDDEN = {".venv", ".hdq", ".git", "node_modules", "dist", "__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis"}
CDN = re.compile(r"https?://[\w.-]*(?:unpkg|jsdelivr|cdnjs|googleapis|gstatic|mapbox\.com|cartocdn|openstreetmap\.org/\{|bootcdn|staticfile)[\w./@-]*", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
SWALLOWED = re.compile(r"except(?: (?:Base)?Exception)?(?: as \w+)?:\s*\n\s*pass\b")


@cache
def files() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        return tuple(ROOT / name.decode() for name in listing.stdout.split(b"\0") if name and (ROOT / name.decode()).is_file())
    return tuple(file for file in ROOT.rglob("*") if file.is_file() and not HIDDEN & set(file.relative_to(ROOT).parts))


def sources(*suffixes: str) -> list[Path]:
    return [file for file in files() if file.suffix in suffixes]


def modules() -> list[Path]:
    return [file for file in sources(".py") if file.relative_to(ROOT).parts[0] in PACKAGES]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_no_file_is_longer_than_its_reader_s_patience():
    lengths = {name_of(file): text_of(file).count("\n") for file in sources(".py", ".ts", ".tsx", ".css", ".sql") if not file.name.endswith(".gen.ts")}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def test_no_file_is_named_after_nothing():
    assert [name_of(file) for file in files() if file.relative_to(ROOT).parts[0] in (*PACKAGES, "frontend") and {part.partition(".")[0].lower() for part in file.relative_to(ROOT).parts} & BANNED_NAMES] == []


def test_alembic_is_no_package():
    assert not (ROOT / "alembic" / "__init__.py").exists() and not (ROOT / "alembic" / "versions" / "__init__.py").exists()


@pytest.mark.parametrize("package", [package for package in PACKAGES if package != "benchmarks"])
def test_every_folder_of_modules_is_a_package_with_a_sentence(package):
    folders = {file.parent for file in modules() if file.relative_to(ROOT).parts[0] == package}
    missing = [name_of(folder) for folder in folders if not (folder / "__init__.py").exists() or not ast.get_docstring(ast.parse(text_of(folder / "__init__.py")))]
    assert missing == []


def test_every_module_and_public_thing_says_what_it_is():
    silent = []
    for file in modules():
        tree = ast.parse(text_of(file))
        if not ast.get_docstring(tree):
            silent.append(name_of(file))
        for node in tree.body if file.relative_to(ROOT).parts[0] != "benchmarks" else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{name_of(file)}:{node.lineno} {node.name}")
    assert silent == []


def test_every_test_file_says_what_it_proves():
    tests = [file for file in sources(".py") if file.relative_to(ROOT).parts[0] == "tests" and file.name.startswith("test_")]
    assert [name_of(file) for file in tests if not ast.get_docstring(ast.parse(text_of(file)))] == []


def test_nothing_is_left_unfinished_or_swallowed():
    here = Path(__file__)
    found = []
    for file in sources(".py", ".ts", ".tsx", ".sh", ".css"):
        if file == here:
            continue
        found += [f"{name_of(file)}: {mark[0]}" for mark in UNFINISHED.finditer(text_of(file))]
        if SWALLOWED.search(text_of(file)):
            found.append(f"{name_of(file)}: an exception is swallowed without a word")
        if file.suffix == ".py" and re.search(r"^\s*assert True\s*$", text_of(file), re.MULTILINE):
            found.append(f"{name_of(file)}: assert True")
    assert found == []


def test_no_test_is_skipped_without_a_reason():
    bare = []
    for file in sources(".py"):
        for node in ast.walk(ast.parse(text_of(file))):
            if isinstance(node, ast.Attribute) and node.attr in ("skip", "xfail") and isinstance(node.value, ast.Attribute) and node.value.attr == "mark":
                bare.append((file, node.lineno))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("skip", "skipif", "xfail"):
                said = node.args if node.func.attr == "skip" and not isinstance(node.func.value, ast.Attribute) else node.keywords
                if said:
                    bare = [mark for mark in bare if mark != (file, node.func.lineno)]
                else:
                    bare.append((file, node.lineno))
    assert [f"{name_of(file)}:{line}" for file, line in bare] == []


def test_nothing_comes_from_a_cdn():
    found = {name_of(file): CDN.findall(text_of(file)) for file in sources(".py", ".ts", ".tsx", ".html", ".css", ".json") if file != Path(__file__) and file.name not in ("package-lock.json",)}
    assert {name: links for name, links in found.items() if links} == {}


def test_no_path_of_one_machine_is_written_down():
    machine = re.compile(r"(?<![\w.])/(?:work|opt|root|home)/[\w.-]+")
    found = {name_of(file): machine.findall(text_of(file)) for file in sources(".py", ".ts", ".tsx", ".toml", ".sh", ".md", ".json", "") if file != Path(__file__) and file.name not in ("LICENSE",)}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_nothing_heavy_or_stateful_happens_at_import():
    calls = re.compile(r"^(?!.*\b(?:lambda|def)\b)[A-Za-z_]\w*\s*(?::[^=]+)?=\s*(?:Settings\(|psycopg\.connect|make_pool|open\(|rasterio\.open|YOLO\()", re.MULTILINE)
    assert {name_of(file): calls.findall(text_of(file)) for file in modules() if calls.findall(text_of(file))} == {}


def test_the_licence_is_the_whole_licence():
    text = (ROOT / "LICENSE").read_text()
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text[:200] and "END OF TERMS AND CONDITIONS" in text and text.count("\n") > 600


def test_the_client_s_lock_file_names_every_platform_s_package():
    """`npm ci` refuses a lock that lacks them; npm leaves them out when the registry at hand does not carry them."""
    packages = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    names = {key.rpartition("node_modules/")[2] for key in packages}
    assert sorted({name for entry in packages.values() for name in entry.get("optionalDependencies", {})} - names) == []
