"""Surveys as rows: asked for, started, advanced, finished or failed. The patches they find are grid.casework.patches."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import jobs
from grid.casework import patches
from grid.casework.patches import Found
from grid.database import Scope
from grid.errors import InvalidInput
from grid.sensing.intake import common_region
from imagery.scenes import analyses, catalogue, items, tide
from imagery.scenes.catalogue import Scene
from imagery.scenes.items import Item
from imagery.scenes.pairs import common_bands
from imagery.scenes.work import Work


@dataclass(frozen=True, slots=True)
class Survey:
    """A run of an analysis over two scenes; `progress` 0…1; `result` holds counts, shift and areas once done, `error` the reason once failed."""

    id: int
    analysis: str
    analysis_version: str
    before_scene: str
    after_scene: str
    parameters: dict
    state: str
    progress: float
    error: str | None
    result: dict
    region_code: str
    created_by: int | None
    created_at: datetime
    finished_at: datetime | None


LANE = "survey"
"""One survey at a time: they are long, and a worker must keep room for frames and fusion."""

WORK = Work("survey", "surveys", Survey, lambda survey: {"analysis": survey.analysis, "patches": survey.result.get("patches")})
get, cancel, attend, hold, fail = WORK.get, WORK.cancel, WORK.attend, WORK.hold, WORK.fail


async def request(
    connection: AsyncConnection, scope: Scope, *, analysis_id: str, before: str, after: str, parameters: dict[str, Any] | None = None, by: int | None = None
) -> tuple[Survey, bool]:
    """Asks for a survey and enqueues its job; returns it and whether it is new. The same one asked for again is the same row; a failed or
    cancelled one is queued anew.

    Raises NotFound (scene, analysis), Unavailable, InvalidInput (parameters, bands, scenes in the wrong order of time, of seasons that the
    analysis cannot compare, or not overlapping).
    """
    analysis = analyses.get(analysis_id).with_parameters(parameters or {})
    first, second = await catalogue.get(connection, scope, before), await catalogue.get(connection, scope, after)
    if not first.taken_at < second.taken_at:
        raise InvalidInput(
            f"{before} was taken at {first.taken_at.isoformat()}, not before {after} at {second.taken_at.isoformat()}", remedy="swap the scenes"
        )
    analysis.check(first.taken_at, second.taken_at)
    tides = (tide.stage(first.properties), tide.stage(second.properties))
    analysis = analysis.informed(tides, max(first.gsd_m or 0.0, second.gsd_m or 0.0) or 10.0, (parameters or {}).keys())
    if not first.geom.intersects(second.geom):
        raise InvalidInput(f"{before} and {after} do not overlap", remedy="choose two scenes of one place")
    common_bands(first.band_names, second.band_names, analysis.bands)
    cursor = connection.cursor(row_factory=class_row(Survey))
    values = {
        "analysis": analysis.id, "version": analysis.version, "before": before, "after": after, "by": by,
        "parameters": json.dumps(analysis.model_dump(mode="json")), "region": common_region([first.region_code, second.region_code]),
    }  # fmt: skip
    await cursor.execute(
        f"""
        INSERT INTO surveys (analysis, analysis_version, before_scene, after_scene, parameters, region_code, created_by)
        VALUES (%(analysis)s, %(version)s, %(before)s, %(after)s, %(parameters)s::jsonb, %(region)s, %(by)s)
        ON CONFLICT (analysis, analysis_version, before_scene, after_scene, parameters) DO UPDATE
            SET state = 'queued', progress = 0, error = NULL, finished_at = NULL WHERE surveys.state IN ('failed', 'cancelled')
        RETURNING {WORK.columns}
        """,
        values,
    )
    survey = await cursor.fetchone()
    if survey is None:
        await cursor.execute(
            f"""
            SELECT {WORK.columns} FROM surveys
            WHERE (analysis, analysis_version, before_scene, after_scene, parameters)
                = (%(analysis)s, %(version)s, %(before)s, %(after)s, %(parameters)s::jsonb)
            """,
            values,
        )
        return await cursor.fetchone(), False
    await jobs.enqueue(connection, "survey", {"survey_id": survey.id}, lock=LANE, queueing_lock=f"survey-{survey.id}")
    await WORK.announce(connection, survey)
    return survey, True


async def start(connection: AsyncConnection, survey_id: int) -> tuple[Survey, Scene, Scene] | None:
    """Marks a queued survey, or one left running by a dead worker, as running; None when there is nothing to do."""
    survey = await WORK.start(connection, survey_id)
    if survey is None:
        return None
    scope = Scope(survey.region_code)
    return survey, await catalogue.get(connection, scope, survey.before_scene), await catalogue.get(connection, scope, survey.after_scene)


async def going(connection: AsyncConnection, survey_ids: Sequence[int]) -> set[int]:
    """Those of these surveys that are queued or running."""
    cursor = await connection.execute("SELECT id FROM surveys WHERE id = ANY(%(ids)s) AND state IN ('queued', 'running')", {"ids": list(survey_ids)})
    return {survey_id for (survey_id,) in await cursor.fetchall()}


async def finish(connection: AsyncConnection, survey_id: int, found: Sequence[Found], result: dict) -> None:
    """Records the patches and the figures, among them how many patches are new (`opened`), extended (`grown`) or were seen again as they were (`seen`)."""
    recorded = await patches.record(connection, survey_id, found, touch_m=float(result.get("grid", {}).get("resolution_m", 0.0)))
    survey = await WORK.finish(connection, survey_id, {**result, **asdict(recorded)})
    if survey is not None:
        await items.put(connection, await _item(connection, survey))


async def _item(connection: AsyncConnection, survey: Survey) -> Item:
    """The result of a survey as an item that links both vintages."""
    scope = Scope(survey.region_code)
    before, after = [await catalogue.get(connection, scope, name) for name in (survey.before_scene, survey.after_scene)]
    shared = before.geom.intersection(after.geom)
    title = analyses.catalogue()[survey.analysis].title
    return Item(
        f"survey-{survey.id}", items.RESULTS, f"{title} {before.taken_at:%Y-%m-%d} → {after.taken_at:%Y-%m-%d}", after.taken_at, survey.region_code,
        before.simulated or after.simulated, shared if shared.geom_type == "Polygon" else shared.convex_hull, (before.id, after.id),
        properties={
            "start_datetime": before.taken_at.isoformat(), "end_datetime": after.taken_at.isoformat(), "hdq:analysis": survey.analysis,
            "hdq:version": survey.analysis_version, "hdq:parameters": survey.parameters, "hdq:result": survey.result,
            "hdq:links": {"results": f"/api/patches?survey={survey.id}", "about": f"/api/surveys/{survey.id}"},
        },
    )  # fmt: skip


async def page(connection: AsyncConnection, scope: Scope, *, state: str | None = None, limit: int = 100, offset: int = 0) -> list[Survey]:
    """Surveys inside the scope, newest first."""
    async with connection.cursor(row_factory=class_row(Survey)) as cursor:
        await cursor.execute(
            f"""
            SELECT {WORK.columns} FROM surveys
            WHERE region_code LIKE %(scope)s AND (%(state)s::text IS NULL OR state = %(state)s)
            ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
            """,
            {"scope": scope.like, "state": state, "limit": limit, "offset": offset},
        )
        return await cursor.fetchall()
