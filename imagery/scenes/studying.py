"""The run of a study: asked for, enqueued, done with its progress, cancelled; what it found as features, findings and an item that links its scenes."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import jobs
from grid.database import Scope, row, rows
from grid.errors import HdqError, InvalidInput, NotFound, TooLarge
from grid.sensing import intake
from grid.world import places
from imagery.engine import Cancelled
from imagery.scenes import catalogue, items, studies
from imagery.scenes.items import Item
from imagery.scenes.studies import Asked, Made
from imagery.scenes.work import Connect, Course, Work

LANE = "survey"
"""One at a time with surveys: both are long, and a worker must keep room for frames and fusion."""
MOST_FEATURES = 20_000


@dataclass(frozen=True, slots=True)
class Run:
    """A study asked for; `progress` 0…1; `result` its figures once done, `error` the reason once failed."""

    id: int
    kind: str
    version: str
    scenes: list[str]
    dataset_id: str | None
    parameters: dict
    state: str
    progress: float
    error: str | None
    result: dict
    region_code: str
    created_by: int | None
    created_at: datetime
    finished_at: datetime | None


WORK = Work("study", "studies", Run, lambda run: {"kind": run.kind})
get, cancel = WORK.get, WORK.cancel


async def request(
    connection: AsyncConnection, scope: Scope, *, kind: str, scenes: list[str], dataset_id: str = "", parameters: dict[str, Any] | None = None,
    again: bool = False, by: int | None = None,
) -> tuple[Run, bool]:  # fmt: skip
    """Asks for a study and enqueues its job; returns it and whether it is to be run. The same one asked for again is the same row; a failed or
    cancelled one, and with `again` a finished one, is queued anew. Raises NotFound (scene, dataset, kind) and InvalidInput."""
    study = studies.get(kind).with_parameters(parameters or {})
    found = tuple([await catalogue.get(connection, scope, name) for name in scenes])
    if dataset_id and await row(connection, "SELECT 1 FROM dataset_features WHERE dataset_id = %(id)s AND region_code LIKE %(scope)s LIMIT 1", {"id": dataset_id, "scope": scope.like}) is None:
        raise NotFound(f"没有数据集 · no dataset {dataset_id[:60]!r}", remedy="GET /api/datasets lists them")
    study.check(Asked(0, found, dataset_id, scope))
    region = scope.prefix if study.regional or not found else intake.common_region([scene.region_code for scene in found])
    values = {
        "kind": study.id, "version": study.version, "scenes": scenes, "dataset": dataset_id or None, "by": by, "region": region, "again": again,
        "parameters": json.dumps(study.model_dump(mode="json"), ensure_ascii=False),
    }  # fmt: skip
    async with connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(
            f"""
            INSERT INTO studies (kind, version, scenes, dataset_id, parameters, region_code, created_by)
            VALUES (%(kind)s, %(version)s, %(scenes)s, %(dataset)s, %(parameters)s::jsonb, %(region)s, %(by)s)
            ON CONFLICT (kind, version, scenes, dataset_id, parameters, region_code) DO UPDATE
                SET state = 'queued', progress = 0, error = NULL, finished_at = NULL
                WHERE studies.state IN ('failed', 'cancelled') OR (%(again)s AND studies.state = 'done')
            RETURNING {WORK.columns}
            """,
            values,
        )
        run = await cursor.fetchone()
        if run is None:
            await cursor.execute(
                f"""
                SELECT {WORK.columns} FROM studies WHERE (kind, version, scenes, parameters, region_code) = (%(kind)s, %(version)s, %(scenes)s, %(parameters)s::jsonb, %(region)s)
                    AND dataset_id IS NOT DISTINCT FROM %(dataset)s
                """,
                values,
            )
            return await cursor.fetchone(), False
    await jobs.enqueue(connection, "study", {"study_id": run.id}, lock=LANE, queueing_lock=f"study-{run.id}")
    await WORK.announce(connection, run)
    return run, True


async def page(connection: AsyncConnection, scope: Scope, *, kind: str | None = None, limit: int = 100, offset: int = 0) -> list[Run]:
    """Studies inside the scope, newest first."""
    async with connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(
            f"SELECT {WORK.columns} FROM studies WHERE region_code LIKE %(scope)s AND (%(kind)s::text IS NULL OR kind = %(kind)s) ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s",
            {"scope": scope.like, "kind": kind, "limit": limit, "offset": offset},
        )
        return await cursor.fetchall()


async def features(connection: AsyncConnection, scope: Scope, study_id: int, *, limit: int = MOST_FEATURES, offset: int = 0) -> list[dict]:
    """What a study found inside the scope, in its order: number, class, properties, observation_id, region_code, simulated, geom."""
    return await rows(
        connection,
        """
        SELECT f.number, f.class, f.properties, f.observation_id, f.region_code, f.simulated, f.geom
        FROM study_features AS f WHERE f.study_id = %(id)s AND f.region_code LIKE %(scope)s ORDER BY f.number
        LIMIT %(limit)s OFFSET %(offset)s
        """,
        {"id": study_id, "scope": scope.like, "limit": limit, "offset": offset},
    )


async def run(connect: Connect, data_dir: Path, study_id: int) -> None:
    """Carries out a queued study (or one whose worker died) and stores what it found in one transaction; done or cancelled ones are left.

    A refusal of ours is stored with its reason; any other error too, and raised.
    """
    async with connect() as connection:
        asked_for = await WORK.start(connection, study_id)
        if asked_for is None:
            return
        scope = Scope(asked_for.region_code)
    course = Course()

    def tell(share: float) -> None:
        course.tell(share)
        if course.cancel.is_set():
            raise Cancelled(f"study {study_id} was called off")

    try:
        study = studies.get(asked_for.kind).with_parameters(asked_for.parameters)
        async with connect() as connection:
            scenes = tuple([await catalogue.get(connection, scope, name) for name in asked_for.scenes])
            made_up = await row(connection, "SELECT simulated FROM datasets WHERE id = %(id)s", {"id": asked_for.dataset_id})
            asked = Asked(study_id, scenes, asked_for.dataset_id or "", scope, any(scene.simulated for scene in scenes) or bool(made_up and made_up["simulated"]))
            gathered = await study.gather(connection, asked)
        made = await WORK.attend(connect, study_id, course, study.work, asked, gathered, data_dir, tell)
        if len(made.features) > MOST_FEATURES:
            raise TooLarge(f"{len(made.features):,} features, at most {MOST_FEATURES:,} are kept", remedy="raise the threshold or the smallest area")
        async with connect() as connection:
            await _store(connection, asked_for, asked, made)
    except Cancelled:
        return
    except HdqError as error:
        async with connect() as connection:
            await WORK.fail(connection, study_id, f"{error.detail} → {error.remedy}" if error.remedy else error.detail)
    except Exception as error:
        async with connect() as connection:
            await WORK.fail(connection, study_id, f"{type(error).__name__}: {error}")
        raise


async def _store(connection: AsyncConnection, asked_for: Run, asked: Asked, made: Made) -> None:
    if not await WORK.hold(connection, asked_for.id):
        return
    await connection.execute("DELETE FROM study_features WHERE study_id = %(id)s", {"id": asked_for.id})
    points = [feature.geom.representative_point() for feature in made.features]
    located = await places.locate_many(connection, [point.x for point in points], [point.y for point in points]) if points else []
    handed = [number for number, feature in enumerate(made.features) if feature.finding is not None]
    accepted = await intake.accept(connection, [made.features[number].finding for number in handed])
    seen = {number: one.id for number, one in zip(handed, accepted, strict=True)}
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO study_features (study_id, number, class, properties, observation_id, region_code, simulated, geom)
            VALUES (%(study)s, %(number)s, %(class)s, %(properties)s::jsonb, %(observation)s, %(region)s, %(simulated)s, %(geom)s)
            """,
            [
                {
                    "study": asked_for.id, "number": number + 1, "class": feature.label, "properties": json.dumps(feature.properties, ensure_ascii=False, allow_nan=False),
                    "observation": seen.get(number), "region": located[number].region_code, "simulated": asked.simulated or feature.simulated, "geom": shapely.set_srid(feature.geom, 4326),
                }
                for number, feature in enumerate(made.features)
            ],
        )  # fmt: skip
    result = made.result | {"features": len(made.features), "findings": len(handed), "new_findings": sum(one.new for one in accepted)}
    await WORK.finish(connection, asked_for.id, result)
    shapes = [scene.geom for scene in asked.scenes] or [feature.geom for feature in made.features]
    if shapes:
        outline = shapely.union_all(shapes)
        title = studies.get(asked_for.kind).title
        await items.put(
            connection,
            Item(
                f"study-{asked_for.id}", items.RESULTS, f"{title} #{asked_for.id}", max((scene.taken_at for scene in asked.scenes), default=datetime.now(UTC)), asked_for.region_code,
                asked.simulated, outline if outline.geom_type == "Polygon" else shapely.envelope(outline).buffer(0 if outline.area else 1e-7), tuple(asked_for.scenes),
                properties={"hdq:analysis": asked_for.kind, "hdq:version": asked_for.version, "hdq:parameters": asked_for.parameters, "hdq:result": result, "hdq:links": {"results": f"/api/studies/{asked_for.id}/features"}},
            ),
        )  # fmt: skip


def shape_of(feature: dict) -> dict[str, Any]:
    """A row of `features` as GeoJSON."""
    about = {"class": feature["class"], "observation_id": feature["observation_id"], "region_code": feature["region_code"], "simulated": feature["simulated"]}
    return {"type": "Feature", "id": feature["number"], "geometry": shapely.geometry.mapping(feature["geom"]), "properties": feature["properties"] | about}


def said(text: str) -> tuple[str, Any]:
    """A parameter of the command line, NAME=VALUE; the value as JSON where it is some, else as text.

    >>> said("year=2026"), said("model=coco"), said("on=2026-06-01")
    (('year', 2026), ('model', 'coco'), ('on', '2026-06-01'))
    """
    name, mark, value = text.partition("=")
    if not mark:
        raise InvalidInput(f"{text!r} is not NAME=VALUE", remedy="e.g. minimum_area_m2=50")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
