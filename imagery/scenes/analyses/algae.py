"""Floating green algae 浒苔 (Ulva prolifera) on the sea, from the bands that every optical satellite has.

VB-FAH, the height of the near infrared over a virtual baseline of green and red (Xing & Hu, Remote Sensing of Environment 184, 2016), for
sensors without the short-wave band that FAI asks for (Hu, RSE 113(10), 2009). Haze and glint lift it over wide water alike, so the scene's own
water is taken off (as the scaled algae index does: Garcia et al., IEEE JSTARS 6(5), 2013). Water: NDWI of the earlier scene (McFeeters 1996).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle

GREEN_NM, RED_NM, NIR_NM = 560.0, 660.0, 835.0
SLOPE = (NIR_NM - GREEN_NM) / (2 * NIR_NM - RED_NM - GREEN_NM)
"""Weight of green over red in the virtual baseline (equation 3 of Xing & Hu), here for the middle of Gaofen's, Sentinel-2's and Landsat's bands."""


@dataclass(frozen=True, slots=True)
class Water:
    """The scene's own water: its height over the baseline, the spread of that (one standard deviation), and its green, in units of the scene."""

    height: float
    spread: float
    green: float


class Algae(Analysis):
    """Score: 1 at the border of a bloom, growing with the height over water. Where the earlier scene is missing (all bands 0) everything valid is
    taken as water: cut the scene to the sea. Algae that were there before are not new."""

    id: ClassVar[str] = "algae"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "浒苔(漂浮绿藻)"
    title_en: ClassVar[str] = "Algal bloom (floating green algae)"
    kind: ClassVar[str] = "algal_bloom"
    bands: ClassVar[tuple[str, ...]] = ("green", "red", "nir")
    single: ClassVar[bool] = True
    normalised: ClassVar[bool] = False

    rise: Annotated[
        float, Field(gt=0, le=10, title="高出水面绿光比例 · Least height as a share of the water's green", json_schema_extra={"unit": "ratio"})
    ] = 0.4
    sigmas: Annotated[float, Field(ge=0, le=50, title="高出水面噪声倍数 · Least height over the water's spread", json_schema_extra={"unit": "σ"})] = 5.0
    wet: Annotated[float, Field(ge=-1, le=1, title="水面 NDWI 下限 · Least NDWI of water", json_schema_extra={"unit": "NDWI"})] = 0.0
    new_only: Annotated[bool, Field(title="只算新增 · Only where it was open water before")] = True

    @property
    def threshold(self) -> float:
        """The border of a bloom."""
        return 1.0

    def fit(self, before: np.ndarray, after: np.ndarray) -> Water:
        """The later scene's open water, from samples that are water in it."""
        water = after[:, index(after[0], after[2]) > self.wet]
        water = water if water.shape[1] >= 50 else after
        if not water.size:
            return Water(0.0, 0.0, 1.0)
        heights = _height(water)
        middle = float(np.median(heights))
        return Water(middle, 1.4826 * float(np.median(np.abs(heights - middle))), max(float(np.median(water[0])), 1e-9))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks what stands high enough over the baseline and was open water."""
        least = max(self.rise * fitted.green, self.sigmas * fitted.spread)
        score = (_height(after) - fitted.height) / least
        if self.new_only:
            known = (before != 0).any(axis=0)
            score = np.where(known & ~(index(before[0], before[2]) > self.wet), 0, score)
        return settle(score, score >= 1, valid)

    @classmethod
    def example(cls) -> Example:
        """Clear sea on which a raft of algae drifts in (near infrared from 150 to 1400)."""

        def drift(pixels: np.ndarray) -> None:
            pixels *= np.array([700 / 600, 380 / 350, 1400 / 150], np.float32)[:, None, None]

        return scene_example(drift, bands=3, background=(600, 350, 150), noise=0.03, seed=13)


def _height(pixels: np.ndarray) -> np.ndarray:
    return (pixels[2] - pixels[0]) + (pixels[0] - pixels[1]) * np.float32(SLOPE)


ANALYSIS = Algae()
