"""Any change of the land surface: the length of the spectral change vector (Malila 1980), each band in units of its no-change noise.

The noise comes from the pixels that IR-MAD finds unchanged, so no threshold depends on sensor or season. A patch begins where change is sure and
goes on where it is likely: thresholding with hysteresis (Canny, IEEE TPAMI 8(6), 1986).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, scene_example, settle
from imagery.scenes.invariants import Normalisation, fit_normalisation


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the whole pair says: its radiometry, and the least score that counts as change."""

    normalisation: Normalisation
    least: float


class ChangeVector(Analysis):
    """Score: root mean square over bands of the difference in units of noise (0 up)."""

    id: ClassVar[str] = "change_vector"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "地表变化"
    title_en: ClassVar[str] = "Land change"
    kind: ClassVar[str] = "land_change"
    margin_px: ClassVar[int] = 16

    sigmas: Annotated[float, Field(gt=0, le=100, title="变化阈值 · Least change", json_schema_extra={"unit": "σ"})] = 2.0
    smoothing_px: Annotated[
        float, Field(ge=0, le=2, title="平滑半径 · Smoothing (σ of the kernel)", json_schema_extra={"unit": "px"})
    ] = 0.8
    grow_px: Annotated[int, Field(ge=0, le=8, title="弱变化扩展 · Growth over weaker change", json_schema_extra={"unit": "px"})] = 4
    part: Annotated[bool, Field(title="自动提高阈值 · Raise the threshold where the scores part in two")] = True

    @property
    def threshold(self) -> float:
        """Least change in units of noise."""
        return self.sigmas

    def fit(self, before: np.ndarray, after: np.ndarray) -> "Fitted":
        """Radiometry and noise of the unchanged pixels, and where the score parts into two groups.

        That is Otsu's threshold (1979) of unsmoothed scores, times 0.8 because smoothing lowers the score of real change; it counts only
        when it is above `sigmas`, so a pair without change stays empty.
        """
        from skimage.filters import threshold_otsu  # half a second to read: not at every start

        normalisation = fit_normalisation(before, after)
        change = (normalisation.apply(after) - before) / normalisation.noise[:, None]
        score = np.sqrt((change**2).mean(axis=0))
        return Fitted(normalisation, max(self.sigmas, 0.8 * float(threshold_otsu(score))) if self.part else self.sigmas)

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Smooths the difference over valid pixels and measures its length; the mask also asks the bare pixel, so edges do not swell.

        From where it is three pixels wide it grows by up to `grow_px` over pixels of 0.7 of the threshold (not below `sigmas`); rims of
        fields that lie a fraction of a pixel apart are narrower.
        """
        noise = fitted.normalisation.noise[:, None, None].astype(np.float32)
        change = (fitted.normalisation.apply(after) - before) / noise * valid
        bare = np.sqrt((change**2).mean(axis=0))
        if not self.smoothing_px:
            return settle(bare, bare >= fitted.least, valid)
        from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter  # half a second to read: not at every start of a server

        kernel = {"sigma": self.smoothing_px, "truncate": 4.0}
        weight = np.maximum(gaussian_filter(valid.astype(np.float32), **kernel), 1e-6)
        smooth = np.stack([gaussian_filter(band, **kernel) / weight for band in change])
        score = np.sqrt((smooth**2).mean(axis=0))
        mask = valid & (score >= fitted.least) & (bare >= 0.7 * fitted.least)
        if self.grow_px:
            weak = valid & (score >= max(self.sigmas, 0.7 * fitted.least)) & (bare >= 0.6 * fitted.least)
            mask |= binary_dilation(binary_opening(mask, np.ones((3, 3))), iterations=self.grow_px, mask=weak | mask)
        return settle(score, mask, valid)

    @classmethod
    def example(cls) -> Example:
        """Mixed ground of which a square turns from green to bare."""

        def change(pixels: np.ndarray) -> None:
            pixels *= np.array([1.5, 1.6, 2.0, 0.7], np.float32)[:, None, None]

        return scene_example(change, bands=4, background=(600, 800, 700, 2600), noise=0.03, seed=4)


ANALYSIS = ChangeVector()
