"""hdq import: a file into a layer, with the refusals and the report of bad rows that the web door gives."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from gis_api.commands import console, ready
from grid.database import Scope, connect
from grid.errors import HdqError, InvalidInput
from grid.settings import Settings
from layers import changes, datasets, geocoding, originals, release, staging
from layers.quarantine import Held
from layers.readers import Options
from layers.reading import kinds

SHOWN_ROWS = 20


def command(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help=kinds.ACCEPTED_ZH)],
    title: Annotated[str | None, typer.Option(help="标题，默认为文件名 · title, by default the file's name")] = None,
    crs: Annotated[str | None, typer.Option(help="坐标系 · EPSG:4326, EPSG:4490, EPSG:4528, GCJ-02, BD-09 …")] = None,
    encoding: Annotated[str | None, typer.Option(help="文字编码 · e.g. GBK")] = None,
    x: Annotated[str | None, typer.Option(help="CSV 经度列 · column of longitude or easting")] = None,
    y: Annotated[str | None, typer.Option(help="CSV 纬度列 · column of latitude or northing")] = None,
    key: Annotated[str | None, typer.Option(help="必须唯一的字段 · attribute that must be unique")] = None,
    layer: Annotated[str | None, typer.Option(help="图层或工作表 · layer of a file of several, or a sheet")] = None,
    address: Annotated[str | None, typer.Option(help="无坐标的表格的地址列 · column of addresses of a table without coordinates")] = None,
    height: Annotated[str | None, typer.Option(help="高程列，默认取 Z · column of heights, by default the Z of the shapes")] = None,
    datum: Annotated[str | None, typer.Option(help="高程基准 · 1985 | ellipsoidal")] = None,
    swapped: Annotated[bool, typer.Option("--swapped", help="纬度在前 · latitude or northing stands first")] = False,
    licence: Annotated[str, typer.Option(help="许可 · licence")] = "",
    vintage: Annotated[str, typer.Option(help="数据时间 · the time the data stand for: 2026, 2026-05 or 2026-05-31")] = "",
    mode: Annotated[str, typer.Option(help="create | append | replace | upsert")] = "create",
    dataset: Annotated[str | None, typer.Option(help="要追加、替换或更新的数据集 · the dataset to append to, replace or upsert")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="只看会改变什么 · only show what would change")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="不再询问 · do not ask before storing")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="坐标可疑时按建议修正并发布 · if suspicious, apply the proposed fix and publish")] = False,
    trust: Annotated[str, typer.Option(help="坐标可疑时坚持原坐标的理由 · why to publish as declared although suspicious")] = "",
) -> None:
    """导入文件为图层 · imports a file as a layer; a wrong or missing reference system is refused with candidates, suspicious rows are held back."""
    settings = ready()
    options = Options(crs=crs, encoding=encoding, x=x, y=y, key=key, layer=layer, swapped=swapped, address=address, height=height, datum=datum)
    try:
        about = datasets.About(title=title or path.stem, licence=licence, vintage=datasets.vintage(vintage))
    except HdqError as refusal:
        explain(refusal)
        raise
    if mode != "create" or dataset is not None or preview:
        try:
            asyncio.run(_change(settings, path, about, options, mode, dataset, preview, yes))
        except HdqError as refusal:
            explain(refusal)
            raise
        return
    try:
        found = asyncio.run(_import(settings, path, about, options, "fix" if fix else "override" if trust else None, trust))
    except HdqError as refusal:
        explain(refusal)
        raise
    if isinstance(found, Held):
        show_held(found)
        raise typer.Exit(3)
    console.print(f"[green]✓[/green] {found.title}  图层 layer {found.layer_id}  {found.feature_count:,} × {found.geometry_type}  {found.declared_crs} ({found.crs_origin})")
    if found.mended:
        console.print(f"  修复了 {found.mended:,} 个几何 · {found.mended:,} shapes mended")
    _rows([(r.row, r.reason) for r in found.rejected])


def show_held(held: Held) -> None:
    """Prints the verdict on a file in quarantine, and what to do about it."""
    console.print(f"[yellow]⚠ 已隔离，未上图 · held in quarantine, nothing is on the map[/yellow]  #{held.id} {held.title}  {held.suspicious_rows:,}/{held.row_count:,}")
    for finding in held.findings:
        console.print(f"  {finding.text}\n  {finding.text_en}", markup=False, soft_wrap=True)
    console.print("  在管理台“图层与数据”确认，或：--fix 按建议修正，--trust 理由 坚持原坐标", markup=False, soft_wrap=True)
    console.print("  decide in /admin, or: --fix applies the proposal, --trust REASON publishes as declared", markup=False, soft_wrap=True)


def explain(refusal: HdqError) -> None:
    """Prints what a refusal carries beyond its sentence: candidate frames and bad rows."""
    candidates = refusal.extra.get("candidates") or []
    if candidates:
        console.print("[yellow]可能的坐标系 · likely frames[/yellow]")
        for c in candidates:
            console.print(f"  --crs {c.crs}{' --swapped' if c.swapped else ''}  → {c.lon:.5f}, {c.lat:.5f}", markup=False)
            console.print(f"      {c.reason}\n      {c.reason_en}", markup=False, soft_wrap=True)
    _rows([(r["row"], r["reason"]) for r in refusal.extra.get("rows") or []])


def _rows(rejected: list[tuple[int, str]]) -> None:
    if not rejected:
        return
    console.print(f"[yellow]{len(rejected):,} 行未导入 · rows left out[/yellow]")
    for row, reason in rejected[:SHOWN_ROWS]:
        console.print(f"  {row:>8,}  {reason}", markup=False)
    if len(rejected) > SHOWN_ROWS:
        console.print(f"  … {len(rejected) - SHOWN_ROWS:,} more")


async def _import(
    settings: Settings, path: Path, about: datasets.About, options: Options, decision: release.Decision | None, reason: str
) -> datasets.Dataset | Held:
    scope = Scope(settings.city_code)
    connection = await connect(settings.database_url or "")
    try:
        with Progress(TextColumn("导入 importing"), BarColumn(), MofNCompleteColumn(), console=console, transient=True) as bar:
            task = bar.add_task("import", total=None)
            found = await datasets.import_file(
                connection,
                settings.data_dir,
                path,
                path.name,
                about,
                options,
                scope=scope,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        if isinstance(found, Held) and decision is not None:
            show_held(found)
            settled = await release.decide(connection, settings.data_dir, scope, found.id, decision, reason)
            found = await datasets.get(connection, scope, settled.dataset_id)
        await connection.commit()
        return found
    finally:
        await connection.close()


async def _change(
    settings: Settings, path: Path, about: datasets.About, options: Options, mode: str, dataset_id: str | None, preview: bool, yes: bool
) -> None:
    """Shows what a file would do to a dataset, asks, and does it, in one transaction."""
    if mode not in changes.MODES or dataset_id is None:
        raise InvalidInput(f"方式 {mode!r} 须配合 --dataset · mode {mode!r} does not go with the dataset {dataset_id!r}", remedy="--mode append|replace|upsert --dataset ID")
    scope = Scope(settings.city_code)
    connection = await connect(settings.database_url or "")
    try:
        target = await changes.writable(connection, scope, dataset_id)
        if options.key is None and mode != "replace":
            options = replace(options, key=target.key_name)
        around = await datasets.surroundings(connection, scope)
        placed = await geocoding.placed(connection, scope, path, path.name, options)
        reading = await asyncio.to_thread(datasets.start, path, path.name, about, placed, around, dataset_id)
        with Progress(TextColumn("读取 reading"), BarColumn(), MofNCompleteColumn(), console=console, transient=True) as bar:
            task = bar.add_task("read", total=None)

            async def watch(rows: int, done: float) -> None:
                bar.update(task, completed=rows, total=round(rows / max(done, 1e-9)))

            staged = await staging.fill(connection, dataset_id, reading.chunks, watch)
        await changes.screen(connection, settings.data_dir, path, path.name, options, staged)
        show_changes(await changes.preview(connection, target, staged, mode, options.key))
        _rows([(r.row, r.reason) for r in staged.summary.rejected])
        if preview or not (yes or typer.confirm("写入？· store?")):
            await connection.rollback()
            console.print("未写入 · nothing was stored")
            return
        await originals.importing(connection)
        await asyncio.to_thread(originals.keep, settings.data_dir, path, reading.sha256)
        stored = await changes.apply(connection, scope, target, staged, mode, options.key, name=path.name, sha256=reading.sha256, vintage=about.vintage)
        await connection.commit()
        console.print(f"[green]✓[/green] {stored.title}  图层 layer {stored.layer_id}  {stored.feature_count:,}  版本 version {stored.version}")
    finally:
        await connection.close()


def show_changes(seen: changes.Changes) -> None:
    """Prints the counts and some examples."""
    console.print(f"  新增 new {seen.new:,}  改变 changed {seen.changed:,}  删除 removed {seen.removed:,}  不变 unchanged {seen.unchanged:,}  保留 kept {seen.kept:,}")
    for example in seen.examples:
        sign = {"new": "+", "changed": "~", "removed": "-"}[example.kind]
        console.print(f"  {sign} {example.key or ''}  {json.dumps(example.after or example.before, ensure_ascii=False)[:120]}", markup=False, soft_wrap=True)
