"""Vegetation lost between two dates: the drop of NDVI where there was vegetation (Rouse et al. 1974; Tucker 1979)."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, scene_example, settle


class VegetationLoss(Analysis):
    """Score: NDVI before − NDVI after (−2…2)."""

    id: ClassVar[str] = "vegetation_loss"
    version: ClassVar[str] = "2.1.0"
    title: ClassVar[str] = "植被减少"
    title_en: ClassVar[str] = "Vegetation loss"
    kind: ClassVar[str] = "vegetation_loss"
    bands: ClassVar[tuple[str, ...]] = ("red", "nir")
    index: ClassVar[str] = "ndvi"
    doubts: ClassVar[tuple[str, ...]] = ("cloud", "shadow", "season", "shift", "faint")

    drop: Annotated[float, Field(gt=0, le=2, title="NDVI 下降阈值 · Least drop of NDVI", json_schema_extra={"unit": "NDVI"})] = 0.25
    vegetated: Annotated[float, Field(ge=-1, le=1, title="原有植被 NDVI 下限 · Least NDVI before", json_schema_extra={"unit": "NDVI"})] = 0.45

    @property
    def threshold(self) -> float:
        """Least drop."""
        return self.drop

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks pixels that were vegetated and lost at least `drop`."""
        score = before[0] - after[0]
        return settle(score, (score >= self.drop) & (before[0] >= self.vegetated), valid)

    @classmethod
    def example(cls) -> Example:
        """Forest (NDVI 0.78) of which a square becomes bare soil (NDVI 0.14)."""

        def clear(pixels: np.ndarray) -> None:
            pixels[0] *= 1800 / 400
            pixels[1] *= 2400 / 3200

        return scene_example(clear, bands=2, background=(400, 3200), noise=0.03, seed=1)


ANALYSIS = VegetationLoss()
