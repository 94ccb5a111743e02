"""New buildings in two pictures of half a metre or finer with no more than red, green and blue.

Roofs are grey and wide, ground is coloured and what is grey beside roofs is narrow. So: saturation (Smith, SIGGRAPH 1978) of both dates, the
fall of it with a tolerance for a shift of a few pixels (as robust change vectors take it: Thonfeld et al., Int. J. Appl. Earth Obs. 50, 2016),
opened by a disc as in the morphological building index (Huang & Zhang, PE&RS 77(7), 2011), and the upper of Otsu's two thresholds of three
classes (Liao, Chen & Chung, J. Inf. Sci. Eng. 17, 2001). Of the pieces stay those whose edges were not there before and that throw a shadow, and they
are filled up to rectangles (`roofs`, with their papers). A coloured roof is missed, and so is a flat one at noon; a wide new pavement in the shadow of
trees or joined to a house is taken for a roof.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from imagery.scenes.analyses import Analysis, Example, Finding, Window, settle

GREY = 0.03
"""Added to a saturation before its logarithm: below it a surface is grey, whatever its figure."""
DIGIT = 1 / 255
"""Least fall of saturation: a digit of a picture of eight bits."""
OUTSIDE = -20.0
BELOW = 0.999
"""Most score of what is no roof."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """`dark`: of each scene the brightness that noise reaches, in its units; `least`: the log score that counts as a new roof; `shadow`: the
    brightness of the later scene below which there may be shadow, 0 where it shows none."""

    dark: tuple[float, float]
    least: float
    shadow: float = 0.0


class BuildingsVhr(Analysis):
    """Score: how many times the threshold a pixel's new greyness is (0 up)."""

    id: ClassVar[str] = "buildings_vhr"
    version: ClassVar[str] = "2.0.0"
    title: ClassVar[str] = "新增建筑(高分辨率)"
    title_en: ClassVar[str] = "New buildings (very high resolution)"
    kind: ClassVar[str] = "construction"
    bands: ClassVar[tuple[str, ...]] = ("red", "green", "blue")
    margin_px: ClassVar[int] = 64
    normalised: ClassVar[bool] = False
    windowed: ClassVar[bool] = True

    minimum_area_m2: Annotated[
        float, Field(ge=0, le=1e8, title="最小图斑面积 · Smallest patch", json_schema_extra={"unit": "m²"})
    ] = 40.0
    half_width_px: Annotated[
        int, Field(ge=1, le=24, title="最窄建筑半宽 · Half the width of the narrowest building", json_schema_extra={"unit": "px"})
    ] = 8
    shift_px: Annotated[int, Field(ge=0, le=8, title="错位容差 · Tolerated misregistration", json_schema_extra={"unit": "px"})] = 2
    greyness: Annotated[float, Field(ge=1, le=4, title="变化后灰度权重 · Weight of being grey now", json_schema_extra={"unit": "ratio"})] = 2.0

    @property
    def threshold(self) -> float:
        """The upper of three classes begins here."""
        return 1.0

    def fit_windows(self, windows: Sequence[Window]) -> Fitted:
        """The upper threshold of three classes of scores over whole windows."""
        from skimage.filters import threshold_multiotsu  # half a second to read: not at every start

        from imagery.scenes import roofs

        dark = tuple(
            float(np.median([0.03 * np.quantile(window[scene].max(axis=0)[window[2]], 0.99) for window in windows if window[2].any()] or [1.0]))
            for scene in (0, 1)
        )
        scores = [self._measure(*window, dark)[0][window[2]] for window in windows]
        values = np.concatenate(scores)
        values = values[values > OUTSIDE / 2]
        if values.size < 100 or np.ptp(values) < 1e-6:
            return Fitted(dark, np.inf)
        least = float(threshold_multiotsu(values[:: max(1, values.size // 200_000)], 3)[1])
        return Fitted(dark, least, roofs.shadow_below(np.concatenate([window[1].max(axis=0)[window[2]] for window in windows])))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks discs that are new and grey enough, and greyer than anything near them was, where they stand as roofs do, and squares them."""
        from imagery.scenes import roofs  # reads cv2

        level, fell = self._measure(before, after, valid, fitted.dark)
        score = np.exp(level - fitted.least)
        grey = (score >= 1) & (fell >= DIGIT) & valid
        mask = roofs.squared(roofs.standing(grey, before, after, valid, fitted.shadow, self.shift_px))
        return settle(np.where(mask, np.maximum(score, 1), np.minimum(score, BELOW)), mask, valid)

    def _measure(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, dark: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Log greyness gained, and the fall of saturation, both opened by the disc (rows, cols)."""
        import cv2  # with scipy.ndimage half a second to read: not at every start of a server
        from scipy.ndimage import minimum_filter

        was, now = _saturation(before, valid, dark[0]), _saturation(after, valid, dark[1])
        near = minimum_filter(np.where(valid, was, 1), 2 * self.shift_px + 1)
        gained = np.where(valid, np.log(near + GREY) - self.greyness * np.log(now + GREY), OUTSIDE)
        fell = np.where(valid, near - now, -1)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self.half_width_px + 1, 2 * self.half_width_px + 1))
        level, fall = (cv2.morphologyEx(values.astype(np.float32), cv2.MORPH_OPEN, disc) for values in (gained, fell))
        return level, fall

    @classmethod
    def example(cls) -> Example:
        """Brown ground with green spots; a grey roof of 60 × 62 pixels, and a grey path that is too narrow for one."""
        random = np.random.default_rng(9)
        brown, green, grey = (np.array(colour, np.float32) for colour in ((150, 120, 90), (70, 110, 60), (125, 125, 122)))
        scene = np.where(random.random((12, 12)).repeat(8, 0).repeat(8, 1) < 0.3, green[:, None, None], brown[:, None, None])
        truth = np.zeros((96, 96), bool)
        truth[30:90, 28:90] = True
        later = np.where(truth, grey[:, None, None], scene)
        later[:, 4:10] = grey[:, None, None]
        before, after = (picture * random.normal(1, 0.06, (1, 96, 96)) + random.normal(0, 2, (3, 96, 96)) for picture in (scene, later))
        return Example(before.astype(np.float32), after.astype(np.float32), np.ones((96, 96), bool), truth)


def _saturation(pixels: np.ndarray, valid: np.ndarray, dark: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    most = pixels.max(axis=0)
    saturation = np.where(valid, np.clip((most - pixels.min(axis=0)) / np.maximum(most + dark, 1e-6), 0, 1), 0)
    return gaussian_filter(saturation, 1.5) / np.maximum(gaussian_filter(valid.astype(np.float32), 1.5), 1e-6)


ANALYSIS = BuildingsVhr()
