"""hdq study: analyses that are no change of a pair of scenes, done here and now, their results stored as those of the web door."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from gis_api.commands import console, ready
from grid.database import Scope, connect
from grid.errors import HdqError
from grid.settings import Settings
from imagery.scenes import studies, studying

group = typer.Typer(help="方量、目标、违建候选、作物 · Volumes, objects, unpermitted footprints, crops.", no_args_is_help=True)


@group.command("kinds")
def kinds() -> None:
    """列出各类分析及参数 · lists the kinds with what they take and their parameters, as JSON lines."""
    for one in studies.catalogue().values():
        print(json.dumps({"id": one.id, "title": one.title, "takes": one.takes, "parameters": type(one).model_json_schema()["properties"]}, ensure_ascii=False))


@group.command("run")
def carry_out(
    kind: Annotated[str, typer.Argument(help="volumes, objects, unpermitted, crops")],
    scene: Annotated[list[str] | None, typer.Option(help="影像编号，按先后 · id of a scene; several in their order")] = None,
    dataset: Annotated[str, typer.Option(help="数据集编号 · id of a dataset")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="参数 NAME=VALUE · a parameter")] = None,
    again: Annotated[bool, typer.Option("--again", help="重做已完成的 · do a finished one anew")] = False,
) -> None:
    """执行一项分析 · carries out a study; prints its features and, as the last line, its figures, as JSON. Ends with 1 when it failed."""
    settings = ready()
    try:
        run, found = asyncio.run(_done(settings, kind, scene or [], dataset, dict(studying.said(text) for text in set_ or []), again))
    except HdqError as refusal:
        console.print(f"[red]✗[/red] {refusal.detail}\n  → {refusal.remedy}", soft_wrap=True)
        raise typer.Exit(1) from refusal
    for one in found:
        print(json.dumps(studying.shape_of(one), ensure_ascii=False, default=str))
    print(json.dumps({"study": run.id, "state": run.state, "error": run.error, **run.result}, ensure_ascii=False))
    if run.state != "done":
        raise typer.Exit(1)


async def _done(settings: Settings, kind: str, scenes: list[str], dataset: str, parameters: dict, again: bool) -> tuple[studying.Run, list[dict]]:
    scope = Scope(settings.city_code)

    @asynccontextmanager
    async def connected():
        connection = await connect(settings.database_url or "")
        try:
            yield connection
            await connection.commit()
        finally:
            await connection.close()

    async with connected() as connection:
        asked, _ = await studying.request(connection, scope, kind=kind, scenes=scenes, dataset_id=dataset, parameters=parameters, again=again)
    await studying.run(connected, settings.data_dir, asked.id)
    async with connected() as connection:
        return await studying.get(connection, scope, asked.id), await studying.features(connection, scope, asked.id)
