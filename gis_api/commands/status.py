"""hdq status: address, versions, counts, queue depth and health."""

import asyncio
import sys

import psycopg
import typer
from rich.table import Table

from gis_api import embedded, standing, supervisor
from gis_api.address import address_of
from gis_api.commands import console, settings_or_exit
from gis_api.wire.status import Status
from grid.database import connect
from grid.errors import Unavailable
from grid.settings import Settings

NAMES = {
    "layers": "图层 layers", "buildings": "建筑 buildings", "cells": "网格 cells", "regions": "区划 regions", "cameras": "摄像机 cameras", "units": "力量 units",
    "forest_zones": "林班 forest zones", "parcels": "地块 parcels", "observations": "观测 observations", "alerts": "告警 alerts", "cases": "案件 cases",
    "scenes": "影像 scenes", "surveys": "分析 surveys", "patches": "图斑 patches", "datasets": "数据集 datasets",
}  # fmt: skip


async def _gather(settings: Settings) -> Status:
    connection = await connect(settings.database_url or "", autocommit=True)
    try:
        return await standing.gather(connection, settings, address=address_of(settings) if supervisor.standing(settings, "server").alive else None)
    finally:
        await connection.close()


def command(as_json: bool = typer.Option(False, "--json", help="一个 JSON 对象 · one JSON object")) -> None:
    """运行状况 · what runs, what it holds and how it fares. Ends with 1 when it is not running."""
    settings = settings_or_exit()
    if settings.database_url is None:
        cluster = embedded.locate(settings.data_dir)
        if embedded.server_pid(cluster) is None:
            raise Unavailable("海东青没有在运行 · it is not running", remedy="./hdq up")
        settings = settings.model_copy(update={"database_url": cluster.url()})
    try:
        found = asyncio.run(_gather(settings))
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
        raise Unavailable(f"数据库没有应答或尚未建好 · the database does not answer or is not set up: {str(error).strip()}", remedy="./hdq up") from error
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        _show(found)
    if found.address is None or found.health.status == "down":
        sys.exit(1)


def _show(found: Status) -> None:
    console.print(f"[bold]海东青[/bold] {found.version}  {found.address or '服务器未运行 server not running'}  PostgreSQL {found.versions['postgresql']} PostGIS {found.versions['postgis']}")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for key, title in NAMES.items():
        table.add_row(title, f"{found.counts[key]:,}")
    for title, parts in (("告警来源 by sensor", found.alerts_by_sensor_kind), ("案件状态 cases", found.cases_by_state), ("队列 queue", found.queue), ("帧 frames", found.frames)):
        table.add_row(title, "  ".join(f"{name} {number:,}" for name, number in parts.items()) or "–")
    console.print(table)
    for check in found.health.checks:
        console.print(f"{'[green]✓[/green]' if check.ok else '[red]✗[/red]'} {check.name}  {check.detail}")
