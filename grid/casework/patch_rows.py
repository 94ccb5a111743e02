"""The rows of patches 图斑, their steps and sightings: every change of them is written here, and what may change is locked here first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import shapely
from psycopg import AsyncConnection

from grid import events
from grid.database import Scope, row, rows
from grid.errors import Conflict, IllegalStep, NotFound


@dataclass(frozen=True, slots=True)
class Found:
    """A polygon (EPSG:4326) that a survey found; `number` counts from 1 in the survey, largest first; `score` in the units of the analysis; `area_m2` geodesic."""

    survey_id: int
    number: int
    kind: str
    score: float
    area_m2: float
    observation_id: int | None
    region_code: str
    simulated: bool
    geom: shapely.MultiPolygon


async def insert(connection: AsyncConnection, one: Found, *, first_survey_id: int | None, found_at: datetime | None = None, parents: Sequence[int] = ()) -> int:
    """Writes a new open patch with its observation; returns its id."""
    made = await row(
        connection,
        """
        INSERT INTO patches (survey_id, first_survey_id, number, kind, score, area_m2, observation_id, region_code, simulated, geom, parents, found_at)
        VALUES (%(survey_id)s, %(first)s, %(number)s, %(kind)s, %(score)s, %(area_m2)s, %(observation_id)s, %(region_code)s, %(simulated)s, %(geom)s, %(parents)s,
                coalesce(%(found_at)s, clock_timestamp())) RETURNING id
        """,
        {**{name: getattr(one, name) for name in Found.__slots__}, "first": first_survey_id, "parents": list(parents), "found_at": found_at},
    )
    await sighted(connection, made["id"], [one.observation_id])
    return made["id"]


async def sighted(connection: AsyncConnection, patch_id: int, observation_ids: Iterable[int | None]) -> None:
    """Ties observations to a patch; None are left out."""
    await connection.execute(
        "INSERT INTO patch_observations (patch_id, observation_id) SELECT %(patch)s, seen FROM unnest(%(ids)s::bigint[]) AS seen ON CONFLICT DO NOTHING",
        {"patch": patch_id, "ids": [i for i in observation_ids if i is not None]},
    )


async def inherit(connection: AsyncConnection, patch_id: int, ancestors: Sequence[int]) -> None:
    """Gives a patch the observations of those it came from."""
    await connection.execute(
        """
        INSERT INTO patch_observations (patch_id, observation_id)
        SELECT %(patch)s, observation_id FROM patch_observations WHERE patch_id = ANY(%(ids)s)
        UNION SELECT %(patch)s, observation_id FROM patches WHERE id = ANY(%(ids)s) AND observation_id IS NOT NULL ON CONFLICT DO NOTHING
        """,
        {"patch": patch_id, "ids": list(ancestors)},
    )


async def extend(
    connection: AsyncConnection, patch_id: int, survey_id: int, geom: shapely.MultiPolygon, area: float, *, score: float, region: str, seen_as: Found
) -> None:
    """A survey saw a patch again: its outline, area (m²) and region as they now are, its score no lower; the newer of two surveys gives it its number and observation."""
    await connection.execute(
        """
        UPDATE patches SET geom = %(geom)s, area_m2 = %(area)s, score = greatest(score, %(score)s), region_code = %(region)s, version = version + 1,
            survey_id = CASE WHEN latest.newer THEN %(survey)s ELSE survey_id END, number = CASE WHEN latest.newer THEN %(number)s ELSE number END,
            observation_id = CASE WHEN latest.newer THEN coalesce(%(observation)s, observation_id) ELSE observation_id END,
            first_survey_id = CASE WHEN latest.older THEN %(survey)s ELSE coalesce(first_survey_id, survey_id) END
        FROM (
            SELECT now_after.taken_at >= was_after.taken_at AS newer, now_before.taken_at < was_before.taken_at AS older
            FROM patches AS p JOIN surveys AS was ON was.id = p.survey_id JOIN surveys AS first ON first.id = coalesce(p.first_survey_id, p.survey_id), surveys AS now_
            JOIN scenes AS now_after ON now_after.id = now_.after_scene JOIN scenes AS now_before ON now_before.id = now_.before_scene, scenes AS was_after, scenes AS was_before
            WHERE p.id = %(id)s AND now_.id = %(survey)s AND was_after.id = was.after_scene AND was_before.id = first.before_scene
        ) AS latest WHERE patches.id = %(id)s
        """,
        {
            "id": patch_id, "geom": geom, "area": area, "score": score,
            "region": region, "survey": survey_id, "number": seen_as.number, "observation": seen_as.observation_id,
        },
    )  # fmt: skip


async def answer(connection: AsyncConnection, patch_id: int, state: str) -> None:
    """A patch was judged: confirmed or dismissed, now."""
    await connection.execute("UPDATE patches SET state = %(state)s, version = version + 1, answered_at = clock_timestamp() WHERE id = %(id)s", {"id": patch_id, "state": state})


async def tie(connection: AsyncConnection, patch_id: int, case_id: int | None, decision_id: int | None) -> None:
    """The case and the decision on its alert that came of a patch's verdict."""
    await connection.execute("UPDATE patches SET case_id = %(case)s, decision_id = %(decision)s WHERE id = %(id)s", {"id": patch_id, "case": case_id, "decision": decision_id})


async def follow(connection: AsyncConnection, alert_id: int, decision_id: int) -> list[int]:
    """The undecided patches of an alert get its verdict; returns their ids."""
    answered = await rows(
        connection,
        """
        UPDATE patches SET state = CASE WHEN d.verdict = 'true' THEN 'confirmed' ELSE 'dismissed' END, answered_at = d.at, case_id = d.case_id, decision_id = d.id, version = version + 1
        FROM decisions AS d
        WHERE d.id = %(decision)s AND patches.state = 'open' AND patches.id IN (SELECT patch_id FROM alert_patches WHERE alert_id = %(alert)s)
        RETURNING patches.id, patches.state, patches.area_m2, d.staff_id, d.reason
        """,
        {"decision": decision_id, "alert": alert_id},
    )
    for patch in answered:
        await note(connection, patch["id"], patch["state"], patch["area_m2"], staff_id=patch["staff_id"], reason=patch["reason"])
    return [patch["id"] for patch in answered]


async def reopen(connection: AsyncConnection, staff_id: int, *, patch_id: int | None = None, decision_id: int | None = None) -> list[int]:
    """A judged patch, or those that a decision answered, are undecided again; returns their ids."""
    opened = await rows(
        connection,
        """
        UPDATE patches SET state = 'open', answered_at = NULL, case_id = NULL, decision_id = NULL, version = version + 1
        WHERE (id = %(id)s OR decision_id = %(decision)s) AND state IN ('confirmed', 'dismissed') RETURNING id, area_m2
        """,
        {"id": patch_id, "decision": decision_id},
    )
    for patch in opened:
        await note(connection, patch["id"], "reopened", patch["area_m2"], staff_id=staff_id)
    return [patch["id"] for patch in opened]


async def reshape(connection: AsyncConnection, patch_id: int, geom: shapely.MultiPolygon, area: float) -> None:
    """Another outline, with its area in m²."""
    await connection.execute("UPDATE patches SET geom = %(geom)s, area_m2 = %(area)s, version = version + 1 WHERE id = %(id)s", {"id": patch_id, "geom": geom, "area": area})


async def retire(connection: AsyncConnection, patch_id: int, state: str) -> None:
    """A patch that was cut up (split) or went into another (merged) stands no more; its row and outlines stay."""
    await connection.execute("UPDATE patches SET state = %(state)s, version = version + 1 WHERE id = %(id)s", {"id": patch_id, "state": state})


async def note(
    connection: AsyncConnection,
    patch_id: int,
    action: str,
    area: float,
    *,
    survey_id: int | None = None,
    staff_id: int | None = None,
    reason: str = "",
    related: Sequence[int] = (),
    geom: shapely.MultiPolygon | None = None,
) -> None:
    """Writes a step of a patch's history; `area` in m² after it, `geom` the outline after it where it changed."""
    await connection.execute(
        """
        INSERT INTO patch_steps (patch_id, action, survey_id, staff_id, reason, related, area_m2, geom)
        VALUES (%(patch)s, %(action)s, %(survey)s, %(staff)s, %(reason)s, %(related)s, %(area)s, %(geom)s)
        """,
        {
            "patch": patch_id, "action": action, "survey": survey_id, "staff": staff_id, "reason": reason, "related": list(related), "area": area,
            "geom": None if geom is None else shapely.set_srid(geom, 4326),
        },
    )  # fmt: skip


async def claim(connection: AsyncConnection, scope: Scope, patch_id: int, version: int | None = None, states: Sequence[str] = ("open",)) -> dict:
    """Locks the row of a patch for a change. Raises NotFound, IllegalStep (not in one of `states`), Conflict (it changed since `version`)."""
    found = await row(connection, "SELECT * FROM patches WHERE id = %(id)s AND region_code LIKE %(scope)s FOR UPDATE", {"id": patch_id, "scope": scope.like})
    if found is None:
        raise NotFound(f"没有图斑 {patch_id} · no patch {patch_id}")
    if found["state"] not in states:
        raise IllegalStep(f"图斑 {patch_id} 已是 {found['state']} · patch {patch_id} is {found['state']} already", remedy="刷新后再看 · look at it again")
    if version is not None and version != found["version"]:
        raise Conflict(
            f"图斑 {patch_id} 已被改动（第 {found['version']} 版，您看的是第 {version} 版） · patch {patch_id} changed (version {found['version']}, you saw {version})",
            remedy="刷新后再看 · look at it again",
        )
    return found


async def announce(connection: AsyncConnection, *patch_ids: int) -> None:
    """Publishes patch.changed of each: call it last in the transaction."""
    for found in await rows(connection, "SELECT id, kind, state, version, region_code FROM patches WHERE id = ANY(%(ids)s) ORDER BY id", {"ids": list(patch_ids)}):
        region = found.pop("region_code")
        await events.publish(connection, "patch.changed", found["id"], region, found)
