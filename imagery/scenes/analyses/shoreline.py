"""Water that became land and land that became water along a shore, less what the tide between the two scenes explains.

Water: MNDWI (Xu, Int. J. Remote Sensing 27(14), 2006), its threshold from each scene's own histogram (Kittler & Illingworth 1986). Tide: the water line
of two stages lies apart by their difference over the slope of the beach (the tide-corrected shoreline of Boak & Turner, J. Coastal Res. 21(4), 2005, and
Vos et al., Environ. Model. Softw. 122, 2019); a change inside that strip, in the direction of the tide, is the tide's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle
from imagery.scenes.parting import part

STEP = 0.1
"""Of the index: a point of score."""
SLACK_PX = 2
"""How far a water line lies off where stage and slope put it; twice as far where nothing beside it lies farther still."""
LARGEST_TIDE_M = 5.0
"""Doubt of the difference of stages where one of them is not known: more than a spring tide's range at Qingdao."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Least MNDWI of water, per scene."""

    before: float
    after: float


class Shoreline(Analysis):
    """Score: the lesser of how far MNDWI stood on one side of the border of water before and stands on the other after, in tenths, plus 1."""

    id: ClassVar[str] = "shoreline"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "水体与岸线变化"
    title_en: ClassVar[str] = "Water and shoreline"
    kind: ClassVar[str] = "water"
    bands: ClassVar[tuple[str, ...]] = ("green", "red", "nir", "swir1")
    normalised: ClassVar[bool] = False
    explains: ClassVar[str] = "tide"

    tide_before_m: Annotated[
        float, Field(ge=-10, le=10, title="前时相潮位 · Water level before, above the height datum", json_schema_extra={"unit": "m"})
    ] = 0.0
    tide_after_m: Annotated[
        float, Field(ge=-10, le=10, title="后时相潮位 · Water level after, above the height datum", json_schema_extra={"unit": "m"})
    ] = 0.0
    tide_doubt_m: Annotated[
        float, Field(ge=0, le=20, title="潮位差的不确定度 · How far their difference may be off", json_schema_extra={"unit": "m"})
    ] = 0.0
    beach_slope: Annotated[float, Field(ge=0.0005, le=1, title="滩面坡度 · Slope of the beach", json_schema_extra={"unit": "m/m"})] = 0.01
    resolution_m: Annotated[float, Field(gt=0, le=1000, title="像元大小 · Size of a pixel", json_schema_extra={"unit": "m"})] = 10.0

    @property
    def margin_px(self) -> int:
        """As far as the tide can have moved the water line, so that no block misses the sea its flats belong to."""
        moved = abs(self.tide_after_m - self.tide_before_m) + self.tide_doubt_m
        return int(max(64, min(2048, np.ceil(moved / (self.beach_slope * self.resolution_m)) + 4 * SLACK_PX)))

    @property
    def threshold(self) -> float:
        """The border of water."""
        return 1.0

    def informed(self, tides: tuple[float | None, float | None], resolution_m: float, given: Collection[str]) -> "Shoreline":
        """With the stages of the scenes and their pixels, except where these are `given`; an unknown stage makes the difference doubtful by the
        largest range of the coast."""
        known: dict[str, Any] = {"resolution_m": resolution_m}
        if not {"tide_before_m", "tide_after_m"} <= set(given):
            known |= {"tide_doubt_m": LARGEST_TIDE_M} if None in tides else {"tide_before_m": tides[0], "tide_after_m": tides[1]}
        return self.with_parameters(self.model_dump() | {name: value for name, value in known.items() if name not in given})

    def fit(self, before: np.ndarray, after: np.ndarray) -> Fitted:
        """The border of water of each scene from a sample of it."""
        return Fitted(_least(before), _least(after))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks pixels that crossed the border of water and that the tide does not explain."""
        was, now = index(before[0], before[3]) - fitted.before, index(after[0], after[3]) - fitted.after
        score = np.fmax(np.fmin(was, -now), np.fmin(-was, now)) / STEP + 1
        crossed = valid & (score >= 1.0) & ((was > 0) != (now > 0))
        return settle(score, crossed & ~self.tidal(was > 0, now > 0, after, valid), valid)

    def tidal(self, was: np.ndarray, now: np.ndarray, after: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Where the tide explains that a pixel crossed: (rows, cols) bool of water before and after. Laid bare ground that is far brighter than what
        else was laid bare as far from the water is no flat but fill; where the difference of stages is in doubt, so is its direction. Where
        nothing shows what the higher water reaches (cloud, the border of the picture), the sea may lie there."""
        rise = self.tide_after_m - self.tide_before_m
        falls, rises = max(0.0, self.tide_doubt_m - rise), max(0.0, self.tide_doubt_m + rise)
        pixels = self.beach_slope * self.resolution_m
        was, now = valid & was, valid & now
        explained = np.zeros_like(valid)
        if falls:
            bared = was & ~now & valid
            strip, steps = _strip(bared, was & now, falls / pixels)
            explained |= (strip & ~_bright(after[3], strip, steps)) | (~strip & _strip(bared, _unseen(was, valid), falls / pixels)[0])
        if rises:
            explained |= _strip(now & ~was & valid, was | _unseen(now, valid), rises / pixels)[0]
        return explained

    @classmethod
    def example(cls) -> Example:
        """Ground of which a square is under water, with both stages alike."""

        def drown(pixels: np.ndarray) -> None:
            pixels *= np.array([900 / 800, 700 / 900, 300 / 2200, 150 / 1900], np.float32)[:, None, None]

        return scene_example(drown, bands=4, background=(800, 900, 2200, 1900), noise=0.03, seed=12)


def _least(pixels: np.ndarray) -> float:
    found = part(index(pixels[0], pixels[3]))
    return float(np.clip(found.middle, 0.0, 0.3)) if found and found.two() else 0.0


def _strip(crossed: np.ndarray, sea: np.ndarray, reach_px: float) -> tuple[np.ndarray, np.ndarray]:
    """What of the crossed pixels the tide reaches from the sea, and how far (pixels) each lies from it. What lies a little beyond is the tide's too
    where nothing beside it lies far beyond: a beach is not as even as its slope."""
    from scipy import ndimage

    if not (crossed.any() and sea.any()):
        return np.zeros_like(crossed), np.zeros(crossed.shape, np.float32)
    steps = ndimage.distance_transform_edt(~sea)
    far = crossed & (steps > reach_px + 2 * SLACK_PX)
    strip = crossed & (steps <= reach_px + SLACK_PX)
    return strip | (crossed & ~far & ~ndimage.binary_dilation(far, np.ones((3, 3)), iterations=2 * SLACK_PX)), steps


def _unseen(water: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Water beside what neither scene shows, or at the border of the picture: the sea may lie there."""
    from scipy import ndimage

    return water & ndimage.binary_dilation(~valid, np.ones((3, 3)), border_value=1)


def _bright(light: np.ndarray, strip: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Pixels of a strip that are 1.35 times as bright as the median of it at the same distance from the water (in pixels), where there are twenty."""
    bright = np.zeros_like(strip)
    rounded = np.round(steps).astype(np.int32)
    for step in np.unique(rounded[strip]):
        here = strip & (rounded == step)
        if here.sum() >= 20:
            bright |= here & (light > 1.35 * np.median(light[here]))
    return bright


ANALYSIS = Shoreline()
