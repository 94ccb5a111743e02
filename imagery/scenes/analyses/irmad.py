"""Any change, without an index: iteratively reweighted multivariate alteration detection (Nielsen, IEEE Trans. Image Processing 16(2), 2007).

A baseline: it needs no common radiometry, since its canonical variates do not feel affine changes of either scene. Threshold: Otsu (1979).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import chdtri

from imagery.scenes.departure import Departure
from imagery.scenes.invariants import Alteration, fit_alteration


@dataclass(frozen=True, slots=True)
class Variates:
    """The transformation, and the score of an ordinary pixel without change."""

    alteration: Alteration
    unit: float

    def score(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Root of the mean squared variate of (bands, …) pixels, in `unit`."""
        return np.sqrt(self.alteration.distance(before, after) / len(before)) / self.unit


class IrMad(Departure):
    """Score: root of the mean squared standardised variate (0 up; about 1 where nothing changed)."""

    id: ClassVar[str] = "irmad"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "多元变化检测(IR-MAD,基线)"
    title_en: ClassVar[str] = "Multivariate alteration (IR-MAD, baseline)"
    drawn: ClassVar[tuple[tuple[float, ...], int]] = ((1.5, 1.6, 2.0, 0.7), 5)

    def measure(self, before: np.ndarray, after: np.ndarray) -> Variates:
        """Iterates over the sample.

        The iteration can settle on a few pixels that are alike by chance; scores then count from the median, which most pixels stay below.
        """
        raw = Variates(fit_alteration(before, after), 1.0)
        middle = np.median(raw.score(before, after))
        return Variates(raw.alteration, max(1.0, float(middle / np.sqrt(chdtri(len(before), 0.5) / len(before)))))


ANALYSIS = IrMad()
