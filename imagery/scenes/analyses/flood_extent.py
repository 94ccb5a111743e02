"""Flood extent from an optical scene: open or muddy water where there was none.

Water is wet (green above shortwave infrared: MNDWI, Xu, Int. J. Remote Sensing 27(14), 2006) and not green (NDVI), each by a fixed threshold: those
that the analysts of Sen1Floods11 began with (Bonafilia et al., CVPR Workshops 2020: 0.3 and 0.2; their own drawing agrees with MNDWI of the longer
shortwave band, around 2.2 µm, not of that around 1.6 µm). Shallow and muddy water is dark at 2.2 µm long before it is at 1.6 µm. Nothing is
learnt from the scene, so a dry one stays dry. Snow, thick cloud and deep shadow pass both thresholds: the scene's own mask must take them out.
"""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle

STEP = 0.1
"""Of the index: a point of score."""


class FloodExtent(Analysis):
    """Score: 1 at the border of water, one more for each 0.1 of index beyond it. Where the earlier scene is missing (all bands 0), all water
    of the later one counts."""

    id: ClassVar[str] = "flood_extent"
    version: ClassVar[str] = "2.0.0"
    title: ClassVar[str] = "洪水淹没范围(光学)"
    title_en: ClassVar[str] = "Flood extent (optical)"
    kind: ClassVar[str] = "water"
    bands: ClassVar[tuple[str, ...]] = ("green", "red", "nir", "swir2")
    single: ClassVar[bool] = True
    normalised: ClassVar[bool] = False

    wet: Annotated[float, Field(ge=-0.5, le=1, title="水面 MNDWI 下限 · Least MNDWI of water", json_schema_extra={"unit": "MNDWI"})] = 0.3
    green: Annotated[float, Field(ge=-1, le=1, title="水面 NDVI 上限 · Most NDVI of water", json_schema_extra={"unit": "NDVI"})] = 0.2
    new_only: Annotated[bool, Field(title="只算新增水面 · Only where there was no water before")] = True

    @property
    def threshold(self) -> float:
        """The border of water."""
        return 1.0

    def _water(self, pixels: np.ndarray) -> np.ndarray:
        return 1 + np.minimum(index(pixels[0], pixels[3]) - self.wet, self.green - index(pixels[2], pixels[1])) / STEP

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks what is water, and was none before where that is known and asked."""
        score = self._water(after)
        if self.new_only:
            known = (before != 0).any(axis=0)
            score = np.where(known, np.fmin(score, 2 - self._water(before)), score)
        return settle(score, score >= 1, valid)

    @classmethod
    def example(cls) -> Example:
        """Farmland (MNDWI −0.3) of which a square is under water (MNDWI 0.76)."""

        def flood(pixels: np.ndarray) -> None:
            pixels *= np.array([900 / 800, 700 / 700, 400 / 2800, 120 / 1500], np.float32)[:, None, None]

        return scene_example(flood, bands=4, background=(800, 700, 2800, 1500), noise=0.03, seed=7)


ANALYSIS = FloodExtent()
