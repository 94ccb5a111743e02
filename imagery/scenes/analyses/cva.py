"""Change vector analysis as the textbooks have it (Malila 1980; Bovolo & Bruzzone, IEEE TGRS 45(1), 2007): a baseline.

Each band of the later scene is brought to the mean and spread of the earlier one; the change is the length of the difference, its threshold
Otsu's (1979). `change_vector` is the analysis to use: it takes radiometry and noise from pixels that did not change.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from skimage.filters import threshold_otsu

from imagery.scenes.analyses import Analysis, Example, Finding, scene_example, settle


@dataclass(frozen=True, slots=True)
class Fitted:
    """Shapes (bands,): `gain`, `offset` and `noise` (spread of the middle of the difference); `least` the score that counts as change."""

    gain: np.ndarray
    offset: np.ndarray
    noise: np.ndarray
    least: float

    def length(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Root mean square of the difference of (bands, …) pixels in units of noise."""
        shape = (-1, *([1] * (before.ndim - 1)))
        change = (after * self.gain.reshape(shape) + self.offset.reshape(shape) - before) / self.noise.reshape(shape)
        return np.sqrt((change**2).mean(axis=0))


class ChangeVectorPlain(Analysis):
    """Score: root mean square over bands of the difference in units of its own spread (0 up)."""

    id: ClassVar[str] = "cva"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "变化向量(CVA,基线)"
    title_en: ClassVar[str] = "Change vector (CVA, baseline)"
    kind: ClassVar[str] = "land_change"

    sigmas: Annotated[float, Field(gt=0, le=100, title="变化阈值下限 · Least change", json_schema_extra={"unit": "σ"})] = 2.5

    @property
    def threshold(self) -> float:
        """Least change in units of spread."""
        return self.sigmas

    def fit(self, before: np.ndarray, after: np.ndarray) -> Fitted:
        """Mean and spread of both samples; Otsu's threshold counts when it is above `sigmas`, so a pair without change stays empty."""
        old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
        gain = _spread(old) / _spread(new)
        offset = old.mean(axis=1) - gain * new.mean(axis=1)
        change = new * gain[:, None] + offset[:, None] - old
        noise = 1.4826 * np.median(np.abs(change - np.median(change, axis=1, keepdims=True)), axis=1)
        fitted = Fitted(gain, offset, np.maximum(noise, 1e-3 * _spread(old)), 0.0)
        return Fitted(gain, offset, fitted.noise, max(self.sigmas, float(threshold_otsu(fitted.length(old, new)))))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Measures every pixel by the figures of the sample."""
        score = fitted.length(before, after)
        return settle(score, score >= fitted.least, valid)

    @classmethod
    def example(cls) -> Example:
        """Mixed ground of which a square turns from green to bare."""

        def change(pixels: np.ndarray) -> None:
            pixels *= np.array([1.8, 1.9, 2.4, 0.5], np.float32)[:, None, None]

        return scene_example(change, bands=4, background=(600, 800, 700, 2600), noise=0.03, seed=6)


def _spread(samples: np.ndarray) -> np.ndarray:
    spread = samples.std(axis=1)
    return np.where(spread > 0, spread, 1.0)


ANALYSIS = ChangeVectorPlain()
