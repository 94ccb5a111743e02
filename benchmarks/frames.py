"""What one camera frame costs on this CPU: decode, gate, detect by engine, place; beside ultralytics' own loop on the same model file.

`python -m benchmarks.frames [--rounds 15] [--threads 2]`: rounds are interleaved, figures are medians in milliseconds of wall and of CPU
time (the machine may be shared). With the labelled
tower frames of the shared data it also counts hits (IoU > 0.3) and false alarms of the smoke detector at several thresholds.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path

import cv2
import numpy as np
from defusedxml import ElementTree
from rich.console import Console
from rich.table import Table

from grid.settings import Settings
from imagery.cameras import carried, frames, health, weights
from imagery.cameras.convert import import_ultralytics
from imagery.cameras.detectors import detectors
from imagery.cameras.engines import Box, Engine
from imagery.cameras.locate import Pose, locate
from imagery.terrain import from_array

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


def picture(settings: Settings) -> np.ndarray:
    """A real picture that an installed package carries."""
    spec = util.find_spec("ultralytics")
    return frames.decode((Path(spec.submodule_search_locations[0]) / "assets" / "bus.jpg").read_bytes())


def terrain():
    """500×500 cells of 30 m with hills."""
    y, x = np.mgrid[0:500, 0:500]
    return from_array(60 + 25 * np.sin(x / 31) * np.cos(y / 23), (1 / 3600, 0, 120.5, 0, -1 / 3600, 36.3))


def works(models: dict[str, weights.Model], image: np.ndarray, threads: int, scratch: Path) -> dict[str, Callable[[], object]]:
    """Everything that is timed, by name."""
    ground = terrain()
    pose = Pose(120.57, 36.23, float(ground.elevation(120.57, 36.23)) + 30, 90.0, -3.0, 60.0, 1920, 1080)
    full = cv2.resize(image, (1920, 1080))
    encoded = frames.encode(full)
    timed: dict[str, Callable[[], object]] = {
        "decode 1080p JPEG": lambda: frames.decode(encoded),
        "gate (thumb + difference)": lambda: health.changed(health.thumb(full), None),
        "locate (128 draws, 30 m terrain)": lambda: locate(pose, (900, 500, 960, 640), ground),
    }
    for model_id, model in models.items():
        for runtime in ("openvino", "onnxruntime"):
            if runtime == "onnxruntime" and model.card.format != "onnx":
                continue
            engine = Engine(model.entry, model.card.classes, threads=threads, runtime=runtime)
            timed[f"{model_id} · ours · {runtime}"] = lambda engine=engine: engine.boxes(image, 0.25)
        if model.card.format == "openvino" and any(name == "metadata.yaml" for name in model.card.files):
            theirs = peer(model, scratch)
            timed[f"{model_id} · ultralytics · openvino"] = lambda theirs=theirs: theirs.predict(image[..., ::-1], conf=0.25, verbose=False)
        if model.card.format == "onnx":
            theirs = import_ultralytics(scratch / "config").YOLO(str(model.entry), task="detect")
            timed[f"{model_id} · ultralytics · onnxruntime"] = lambda theirs=theirs: theirs.predict(image[..., ::-1], conf=0.25, verbose=False)
    return timed


def peer(model: weights.Model, scratch: Path):
    """ultralytics on the same files; it knows OpenVINO by the folder's name."""
    folder = scratch / f"{model.card.id}_openvino_model"
    folder.mkdir()
    for name in model.card.files:
        (folder / name).symlink_to(model.folder / name)
    return import_ultralytics(scratch / "config").YOLO(str(folder), task="detect")


def measure(timed: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of wall and CPU time of each; one warm-up, then all in turn, `rounds` times."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    for number in range(rounds + 1):
        for name, work in timed.items():
            began, used = time.perf_counter(), time.process_time()
            work()
            if number:
                taken[name].append(((time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000))
    return {name: {"wall": round(statistics.median(w for w, _ in v), 2), "cpu": round(statistics.median(c for _, c in v), 2)} for name, v in taken.items()}


def truth(file: Path) -> tuple[int, ...]:
    corners = ElementTree.parse(file.with_suffix(".xml")).find(".//bndbox")
    return tuple(int(corners.find(name).text) for name in ("xmin", "ymin", "xmax", "ymax"))


def overlap(box: Box, other: tuple[int, ...]) -> float:
    width, height = min(box.right, other[2]) - max(box.left, other[0]), min(box.bottom, other[3]) - max(box.top, other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (box.width * box.height + (other[2] - other[0]) * (other[3] - other[1]) - shared)


def hits(engine: Engine, folder: Path) -> dict:
    """Labelled frames found, boxes elsewhere on them, and unlabelled frames with any box, by threshold."""
    gather = detectors()["smoke-fire"].gather

    def seen(file: Path) -> tuple[Box, ...]:
        image = frames.decode(file.read_bytes())
        return gather(engine.boxes(image, THRESHOLDS[0]), image.shape[:2])

    labelled = [(truth(file), seen(file)) for file in sorted((folder / "labelled").glob("*.jpeg"))]
    others = [seen(file) for file in sorted((folder / "unlabelled").glob("*.jp*g"))]
    by = {}
    for at in THRESHOLDS:
        by[f"{at:g}"] = {
            "found": sum(any(box.score >= at and box.label == "smoke" and overlap(box, where) > 0.3 for box in boxes) for where, boxes in labelled),
            "elsewhere": sum(box.score >= at and overlap(box, where) <= 0.1 for where, boxes in labelled for box in boxes),
            "unlabelled": sum(any(box.score >= at for box in boxes) for boxes in others),
        }
    return {"labelled": len(labelled), "unlabelled": len(others), "by_threshold": by}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-hits", action="store_true", help="leave out the labelled frames")
    given = parser.parse_args()
    settings, console = Settings(), Console()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        taken = carried.take_from_data(scratch / "models", settings.test_data) or carried.take_from_packages(scratch / "models", console.print)
        models = {entry.id: entry.model for entry in taken if entry.model}
        figures = measure(works(models, picture(settings), given.threads, scratch), given.rounds)
        found = None
        folder = settings.test_data / "cameras" / "hpwren-smoke" if settings.test_data else None
        if folder is not None and folder.is_dir() and "smoke-fire" in models and not given.no_hits:
            found = hits(weights.load_engine(models["smoke-fire"], given.threads), folder)
    table = Table("what", "wall ms", "CPU ms", title=f"One frame, {given.threads} threads, medians")
    for what, value in figures.items():
        table.add_row(what, f"{value['wall']:.1f}", f"{value['cpu']:.1f}")
    console.print(table)
    if found:
        table = Table(
            "threshold",
            "found",
            "boxes elsewhere",
            "unlabelled with a box",
            title=f"Smoke on {found['labelled']} labelled and {found['unlabelled']} unlabelled frames",
        )
        for at, counts in found["by_threshold"].items():
            chosen = " ←" if float(at) == detectors()["smoke-fire"].threshold else ""
            table.add_row(at + chosen, *(str(counts[name]) for name in ("found", "elsewhere", "unlabelled")))
        console.print(table)
    ours, theirs = figures.get("coco · ours · openvino"), figures.get("coco · ultralytics · openvino")
    ratio = round(ours["cpu"] / theirs["cpu"], 3) if ours and theirs else None
    print(
        json.dumps({"benchmark": "frames", "threads": given.threads, "rounds": given.rounds, "ms": figures, "cpu_ours_to_ultralytics": ratio, "smoke": found})
    )


if __name__ == "__main__":
    main()
