"""hdq evaluate: how well an analysis agrees with labelled data. The last line of output is one JSON object."""

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from gis_api.commands import console
from imagery.cameras import calibrate_points
from imagery.scenes import evaluation
from imagery.scenes.accuracy import Accuracy

group = typer.Typer(help="对照真值评价算法 · Judge an algorithm against labelled data.", no_args_is_help=True)


@group.callback()
def evaluate() -> None:
    """Judges an algorithm against labelled data."""


@group.command()
def change(
    after: Annotated[Path, typer.Option(help="later GeoTIFF (or PNG)", exists=True, dir_okay=False)],
    truth: Annotated[Path, typer.Option(help="mask: 0 unknown, 1 unchanged, 2 changed; or -1 unknown, 0 unchanged, 1 changed; or two values, the higher one changed", exists=True, dir_okay=False)],
    before: Annotated[
        Path | None,
        typer.Option(help="earlier GeoTIFF (or PNG without georeference); not needed by analyses of one scene, e.g. flood_extent", exists=True, dir_okay=False),
    ] = None,
    analysis: Annotated[str, typer.Option(help="id of the analysis, see GET /api/analyses")] = "change_vector",
    bands: Annotated[str, typer.Option(help="band names in file order, by commas; empty: from the files")] = "",
    parameters: Annotated[str, typer.Option(help='parameters as JSON, e.g. {"sigmas": 2.5}')] = "{}",
) -> None:
    """Runs a change analysis on a labelled pair and prints AUC of the score and precision, recall, F1 and IoU of the mask, beside IR-MAD and CVA."""
    started = time.perf_counter()
    names = tuple(name.strip() for name in bands.split(",") if name.strip())
    chosen = evaluation.analysis_of(analysis, parameters)
    labelled = evaluation.load(before.resolve() if before else None, after.resolve(), truth.resolve(), names, chosen)
    accuracy = labelled.judge(chosen)
    seconds = time.perf_counter() - started
    baselines = {
        name: found.as_dict() if isinstance(found, Accuracy) else {"not_applicable": found} for name, found in evaluation.beside(labelled).items()
    }
    table = Table("figure", analysis, *baselines, title=f"{analysis}: {before.name if before else '—'} → {after.name}", title_justify="left")
    for name, value in accuracy.as_dict().items():
        table.add_row(name, "—" if value is None else f"{value}", *(f"{figures.get(name, '—')}" for figures in baselines.values()))
    console.print(table)
    print(json.dumps({"analysis": analysis, **accuracy.as_dict(), "seconds": round(seconds, 2), **baselines}))


@group.command()
def georeference(
    file: Annotated[Path, typer.Argument(help="control points: rows of box, seconds, latitude and longitude in radians, height; or JSON with gcps", exists=True, dir_okay=False)],
    width: Annotated[int, typer.Option(help="picture width in pixels where the file names none; 0: 1024, or what the boxes need", min=0)] = 0,
    height: Annotated[int, typer.Option(help="picture height in pixels, likewise; 0: 768", min=0)] = 0,
) -> None:
    """Calibrates a camera from control points, each placed by all the others, and prints the errors and how often the 90 % regions hold the truth."""
    started = time.perf_counter()
    control = calibrate_points.read(file.resolve(), (width, height) if width and height else None)
    points = control.points
    judged = {"one left out": calibrate_points.leave_out(points, np.arange(len(points))), "at control points": calibrate_points.at_control(points)}
    if control.passes is not None and len(np.unique(control.passes)) > 1:
        judged["one drive left out"] = calibrate_points.leave_out(points, control.passes)
    figures = {name: judgement.as_dict() for name, judgement in judged.items()}
    table = Table("figure", *figures, title=f"{file.name}: {len(points)} control points", title_justify="left")
    for name in next(iter(figures.values())):
        table.add_row(name, *(f"{column[name]}" for column in figures.values()))
    console.print(table)
    others = {name.replace(" ", "_"): figures[name] for name in list(figures)[1:]}
    print(json.dumps({**figures["one left out"], "seconds": round(time.perf_counter() - started, 2), **others}))
