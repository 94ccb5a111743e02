"""Change vector analysis as the textbooks have it (Malila 1980; Bovolo & Bruzzone, IEEE TGRS 45(1), 2007): a baseline.

Each band of the later scene is brought to the mean and spread of the earlier one; the change is the length of the difference, its threshold
Otsu's (1979). `change_vector` is the analysis to use: it takes radiometry and noise from pixels that did not change.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from imagery.scenes.departure import Departure


@dataclass(frozen=True, slots=True)
class Difference:
    """Shapes (bands,): `gain`, `offset` and `noise` (spread of the middle of the difference)."""

    gain: np.ndarray
    offset: np.ndarray
    noise: np.ndarray

    def score(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Root mean square of the difference of (bands, …) pixels in units of noise."""
        shape = (-1, *([1] * (before.ndim - 1)))
        change = (after * self.gain.reshape(shape) + self.offset.reshape(shape) - before) / self.noise.reshape(shape)
        return np.sqrt((change**2).mean(axis=0))


class ChangeVectorPlain(Departure):
    """Score: root mean square over bands of the difference in units of its own spread (0 up)."""

    id: ClassVar[str] = "cva"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "变化向量(CVA,基线)"
    title_en: ClassVar[str] = "Change vector (CVA, baseline)"
    drawn: ClassVar[tuple[tuple[float, ...], int]] = ((1.8, 1.9, 2.4, 0.5), 6)

    def measure(self, before: np.ndarray, after: np.ndarray) -> Difference:
        """Mean and spread of both samples; the noise is the spread of most differences, by their median."""
        old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
        gain = _spread(old) / _spread(new)
        offset = old.mean(axis=1) - gain * new.mean(axis=1)
        change = new * gain[:, None] + offset[:, None] - old
        noise = 1.4826 * np.median(np.abs(change - np.median(change, axis=1, keepdims=True)), axis=1)
        return Difference(gain, offset, np.maximum(noise, 1e-3 * _spread(old)))


def _spread(samples: np.ndarray) -> np.ndarray:
    spread = samples.std(axis=1)
    return np.where(spread > 0, spread, 1.0)


ANALYSIS = ChangeVectorPlain()
