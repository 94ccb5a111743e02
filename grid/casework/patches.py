"""Patches 图斑 as rows: one per place and kind of change. A survey that sees an undecided or confirmed one again extends it and keeps what it was.

Growth is cumulative: the outline is the union of what surveys saw (a reviewer may redraw it), for ground that was dug up stays dug up. Every step is kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.casework import patch_rows
from grid.casework.legality.judge import MU_M2, STEP_DEG
from grid.casework.patch_rows import Found
from grid.database import Scope, row, rows
from grid.errors import NotFound
from grid.geometry import area_m2, clean
from grid.sensing.intake import common_region

STANDING = ("open", "confirmed", "dismissed")
"""States of patches that are still themselves: neither cut up nor joined to another."""
NOTICED_M2 = 1.0
"""A union that gains less than this has not grown."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch as it stands; `before_*` of the oldest and `after_*` of the newest picture it was seen in; `seen` how many surveys saw it or what it came from, `version` grows with each change;
    `lon`, `lat` of a point inside it."""

    id: int
    survey_id: int
    number: int
    kind: str
    state: str
    score: float
    area_m2: float
    observation_id: int | None
    alert_id: int | None
    case_id: int | None
    analysis: str
    before_scene: str
    after_scene: str
    before_at: datetime
    after_at: datetime
    found_at: datetime
    answered_at: datetime | None
    seen: int
    version: int
    parents: list[int]
    region_code: str
    simulated: bool
    lon: float
    lat: float
    geom: shapely.MultiPolygon

    @property
    def area_mu(self) -> float:
        """Area in mu 亩 (15 to the hectare)."""
        return self.area_m2 / MU_M2


@dataclass(frozen=True, slots=True)
class Step:
    """Something that became of a patch; `geom` its outline after it (None: unchanged); `before_at`, `after_at` the vintages of the survey that saw it."""

    id: int
    patch_id: int
    action: str
    survey_id: int | None
    staff_id: int | None
    by: str | None
    reason: str
    related: list[int]
    area_m2: float
    before_at: datetime | None
    after_at: datetime | None
    at: datetime
    geom: shapely.MultiPolygon | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which patches to list; None: any (of state: those that stand). `bbox`: west, south, east, north in degrees."""

    survey_id: int | None = None
    state: str | None = None
    kind: str | None = None
    alert_id: int | None = None
    bbox: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many patches a survey opened, extended, or saw again as they were."""

    opened: int
    grown: int
    seen: int


SELECT = """
    SELECT p.id, p.survey_id, p.number, p.kind, p.state, p.score, p.area_m2, p.observation_id, o.alert_id, p.case_id, s.analysis, f.before_scene, s.after_scene,
        before.taken_at AS before_at, after.taken_at AS after_at, p.found_at, p.answered_at, p.version, p.parents, p.region_code, p.simulated, p.geom,
        ST_X(inside.point) AS lon, ST_Y(inside.point) AS lat,
        (
            WITH RECURSIVE line AS (SELECT p.id, p.parents UNION SELECT q.id, q.parents FROM patches AS q JOIN line ON q.id = ANY(line.parents))
            SELECT count(DISTINCT survey_id) FROM patch_steps JOIN line ON line.id = patch_id WHERE survey_id IS NOT NULL
        ) AS seen
    FROM patches AS p LEFT JOIN observations AS o ON o.id = p.observation_id
    JOIN surveys AS s ON s.id = p.survey_id JOIN surveys AS f ON f.id = coalesce(p.first_survey_id, p.survey_id)
    JOIN scenes AS before ON before.id = f.before_scene JOIN scenes AS after ON after.id = s.after_scene
    CROSS JOIN LATERAL (SELECT ST_PointOnSurface(p.geom) AS point) AS inside
"""


def measured_m2(geom: shapely.Geometry) -> float:
    """Geodesic area of a shape whose edges are straight in longitude and latitude, so that the parts of a cut shape add up."""
    return area_m2(shapely.segmentize(geom, STEP_DEG))


def whole(shapes: Iterable[shapely.Geometry]) -> shapely.MultiPolygon:
    """The union of polygons as one MultiPolygon with SRID 4326; its lines and points are left out."""
    united = clean(shapely.union_all(list(shapes)))
    parts = [part for part in shapely.get_parts(united) if part.geom_type == "Polygon"] if united is not None else []
    return shapely.set_srid(shapely.MultiPolygon(parts), 4326)


async def record(connection: AsyncConnection, survey_id: int, found: Sequence[Found], touch_m: float) -> Recorded:
    """Takes in what a survey found. What overlaps a standing undecided or confirmed patch of its kind, or comes within `touch_m` (a pixel) of one, extends it; two that
    have grown into each other become one, the elder. A dismissed patch is not extended: what is seen there again is asked again."""
    beside = await _beside(connection, found, touch_m)
    grown = seen = opened = 0
    for members, ids in _together(len(found), beside):
        if not ids:
            opened += 1
            await _open(connection, found[members[0]])
        elif await _extend(connection, survey_id, [found[i] for i in members], ids):
            grown += 1
        else:
            seen += 1
    return Recorded(opened, grown, seen)


async def _beside(connection: AsyncConnection, found: Sequence[Found], touch_m: float) -> list[tuple[int, int]]:
    """(place in found, patch id) of those that touch; the patches are locked."""
    if not found:
        return []
    near = await rows(
        connection,
        """
        SELECT f.n - 1 AS n, p.id FROM unnest(%(shapes)s::geometry[], %(kinds)s::text[]) WITH ORDINALITY AS f (geom, kind, n)
        JOIN patches AS p ON p.kind = f.kind AND p.state IN ('open', 'confirmed') AND p.geom && ST_Expand(f.geom, %(degrees)s)
            AND ST_DWithin(p.geom::geography, f.geom::geography, %(touch)s)
        """,
        {"shapes": [shapely.set_srid(one.geom, 4326) for one in found], "kinds": [one.kind for one in found], "touch": touch_m, "degrees": touch_m / 50_000.0},
    )
    standing = await rows(
        connection,
        "SELECT id FROM patches WHERE id = ANY(%(ids)s) AND state IN ('open', 'confirmed') ORDER BY id FOR UPDATE",
        {"ids": [r["id"] for r in near]},
    )
    kept = {r["id"] for r in standing}
    return [(r["n"], r["id"]) for r in near if r["id"] in kept]


def _together(count: int, beside: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Groups of what touches: places in found (each in one group) and patch ids, both rising.

    >>> _together(3, [(0, 7), (1, 7), (1, 9)])
    [([0, 1], [7, 9]), ([2], [])]
    """
    owner: dict[int, int] = {}
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for place, patch_id in beside:
        first = owner.setdefault(patch_id, place)
        high, low = sorted((root(first), root(place)), reverse=True)
        parent[high] = low
    groups: dict[int, tuple[list[int], set[int]]] = {}
    for place in range(count):
        groups.setdefault(root(place), ([], set()))[0].append(place)
    for place, patch_id in beside:
        groups[root(place)][1].add(patch_id)
    return [(members, sorted(ids)) for members, ids in groups.values()]


async def _open(connection: AsyncConnection, one: Found) -> int:
    patch_id = await patch_rows.insert(connection, one, first_survey_id=one.survey_id)
    await patch_rows.note(connection, patch_id, "found", one.area_m2, survey_id=one.survey_id, geom=one.geom)
    return patch_id


async def _extend(connection: AsyncConnection, survey_id: int, found: Sequence[Found], ids: Sequence[int]) -> bool:
    """Extends the eldest confirmed patch, else the eldest, by what was found and by the other undecided ones. True when its outline grew."""
    standing = await rows(connection, "SELECT id, state, area_m2, score, geom FROM patches WHERE id = ANY(%(ids)s) ORDER BY state <> 'confirmed', id", {"ids": list(ids)})
    eldest, absorbed = standing[0], [other for other in standing[1:] if other["state"] == "open"]
    united = whole([eldest["geom"], *(other["geom"] for other in absorbed), *(one.geom for one in found)])
    area = measured_m2(united)
    grows = bool(absorbed) or area - measured_m2(eldest["geom"]) >= NOTICED_M2
    largest = max(found, key=lambda one: one.area_m2)
    region = common_region([one.region_code for one in found] + [(await row(connection, "SELECT region_code FROM patches WHERE id = %(id)s", {"id": eldest["id"]}))["region_code"]])
    await patch_rows.extend(
        connection, eldest["id"], survey_id, united if grows else eldest["geom"], area if grows else eldest["area_m2"], score=max(one.score for one in found), region=region, seen_as=largest
    )
    await patch_rows.sighted(connection, eldest["id"], [one.observation_id for one in found])
    for other in absorbed:
        await patch_rows.inherit(connection, eldest["id"], [other["id"]])
        await patch_rows.retire(connection, other["id"], "merged")
        await patch_rows.note(connection, other["id"], "merged", other["area_m2"], survey_id=survey_id, related=[eldest["id"]])
    if absorbed:
        await patch_rows.note(connection, eldest["id"], "absorbed", area, survey_id=survey_id, related=[other["id"] for other in absorbed], geom=united)
    else:
        await patch_rows.note(connection, eldest["id"], "grown" if grows else "seen", area if grows else eldest["area_m2"], survey_id=survey_id, geom=united if grows else None)
    return grows


async def get(connection: AsyncConnection, scope: Scope, patch_id: int) -> Patch:
    """A patch inside the scope; NotFound otherwise."""
    async with connection.cursor(row_factory=class_row(Patch)) as cursor:
        await cursor.execute(f"{SELECT} WHERE p.region_code LIKE %(scope)s AND p.id = %(id)s", {"scope": scope.like, "id": patch_id})
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"没有图斑 {patch_id} · no patch {patch_id}", remedy="see /api/patches")
    return found


async def page(connection: AsyncConnection, scope: Scope, filters: Filters = Filters(), *, limit: int = 500, offset: int = 0) -> tuple[list[Patch], int]:
    """Patches inside the scope, newest survey and largest patch first, and how many match. Without a state, those that were cut up or joined are left out."""
    where = """
        WHERE p.region_code LIKE %(scope)s AND p.state = ANY(%(states)s) AND (%(kind)s::text IS NULL OR p.kind = %(kind)s)
          AND (%(survey)s::bigint IS NULL OR p.survey_id = %(survey)s OR EXISTS (SELECT FROM patch_steps WHERE patch_id = p.id AND survey_id = %(survey)s))
          AND (%(alert)s::bigint IS NULL OR p.id IN (SELECT patch_id FROM alert_patches WHERE alert_id = %(alert)s))
          AND (%(west)s::float8 IS NULL OR p.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326))
    """
    west, south, east, north = filters.bbox or (None, None, None, None)
    params = {
        "scope": scope.like, "states": [filters.state] if filters.state else list(STANDING), "kind": filters.kind, "survey": filters.survey_id, "alert": filters.alert_id,
        "west": west, "south": south, "east": east, "north": north, "limit": limit, "offset": offset,
    }  # fmt: skip
    total = await row(connection, f"SELECT count(*) AS n FROM patches AS p {where}", params)
    async with connection.cursor(row_factory=class_row(Patch)) as cursor:
        await cursor.execute(f"{SELECT} {where} ORDER BY p.survey_id DESC, p.number, p.id LIMIT %(limit)s OFFSET %(offset)s", params)
        return await cursor.fetchall(), total["n"]


async def steps(connection: AsyncConnection, patch_id: int) -> list[Step]:
    """What became of a patch, oldest first, beginning with what became of those it came from."""
    async with connection.cursor(row_factory=class_row(Step)) as cursor:
        await cursor.execute(
            """
            WITH RECURSIVE line AS (
                SELECT id, parents FROM patches WHERE id = %(id)s
                UNION SELECT patches.id, patches.parents FROM patches JOIN line ON patches.id = ANY(line.parents)
            )
            SELECT t.id, t.patch_id, t.action, t.survey_id, t.staff_id, staff.name AS by, t.reason, t.related, t.area_m2, before.taken_at AS before_at, after.taken_at AS after_at, t.at, t.geom
            FROM patch_steps AS t JOIN line ON line.id = t.patch_id LEFT JOIN staff ON staff.id = t.staff_id LEFT JOIN surveys AS s ON s.id = t.survey_id
            LEFT JOIN scenes AS before ON before.id = s.before_scene LEFT JOIN scenes AS after ON after.id = s.after_scene ORDER BY t.at, t.id
            """,
            {"id": patch_id},
        )
        return await cursor.fetchall()
