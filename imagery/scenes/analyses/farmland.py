"""Farmland that is farmland no more: green before, and now neither green nor like any of the land's own bare fields.

Fields are bare after each harvest, so a lost green alone is no conversion. Two guards: the scenes must lie in the same season (anniversary
pairs: Coppin et al., Int. J. Remote Sensing 25(9), 2004), and what is bare must lie off the cloud of bare fields that the earlier scene shows
(Mahalanobis distance of log reflectances; the cloud by minimum covariance determinant: Rousseeuw & Van Driessen, Technometrics 41(3), 1999).
Where the earlier scene has next to no bare field it is the growing season, and lost green counts by itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from grid.errors import InvalidInput
from imagery.scenes.analyses import Analysis, Example, Finding, index, scene_example, settle

FEWEST = 200
"""Samples below which nothing is said of them: bare ones below which there is no cloud to speak of, any below which its absence says nothing of the season."""
DROP = 0.3
"""NDVI that a pixel loses in the growing season when it stops being a field."""
MIDDLE = 3.3567
"""Median of chi-square with four degrees of freedom."""
YEAR = 365.2425


@dataclass(frozen=True, slots=True)
class Bare:
    """The cloud of bare fields: `centre` (4,) of log reflectances and the inverse of their covariance (4, 4)."""

    centre: np.ndarray
    inverse: np.ndarray


class Farmland(Analysis):
    """Score: distance from the bare fields in standard deviations (0 up), 0 where a pixel was not green or is."""

    id: ClassVar[str] = "farmland"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "耕地转为非耕地"
    title_en: ClassVar[str] = "Farmland to non-farmland"
    kind: ClassVar[str] = "farmland_change"
    bands: ClassVar[tuple[str, ...]] = ("blue", "red", "nir", "swir1")
    within: ClassVar[str] = "farmland"

    minimum_area_m2: Annotated[
        float, Field(ge=0, le=1e8, title="最小图斑面积 · Smallest patch", json_schema_extra={"unit": "m²"})
    ] = 400.0
    departure: Annotated[
        float, Field(gt=0, le=50, title="偏离裸露农田阈值 · Least departure from bare fields", json_schema_extra={"unit": "σ"})
    ] = 5.0
    green: Annotated[float, Field(ge=-1, le=1, title="作物 NDVI 下限 · Least NDVI of a crop", json_schema_extra={"unit": "NDVI"})] = 0.4
    bare: Annotated[float, Field(ge=-1, le=1, title="裸露 NDVI 上限 · Most NDVI of bare ground", json_schema_extra={"unit": "NDVI"})] = 0.25
    season_days: Annotated[
        float, Field(ge=0, le=183, title="两期季节差上限 · Most difference of season", json_schema_extra={"unit": "d"})
    ] = 45.0

    @property
    def threshold(self) -> float:
        """Least departure."""
        return self.departure

    def check(self, before_at: datetime, after_at: datetime) -> None:
        """Refuses scenes of different seasons: between May and July every field of the plain is harvested."""
        days = abs((after_at - before_at).total_seconds()) / 86_400 % YEAR
        apart = min(days, YEAR - days)
        if apart > self.season_days:
            raise InvalidInput(
                f"两期影像季节相差 {apart:.0f} 天 · the scenes' seasons are {apart:.0f} days apart, a harvest would read as a conversion",
                remedy=f"choose scenes of one season, at most {self.season_days:g} days apart, or raise season_days",
            )

    def fit(self, before: np.ndarray, after: np.ndarray) -> Bare | None:
        """The cloud of the earlier scene's bare fields; None in the growing season. InvalidInput where too little is seen to tell the two apart."""
        if before.shape[1] < FEWEST:
            raise InvalidInput(
                f"两期共同可见的耕地只有 {before.shape[1]} 个像元 · only {before.shape[1]} clear pixels of farmland lie in both scenes, too few to know bare fields by",
                remedy=f"choose clearer scenes, at least {FEWEST} pixels",
            )
        bare = before[:, (index(before[2], before[1]) <= self.bare) & (before > 0).all(axis=0)]
        if bare.shape[1] < FEWEST:
            return None
        points = np.log(bare.astype(np.float64)).T
        kept = points[np.argsort(np.abs(points - np.median(points, axis=0)).sum(axis=1))[: len(points) // 2 + 1]]
        for _ in range(10):
            cloud = _cloud(kept)
            kept = points[np.argsort(_squared(points, cloud))[: len(points) // 2 + 1]]
        cloud = _cloud(kept)
        return Bare(cloud.centre, cloud.inverse * MIDDLE / max(float(np.median(_squared(points, cloud))), 1e-9))

    def run(self, before: np.ndarray, after: np.ndarray, valid: np.ndarray, fitted: Any = None) -> Finding:
        """Marks what was a crop, is bare, and departs from bare fields."""
        was, now = index(before[2], before[1]), index(after[2], after[1])
        gone = (was >= self.green) & (now <= self.bare)
        if fitted is None:
            far = self.departure * (was - now) / DROP
        else:
            shape = after.shape[1:]
            points = np.log(np.maximum(after.reshape(4, -1), 1e-6).astype(np.float64)).T
            far = np.sqrt(_squared(points, fitted)).reshape(shape).astype(np.float32)
        score = np.where(gone, far, np.where(np.isfinite(was) & np.isfinite(now), 0, np.nan))
        return settle(score, gone & (score >= self.departure), valid)

    @classmethod
    def example(cls) -> Example:
        """Maize, with a strip that is bare in the earlier scene and another harvested in the later; the square becomes concrete."""

        def build(pixels: np.ndarray) -> None:
            pixels *= np.array([2100 / 500, 2600 / 700, 2900 / 3200, 3000 / 1800], np.float32)[:, None, None]

        pair = scene_example(build, bands=4, background=(500, 700, 3200, 1800), noise=0.02, seed=12)
        harvest = np.array([900 / 500, 1700 / 700, 2500 / 3200, 3300 / 1800], np.float32)[:, None, None]
        pair.before[:, :, :8] *= harvest
        pair.after[:, :, 8:16] *= harvest
        return pair


def _cloud(points: np.ndarray) -> Bare:
    covariance = np.cov(points.T) + 1e-6 * np.eye(points.shape[1])
    return Bare(points.mean(axis=0), np.linalg.inv(covariance))


def _squared(points: np.ndarray, cloud: Bare) -> np.ndarray:
    off = points - cloud.centre
    return np.einsum("ni,ij,nj->n", off, cloud.inverse, off)


ANALYSIS = Farmland()
