"""What one camera frame costs on this CPU: decode, gate, detect by engine, place; beside ultralytics' own loop on the same model file. And a standing
camera with one active frame in ten: glance, then decode and detect what changed, beside onnxruntime on every frame (vs_ort, same).

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
from imagery.cameras import carried, frames, health, looks, weights
from imagery.cameras.convert import import_ultralytics
from imagery.cameras.detectors import detectors
from imagery.cameras.engines import Box, Engine
from imagery.cameras.glance import Glances
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


ACTIVE_EVERY = 10
SHIFT = 37


def stretch(image: np.ndarray, length: int) -> list[bytes]:
    """JPEGs of a standing 1080p camera with sensor noise; in every tenth the scene is another one (moved by some pixels), so that there is something to see."""
    random = np.random.default_rng(11)
    full = cv2.resize(image, (1920, 1080)).astype(np.int16)
    pictures, scene = [], full
    for number in range(length):
        if number % ACTIVE_EVERY == 0:
            scene = np.roll(full, SHIFT * (number // ACTIVE_EVERY), axis=1)
        noisy = np.clip(scene + random.normal(0, 2.5, scene.shape), 0, 255).astype(np.uint8)
        pictures.append(frames.encode(noisy))
    return pictures


def telling(models: dict[str, weights.Model], settings: Settings, threads: int) -> tuple[weights.Model, np.ndarray] | None:
    """A model that both engines read, and a real picture on which it finds something: a labelled tower frame where there are some."""
    folder = settings.test_data / "cameras" / "hpwren-smoke" / "labelled" if settings.test_data else None
    pictures = [frames.decode(file.read_bytes()) for file in sorted(folder.glob("*.jpeg"))[:6]] if folder and folder.is_dir() else []
    for model in (m for m in models.values() if m.card.format == "onnx"):
        engine = Engine(model.entry, model.card.classes, threads=threads)
        for image in (*pictures, picture(settings)):
            if engine.boxes(cv2.resize(image, (1920, 1080)), 0.3):
                return model, image
    return None


def gated(models: dict[str, weights.Model], settings: Settings, threads: int, rounds: int) -> dict | None:
    """CPU ms a frame of glance, then decode and detect on what changed, beside onnxruntime on every frame; and the boxes of the active frames.

    Detections are the same when each has its like: same class, scores within 0.03, IoU of 0.98 at least; the least IoU is told. Both compute in float32.
    """
    told = telling(models, settings, threads)
    if told is None:
        return None
    model, image = told
    ours, theirs = (Engine(model.entry, model.card.classes, threads=threads, runtime=name) for name in ("openvino", "onnxruntime"))
    pictures = stretch(image, 3 * ACTIVE_EVERY)
    active = range(0, len(pictures), ACTIVE_EVERY)
    for engine in (ours, theirs):
        engine.boxes(frames.decode(pictures[0]), 0.25)
    costs: dict[str, list[float]] = {"ours": [], "onnxruntime": []}
    seen: dict[int, tuple[Box, ...]] = {}
    every: dict[int, tuple[Box, ...]] = {}
    for _ in range(rounds):
        began, gate = time.process_time(), Glances()
        seen = {number: ours.boxes(frames.decode(content), 0.25) for number, content in enumerate(pictures) if gate.passes(content)}
        costs["ours"].append((time.process_time() - began) * 1000 / len(pictures))
        began = time.process_time()
        every = {number: theirs.boxes(frames.decode(content), 0.25) for number, content in enumerate(pictures)}
        costs["onnxruntime"].append((time.process_time() - began) * 1000 / len(pictures))
    mine, peer = statistics.median(costs["ours"]), statistics.median(costs["onnxruntime"])
    least = min(likeness(seen.get(n, ()), every[n]) for n in active)
    same = set(seen) == set(active) and least >= 0.98
    return {
        "model": model.card.id, "ms": {"ours": round(mine, 2), "onnxruntime": round(peer, 2)}, "vs_ort": round(peer / mine, 1), "same": same, "least_iou": round(least, 3),
        "detected_on": sorted(seen), "boxes": sum(map(len, seen.values())),
    }  # fmt: skip


def likeness(some: tuple[Box, ...], others: tuple[Box, ...], slack: float = 0.03) -> float:
    """The least IoU of any box that is clearly above the threshold with its like among the others (same class, scores within `slack`); 0 where one has none."""

    def best(box: Box, among: tuple[Box, ...]) -> float:
        like = [overlap(box, (o.left, o.top, o.right, o.bottom)) for o in among if o.label == box.label and abs(o.score - box.score) <= slack]
        return max(like, default=0.0)

    clear = 0.25 + slack
    found = [best(box, others) for box in some if box.score >= clear] + [best(box, some) for box in others if box.score >= clear]
    return min(found, default=1.0)


def truth(file: Path) -> tuple[int, ...]:
    corners = ElementTree.parse(file.with_suffix(".xml")).find(".//bndbox")
    return tuple(int(corners.find(name).text) for name in ("xmin", "ymin", "xmax", "ymax"))


def overlap(box: Box, other: tuple[int, ...]) -> float:
    width, height = min(box.right, other[2]) - max(box.left, other[0]), min(box.bottom, other[3]) - max(box.top, other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (box.width * box.height + (other[2] - other[0]) * (other[3] - other[1]) - shared)


def hits(engine: Engine, folder: Path) -> dict:
    """Labelled frames found, boxes elsewhere on them, and unlabelled frames with any box, by threshold."""
    look = detectors()["smoke-fire"].look

    def seen(file: Path) -> tuple[Box, ...]:
        image = frames.decode(file.read_bytes())
        return looks.boxes(engine, image, THRESHOLDS[0], look)

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
    parser.add_argument("--only-gated", action="store_true", help="only the pipeline at 10 % activity")
    given = parser.parse_args()
    settings, console = Settings(), Console()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        taken = carried.take_from_data(scratch / "models", settings.test_data) or carried.take_from_packages(scratch / "models", console.print)
        models = {entry.id: entry.model for entry in taken if entry.model}
        activity = gated(models, settings, given.threads, max(3, given.rounds // 4))
        figures = {} if given.only_gated else measure(works(models, picture(settings), given.threads, scratch), given.rounds)
        found = None
        folder = settings.test_data / "cameras" / "hpwren-smoke" if settings.test_data else None
        if folder is not None and folder.is_dir() and "smoke-fire" in models and not given.no_hits and not given.only_gated:
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
    if activity:
        print(
            f"one frame in {ACTIVE_EVERY} active, {activity['model']}: glance, decode and detect what changed {activity['ms']['ours']} CPU ms a frame; "
            f"onnxruntime on every frame {activity['ms']['onnxruntime']} CPU ms: {activity['vs_ort']}×; same detections on the active ones: {activity['same']} (least IoU {activity['least_iou']})"
        )
    print(
        json.dumps({"vs_ort": activity and activity["vs_ort"], "same": activity and activity["same"], "activity": activity, "benchmark": "frames", "threads": given.threads, "rounds": given.rounds, "ms": figures, "cpu_ours_to_ultralytics": ratio, "smoke": found})
    )


if __name__ == "__main__":
    main()
