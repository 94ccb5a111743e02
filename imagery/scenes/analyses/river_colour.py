"""Water that changed its colour: turbid plumes, discharges, blooms inside the water.

Two proxies by published formulas, and no concentration: NDTI (Lacaux et al., RSE 106(1), 2007), which grows with suspended matter, and the
hue angle of the water's colour (van der Woerd & Wernand, Remote Sensing 10(2), 180, 2018: reflectances interpolated between bands, times the
CIE 1931 colour functions) with its Forel-Ule class. The colour functions are the fits of Wyman, Sloan & Shirley, JCGT 2(2), 2013; below blue and
above red the last band is held, without the paper's sensor polynomials, which need reflectances free of the atmosphere: a change is told, and
the absolute class is indicative.
"""

from functools import cache
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle

BLUE_NM, GREEN_NM, RED_NM = 490.0, 560.0, 665.0
FOREL_ULE = (
    232.0, 227.168, 220.977, 209.994, 190.779, 163.084, 132.999, 109.054, 94.037, 83.346, 74.572, 67.957, 62.186, 56.435, 50.665, 45.129, 39.769,
    34.906, 30.439, 26.337, 22.741,
)  # fmt: skip
"""Hue angle in degrees of each class from 1 (blue sea) to 21 (brown): Novoa, Wernand & van der Woerd, J. Eur. Opt. Soc. 8, 13057, 2013."""


class RiverColour(Analysis):
    """Score: 1 at the least change that counts, of the hue angle or of NDTI, whichever is further."""

    id: ClassVar[str] = "river_colour"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "水色变化"
    title_en: ClassVar[str] = "Colour of water"
    kind: ClassVar[str] = "water"
    bands: ClassVar[tuple[str, ...]] = ("blue", "green", "red", "nir")

    hue_deg: Annotated[float, Field(gt=0, le=180, title="色相角变化下限 · Least change of hue angle", json_schema_extra={"unit": "°"})] = 30.0
    turbidity: Annotated[float, Field(gt=0, le=2, title="NDTI 上升下限 · Least rise of NDTI", json_schema_extra={"unit": "NDTI"})] = 0.15
    wet: Annotated[float, Field(ge=-1, le=1, title="两期水面 NDWI 下限 · Least NDWI of water at both dates", json_schema_extra={"unit": "NDWI"})] = 0.0

    @property
    def threshold(self) -> float:
        """The least change that counts."""
        return 1.0

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks water at both dates whose hue or turbidity moved."""
        water = (index(before[1], before[3]) > self.wet) & (index(after[1], after[3]) > self.wet)
        moved = np.abs((hue(after) - hue(before) + 180) % 360 - 180) / self.hue_deg
        muddier = (index(after[2], after[1]) - index(before[2], before[1])) / self.turbidity
        score = np.where(water, np.fmax(moved, muddier), 0)
        return settle(score, water & (score >= 1), valid)

    @classmethod
    def example(cls) -> Example:
        """A green river (hue 78°) into which a square of brown water comes (hue 37°)."""

        def discharge(pixels: np.ndarray) -> None:
            pixels *= np.array([600 / 500, 900 / 700, 1000 / 400, 500 / 250], np.float32)[:, None, None]

        return scene_example(discharge, bands=4, background=(500, 700, 400, 250), noise=0.02, seed=14)


def hue(pixels: np.ndarray) -> np.ndarray:
    """Hue angle in degrees (0–360) of (blue, green, red, …) reflectances, about the white point, as the Forel-Ule scale counts it: blue 230, brown 20."""
    tristimulus = np.einsum("cb,b...->c...", weights(), np.maximum(pixels[:3], 0).astype(np.float64))
    total = np.maximum(tristimulus.sum(axis=0), 1e-12)
    return (np.degrees(np.arctan2(tristimulus[1] / total - 1 / 3, tristimulus[0] / total - 1 / 3)) % 360).astype(np.float32)


def forel_ule(hue_deg: float) -> int:
    """The class whose hue angle is nearest: 1 indigo blue … 21 cola brown.

    >>> forel_ule(232), forel_ule(135), forel_ule(22), forel_ule(0)
    (1, 7, 21, 21)
    """
    return int(np.argmin(np.abs(np.array(FOREL_ULE) - hue_deg))) + 1


@cache
def weights() -> np.ndarray:
    """X, Y, Z (rows) per unit of blue, green and red reflectance, each row scaled to 1: a grey spectrum lies at the white point."""
    wave = np.arange(400.0, 711.0)
    x = _lobe(wave, 1.056, 599.8, 37.9, 31.0) + _lobe(wave, 0.362, 442.0, 16.0, 26.7) - _lobe(wave, 0.065, 501.1, 20.4, 26.2)
    y = _lobe(wave, 0.821, 568.8, 46.9, 40.5) + _lobe(wave, 0.286, 530.9, 16.3, 31.1)
    z = _lobe(wave, 1.217, 437.0, 11.8, 36.0) + _lobe(wave, 0.681, 459.0, 26.0, 13.8)
    shares = np.stack([np.interp(wave, (BLUE_NM, GREEN_NM, RED_NM), unit) for unit in np.eye(3)])
    return np.stack([shares @ curve / curve.sum() for curve in (x, y, z)])


def _lobe(wave: np.ndarray, height: float, centre: float, left: float, right: float) -> np.ndarray:
    return height * np.exp(-0.5 * ((wave - centre) / np.where(wave < centre, left, right)) ** 2)


ANALYSIS = RiverColour()
