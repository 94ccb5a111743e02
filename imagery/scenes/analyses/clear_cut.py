"""Clear-cut inside forest: canopy whose water and green both went, and which was not burnt.

The normalised difference moisture index tells harvest better than greenness, since ground cover is green within weeks (Wilson & Sader, RSE
80(3), 2002: NDMI); the drop of NDVI beside it keeps drought out, and brighter red keeps burns out (Key & Benson 2006: char is dark).
"""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle


class ClearCut(Analysis):
    """Score: NDMI before − NDMI after (−2…2), 0 where there was no canopy."""

    id: ClassVar[str] = "clear_cut"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "林地皆伐"
    title_en: ClassVar[str] = "Clear-cut in forest"
    kind: ClassVar[str] = "vegetation_loss"
    bands: ClassVar[tuple[str, ...]] = ("red", "nir", "swir1")
    within: ClassVar[str] = "forest"

    minimum_area_m2: Annotated[
        float, Field(ge=0, le=1e8, title="最小图斑面积 · Smallest patch", json_schema_extra={"unit": "m²"})
    ] = 1000.0
    drop: Annotated[float, Field(gt=0, le=2, title="NDMI 下降阈值 · Least drop of NDMI", json_schema_extra={"unit": "NDMI"})] = 0.25
    green_drop: Annotated[float, Field(gt=0, le=2, title="NDVI 下降阈值 · Least drop of NDVI", json_schema_extra={"unit": "NDVI"})] = 0.15
    canopy: Annotated[float, Field(ge=-1, le=1, title="原有林冠 NDVI 下限 · Least NDVI of the canopy", json_schema_extra={"unit": "NDVI"})] = 0.55
    moist: Annotated[float, Field(ge=-1, le=1, title="原有林冠 NDMI 下限 · Least NDMI of the canopy", json_schema_extra={"unit": "NDMI"})] = 0.05

    @property
    def threshold(self) -> float:
        """Least drop of NDMI."""
        return self.drop

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks canopy that lost its water and its green and became brighter in the red."""
        green, wet = index(before[1], before[0]), index(before[1], before[2])
        was = (green >= self.canopy) & (wet >= self.moist)
        lost = wet - index(after[1], after[2])
        score = np.where(was | ~np.isfinite(lost), lost, 0)
        felled = (green - index(after[1], after[0]) >= self.green_drop) & (after[0] > before[0])
        return settle(score, was & (score >= self.drop) & felled, valid)

    @classmethod
    def example(cls) -> Example:
        """Pine (NDVI 0.78, NDMI 0.36) of which a square is felled (NDVI 0.29, NDMI −0.16)."""

        def fell(pixels: np.ndarray) -> None:
            pixels *= np.array([1100 / 400, 2000 / 3200, 2750 / 1500], np.float32)[:, None, None]

        return scene_example(fell, bands=3, background=(400, 3200, 1500), noise=0.03, seed=11)


ANALYSIS = ClearCut()
