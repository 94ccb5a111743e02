"""hdq models: weights of the camera algorithms: list them, add one, train one, take what packages and the shared data folder carry."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gis_api.commands import console, settings_or_exit
from imagery.cameras import carried, trained, weights
from imagery.cameras.detectors import standings
from imagery.cameras.training import Recipe

group = typer.Typer(help="模型权重：列出、添加、训练 · Model weights: list, add, train, take.", invoke_without_command=True)


@group.callback()
def listing(context: typer.Context) -> None:
    """Lists weights and the algorithms that run on them; unavailable ones with the reason and the remedy."""
    if context.invoked_subcommand is not None:
        return
    directory = weights.models_dir(settings_or_exit().data_dir)
    table = Table("id", "classes", "format", "sha256", "licence", "provenance", title="模型 Models", title_justify="left")
    for model in weights.list_models(directory):
        card = model.card
        classes = ", ".join(card.classes[:6]) + (f" … ({len(card.classes)})" if len(card.classes) > 6 else "")
        table.add_row(card.id, classes, f"{card.format} {card.imgsz}", card.sha256[:12], card.licence, card.provenance)
    console.print(table)
    table = Table("id", "title", "scene", "threshold", "model", title="算法 Detectors", title_justify="left")
    for entry in standings(directory):
        state = entry.model.card.id if entry.model else f"[red]不可用 unavailable[/red]: {entry.reason}\n→ {entry.remedy}"
        table.add_row(
            entry.detector.id,
            f"{entry.detector.title} {entry.detector.title_en}",
            ", ".join(sorted(entry.detector.scenes)),
            f"{entry.detector.threshold:g}",
            state,
        )
    console.print(table)


@group.command()
def add(
    file: Annotated[Path, typer.Argument(help=".onnx, .pt (converted safely) or a folder with OpenVINO .xml and .bin")],
    id: Annotated[str, typer.Option("--id", help="id that detectors ask for, e.g. street-litter")],
    classes: Annotated[str, typer.Option(help="class names in the model's order, by commas; needed only when the file carries none")] = "",
    licence: Annotated[str, typer.Option(help="what its owner allows")] = "undeclared",
    provenance: Annotated[str, typer.Option(help="who trained it, on what")] = "",
    notes: Annotated[str, typer.Option()] = "",
    replace: Annotated[bool, typer.Option("--replace", help="take the place of other weights of this id")] = False,
) -> None:
    """Adds a model: checked, hashed, tried on an empty frame. A pickle that names foreign classes is refused."""
    model = weights.add_model(
        weights.models_dir(settings_or_exit().data_dir),
        file,
        model_id=id,
        classes=tuple(name.strip() for name in classes.split(",") if name.strip()),
        licence=licence,
        provenance=provenance or str(file.name),
        notes=notes,
        replace=replace,
    )
    console.print(
        f"[green]✓[/green] {model.card.id}: {', '.join(model.card.classes[:10])} · {model.card.format} {model.card.imgsz} · sha256 {model.card.sha256[:16]}…"
    )


@group.command()
def train(
    id: Annotated[str, typer.Argument(help="id that the weights get, e.g. street-litter")],
    dataset: Annotated[Path, typer.Argument(help="folder in YOLO's layout: data.yaml, train/images, train/labels; valid/ is only scored on", exists=True, file_okay=False)],
    start: Annotated[Path | None, typer.Option(help="checkpoint (.pt) to start from; left out: the YOLOv8n of an installed package", exists=True, dir_okay=False)] = None,
    epochs: Annotated[int, typer.Option(min=1, max=1000)] = Recipe().epochs,
    side: Annotated[int, typer.Option(help="input side in pixels, a multiple of 32")] = Recipe().side,
    batch: Annotated[int, typer.Option(min=1, max=256)] = Recipe().batch,
    seed: Annotated[int, typer.Option()] = Recipe().seed,
    gpu: Annotated[bool, typer.Option("--gpu", help="on the first GPU, in mixed precision")] = False,
    licence: Annotated[str, typer.Option(help="what the owner of the pictures allows")] = "undeclared",
) -> None:
    """Trains weights on labelled pictures and registers them with their score on the pictures kept apart. Repeatable: the same seed gives the same weights."""
    settings = settings_or_exit()
    recipe = Recipe(epochs=epochs, side=side, batch=batch, seed=seed, threads=settings.detector_threads, gpu=gpu)
    began = start or carried.starting_point(settings.test_data)
    with Progress(TextColumn("训练 training"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} {task.description}"), TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("", total=epochs)
        model, figures = trained.train_and_register(
            weights.models_dir(settings.data_dir), id, dataset, began, recipe, licence=licence,
            progress=lambda epoch, losses: bar.update(task, completed=epoch, description=losses),
        )  # fmt: skip
    console.print(f"[green]✓[/green] {model.card.id}: {', '.join(model.card.classes)} · sha256 {model.card.sha256[:16]}… · {model.card.notes}")
    print(json.dumps(figures, ensure_ascii=False))


@group.command()
def take() -> None:
    """Takes the weights that the shared data folder and installed packages carry; what is there already is kept."""
    settings = settings_or_exit()
    directory = weights.models_dir(settings.data_dir)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        task = progress.add_task("…", total=None)

        def report(name: str) -> None:
            progress.update(task, description=f"{name} …")

        taken = carried.take_from_data(directory, settings.test_data, report) + carried.take_from_packages(directory, report)
    for entry in taken:
        if entry.model:
            console.print(f"[green]✓[/green] {entry.id}: {entry.model.card.provenance}")
        else:
            console.print(f"[yellow]–[/yellow] {entry.id}: {entry.reason} → {entry.remedy}")
