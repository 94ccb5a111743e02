"""Weights that come with installed packages or lie in a shared data folder, taken into the registry at set-up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from grid.errors import HdqError, NotFound
from imagery.cameras.weights import Model, add_model, find_model


@dataclass(frozen=True, slots=True)
class Carried:
    """A model that a package or data folder may hold. `file`: relative to the package or the data folder; `stands_in_for`: a better one of its use."""

    id: str
    holder: str
    file: str
    licence: str
    notes: str
    layers: str | None = None
    stands_in_for: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome for one carried model: `model`, or the `reason` it is absent and the `remedy`."""

    id: str
    model: Model | None
    reason: str = ""
    remedy: str = ""


IN_PACKAGES = (
    Carried(
        id="smoke-fire",
        holder="fire_detector",
        file="models/light_yolov8_flame.pt",
        licence="undeclared by the package; architecture AGPL-3.0 (Ultralytics)",
        notes="Smoke and flame. Training data not declared: figures on public tower pictures may flatter it.",
        layers="modules.py",
    ),
    Carried(
        id="obstacles",
        holder="railway_obstacle_detector",
        file="best.pt",
        licence="MIT (package), architecture AGPL-3.0 (Ultralytics)",
        notes="Railway obstacles. Its Trash class found none of 78 pictures of street garbage: not used for litter.",
        stands_in_for="coco",
    ),
)

IN_DATA = (
    Carried(
        id="coco",
        holder="weights",
        file="coco-yolo11n-int8-openvino",
        licence="AGPL-3.0 (Ultralytics)",
        notes="YOLO11n on COCO, 80 everyday classes, int8.",
    ),
    Carried(
        id="smoke-fire",
        holder="weights",
        file="fire-smoke/light_yolov8_flame.onnx",
        licence="undeclared by the package it was exported from; architecture AGPL-3.0 (Ultralytics)",
        notes="Smoke and flame, exported from PyPI fire-detector. Training data not declared.",
    ),
)


def take_from_packages(directory: Path, progress: Callable[[str], None] = lambda _: None, *, stand_ins: bool = True) -> tuple[Taken, ...]:
    """Adds what installed packages carry to registry `directory`; `progress` is called with each id before its work (10–20 s each, once).

    Without `stand_ins` a model is left where it is when the registry holds the better one that it stands in for.
    """
    wanted = [c for c in IN_PACKAGES if stand_ins or c.stands_in_for is None or not (directory / c.stands_in_for / "card.json").is_file()]
    return tuple(_take(directory, carried, package_file, progress) for carried in wanted)


def take_from_data(directory: Path, data_dir: Path | None, progress: Callable[[str], None] = lambda _: None) -> tuple[Taken, ...]:
    """Adds what `data_dir`/weights holds; what the registry has already is kept. None or an absent folder gives ()."""
    if data_dir is None or not (data_dir / "weights").is_dir():
        return ()
    return tuple(_take(directory, carried, lambda holder, file: data_dir / holder / file, progress) for carried in IN_DATA)


def starting_point(data_dir: Path | None) -> Path:
    """The checkpoint (.pt) that training starts from when none is given: YOLOv8n of an installed package or of the data folder. NotFound without one."""
    carried = next(each for each in IN_PACKAGES if each.id == "obstacles")
    places = [package_file(carried.holder, carried.file), data_dir / "weights" / "railway-yolov8n" / "best.pt" if data_dir else None]
    found = next((place for place in places if place is not None and place.is_file()), None)
    if found is None:
        raise NotFound("no checkpoint to start from", remedy="Give one with --start FILE.pt (any YOLO detect checkpoint), or install smartrail-obstacle-detector.")
    return found


def _take(directory: Path, carried: Carried, place: Callable[[str, str], Path | None], progress: Callable[[str], None]) -> Taken:
    if (directory / carried.id / "card.json").is_file():
        return Taken(carried.id, find_model(directory, carried.id))
    source = place(carried.holder, carried.file)
    if source is None or not source.exists():
        return Taken(carried.id, None, f"{carried.holder}/{carried.file} 不存在 · is not there", f"hdq models add FILE --id {carried.id}")
    progress(carried.id)
    try:
        model = add_model(
            directory,
            source,
            model_id=carried.id,
            licence=carried.licence,
            provenance=" ".join(_origin(carried)),
            notes=carried.notes,
            classes_from=place(carried.holder, carried.layers) if carried.layers else None,
        )
    except HdqError as error:
        return Taken(carried.id, None, error.detail, error.remedy)
    return Taken(carried.id, model)


def package_file(package: str, file: str) -> Path | None:
    """Found without importing the package: its own import may be slow or have effects."""
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / file


def _origin(carried: Carried) -> Iterator[str]:
    names = metadata.packages_distributions().get(carried.holder, [])
    if names:
        yield f"PyPI {names[0]} {metadata.version(names[0])}:"
    yield f"{carried.holder}/{carried.file}"
