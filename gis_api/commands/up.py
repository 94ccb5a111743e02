"""hdq up: from an installed package to a living map; safe to repeat, mends what was killed."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gis_api import embedded, migrations, supervisor
from gis_api.address import address_of, choose
from gis_api.commands import console, settings_or_exit
from gis_api.wire.session import DEMO_PASSWORD, FACES
from grid.database import connect, row, rows
from grid.errors import Unavailable
from grid.settings import ROOT, Settings

HEALTHY_WITHIN_S = 90
ALERTS_WITHIN_S = 300
ALERTS_WANTED, KINDS_WANTED = 3, 2
PACKAGES = ("gis_api", "grid", "layers", "imagery")

Report = Callable[[str, float], None]


@contextmanager
def stage(title: str) -> Iterator[Report]:
    """One line with a bar while something is done, a tick with the time when it is."""
    began = time.monotonic()
    if not console.is_terminal:
        yield lambda _detail, _fraction: None
        console.print(f"  ✓ {title} {time.monotonic() - began:.1f} s")
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)

        def report(detail: str, fraction: float) -> None:
            progress.update(task, description=f"{title}：{detail}" if detail else title, total=1.0, completed=min(1.0, fraction))

        yield report
    console.print(f"  [green]✓[/green] {title} [dim]{time.monotonic() - began:.1f} s[/dim]")


def code_mark(settings: Settings) -> str:
    """Changes when the code or the settings change: running processes are then replaced."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            found = file.stat()
            digest.update(f"{file}{found.st_mtime_ns}{found.st_size}".encode())
    return digest.hexdigest()


async def is_empty(settings: Settings) -> bool:
    """Whether the database holds no city yet."""
    connection = await connect(settings.database_url or "")
    try:
        return await row(connection, "SELECT 1 AS one FROM regions LIMIT 1") is None
    finally:
        await connection.close()


def load_demo(settings: Settings, report: Report, cameras: int, buildings: int) -> None:
    """Builds the demo city."""
    from gis_api.demo import city

    asyncio.run(city.load(settings, report, cameras=cameras, buildings=buildings))


def take_weights(settings: Settings, report: Report) -> list[str]:
    """Takes the model weights that the shared data folder and installed packages carry; what is there is kept. Returns sentences on what is missing."""
    from imagery.cameras import carried, weights

    directory = weights.models_dir(settings.data_dir)
    taken = carried.take_from_data(directory, settings.test_data, lambda name: report(name, 0.2))
    taken += carried.take_from_packages(directory, lambda name: report(name, 0.6), stand_ins=False)
    held = {entry.id for entry in taken if entry.model}
    return [f"{entry.id}: {entry.reason} → {entry.remedy}" for entry in taken if entry.id not in held]


def start_processes(settings: Settings) -> None:
    """Starts what does not run; replaces what runs older code or other settings."""
    mark = supervisor.run_folder(settings) / "code.mark"
    current = code_mark(settings)
    if supervisor.standing(settings, supervisor.KEEPER).alive and (mark.read_text() if mark.exists() else "") != current:
        supervisor.stop(settings)
    supervisor.start(settings)
    mark.write_text(current)


def wait_until_healthy(settings: Settings, report: Report) -> list[str]:
    """Waits for the server and its parts. Returns sentences on parts that are still missing; raises when the server itself does not answer."""
    deadline = time.monotonic() + HEALTHY_WITHIN_S
    failing: list[str] = ["server"]
    client = httpx.Client(base_url=address_of(settings), timeout=5, trust_env=False)
    while time.monotonic() < deadline:
        try:
            found = client.get("/api/health").json()
            failing = [f"{check['name']}: {check['detail']}" for check in found["checks"] if not check["ok"]]
        except (httpx.HTTPError, ValueError, KeyError):
            failing = ["server"]
        if not failing:
            return []
        report(", ".join(part.partition(":")[0] for part in failing), 1 - (deadline - time.monotonic()) / HEALTHY_WITHIN_S)
        time.sleep(0.25)
    if failing == ["server"]:
        raise Unavailable(f"服务器没有应答 · the server does not answer: {_last_words(settings, 'server')}", remedy=f"read the logs in {supervisor.run_folder(settings)}")
    return failing


def _last_words(settings: Settings, name: str) -> str:
    file = supervisor.run_folder(settings) / f"{name}.out"
    return file.read_text(errors="replace")[-800:].strip() if file.exists() else "it left no output"


async def wait_for_alerts(settings: Settings, report: Report) -> dict[str, int]:
    """Waits until the pipelines have opened their first alerts. Returns the alerts by kind of sensor, whatever has come in the time allowed."""
    connection = await connect(settings.database_url or "", autocommit=True)
    deadline = time.monotonic() + ALERTS_WITHIN_S
    try:
        while True:
            total = (await row(connection, "SELECT count(*) AS n FROM alerts"))["n"]
            kinds = {line["kind"]: line["n"] for line in await rows(connection, "SELECT sensor.kind, count(*) AS n FROM alerts, unnest(sensor_kinds) AS sensor (kind) GROUP BY 1 ORDER BY 1")}
            if (total >= ALERTS_WANTED and len(kinds) >= KINDS_WANTED) or time.monotonic() > deadline:
                return kinds
            report(f"{total} 条 alerts · {', '.join(kinds) or '–'}", min(total, ALERTS_WANTED) / ALERTS_WANTED * 0.7 + min(len(kinds), KINDS_WANTED) / KINDS_WANTED * 0.3)
            await asyncio.sleep(0.5)
    finally:
        await connection.close()


async def accounts(settings: Settings) -> list[dict]:
    """The demo's people."""
    connection = await connect(settings.database_url or "")
    try:
        return await rows(connection, "SELECT username, name, role FROM staff WHERE simulated AND NOT disabled ORDER BY id LIMIT 12")
    finally:
        await connection.close()


def command(
    wait: bool = typer.Option(True, help="等待首批告警 · wait for the first alerts"),
    cameras: int = typer.Option(2000, min=1, max=500_000, help="新建演示城市的摄像机数 · cameras of a new demo city"),
    buildings: int = typer.Option(270_000, min=100, max=2_000_000, help="新建演示城市的建筑数 · buildings of a new demo city"),
) -> None:
    """启动 · start everything: database, schema, demo city, worker, watcher, server. Repeat it at any time."""
    began = time.monotonic()
    settings = settings_or_exit()
    console.print("[bold]海东青 Haidongqing[/bold]")
    with stage("数据库 database"):
        settings = embedded.ensure(settings)
    with stage("表结构 schema"):
        migrations.upgrade(settings.database_url or "")
    with stage("模型权重 model weights") as report:
        absent = take_weights(settings, report)
    for sentence in absent:
        console.print(f"  [yellow]![/yellow] {sentence}")
    if settings.demo and asyncio.run(is_empty(settings)):
        with stage("演示城市 demo city (模拟)") as report:
            load_demo(settings, report, cameras, buildings)
    settings = choose(settings)
    with stage("进程 processes") as report:
        start_processes(settings)
        missing = wait_until_healthy(settings, report)
    for sentence in missing:
        console.print(f"  [yellow]![/yellow] {sentence}（日志 logs: {supervisor.run_folder(settings)}）")
    if settings.demo and wait:
        with stage("首批告警 first alerts of the pipelines") as report:
            kinds = asyncio.run(wait_for_alerts(settings, report))
        if sum(kinds.values()) < ALERTS_WANTED or len(kinds) < KINDS_WANTED:
            console.print(
                f"  [yellow]![/yellow] {ALERTS_WITHIN_S} 秒内只有 {kinds or '0'} 告警，地图可用 · after {ALERTS_WITHIN_S} s the pipelines have opened only {kinds or 'no'} alerts;"
                " the map works, hdq status shows the queue"
            )
        else:
            console.print(f"    {'  '.join(f'{kind} {number}' for kind, number in kinds.items())}")
    _farewell(settings, time.monotonic() - began)


def _farewell(settings: Settings, seconds: float) -> None:
    address = address_of(settings)
    console.print(f"\n[bold]{address}[/bold]   [dim]{seconds:.1f} s[/dim]")
    if settings.demo:
        table = Table(title=f"演示账号 demo accounts（密码 password: {DEMO_PASSWORD}）", title_justify="left", box=None, padding=(0, 2))
        for heading in ("账号 account", "姓名 name", "角色 role", "界面 face"):
            table.add_column(heading)
        for person in asyncio.run(accounts(settings)):
            table.add_row(person["username"], person["name"], person["role"], f"/{FACES[person['role']]}")
        console.print(table)
    console.print("[dim]./hdq status · ./hdq down · ./hdq doctor[/dim]")
