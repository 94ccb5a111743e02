"""hdq test: everything that must hold, in one command, ending in one sentence and one line of numbers."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from gis_api import embedded
from gis_api.commands import console, settings_or_exit
from grid.settings import ROOT, Settings

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage found."""

    passed: int
    failed: int
    skipped: int = 0


def tree_mark(settings: Settings) -> str:
    """Changes when any file of the repository, the installed packages' list or the presence of the real data changes."""
    digest = hashlib.sha256(f"{sys.version}{settings.test_data}".encode())
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        files = [ROOT / name.decode() for name in listing.stdout.split(b"\0") if name]
    else:
        hidden = {".venv", ".hdq", "node_modules", "dist", "__pycache__"}
        files = [file for file in ROOT.rglob("*") if not hidden & set(file.relative_to(ROOT).parts)]
    for file in sorted(files):
        if file.is_file():
            digest.update(str(file.relative_to(ROOT)).encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    site = Path(sys.prefix) / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    digest.update("".join(sorted(entry.name for entry in site.glob("*.dist-info"))).encode())
    return digest.hexdigest()


def run_quietly(*argv: str, cwd: Path = ROOT) -> Outcome:
    """One check that passes or fails; its output is shown when it fails."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        console.print(f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}", markup=False)
    return Outcome(int(done.returncode == 0), int(done.returncode != 0))


def side_by_side() -> list[str]:
    """As many processes as there are processors, at most four: most tests wait for a database, a server or a browser. Files keep their order, the slowest first."""
    return ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadscope", "--no-loadscope-reorder"]


def run_pytest(arguments: list[str], server: dict[str, str]) -> Outcome:
    """pytest with its own progress; counts from its JUnit file. No result at all (a crash, a collection error) counts as a failure."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        argv = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junit-xml={report}", *(arguments or side_by_side())]
        done = subprocess.run(argv, cwd=ROOT, check=False, env=os.environ | server)
        if not report.exists():
            return Outcome(0, 1)
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
        total, failed, skipped = (sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "skipped"))
        failed += sum(int(suite.get("errors", 0)) for suite in suites)
    if done.returncode not in (0, 5) and failed == 0:
        failed = 1
    return Outcome(total - failed - skipped if total else 0, failed, skipped)


def test_server(settings: Settings) -> dict[str, str]:
    """The address of one server for all test processes, as an environment; empty where tests are to find or refuse one themselves."""
    if "HDQ_TEST_DATABASE_URL" in os.environ or embedded.server_programs() is None:
        return {}
    return {"HDQ_TEST_DATABASE_URL": embedded.test_server(settings)}


def check_api_description() -> Outcome:
    """The committed OpenAPI document equals the one the code gives: the client's types are generated from it."""
    committed = ROOT / "frontend" / "openapi.json"
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "openapi.json"
        made = run_quietly(sys.executable, "-m", "gis_api", "openapi", str(fresh))
        if made.failed:
            return made
        if committed.exists() and committed.read_text() == fresh.read_text():
            return Outcome(1, 0)
    console.print("frontend/openapi.json is not what the code says: run ./hdq openapi frontend/openapi.json && npm --prefix frontend run types")
    return Outcome(0, 1)


def check_client() -> Outcome:
    """tsc, biome, vitest and the generated types."""
    npm = shutil.which("npm")
    if npm is None:
        console.print("npm is absent: start the tests with ./hdq test, which brings it")
        return Outcome(0, 1)
    done = subprocess.run([npm, "run", "check"], cwd=ROOT / "frontend", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        console.print(f"{done.stdout[-8000:]}\n{done.stderr[-3000:]}", markup=False)
        return Outcome(0, 1)
    counted = re.search(r"Tests\s+(\d+) passed", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))
    return Outcome(3 + (int(counted[1]) if counted else 1), 0)


def command(
    context: typer.Context,
    force: bool = typer.Option(False, "--force", help="即使没有改动也运行 · run even when nothing has changed since the last pass"),
) -> None:
    """全部测试 · style, architecture, every test (unit, property, PostGIS, walks, browser) and the client's checks. Further arguments go to pytest, which then runs alone."""
    settings = settings_or_exit()
    began = time.monotonic()
    extra = list(context.args)
    stamp = settings.data_dir / "setup" / "tests.passed"
    mark = tree_mark(settings)
    if not force and not extra and os.environ.get("CI", "").lower() not in ("true", "1") and stamp.exists():
        last, _, line = stamp.read_text().partition("\n")
        if last == mark:
            console.print("上次通过后没有改动 nothing has changed since the last pass; --force runs again")
            console.print(line.strip(), markup=False)
            return
    stages: list[tuple[str, Callable[[], Outcome]]] = [
        ("风格 style (ruff)", lambda: run_quietly(sys.executable, "-m", "ruff", "check", ".")),
        ("架构 architecture (import-linter)", lambda: run_quietly(str(Path(sys.executable).parent / "lint-imports"), "--no-cache")),
        ("接口 API description", check_api_description),
        ("客户端 client (tsc, biome, vitest, types)", check_client),
    ]
    if extra:
        stages = []
    stages.append(("测试 tests (pytest)", lambda: run_pytest(extra, test_server(settings))))
    total = Outcome(0, 0)
    failing: list[str] = []
    for number, (title, stage) in enumerate(stages, 1):
        at = time.monotonic()
        console.print(f"({number}/{len(stages)}) {title}", markup=False)
        found = stage()
        total = Outcome(total.passed + found.passed, total.failed + found.failed, total.skipped + found.skipped)
        console.print(f"    {'✓' if not found.failed else '✗'} {found.passed} passed, {found.failed} failed  {time.monotonic() - at:.0f} s", markup=False)
        if found.failed:
            failing.append(title)
    if not extra and "HDQ_TEST_DATABASE_URL" not in os.environ and embedded.server_programs() is not None:
        embedded.stop(embedded.locate(settings.data_dir / "test"))
    seconds = time.monotonic() - began
    line = f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped in {seconds:.2f}s"
    if failing:
        console.print(f"未通过 not passed: {'; '.join(failing)}", markup=False)
    else:
        console.print("全部通过：海东青可以交付。Everything passes." if not extra else "所选测试通过 The chosen tests pass.")
    console.print(line, markup=False)
    if failing:
        raise typer.Exit(1)
    if not extra:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{mark}\n{line}\n")
