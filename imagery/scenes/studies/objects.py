"""Objects of an orthomosaic, as a study: the method is that of `orthos`. Classes become findings only where `kinds` says as what."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from grid.errors import InvalidInput
from imagery.cameras import weights
from imagery.scenes import orthos
from imagery.scenes.studies import Asked, Feature, Made, Study, Tell


class Objects(Study):
    """Each object once across tiles, with its footprint and accuracy."""

    id: ClassVar[str] = "objects"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "正射影像目标检测"
    title_en: ClassVar[str] = "Objects of an orthomosaic"
    takes: ClassVar[str] = "一幅无人机正射影像（红、绿、蓝在前） · one drone orthomosaic, red, green and blue first"

    model: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{1,62}$", title="模型编号 · Id of the weights")] = "coco"
    threshold: Annotated[float, Field(ge=0.01, le=0.99, title="最低得分 · Least score")] = 0.4
    gsd_m: Annotated[float | None, Field(ge=0.001, le=10, title="检测分辨率，空为原始 · Ground pixel that the model is shown; empty: its own", json_schema_extra={"unit": "m"})] = None
    largest_m: Annotated[float, Field(ge=0.1, le=200, title="最长目标 · Longest object", json_schema_extra={"unit": "m"})] = 12.0
    kinds: Annotated[dict[str, str], Field(max_length=40, title="类别到事件种类，空为不生成发现 · Class to kind of finding; empty: none")] = {}

    def check(self, asked: Asked) -> None:
        """One scene of three bands or more."""
        if len(asked.scenes) != 1 or asked.dataset_id or len(asked.scenes[0].bands) < 3:
            raise InvalidInput(f"{len(asked.scenes)} scenes, dataset {asked.dataset_id!r}", remedy="give one orthomosaic of three bands or more, and no dataset")

    def work(self, asked: Asked, gathered: Any, data_dir: Path, tell: Tell) -> Made:
        """Looks at every tile with the model."""
        (scene,) = asked.scenes
        found = weights.find_model(weights.models_dir(data_dir), self.model)
        engine = weights.load_engine(found)
        tell(0.1)
        seen = orthos.detect(scene.path(data_dir), _Told(engine, tell), threshold=self.threshold, gsd_m=self.gsd_m, largest_m=self.largest_m)
        card = orthos.Model(found.card.id, found.card.sha256[:12], found.card.sha256)
        handed = iter(orthos.findings(scene.path(data_dir), seen, card, self.kinds, scene.taken_at, simulated=asked.simulated))
        features = [
            Feature(
                one.label, one.footprint, {"score": round(one.score, 4), "width_m": round(one.width_m, 2), "height_m": round(one.height_m, 2), "accuracy_m": round(one.accuracy_m, 2)},
                next(handed) if one.label in self.kinds else None,
            )
            for one in seen
        ]  # fmt: skip
        return Made(tuple(features), {"model": found.card.id, "model_sha256": found.card.sha256})


class _Told:
    """A finder that tells after each tile, so that a study can be called off between two."""

    def __init__(self, engine: orthos.Finder, tell: Tell) -> None:
        self._engine, self._tell, self.side, self._tiles = engine, tell, engine.side, 0

    def boxes(self, image: Any, threshold: float, **options: Any) -> tuple:
        """Those of the engine."""
        self._tiles += 1
        self._tell(0.1 + 0.8 * (1 - 1 / (1 + self._tiles / 50)))
        return self._engine.boxes(image, threshold, **options)


STUDY = Objects()
