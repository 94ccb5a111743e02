"""New construction: bare soil, roofs and concrete where there were none, also on ground that was bare and is now far brighter.

NDBI: Zha, Gao & Ni, Int. J. Remote Sensing 24(3), 2003. BSI: Rikimaru, Roy & Miyatake, Tropical Ecology 43(1), 2002.
"""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle

MIXED, MOST_MIXED = 0.05, 0.15
"""How much greener (NDVI) a pixel may be for each time that its score exceeds the threshold, and at most: a small house in a wood fills no pixel."""


class BuiltUp(Analysis):
    """Score: mean rise of NDBI and BSI (−2…2), or the brightening of the visible where that says more: `rise` at `far_brighter`."""

    id: ClassVar[str] = "built_up"
    version: ClassVar[str] = "1.2.0"
    title: ClassVar[str] = "新增建设"
    title_en: ClassVar[str] = "New construction"
    kind: ClassVar[str] = "construction"
    bands: ClassVar[tuple[str, ...]] = ("blue", "red", "nir", "swir1")
    doubts: ClassVar[tuple[str, ...]] = ("cloud", "shadow", "season", "shift", "faint")

    rise: Annotated[float, Field(gt=0, le=2, title="建筑/裸土指数上升阈值 · Least rise", json_schema_extra={"unit": "index"})] = 0.15
    green_after: Annotated[float, Field(ge=-1, le=1, title="变化后 NDVI 上限 · Most NDVI after", json_schema_extra={"unit": "NDVI"})] = 0.25
    brighter: Annotated[
        float, Field(ge=0, le=10, title="可见光变亮倍数下限 · Least brightening of the visible", json_schema_extra={"unit": "ratio"})
    ] = 1.25
    far_brighter: Annotated[
        float, Field(gt=1, le=10, title="裸地上可见光变亮倍数 · Brightening that alone is enough", json_schema_extra={"unit": "ratio"})
    ] = 1.45

    @property
    def threshold(self) -> float:
        """Least rise."""
        return self.rise

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks pixels that became more built or bare, are hardly green now, no water, and brighter in the visible (a burn is darker)."""
        risen = (_bare(after) - _bare(before) + _built(after) - _built(before)) / 2
        was, now = np.maximum(before[0] + before[1], 1e-6), np.maximum(after[0] + after[1], 1e-6)
        score = np.fmax(risen, self.rise * np.log(now / was) / np.log(self.far_brighter))
        dry = after[3] > after[0]
        mixed = np.clip(MIXED * (score / self.rise - 1), 0.0, MOST_MIXED)
        return settle(score, (score >= self.rise) & (index(after[2], after[1]) <= self.green_after + mixed) & (now >= self.brighter * was) & dry, valid)

    @classmethod
    def example(cls) -> Example:
        """Farmland of which a square becomes a building site."""

        def build(pixels: np.ndarray) -> None:
            pixels *= np.array([1700 / 600, 2300 / 800, 2700 / 2800, 3100 / 1800], np.float32)[:, None, None]

        return scene_example(build, bands=4, background=(600, 800, 2800, 1800), noise=0.03, seed=2)


def _built(pixels: np.ndarray) -> np.ndarray:
    return index(pixels[3], pixels[2])


def _bare(pixels: np.ndarray) -> np.ndarray:
    return index(pixels[3] + pixels[1], pixels[2] + pixels[0])


ANALYSIS = BuiltUp()
