"""Illegal-building candidates 疑似违建 of a dataset of footprints, as a study: the method is that of `grid.sensing.unpermitted`."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, ClassVar

import shapely
from psycopg import AsyncConnection
from pydantic import Field

from grid.clock import ZONE
from grid.database import rows
from grid.errors import InvalidInput
from grid.sensing import unpermitted
from grid.sensing.unpermitted import Judged
from imagery.scenes.studies import Asked, Feature, Made, Study, Tell


class Unpermitted(Study):
    """Candidates become findings of kind illegal_structure; what is known or permitted is counted."""

    id: ClassVar[str] = "unpermitted"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "疑似违建（轮廓对照登记与许可）"
    title_en: ClassVar[str] = "Unpermitted building candidates"
    takes: ClassVar[str] = "一个建筑轮廓数据集；可加所据影像 · a dataset of building footprints; the scene they were drawn from, if known"
    regional: ClassVar[bool] = True

    on: Annotated[date | None, Field(title="轮廓所示日期，空为影像日期 · Day that the footprints show; empty: the scene's")] = None
    tolerance_m: Annotated[float, Field(ge=0, le=20, title="两次勾绘之差 · How far two drawings lie apart", json_schema_extra={"unit": "m"})] = 2.0
    least_m2: Annotated[float, Field(ge=1, le=1e6, title="最小新增面积 · Least new ground", json_schema_extra={"unit": "m²"})] = 15.0
    accuracy_m: Annotated[float, Field(gt=0, le=1000, title="位置精度（90%） · Accuracy of place (90 %)", json_schema_extra={"unit": "m"})] = 3.0
    score: Annotated[float, Field(gt=0, lt=1, title="轮廓可信度 · How sure the footprints are")] = 0.6

    def check(self, asked: Asked) -> None:
        """A dataset, and a day by itself or by one scene."""
        if not asked.dataset_id or len(asked.scenes) > 1:
            raise InvalidInput(f"{len(asked.scenes)} scenes, dataset {asked.dataset_id!r}", remedy="give a dataset of footprints, and at most one scene")
        if self.on is None and not asked.scenes:
            raise InvalidInput("没有日期 · no day: permits are asked for as of it", remedy="give parameters.on, e.g. 2026-06-01, or the scene of the footprints")

    async def gather(self, connection: AsyncConnection, asked: Asked) -> list[Judged]:
        """The footprints of the region that asks, each judged by the registers as of the day."""
        found = await rows(
            connection,
            """
            SELECT part.geom FROM dataset_features AS f CROSS JOIN LATERAL ST_Dump(ST_CollectionExtract(ST_MakeValid(f.geom), 3)) AS part
            WHERE f.dataset_id = %(dataset)s AND f.region_code LIKE %(scope)s ORDER BY f.id LIMIT %(most)s
            """,
            {"dataset": asked.dataset_id, "scope": asked.scope.like, "most": unpermitted.MOST + 1},
        )
        if not found:
            raise InvalidInput(f"数据集 {asked.dataset_id} 在辖区内没有多边形 · no polygons of {asked.dataset_id} in your region", remedy="import footprints as polygons")
        return await unpermitted.judge(connection, [row["geom"] for row in found], self._day(asked), tolerance_m=self.tolerance_m, least_m2=self.least_m2)

    def work(self, asked: Asked, gathered: list[Judged], data_dir: Path, tell: Tell) -> Made:
        """Candidates as features, all as counts."""
        seen_at = asked.scenes[0].taken_at if asked.scenes else datetime.combine(self._day(asked), time(12), ZONE)
        candidates = [one for one in gathered if one.standing == "candidate"]
        handed = unpermitted.findings(
            candidates, source=f"dataset-{asked.dataset_id}", seen_at=seen_at, accuracy_m=self.accuracy_m, algorithm="footprints", model_version=self.version,
            score=self.score, simulated=asked.simulated,
        )  # fmt: skip
        features = [Feature("extension" if one.extension else "building", shapely.set_srid(one.rest, 4326), finding.properties, finding) for one, finding in zip(candidates, handed, strict=True)]
        counts = {f"{standing}_count": sum(one.standing == standing for one in gathered) for standing in ("known", "permitted", "candidate")}
        return Made(tuple(features), counts | {"on": self._day(asked).isoformat(), "candidate_m2": round(sum(one.unpermitted_m2 for one in candidates), 1)})

    def _day(self, asked: Asked) -> date:
        return self.on or asked.scenes[0].taken_at.astimezone(ZONE).date()


STUDY = Unpermitted()
