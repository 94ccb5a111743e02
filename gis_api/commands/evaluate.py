"""hdq evaluate: how well an analysis agrees with labelled data. The last line of output is one JSON object."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import Progress
from rich.table import Table

from gis_api.commands import console, settings_or_exit
from imagery.cameras import calibrate_points, labelled, looks, scoring, weights
from imagery.cameras.detectors import detectors
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


@group.command()
def detect(
    images: Annotated[Path, typer.Option(help="folder of pictures", exists=True, file_okay=False)],
    name: Annotated[str, typer.Option("--weights", help="id of registered weights (hdq models), or a path to an .onnx file or an OpenVINO folder")],
    labels: Annotated[
        Path | None,
        typer.Option(help="folder of labels, same stems: YOLO .txt or Pascal VOC .xml; a picture without one counts as empty; left out: beside the pictures", exists=True, file_okay=False),
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=0.001, max=0.999, help="score for recall and precision; left out: the algorithm's own, else 0.25")] = None,
    overlap: Annotated[float, typer.Option("--iou", min=0.05, max=0.95, help="IoU at which a box counts as right in recall and precision")] = 0.5,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 2,
    once: Annotated[bool, typer.Option("--once", help="one plain run a frame, even where the algorithm looks several times")] = False,
) -> None:
    """Runs weights on pictures and prints recall and precision at a threshold, mAP at IoU 0.5, false alarms in empty frames and the time of a frame."""
    model = weights.open_model(weights.models_dir(settings_or_exit().data_dir), name)
    used = next((detector for detector in detectors().values() if model.card.id in detector.models), None)
    least = threshold if threshold is not None else used.threshold if used else 0.25
    beside = labels or images
    pictures = labelled.read_pictures(images, beside, labelled.classes_near(beside) or model.card.classes)
    look = used.look if used and not once else looks.ONCE
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("识别 detecting")
        found = scoring.score(
            weights.load_engine(model, threads), pictures, threshold=least, overlap=overlap, look=look, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    table = Table("class", "AP50", title=f"{model.card.id} {model.card.sha256[:12]}: {found.pictures} pictures, {found.labels} labels", title_justify="left")
    for label, value in found.by_class.items():
        table.add_row(label, f"{value:.3f}")
    console.print(table)
    if found.empty_frames:
        console.print(f"{found.empty_frames} 帧无目标 · empty frames: 每帧误报 · false alarms a frame {found.false_alarms_per_frame}, 有误报的帧 · frames with one {found.alarming_frames:.1%}")
    print(json.dumps({"weights": model.card.id, "sha256": model.card.sha256, **asdict(found), "runs": look.runs}, ensure_ascii=False))
