"""Flood extent from radar: smooth water throws the beam away, so it is dark in VV and VH.

Speckle is smoothed first. Threshold from the histogram of the smoothed scene: Otsu (1979), as in Martinis, Twele & Voigt, Nat. Hazards Earth
Syst. Sci. 9, 2009, if two groups show (Kittler & Illingworth 1986). Water that wind or plants roughen is missed; smooth dry ground and wet snow
as dark as water are not told apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from skimage.filters import threshold_otsu

from imagery.scenes.analyses import Analysis, Example, Finding, Window, settle
from imagery.scenes.parting import part


@dataclass(frozen=True, slots=True)
class Fitted:
    """Most backscatter of water in dB (mean of VV and VH, smoothed), per scene."""

    before: float
    after: float


class FloodSar(Analysis):
    """Score: how many times darker than the border of water (1 at the border). Bands in dB. Where the earlier scene is missing (all bands 0),
    all water of the later one counts."""

    id: ClassVar[str] = "flood_sar"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "洪水淹没范围(雷达)"
    title_en: ClassVar[str] = "Flood extent (radar)"
    kind: ClassVar[str] = "water"
    bands: ClassVar[tuple[str, ...]] = ("vv", "vh")
    margin_px: ClassVar[int] = 16
    single: ClassVar[bool] = True
    normalised: ClassVar[bool] = False
    windowed: ClassVar[bool] = True

    darkest: Annotated[float, Field(ge=-40, le=0, title="阈值下限 · Lowest threshold", json_schema_extra={"unit": "dB"})] = -21.0
    brightest: Annotated[float, Field(ge=-40, le=0, title="阈值上限 · Highest threshold", json_schema_extra={"unit": "dB"})] = -16.0
    smoothing_px: Annotated[float, Field(ge=0, le=4, title="平滑半径 · Smoothing (σ of the kernel)", json_schema_extra={"unit": "px"})] = 2.0
    new_only: Annotated[bool, Field(title="只算新增水面 · Only where there was no water before")] = True

    @property
    def threshold(self) -> float:
        """The border of water."""
        return 1.0

    def fit_windows(self, windows: Sequence[Window]) -> Fitted:
        """The threshold of each scene from windows of it, smoothed as it will be judged; `darkest` when only one group shows.

        Half-way between the means of Otsu's two groups: the same border, but not at the rim of an empty gap between them.
        """
        return Fitted(*(self._most([(window[scene], _known(window[scene], window[2])) for window in windows]) for scene in (0, 1)))

    def _most(self, windows: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
        level = np.concatenate([self._smooth(pixels, known)[known] for pixels, known in windows])
        found = part(level)
        if not found or not found.two():
            return self.darkest
        dark = level < threshold_otsu(level)
        middle = (level[dark].mean() + level[~dark].mean()) / 2
        return float(np.clip(middle, self.darkest, max(self.darkest, self.brightest)))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks what is dark as water, and was not before where that is known and asked."""
        score = 10 ** ((fitted.after - self._smooth(after, valid)) / 10)
        if self.new_only:
            known = _known(before, valid)
            if known.any():
                score = np.where(known, np.minimum(score, 10 ** ((self._smooth(before, known) - fitted.before) / 10)), score)
        return settle(score, score >= 1, valid)

    def _smooth(self, pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        level = np.where(valid, pixels.mean(axis=0), 0)
        if not self.smoothing_px:
            return level
        from scipy.ndimage import gaussian_filter  # half a second to read: not at every start of a server

        weight = np.maximum(gaussian_filter(valid.astype(np.float32), self.smoothing_px), 1e-6)
        return gaussian_filter(level, self.smoothing_px) / weight

    @classmethod
    def example(cls) -> Example:
        """Fields at −10 and −17 dB with 1.5 dB of speckle, of which a square lies under water at −21 and −27 dB."""
        random = np.random.default_rng(8)
        level = np.array([-10, -17], np.float32)[:, None, None]
        before, after = (level + random.normal(0, 1.5, (2, 48, 48)).astype(np.float32) for _ in range(2))
        truth = np.zeros((48, 48), bool)
        truth[16:32, 20:36] = True
        after[:, truth] -= np.array([11, 10], np.float32)[:, None]
        return Example(before, after, np.ones((48, 48), bool), truth)


def _known(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Where a scene was seen: a missing one is all 0."""
    return valid & (pixels != 0).any(axis=0)


ANALYSIS = FloodSar()
