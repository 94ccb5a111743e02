"""Flood extent from an optical scene: open or muddy water where there was none.

MNDWI (Xu, Int. J. Remote Sensing 27(14), 2006) above a threshold that the scene's own histogram gives (Kittler & Illingworth 1986), and no
green cover, as water maps ask beside it (Zou et al., PNAS 115(15), 2018; NDVI below 0.2 is bare: Sobrino et al., RSE 90(4), 2004).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle
from imagery.scenes.parting import part

STEP = 0.1
"""Of the index: a point of score."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Least MNDWI of water, per scene."""

    before: float
    after: float


class FloodExtent(Analysis):
    """Score: 1 at the border of water, one more for each 0.1 of index beyond it. Where the earlier scene is missing (all bands 0), all water
    of the later one counts."""

    id: ClassVar[str] = "flood_extent"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "洪水淹没范围(光学)"
    title_en: ClassVar[str] = "Flood extent (optical)"
    kind: ClassVar[str] = "water"
    bands: ClassVar[tuple[str, ...]] = ("green", "red", "nir", "swir1")
    single: ClassVar[bool] = True
    normalised: ClassVar[bool] = False

    lowest: Annotated[float, Field(ge=-0.5, le=0.5, title="MNDWI 阈值下限 · Lowest threshold of MNDWI", json_schema_extra={"unit": "MNDWI"})] = 0.0
    highest: Annotated[float, Field(ge=-0.5, le=1, title="MNDWI 阈值上限 · Highest threshold of MNDWI", json_schema_extra={"unit": "MNDWI"})] = 0.3
    green: Annotated[float, Field(ge=-1, le=1, title="水面 NDVI 上限 · Most NDVI of water", json_schema_extra={"unit": "NDVI"})] = 0.2
    new_only: Annotated[bool, Field(title="只算新增水面 · Only where there was no water before")] = True

    @property
    def threshold(self) -> float:
        """The border of water."""
        return 1.0

    def fit(self, before: np.ndarray, after: np.ndarray) -> Fitted:
        """The threshold of each scene from a sample of it: the middle of its two groups, `lowest` when there is only one."""
        return Fitted(self._least(before), self._least(after))

    def _least(self, pixels: np.ndarray) -> float:
        found = part(index(pixels[0], pixels[3]))
        return float(np.clip(found.middle, self.lowest, max(self.lowest, self.highest))) if found and found.two() else self.lowest

    def _water(self, pixels: np.ndarray, least: float) -> np.ndarray:
        return 1 + np.minimum(index(pixels[0], pixels[3]) - least, self.green - index(pixels[2], pixels[1])) / STEP

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks what is water, and was none before where that is known and asked."""
        score = self._water(after, fitted.after)
        if self.new_only:
            known = (before != 0).any(axis=0)
            score = np.where(known, np.fmin(score, 2 - self._water(before, fitted.before)), score)
        return settle(score, score >= 1, valid)

    @classmethod
    def example(cls) -> Example:
        """Farmland (MNDWI −0.4) of which a square is under water (MNDWI 0.6)."""

        def flood(pixels: np.ndarray) -> None:
            pixels *= np.array([900 / 800, 700 / 700, 400 / 2800, 220 / 1900], np.float32)[:, None, None]

        return scene_example(flood, bands=4, background=(800, 700, 2800, 1900), noise=0.03, seed=7)


ANALYSIS = FloodExtent()
