"""Crop type and growth of the farmland parcels of a region, as a study: the method is that of `crops`, over the index of every scene that shows them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import shapely
from psycopg import AsyncConnection
from pydantic import Field

from grid.clock import ZONE
from grid.database import rows
from grid.errors import InvalidInput
from imagery.scenes import catalogue, crops, zonal
from imagery.scenes.catalogue import Scene
from imagery.scenes.studies import Asked, Feature, Made, Study, Tell

BANDS = ("nir", "red")
MOST_PARCELS, MOST_SCENES = 5000, 600
LEAST_SHARE = 0.6
"""Of a parcel that must be seen for its mean to count."""


class Fields(Study):
    """A parcel without a whole year says why; nothing of it becomes a finding."""

    id: ClassVar[str] = "crops"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "作物类型与长势"
    title_en: ClassVar[str] = "Crop type and growth"
    takes: ClassVar[str] = "影像序列（含红、近红外）；不给：辖区内该集合当年及往年全部 · scenes with red and near infrared; none: all of a collection in the region, that year and before"
    regional: ClassVar[bool] = True

    year: Annotated[int, Field(ge=1984, le=2100, title="年份 · Year")]
    on: Annotated[date | None, Field(title="长势日期，空为不评 · Day of growth; empty: not judged")] = None
    collection: Annotated[str, Field(max_length=128, title="影像集合 · Collection")] = ""
    years_before: Annotated[int, Field(ge=0, le=20, title="往年数 · Earlier years to compare with")] = 5

    def check(self, asked: Asked) -> None:
        """Scenes that have the bands, no dataset; the day in the year."""
        odd = [scene.id for scene in asked.scenes if not set(BANDS) <= set(scene.band_names)]
        if odd or asked.dataset_id or (self.on is not None and self.on.year != self.year):
            raise InvalidInput(f"scenes without {', '.join(BANDS)}: {odd[:3]}; dataset {asked.dataset_id!r}; day {self.on} of {self.year}", remedy="scenes with red and near infrared, no dataset, a day of that year")

    async def gather(self, connection: AsyncConnection, asked: Asked) -> tuple[tuple[Scene, ...], list[dict]]:
        """The scenes, oldest first, and the farmland parcels of the region that they touch."""
        scenes = list(asked.scenes)
        if not scenes:
            since, until = (datetime(of, 1, 1, tzinfo=ZONE) for of in (self.year - self.years_before, self.year + 1))
            reach = timedelta(days=crops.LONGEST_GAP)
            scenes = await catalogue.page(
                connection, asked.scope, collection=self.collection or None, bands=BANDS, since=since - reach, until=until + reach, limit=MOST_SCENES + 1
            )
        if len(scenes) > MOST_SCENES:
            raise InvalidInput(
                f"可用影像多于 {MOST_SCENES} 景 · more than {MOST_SCENES} scenes with red and near infrared of these years in your region",
                remedy="指定集合、减少往年数，或按区县分析 · name a collection, compare with fewer years before, or ask by district",
            )
        if not scenes:
            raise InvalidInput(f"{self.year} 年辖区内没有可用影像 · no scenes of {self.year} with red and near infrared in your region", remedy="register a series of scenes")
        around = shapely.set_srid(shapely.union_all([scene.geom for scene in scenes]), 4326)
        parcels = await rows(
            connection,
            """
            SELECT code, category, region_code, simulated, geom FROM parcels
            WHERE category IN ('farmland', 'orchard') AND region_code LIKE %(scope)s AND valid && daterange(%(first)s, %(last)s) AND ST_Intersects(geom, %(around)s)
            ORDER BY code LIMIT %(most)s
            """,
            {"scope": asked.scope.like, "first": date(self.year, 1, 1), "last": date(self.year, 12, 31), "around": around, "most": MOST_PARCELS + 1},
        )
        if not 1 <= len(parcels) <= MOST_PARCELS:
            raise InvalidInput(f"辖区内耕园地 {len(parcels)} 块 · {len(parcels)} parcels of farmland and orchard under these scenes", remedy=f"1 to {MOST_PARCELS:,}: choose scenes over farmland, or ask by district")
        return tuple(sorted(scenes, key=lambda scene: scene.taken_at)), parcels

    def work(self, asked: Asked, gathered: tuple[tuple[Scene, ...], list[dict]], data_dir: Path, tell: Tell) -> Made:
        """Means of each parcel in each scene, then each parcel's year."""
        scenes, parcels = gathered
        shapes, values = [parcel["geom"] for parcel in parcels], np.full((len(scenes), len(parcels)), np.nan)
        for number, scene in enumerate(scenes):
            found = zonal.of_scene(scene.path(data_dir), scene.band_names, "ndvi", shapes)
            values[number] = np.where(found.share >= LEAST_SHARE, found.mean, np.nan)
            tell(0.9 * (number + 1) / len(scenes))
        days = [scene.taken_at.astimezone(UTC).date() for scene in scenes]
        features = [self._field(parcel, days, values[:, number]) for number, parcel in enumerate(parcels)]
        counts = {label: sum(one.label == label for one in features) for label in (*crops.CROPS, "unknown")}
        return Made(tuple(features), {"parcels": len(parcels), "scenes": len(scenes), "crops": counts})

    def _field(self, parcel: dict, days: list[date], values: np.ndarray) -> Feature:
        said: dict[str, Any] = {"parcel": parcel["code"], "category": parcel["category"], "clear_scenes": int(np.isfinite(values).sum())}
        try:
            found = crops.year(days, values.tolist(), self.year)
        except InvalidInput as reason:
            return Feature("unknown", parcel["geom"], said | {"reason": reason.detail}, simulated=parcel["simulated"])
        name, name_en = crops.CROPS[found.crop]
        said |= {"crop": name, "crop_en": name_en, "seasons": [{"start": s.start.isoformat(), "peak": s.peak.isoformat(), "end": s.end.isoformat(), "height": round(s.height, 3)} for s in found.seasons]}
        if self.on is not None:
            series = {of: ([day for day in days if day.year == of], [float(v) for day, v in zip(days, values, strict=True) if day.year == of]) for of in {day.year for day in days}}
            try:
                stands = crops.growth(series, self.on)
                said |= {"growth": stands.word[0], "growth_en": stands.word[1], "growth_sigmas": None if stands.sigmas is None else round(stands.sigmas, 2), "growth_years": stands.years}
            except InvalidInput as reason:
                said |= {"growth": "无法评价", "growth_en": "cannot be told", "growth_reason": reason.detail}
        return Feature(found.crop, parcel["geom"], said, simulated=parcel["simulated"])


STUDY = Fields(year=2026)
