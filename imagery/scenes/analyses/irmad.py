"""Any change, without an index: iteratively reweighted multivariate alteration detection (Nielsen, IEEE Trans. Image Processing 16(2), 2007).

A baseline: it needs no common radiometry, since its canonical variates do not feel affine changes of either scene. Threshold: Otsu (1979).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from scipy.special import chdtri
from skimage.filters import threshold_otsu

from imagery.scenes.analyses import Analysis, Example, Finding, scene_example, settle
from imagery.scenes.invariants import Alteration, fit_alteration


@dataclass(frozen=True, slots=True)
class Fitted:
    """The transformation, the score of an ordinary pixel without change, and the least score that counts as change."""

    alteration: Alteration
    unit: float
    least: float

    def score(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Root of the mean squared variate of (bands, …) pixels, in `unit`."""
        return np.sqrt(self.alteration.distance(before, after) / len(before)) / self.unit


class IrMad(Analysis):
    """Score: root of the mean squared standardised variate (0 up; about 1 where nothing changed)."""

    id: ClassVar[str] = "irmad"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "多元变化检测(IR-MAD,基线)"
    title_en: ClassVar[str] = "Multivariate alteration (IR-MAD, baseline)"
    kind: ClassVar[str] = "land_change"

    sigmas: Annotated[float, Field(gt=0, le=100, title="变化阈值下限 · Least change", json_schema_extra={"unit": "σ"})] = 2.5

    @property
    def threshold(self) -> float:
        """Least change in units of the variates' spread where nothing changed."""
        return self.sigmas

    def fit(self, before: np.ndarray, after: np.ndarray) -> Fitted:
        """Iterates over the sample; Otsu's threshold of its scores counts when it is above `sigmas`, so a pair without change stays empty.

        The iteration can settle on a few pixels that are alike by chance; scores then count from the median, which most pixels stay below.
        """
        raw = Fitted(fit_alteration(before, after), 1.0, 0.0)
        score = raw.score(before, after)
        unit = max(1.0, float(np.median(score) / np.sqrt(chdtri(len(before), 0.5) / len(before))))
        return Fitted(raw.alteration, unit, max(self.sigmas, float(threshold_otsu(score)) / unit))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Measures every pixel by the transformation of the sample."""
        score = fitted.score(before, after)
        return settle(score, score >= fitted.least, valid)

    @classmethod
    def example(cls) -> Example:
        """Mixed ground of which a square turns from green to bare."""

        def change(pixels: np.ndarray) -> None:
            pixels *= np.array([1.5, 1.6, 2.0, 0.7], np.float32)[:, None, None]

        return scene_example(change, bands=4, background=(600, 800, 700, 2600), noise=0.03, seed=5)


ANALYSIS = IrMad()
