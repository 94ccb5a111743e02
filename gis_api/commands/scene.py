"""hdq scene: scenes from files and products' folders, with the refusals that the web door gives; and whether what was published is still whole."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gis_api.commands import console, ready
from grid.database import Scope, connect
from grid.errors import HdqError
from grid.settings import Settings
from imagery.scenes import catalogue, masking
from imagery.scenes.readers import moment

group = typer.Typer(help="卫星与航空影像 · Scenes from above: add files and products, check what was published.", no_args_is_help=True)
PAGE = 500


@group.callback()
def scene() -> None:
    """Scenes from above."""


@group.command()
def add(
    paths: Annotated[list[Path], typer.Argument(exists=True, readable=True, help="GeoTIFF or COG; a folder, zip or tar of Sentinel-2 SAFE, Landsat Collection 2 or Gaofen with RPC")],
    time: Annotated[str, typer.Option(help="拍摄时间（带时区） · when it was taken, with zone; products say it themselves")] = "",
    bands: Annotated[str, typer.Option(help="波段名，按文件顺序 · band names in file order, by commas; of a product: those that are wanted")] = "",
    id: Annotated[str, typer.Option(help="编号（单个文件时） · id, of a single file")] = "",
    collection: Annotated[str, typer.Option(help="集合 · collection")] = "",
    title: Annotated[str, typer.Option(help="标题 · title")] = "",
    crs: Annotated[str, typer.Option(help="坐标系，代替文件所声明的 · in place of what the file declares, e.g. EPSG:32651")] = "",
    sha256: Annotated[str, typer.Option(help="文件应有的 SHA-256（单个文件时） · that the file must have")] = "",
    height: Annotated[float | None, typer.Option(help="正射高程（椭球高，米） · ellipsoidal height for a picture with a camera model, metres")] = None,
    terrain: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="高程模型 · GeoTIFF of heights for a picture with a camera model")] = None,
    elsewhere: Annotated[bool, typer.Option("--elsewhere", help="允许远离本市 · it may lie far from the city")] = False,
    tide: Annotated[float | None, typer.Option(min=-10, max=10, help="拍摄时潮位（高程基准以上，米） · water level when it was taken, metres above the height datum")] = None,
) -> None:
    """登记影像 · registers scenes, each in a transaction of its own; ends with 1 when one was refused, and says why."""
    settings = ready()
    if len(paths) > 1 and (id or sha256):
        raise typer.BadParameter("--id 与 --sha256 只用于单个文件 · go with a single path")
    refused = 0
    for path in paths:
        try:
            made = asyncio.run(
                _add(
                    settings, path, taken_at=moment(time, "") if time else None, scene_id=id, collection=collection, title=title,
                    bands=tuple(name.strip() for name in bands.split(",") if name.strip()), crs=crs, sha256=sha256, height_m=height,
                    terrain=terrain.resolve() if terrain else None, elsewhere=elsewhere, tide_m=tide,
                )
            )  # fmt: skip
        except HdqError as refusal:
            refused += 1
            console.print(f"[red]✗[/red] {path.name}: {refusal.detail}", soft_wrap=True)
            console.print(f"  → {refusal.remedy}", markup=False, soft_wrap=True)
            continue
        console.print(f"[green]✓[/green] {made.id}  {made.taken_at:%Y-%m-%d %H:%M}Z  {', '.join(made.band_names)}  {made.gsd_m:g} m  {made.region_code}", soft_wrap=True)
    if refused:
        raise typer.Exit(1)


async def _add(settings: Settings, path: Path, *, taken_at: datetime | None, **said: object) -> catalogue.Scene:
    connection = await connect(settings.database_url or "")
    try:
        made = await catalogue.register(connection, settings.data_dir, path, taken_at=taken_at, city_code=settings.city_code, tide_file=settings.tide_file, **said)
        try:
            await connection.commit()
        except BaseException:
            catalogue.discard(made, settings.data_dir)
            raise
        return made
    finally:
        await connection.close()


@group.command()
def check() -> None:
    """核对影像文件 · reads every published scene through and compares its SHA-256 with the one it was published with; ends with 1 when one differs."""
    settings = ready()
    scenes = asyncio.run(_all(settings))
    damaged = 0
    for one in scenes:
        if wrong := catalogue.damage(one, settings.data_dir):
            damaged += 1
            console.print(f"[red]✗[/red] {one.id}: {wrong}", soft_wrap=True)
            console.print("  → 从原件重新登记 · add it again from its original, under another id", markup=False, soft_wrap=True)
    console.print(f"{len(scenes) - damaged} 完好 whole, {damaged} 损坏 damaged")
    if damaged:
        raise typer.Exit(1)


async def _all(settings: Settings) -> list[catalogue.Scene]:
    connection = await connect(settings.database_url or "")
    try:
        found: list[catalogue.Scene] = []
        while part := await catalogue.page(connection, Scope(settings.city_code), limit=PAGE, offset=len(found)):
            found += part
        return found
    finally:
        await connection.close()


@group.command("masks")
def make_masks(
    scenes: Annotated[list[str] | None, typer.Argument(help="编号；不给：所有还没有云罩的影像 · ids; none: all scenes without a mask")] = None,
) -> None:
    """云与云影 · makes the masks of scenes, joined with their makers' own, and their items; ends with 1 when one could not be masked."""
    settings = ready()
    refused = 0
    for name, said in asyncio.run(_masked(settings, scenes)):
        refused += said is None
        line = "没有可用的云罩 · cannot be masked" if said is None else "  ".join(f"{key} {value:.1%}" for key, value in said.items())
        console.print(f"{'[red]✗[/red]' if said is None else '[green]✓[/green]'} {name}  {line}", soft_wrap=True)
    if refused:
        raise typer.Exit(1)


async def _masked(settings: Settings, scenes: list[str] | None) -> list[tuple[str, dict[str, float] | None]]:
    connection = await connect(settings.database_url or "")
    scope, done = Scope(settings.city_code), []
    try:
        for name in scenes or await masking.lacking(connection, scope):
            try:
                item = await masking.run(settings.data_dir, await catalogue.get(connection, scope, name))
            except HdqError as refusal:
                console.print(f"{name}: {refusal.detail}", markup=False, soft_wrap=True)
                item = None
            if item is not None:
                await masking.store(connection, item)
            await connection.commit()
            done.append((name, None if item is None else item.properties["hdq:shares"]))
        return done
    finally:
        await connection.close()
