"""Burn scars by the difference of the normalised burn ratio, with severity: Key & Benson, FIREMON, USDA RMRS-GTR-164, 2006."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle

SEVERITY = ((0.66, "重度", "high"), (0.44, "中重度", "moderate-high"), (0.27, "中轻度", "moderate-low"), (0.10, "轻度", "low"))


class Burn(Analysis):
    """Score: dNBR = NBR before − NBR after (−2…2)."""

    id: ClassVar[str] = "burn"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "火烧迹地"
    title_en: ClassVar[str] = "Burn scar"
    kind: ClassVar[str] = "burn_scar"
    bands: ClassVar[tuple[str, ...]] = ("green", "red", "nir", "swir2")
    doubts: ClassVar[tuple[str, ...]] = ("cloud", "shadow", "season", "shift", "faint")

    severity: Annotated[float, Field(gt=0, le=2, title="dNBR 阈值 · Least dNBR", json_schema_extra={"unit": "dNBR"})] = 0.27
    vegetated: Annotated[float, Field(ge=-1, le=1, title="原有植被 NDVI 下限 · Least NDVI before", json_schema_extra={"unit": "NDVI"})] = 0.3
    brightening: Annotated[
        float, Field(ge=0, le=10, title="可见光变亮倍数上限 · Most brightening of the visible", json_schema_extra={"unit": "ratio"})
    ] = 1.3

    @property
    def threshold(self) -> float:
        """Least dNBR."""
        return self.severity

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks vegetation whose burn ratio fell and which did not brighten: char is dark, cleared soil and concrete are bright."""
        score = index(before[2], before[3]) - index(after[2], after[3])
        dark = after[0] + after[1] <= self.brightening * (before[0] + before[1])
        return settle(score, (score >= self.severity) & (index(before[2], before[1]) >= self.vegetated) & dark, valid)

    def grade(self, score: float) -> tuple[str, str] | None:
        """Severity class of a mean dNBR; None below 0.10."""
        return next(((zh, en) for least, zh, en in SEVERITY if score >= least), None)

    @classmethod
    def example(cls) -> Example:
        """Forest (NBR 0.68) of which a square burns (NBR −0.2, dNBR 0.88)."""

        def burn(pixels: np.ndarray) -> None:
            pixels *= np.array([420 / 500, 480 / 400, 1200 / 3200, 1800 / 600], np.float32)[:, None, None]

        return scene_example(burn, bands=4, background=(500, 400, 3200, 600), noise=0.03, seed=3)


ANALYSIS = Burn()
