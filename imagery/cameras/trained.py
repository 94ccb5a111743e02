"""New weights from labelled pictures: trained in a process of their own, scored on pictures kept apart, registered with a card that says so."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from grid.errors import Unavailable
from imagery.cameras import labelled, scoring, weights
from imagery.cameras.training import Recipe
from imagery.cameras.weights import Model


def train_and_register(
    directory: Path, model_id: str, dataset: Path, start: Path, recipe: Recipe, *, licence: str, progress: Callable[[int, str], None] = lambda *_: None
) -> tuple[Model, dict[str, object]]:
    """Trains, registers under `model_id` (in place of earlier weights) and returns the model and its figures: of the training and, where the data have a `valid` part, of the score.

    `progress(epoch, losses)` is called after each epoch. A run that fails or is broken off leaves the registry as it was. Raises InvalidInput, NotFound, Unavailable.
    """
    classes = labelled.read_dataset(dataset, "train").classes
    checkpoint = directory / ".training" / f"{model_id}.pt"
    figures = in_its_process(dataset, start, checkpoint, recipe, directory / ".ultralytics", progress)
    held = labelled.read_dataset(dataset, "valid").pictures if (dataset / "valid" / "images").is_dir() else ()
    day = datetime.now(UTC).date().isoformat()
    provenance = f"hdq models train {day}: {figures['pictures']} pictures of {dataset.name}, {recipe.epochs} epochs, side {recipe.side}, batch {recipe.batch}, seed {recipe.seed}, from {start.name}"
    model = weights.add_model(
        directory, checkpoint, model_id=model_id, classes=classes, licence=licence, provenance=provenance, replace=True, side=recipe.side, notes="not scored: no valid pictures"
    )
    if held:
        found = scoring.score(weights.load_engine(model), held)
        figures |= {"valid": asdict(found)}
        model = weights.annotate(model, f"mAP50 {found.map50} on {found.pictures} pictures kept apart ({', '.join(f'{name} {value}' for name, value in found.by_class.items())})")
    return model, figures


def in_its_process(
    dataset: Path, start: Path, target: Path, recipe: Recipe, config_dir: Path, progress: Callable[[int, str], None] = lambda *_: None
) -> dict[str, object]:
    """Runs `training.train` in a process of its own and returns what it says; `target` is written only when it ends well. Raises Unavailable with its last lines."""
    command = [
        sys.executable, "-m", "imagery.cameras.training", str(dataset.resolve()), str(start.resolve()), str(target.resolve()), "--config-dir", str(config_dir.resolve()),
        "--epochs", str(recipe.epochs), "--side", str(recipe.side), "--batch", str(recipe.batch), "--seed", str(recipe.seed), "--rate", str(recipe.rate),
        "--threads", str(recipe.threads), *(["--gpu"] if recipe.gpu else []),
    ]  # fmt: skip
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    root = Path(__file__).resolve().parents[2]
    last: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root, env={**kept, "PYTHONPATH": str(root)}) as process:
        for line in process.stdout or ():
            last = [*last[-20:], line.strip()] if line.strip() else last
            if line.startswith('{"epoch"'):
                said = json.loads(line)
                progress(said["epoch"], " ".join(f"{name.split('/')[-1]} {value}" for name, value in said.items() if name.startswith("train/")))
    answer = json.loads(last[-1]) if last and last[-1].startswith("{") else {}
    if process.returncode or "weights_sha256" not in answer:
        raise Unavailable(answer.get("error") or f"the training ended with {process.returncode}: {' | '.join(last[-3:])}", remedy=answer.get("remedy") or "Read the lines above; start again.")
    return answer
