"""Camera algorithms, one file each: the module exposes one `DETECTOR`; this folder is scanned at start and the set is frozen.

A file that cannot be imported, exposes something else or repeats an id stops the start with its name. A detector whose weights are missing stays
in the list as unavailable, with the reason and the remedy.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from grid import discovery
from imagery.cameras import looks
from imagery.cameras.engines import Box, Engine
from imagery.cameras.tracking import Run
from imagery.cameras.weights import Model, list_models

SCENES = frozenset({"tower", "street"})
ANY = "any-"


@dataclass(frozen=True, slots=True)
class Detector:
    """A camera algorithm: frame in, boxes in pixels out. It knows no place, no database and nothing of earlier frames.

    `kinds`: class name of the model -> event kind; other classes are not its business. `models`: ids of models it can run on, the best first.
    `scenes`: kinds of camera it suits. `threshold`: least score of one box, chosen on labelled pictures as `measured` says. `rule`: when boxes
    make a finding. `in_zone`: the event that its things make where they may not be; `only_zones`: elsewhere they are nobody's business and make none.
    `chances`: pairs (score, chance that it is true) from measurement, interpolated between; none: the score itself. `gather`: turns the boxes of one frame into its findings (for example many people into one crowd).
    `look`: how a frame is put before the model. `weigh`: what the pixels of a box say of it beyond its class, 0–1; its score is taken times that.
    """

    id: str
    version: str
    title: str
    title_en: str
    models: tuple[str, ...]
    kinds: Mapping[str, str]
    scenes: frozenset[str]
    threshold: float
    rule: Run = Run()
    measured: str = ""
    chances: tuple[tuple[float, float], ...] = ()
    gather: Callable[[tuple[Box, ...], tuple[int, int]], tuple[Box, ...]] | None = None
    overlap: float = field(default=0.5)
    in_zone: str = "zone_intrusion"
    only_zones: bool = False
    look: looks.Look = looks.ONCE
    weigh: Callable[[np.ndarray, Box], float] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{1,66}", self.id):
            raise ValueError(f"detector id {self.id!r} is not lower case letters, digits and -")
        if not (self.models and self.kinds and self.scenes and self.scenes <= SCENES and 0 < self.threshold < 1 and self.title and self.title_en):
            raise ValueError(f"detector {self.id}: titles, models, kinds, scenes {sorted(SCENES)} and a threshold inside 0–1 are needed")
        if list(self.chances) != sorted(self.chances) or any(not 0 <= value <= 1 for pair in self.chances for value in pair):
            raise ValueError(f"detector {self.id}: chances must rise with the score, both inside 0–1")

    def chance(self, score: float) -> float:
        """How likely a finding of this score is true, 0–1."""
        return float(np.interp(score, *zip(*self.chances, strict=True))) if self.chances else score

    def find(self, image: np.ndarray, engine: Engine) -> tuple[Box, ...]:
        """Boxes of its classes in `image` (H×W×3 uint8 RGB), best first."""
        boxes = tuple(box for box in looks.boxes(engine, image, self.threshold, self.look, overlap=self.overlap) if box.label in self.kinds)
        if self.weigh:
            boxes = tuple(replace(box, score=box.score * self.weigh(image, box)) for box in boxes)
            boxes = tuple(sorted((box for box in boxes if box.score >= self.threshold), key=lambda box: -box.score))
        return self.gather(boxes, image.shape[:2]) if self.gather else boxes


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a detector can run: its `model`, or the `reason` (zh · en) it cannot and the `remedy`; `beside` the version in service, on trial."""

    detector: Detector
    model: Model | None
    reason: str = ""
    remedy: str = ""
    beside: bool = False

    @property
    def label(self) -> str:
        """The version as findings carry it: weights and code."""
        return f"{self.model.card.id if self.model else '—'} / {self.detector.version}"


@lru_cache(maxsize=1)
def detectors() -> Mapping[str, Detector]:
    """All detectors by id. Raises Broken naming the file that is at fault."""
    return MappingProxyType(discovery.things(__name__, __path__, "DETECTOR", Detector))


def of_model(model: Model) -> Detector:
    """Any weights as a detector for zones: every class of theirs is a thing that a zone may forbid."""
    return Detector(
        id=f"{ANY}{model.card.id}",
        version="1.0",
        title=f"{model.card.id} 的全部类别",
        title_en=f"Every class of {model.card.id}",
        models=(model.card.id,),
        kinds=MappingProxyType({name: re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") or "other" for name in model.card.classes}),
        scenes=SCENES,
        threshold=0.4,
        only_zones=True,
    )


def named(detector_id: str, models_dir: Path) -> Standing | None:
    """The detector of an id, `any-MODEL` for every class of some weights; None when there is none of that name."""
    if detector_id in detectors():
        return standing(detectors()[detector_id], models_dir)
    model = next((model for model in list_models(models_dir) if f"{ANY}{model.card.id}" == detector_id), None)
    return Standing(of_model(model), model) if model else None


def standing(detector: Detector, models_dir: Path) -> Standing:
    """The first of its models that is in the registry and knows at least one of its classes."""
    present = {model.card.id: model for model in list_models(models_dir)}
    for model_id in detector.models:
        model = present.get(model_id)
        if model and set(model.card.classes) & set(detector.kinds):
            return Standing(detector, model)
    wanted = "、".join(detector.models)
    return Standing(
        detector,
        None,
        f"缺少模型权重 {wanted} · no weights: {', '.join(detector.models)}",
        f"hdq models add FILE --id {detector.models[0]} --classes {','.join(detector.kinds)}",
    )


def standings(models_dir: Path, *, weights: bool = False) -> tuple[Standing, ...]:
    """Every detector, by id, with whether it can run; with `weights` those that any weights make as well."""
    found = tuple(standing(detector, models_dir) for _, detector in sorted(detectors().items()))
    return found + tuple(Standing(of_model(model), model) for model in list_models(models_dir) if model.card.classes) if weights else found
