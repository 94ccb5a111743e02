"""How far each pixel departs from no change, by figures that the pair itself gives: what the unsupervised baselines (CVA, IR-MAD) have in common."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, scene_example, settle


class Measure(Protocol):
    """A departure fitted to a pair; picklable."""

    def score(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Of (bands, …) pixels, without the bands: 0 up, about 1 where nothing changed."""
        ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """The measure, and the least score that counts as change."""

    measure: Measure
    least: float


class Departure(Analysis):
    """Score: the departure (0 up; about 1 where nothing changed). Threshold: Otsu's (1979) of the sample's scores."""

    kind: ClassVar[str] = "land_change"
    drawn: ClassVar[tuple[tuple[float, ...], int]]
    """The example: how the change multiplies each of four bands, and its seed."""

    sigmas: Annotated[float, Field(gt=0, le=100, title="变化阈值下限 · Least change", json_schema_extra={"unit": "σ"})] = 2.5

    @property
    def threshold(self) -> float:
        """Least change in units of what stays the same."""
        return self.sigmas

    @abstractmethod
    def measure(self, before: np.ndarray, after: np.ndarray) -> Measure:
        """The measure of a pair, from (bands, samples) of its valid pixels."""

    def fit(self, before: np.ndarray, after: np.ndarray) -> Fitted:
        """Otsu's threshold counts when it is above `sigmas`, so a pair without change stays empty."""
        from skimage.filters import threshold_otsu  # half a second to read: not at every start

        measure = self.measure(before, after)
        return Fitted(measure, max(self.sigmas, float(threshold_otsu(measure.score(before, after)))))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Measures every pixel by the figures of the sample."""
        score = fitted.measure.score(before, after)
        return settle(score, score >= fitted.least, valid)

    @classmethod
    def example(cls) -> Example:
        """Mixed ground of which a square turns from green to bare."""
        times, seed = cls.drawn

        def change(pixels: np.ndarray) -> None:
            pixels *= np.array(times, np.float32)[:, None, None]

        return scene_example(change, bands=4, background=(600, 800, 700, 2600), noise=0.03, seed=seed)
