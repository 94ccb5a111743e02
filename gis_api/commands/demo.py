"""hdq demo: builds the demo city anew, at a size of one's choice."""

import typer

from gis_api import embedded, migrations, supervisor
from gis_api.commands import settings_or_exit
from gis_api.commands.up import load_demo, stage


def command(
    cameras: int = typer.Option(2000, min=1, max=500_000, help="摄像机数 · cameras"),
    buildings: int = typer.Option(270_000, min=100, max=2_000_000, help="建筑数 · buildings"),
) -> None:
    """演示城市 · build the demo city (simulated, deterministic) of this size; running processes pause meanwhile."""
    settings = embedded.ensure(settings_or_exit())
    ran = supervisor.stop(settings)
    migrations.upgrade(settings.database_url or "")
    with stage("演示城市 demo city (模拟)") as report:
        load_demo(settings, report, cameras, buildings)
    if ran:
        from gis_api.address import choose
        from gis_api.commands.up import start_processes, wait_until_healthy

        settings = choose(settings)
        with stage("进程 processes") as report:
            start_processes(settings)
            wait_until_healthy(settings, report)
