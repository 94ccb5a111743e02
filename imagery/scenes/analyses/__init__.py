"""Change analyses, one file each: a module here exposes one `ANALYSIS`; its fields are its parameters.

The folder is scanned once. A file that cannot be imported, or whose object is not what is said below, stops the start with
its name; one whose optional library is missing is listed as unavailable.
"""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from grid import discovery
from grid.errors import NotFound, Unavailable
from imagery.scenes import indices
from imagery.scenes.parametric import Parametric

Window = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Before and after (bands, rows, cols) float32, and valid (rows, cols) bool."""


class BrokenAnalysis(discovery.Broken):
    """A file in this folder does not expose a sound ANALYSIS."""

    title = "分析模块有误 · An analysis cannot be loaded"


@dataclass(frozen=True, slots=True)
class Finding:
    """What an analysis says of a pair: `score` (rows, cols) float32, higher = more changed, NaN where it cannot say; `mask` bool."""

    score: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, slots=True)
class Example:
    """A small pair with known truth: before and after (bands, rows, cols) float32, `valid` and `truth` (rows, cols) bool."""

    before: np.ndarray
    after: np.ndarray
    valid: np.ndarray
    truth: np.ndarray


class Analysis(Parametric, ABC):
    """Base of every analysis: arrays in, score and mask out. An object with other parameters is another object.

    Class attributes name it; `bands` are the common band names it reads, in order (empty: every band that both scenes have);
    `kind` is the observation kind it raises; `margin_px` is how far around a pixel it looks;
    `index` names one of `imagery.scenes.indices` that it judges instead of the bands the index is made of: arrays then have one band, the index;
    `single` ones can also judge a later scene alone: the earlier one is then all 0; those not
    `normalised` read after in its own radiometry; `windowed` ones fit on whole windows (`fit_windows`), since their threshold is one of shapes;
    `within` names the ground that a survey cuts the pair to (one of `grid.world.grounds`), "" for all of it;
    `doubts` are what may explain a patch away when it is looked at again with all bands (`second_look.REASONS`); `explains` is the one of these that
    `run` knows of itself: what then reaches the threshold and is not in the mask.
    """

    described_at: ClassVar[str] = "/api/analyses"
    kind: ClassVar[str]
    bands: ClassVar[tuple[str, ...]] = ()
    index: ClassVar[str] = ""
    margin_px: ClassVar[int] = 0
    requires: ClassVar[tuple[str, ...]] = ()
    single: ClassVar[bool] = False
    normalised: ClassVar[bool] = True
    windowed: ClassVar[bool] = False
    within: ClassVar[str] = ""
    doubts: ClassVar[tuple[str, ...]] = ()
    explains: ClassVar[str] = ""

    minimum_area_m2: Annotated[
        float, Field(ge=0, le=1e8, title="最小图斑面积 · Smallest patch", json_schema_extra={"unit": "m²"})
    ] = 2000.0
    look_again: Annotated[bool, Field(title="对图斑用全部波段复核 · Look at each patch again with all bands")] = True

    def informed(self, tides: tuple[float | None, float | None], resolution_m: float, given: Collection[str]) -> "Analysis":
        """This analysis told of two scenes: their water levels (metres above the height datum, None unknown) and pixel; `given` parameters stay.
        Default: as it is."""
        return self

    @property
    @abstractmethod
    def threshold(self) -> float:
        """The score from which a pixel is in the mask."""

    @property
    def fits(self) -> bool:
        """Whether `fit` must see a sample of the pair."""
        return self.windowed or type(self).fit is not Analysis.fit

    def check(self, before_at: datetime, after_at: datetime) -> None:
        """Raises InvalidInput where scenes of these times (aware) cannot be compared, for example of other seasons. Default: any can."""

    def fit(self, before: np.ndarray, after: np.ndarray) -> Any:
        """What must be known of the whole pair before a block is judged, from (bands, samples) of valid pixels; picklable. Default None."""
        return None

    def fit_windows(self, windows: Sequence[Window]) -> Any:
        """The same from windows of the pair (before, after, valid), for a `windowed` analysis. Default: `fit` over their valid pixels."""
        return self.fit(*(np.concatenate([window[scene][:, window[2]] for window in windows], axis=1) for scene in (0, 1)))

    @abstractmethod
    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Judges (bands, rows, cols) float32, after in the radiometry of before where `normalised`; pixels outside `valid` get NaN and no mask."""

    def confidence(self, score: float) -> float:
        """A patch's mean score as 0…1: one half at the threshold, three quarters at twice the threshold."""
        return float(np.clip(1 - self.threshold / (2 * max(score, 1e-9)), 0, 1))

    def grade(self, score: float) -> tuple[str, str] | None:
        """A word (zh, en) for a patch's mean score, or None where the analysis has none."""
        return None

    @classmethod
    @abstractmethod
    def example(cls) -> Example:
        """A pair with known truth that the shared test runs through `fit` and `run`."""

    @classmethod
    def missing(cls) -> tuple[str, ...]:
        """Optional libraries that this analysis needs and that are not installed."""
        return tuple(name for name in cls.requires if importlib.util.find_spec(name) is None)

    def examine(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray) -> Finding:
        """Fits and runs on one array pair of its bands that fits into memory."""
        if self.index:
            before, after, valid = indices.pair(self.index, self.bands, before, after, valid)
        return self.run(before, after, valid, self.fit_windows([(before, after, valid)]) if self.fits else None)


index = indices.ratio
"""Normalised difference of two bands, (first − second) / (first + second), float32; NaN where the sum is not positive."""


def settle(score: np.ndarray, mask: np.ndarray, valid: np.ndarray) -> Finding:
    """Blanks what is not valid or not a number."""
    known = valid & np.isfinite(score)
    return Finding(np.where(known, score, np.nan).astype(np.float32), mask & known)


def scene_example(draw: Callable[[np.ndarray], None], *, bands: int, background: tuple[float, ...], noise: float, seed: int) -> Example:
    """A 48 × 48 pair: a textured background, noise, and a 16 × 16 square that `draw` changes in place on the (bands, 16, 16) after pixels."""
    random = np.random.default_rng(seed)
    ground = np.array(background, np.float32)[:bands, None, None] * random.normal(1, 0.08, (1, 48, 48))
    before = (ground * random.normal(1, noise, (bands, 48, 48))).astype(np.float32)
    after = (ground * random.normal(1, noise, (bands, 48, 48))).astype(np.float32)
    truth = np.zeros((48, 48), bool)
    truth[16:32, 20:36] = True
    draw(after[:, 16:32, 20:36])
    return Example(before, after, np.ones((48, 48), bool), truth)


@cache
def catalogue() -> MappingProxyType[str, Analysis]:
    """Every analysis in this folder by id, those that cannot run included (see `missing`)."""
    return MappingProxyType(discovery.things(__name__, __path__, "ANALYSIS", Analysis, broken=BrokenAnalysis))


def get(analysis_id: str) -> Analysis:
    """The analysis with default parameters. NotFound, or Unavailable with the libraries that are missing."""
    analysis = catalogue().get(analysis_id)
    if analysis is None:
        raise NotFound(f"no analysis {analysis_id!r}", remedy=f"one of: {', '.join(catalogue())}")
    if analysis.missing():
        raise Unavailable(f"analysis {analysis_id!r} needs {', '.join(analysis.missing())}", remedy="install the missing packages")
    return analysis
