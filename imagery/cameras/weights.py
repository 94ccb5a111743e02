"""Model weights on disk: one folder a model with its files and a card.json, listed, added, verified and loaded once per process.

A folder is built beside its final place and renamed, so a half-written model is never seen. Hashes are checked when a model is loaded.
"""

import atexit
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from dataclasses import replace as altered
from functools import lru_cache
from pathlib import Path
from typing import Literal

from grid.errors import Conflict, InvalidInput, NotFound, TooLarge
from imagery.cameras.engines import Engine

FILE_LIMIT = 512 * 2**20
"""Bytes of one weights file."""

CONVERT_SECONDS = 600

Format = Literal["openvino", "onnx"]


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is. `sha256`: of its files' bytes in name order; `source_sha256`: of the file it was made from (.pt) when converted."""

    id: str
    classes: tuple[str, ...]
    sha256: str
    licence: str
    provenance: str
    format: Format
    imgsz: int
    files: tuple[str, ...]
    source_sha256: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A card and the folder its files lie in."""

    card: Card
    folder: Path

    @property
    def entry(self) -> Path:
        """The file an engine opens: the .xml or the .onnx."""
        return next(self.folder / name for name in self.card.files if name.endswith((".xml", ".onnx")))


def models_dir(data_dir: Path) -> Path:
    """Folder of the weights inside the data folder."""
    return data_dir / "models"


def list_models(directory: Path) -> tuple[Model, ...]:
    """Every model in `directory`, by id; none when the folder does not exist. A damaged card raises InvalidInput with its path."""
    if not directory.is_dir():
        return ()
    return tuple(_read(path.parent) for path in sorted(directory.glob("*/card.json")) if not path.parent.name.startswith("."))


def find_model(directory: Path, model_id: str) -> Model:
    """Raises NotFound with the ids there are."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,62}", model_id) or not (directory / model_id / "card.json").is_file():
        known = ", ".join(model.card.id for model in list_models(directory)) or "none"
        raise NotFound(f"No model {model_id!r}; there are: {known}", remedy="`hdq models` lists them, `hdq models add FILE` adds one.")
    return _read(directory / model_id)


def open_model(directory: Path, name: str) -> Model:
    """A model by its id in `directory`, or from a path to an .onnx file or an OpenVINO folder, which is registered for this process only.

    Raises NotFound, InvalidInput.
    """
    source = Path(name)
    if not (source.is_file() or (source.is_dir() and source.name != name)):
        return find_model(directory, name)
    scratch = Path(tempfile.mkdtemp(prefix="hdq-model-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return add_model(scratch, source, model_id="given", licence="undeclared", provenance=source.name)


def _read(folder: Path) -> Model:
    try:
        raw = json.loads((folder / "card.json").read_text("utf-8"))
        card = Card(**{**raw, "classes": tuple(raw["classes"]), "files": tuple(raw["files"])})
        if card.id != folder.name or not card.classes or any("/" in name or name.startswith(".") for name in card.files):
            raise ValueError("id, classes or file names do not fit the folder")
        return Model(card, folder)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInput(f"Model card {folder / 'card.json'} is unreadable: {error}", remedy="Remove that folder and add the model again.") from error


_LOADING = threading.Lock()


def load_engine(model: Model, threads: int = 2, runtime: str | None = None) -> Engine:
    """The engine of `model`, loaded once a process. Raises InvalidInput when the bytes are not those of the card."""
    with _LOADING:
        return _loaded(model, threads, runtime)


@lru_cache(maxsize=16)
def _loaded(model: Model, threads: int, runtime: str | None) -> Engine:
    actual = _hash([model.folder / name for name in model.card.files])
    if actual != model.card.sha256:
        raise InvalidInput(
            f"Weights of {model.card.id} have hash {actual[:12]}…, the card says {model.card.sha256[:12]}…",
            remedy="The file was changed or is damaged: remove the folder and add the model again.",
        )
    return Engine(model.entry, model.card.classes, threads=threads, runtime=runtime)


def add_model(
    directory: Path,
    source: Path,
    *,
    model_id: str,
    licence: str,
    provenance: str,
    classes: tuple[str, ...] = (),
    notes: str = "",
    classes_from: Path | None = None,
    replace: bool = False,
    side: int = 640,
) -> Model:
    """Takes an .onnx or .pt file, or a folder with one OpenVINO .xml + .bin, into the registry; returns the model, tried once on an empty frame.

    `classes` overrides the names the file carries. A .pt is converted to OpenVINO in a subprocess with safe loading; pickles that name
    foreign classes are refused. `side`: of the input in pixels a .pt is converted for. Adding the same file under the same id again changes nothing.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,62}", model_id):
        raise InvalidInput(f"Model id {model_id!r} is not 2–63 of a–z, 0–9 and -", remedy="Choose an id such as smoke-fire-v8.")
    files = _source_files(source)
    source_hash = _hash(files)
    existing = directory / model_id / "card.json"
    if existing.is_file():
        model = _read(existing.parent)
        if model.card.source_sha256 == source_hash:
            return model
        if not replace:
            raise Conflict(f"Model {model_id} exists with other weights", remedy="Choose another id, or add with --replace.")
    directory.mkdir(parents=True, exist_ok=True)
    building = directory / f".{model_id}-{secrets.token_hex(4)}"
    building.mkdir()
    try:
        if files[0].suffix == ".pt":
            named = _convert(files[0], building, directory / ".ultralytics", classes_from, side)
            taken, kind = sorted(building.glob("model.*")), "openvino"
        else:
            for file in files:
                shutil.copyfile(file, building / file.name)
            named = _names(files)
            taken, kind = [building / file.name for file in files], "onnx" if files[0].suffix == ".onnx" else "openvino"
        labels = tuple(classes) or tuple(named)
        if not labels:
            raise InvalidInput(f"{source.name} does not carry class names", remedy="Give them in order: --classes smoke,fire")
        entry = next(path for path in taken if path.suffix in (".xml", ".onnx"))
        engine = Engine(entry, labels)
        card = Card(
            id=model_id,
            classes=labels,
            sha256=_hash(taken),
            licence=licence,
            provenance=provenance,
            format=kind,
            imgsz=engine.side,
            files=tuple(sorted(path.name for path in taken)),
            source_sha256=source_hash,
            notes=notes,
        )
        (building / "card.json").write_text(json.dumps(asdict(card), ensure_ascii=False, indent=2), "utf-8")
        for path in building.iterdir():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        if existing.parent.exists():
            shutil.rmtree(existing.parent)
        building.rename(directory / model_id)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return _read(directory / model_id)


def annotate(model: Model, notes: str) -> Model:
    """The model with other notes on its card; the weights and their hash stay."""
    card = altered(model.card, notes=notes)
    beside = model.folder / ".card.json"
    beside.write_text(json.dumps(asdict(card), ensure_ascii=False, indent=2), "utf-8")
    beside.replace(model.folder / "card.json")
    return Model(card, model.folder)


def _source_files(source: Path) -> list[Path]:
    if source.is_dir():
        entries = sorted(source.glob("*.xml"))
        if len(entries) != 1 or not entries[0].with_suffix(".bin").is_file():
            raise InvalidInput(f"{source} does not hold exactly one .xml with its .bin", remedy="Give the OpenVINO folder that the export wrote.")
        metadata = source / "metadata.yaml"
        files = [entries[0], entries[0].with_suffix(".bin"), *([metadata] if metadata.is_file() else [])]
    elif source.suffix.lower() in (".onnx", ".pt") and source.is_file():
        files = [source]
    else:
        raise InvalidInput(f"{source} is no .onnx or .pt file and no OpenVINO folder", remedy="Export the model to ONNX or OpenVINO first.")
    for file in files:
        if file.stat().st_size > FILE_LIMIT:
            raise TooLarge(f"{file.name} has {file.stat().st_size} bytes, over {FILE_LIMIT}", remedy="Give a smaller model.")
    return files


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.name):
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _names(files: list[Path]) -> list[str]:
    """Class names that an ultralytics export carries: the ONNX metadata or metadata.yaml; [] when there are none."""
    import yaml

    try:
        if files[0].suffix == ".onnx":
            import onnx

            carried = {entry.key: entry.value for entry in onnx.load(files[0], load_external_data=False).metadata_props}
            names = yaml.safe_load(carried.get("names", "{}"))
        else:
            metadata = next((file for file in files if file.name == "metadata.yaml"), None)
            names = (yaml.safe_load(metadata.read_text("utf-8")) or {}).get("names", {}) if metadata else {}
    except Exception as error:
        raise InvalidInput(f"{files[0].name} cannot be read as a model: {error}", remedy="The file is damaged or not ONNX.") from error
    if isinstance(names, list):
        return [str(name) for name in names]
    return [str(names[key]) for key in sorted(names)] if isinstance(names, dict) else []


def _convert(source: Path, target: Path, config_dir: Path, classes_from: Path | None, side: int) -> list[str]:
    command = [sys.executable, "-m", "imagery.cameras.convert", str(source), str(target), "--config-dir", str(config_dir), "--side", str(side)]
    if classes_from is not None:
        command += ["--classes-from", str(classes_from)]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TMPDIR") if name in os.environ}
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CONVERT_SECONDS, cwd=root, env={**kept, "PYTHONPATH": str(root)})
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(f"Converting {source.name} took over {CONVERT_SECONDS} s", remedy="Export it to ONNX elsewhere and add that.") from error
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        answer = {"error": f"{source.name} could not be converted: {done.stderr.strip().splitlines()[-1:] or done.returncode}"}
    if "error" in answer:
        raise InvalidInput(answer["error"], remedy=answer.get("remedy") or "Export the model to ONNX elsewhere and add that file.")
    return answer["classes"]
