"""Train a YOLO detector on labelled pictures, in a process of its own: `python -m imagery.cameras.training`.

Fine-tunes given weights with ultralytics; the server never imports it. On a CPU the network runs in bfloat16 and channels-last, which a processor
with AVX512-BF16 or AMX does in less than half the time of float32 (the loss stays float32); on a GPU in ultralytics' own mixed precision.
The last weights are kept, not the best ones on the validation pictures: those judge, they do not choose.
"""

import argparse
import functools
import hashlib
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from grid.errors import HdqError, InvalidInput
from imagery.cameras.convert import import_ultralytics, refuse_unsafe
from imagery.cameras.labelled import Dataset, read_dataset


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: `side` of the square input in pixels, `batch` pictures a step, `seed` of every draw. The same recipe, data, start, processor and threads give the same weights."""

    epochs: int = 20
    side: int = 320
    batch: int = 16
    seed: int = 0
    rate: float = 0.0015
    threads: int = 2
    gpu: bool = False

    def __post_init__(self) -> None:
        if not (1 <= self.epochs <= 1000 and 64 <= self.side <= 1280 and self.side % 32 == 0 and 1 <= self.batch <= 256 and 1 <= self.threads <= 64):
            raise InvalidInput(
                f"epochs {self.epochs}, side {self.side}, batch {self.batch}, threads {self.threads} cannot be",
                remedy="epochs 1–1000; side a multiple of 32 from 64 to 1280; batch 1–256; threads 1–64",
            )


def train(dataset: Path, start: Path, target: Path, recipe: Recipe, *, config_dir: Path) -> dict:
    """Writes trained weights to `target` (.pt); returns {"classes", "epochs", "seconds", "cpu_seconds", "pictures", "weights_sha256"}.

    `dataset`: folder of YOLO data (data.yaml, pictures and labels of train); `start`: a .pt checkpoint, read first without being run.
    Raises InvalidInput (no such data, unsafe weights), Unavailable (ultralytics is missing).
    """
    data = read_dataset(dataset, "train")
    refuse_unsafe(start)
    ultralytics = import_ultralytics(config_dir, threads=recipe.threads, gpu=recipe.gpu)
    if not recipe.gpu:
        _lighten()
    began, spent = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(prefix="hdq-train-") as scratch:
        model = ultralytics.YOLO(str(start), task="detect")
        model.add_callback("on_train_start", _channels_last)
        model.add_callback("on_train_epoch_end", functools.partial(_report, total=recipe.epochs))
        model.train(
            data=str(_described(data, Path(scratch))), project=scratch, name="run", epochs=recipe.epochs, imgsz=recipe.side, batch=recipe.batch,
            seed=recipe.seed, deterministic=True, device="0" if recipe.gpu else "cpu", amp=recipe.gpu, workers=recipe.threads, cache="ram",
            optimizer="AdamW", lr0=recipe.rate, cos_lr=True, warmup_epochs=2.0, close_mosaic=max(1, recipe.epochs // 4), degrees=5.0, scale=0.5, hsv_h=0.02, mixup=0.0,
            val=False, plots=False, save=True, save_period=-1, verbose=False, exist_ok=True, patience=0,
        )  # fmt: skip
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(scratch) / "run" / "weights" / "last.pt", target)
    return {
        "classes": list(data.classes), "epochs": recipe.epochs, "pictures": len(data.pictures), "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - spent, 1), "weights_sha256": _digest(model.trainer.ema.ema),
    }  # fmt: skip


def _lighten() -> None:
    """Lets the network, and only it, run in bfloat16 while it learns: ultralytics does so on GPUs only."""
    import torch
    from ultralytics.nn.tasks import BaseModel

    plain = BaseModel._predict_once

    def lighter(self, x, *rest, **named):
        if not self.training:
            return plain(self, x, *rest, **named)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            seen = plain(self, x.contiguous(memory_format=torch.channels_last), *rest, **named)
        return _widened(seen, torch)

    BaseModel._predict_once = lighter


def _widened(seen, torch):
    if torch.is_tensor(seen):
        return seen.float()
    if isinstance(seen, dict):
        return {key: _widened(value, torch) for key, value in seen.items()}
    return type(seen)(_widened(value, torch) for value in seen) if isinstance(seen, list | tuple) else seen


def _channels_last(trainer) -> None:
    import torch

    if trainer.device.type == "cpu":
        trainer.model.to(memory_format=torch.channels_last)


def _report(trainer, total: int) -> None:
    losses = {name: round(float(value), 4) for name, value in trainer.label_loss_items(trainer.tloss).items()}
    print(json.dumps({"epoch": trainer.epoch + 1, "of": total, **losses}), file=sys.stderr, flush=True)


def _described(data: Dataset, scratch: Path) -> Path:
    """A description of the data that holds paths and names only: one that comes with the data may name an address or a command to fetch it with."""
    import yaml

    listing = scratch / "train.txt"
    listing.write_text("\n".join(str(picture) for picture in _copied(data, scratch)), "utf-8")
    described = scratch / "data.yaml"
    described.write_text(yaml.safe_dump({"train": str(listing), "val": str(listing), "names": dict(enumerate(data.classes))}, allow_unicode=True), "utf-8")
    return described


def _copied(data: Dataset, scratch: Path) -> list[Path]:
    """Links to the pictures beside copies of their labels, in name order: ultralytics writes its cache beside them, and the data folder may be read-only."""
    images, labels = scratch / "images", scratch / "labels"
    images.mkdir()
    labels.mkdir()
    linked = []
    for picture in data.pictures:
        link = images / picture.path.name
        link.symlink_to(picture.path.resolve())
        lines = [f"{data.classes.index(box.label)} {box.x:.6f} {box.y:.6f} {box.width:.6f} {box.height:.6f}" for box in picture.boxes]
        (labels / f"{picture.path.stem}.txt").write_text("\n".join(lines), "utf-8")
        linked.append(link)
    return linked


def _digest(network) -> str:
    """SHA-256 of the numbers alone: the file also holds the hour it was written."""
    digest = hashlib.sha256()
    for name, values in sorted(network.state_dict().items()):
        digest.update(name.encode() + values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def main() -> int:
    """Prints one JSON object as its last line: the result, or {"error", "remedy"} with exit status 1; a line per epoch goes to the error stream."""
    parser = argparse.ArgumentParser(prog="python -m imagery.cameras.training", description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("start", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--config-dir", type=Path, required=True)
    for name, kind in (("epochs", int), ("side", int), ("batch", int), ("seed", int), ("rate", float), ("threads", int)):
        parser.add_argument(f"--{name}", type=kind, default=getattr(Recipe(), name))
    parser.add_argument("--gpu", action="store_true")
    given = parser.parse_args()
    try:
        recipe = Recipe(given.epochs, given.side, given.batch, given.seed, given.rate, given.threads, given.gpu)
        result = train(given.dataset, given.start, given.target, recipe, config_dir=given.config_dir)
    except HdqError as error:
        print(json.dumps({"error": error.detail, "remedy": error.remedy}))
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
