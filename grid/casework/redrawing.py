"""A reviewer cuts a patch, joins patches or draws one anew. The original stays with its outline, the reason, who and when; the law is asked again.

Edges are straight in longitude and latitude, so the parts of a cut add up to the whole and a join to its parts less what they share (grid.casework.patches.measured_m2).
"""

from collections.abc import Sequence

import shapely
from psycopg import AsyncConnection
from shapely.ops import split as cut_polygon

from grid import jobs
from grid.casework import patch_rows, patches
from grid.casework.patch_rows import Found
from grid.database import Scope, rows
from grid.errors import InvalidInput
from grid.sensing.intake import common_region

MOST_PARTS = 20
LEAST_M2 = 1.0
APART_M = 200.0
"""Patches farther apart than this are two places."""
METRES_PER_DEGREE = 80_000.0
"""Fewer than a degree of longitude has here: a fence drawn with it is never too narrow."""


async def split(
    connection: AsyncConnection, scope: Scope, staff_id: int, patch_id: int, line: shapely.LineString | None, reason: str, version: int | None = None
) -> list[int]:
    """Cuts an undecided patch along a line (EPSG:4326), or without one into its separate parts. Returns the ids of the new patches, largest first.

    Raises NotFound, IllegalStep, Conflict, InvalidInput (no reason, the line does not cut it, too many or too small parts).
    """
    _given(reason)
    whole = await patch_rows.claim(connection, scope, patch_id, version)
    pieces = sorted(_pieces(whole["geom"], line), key=patches.measured_m2, reverse=True)
    areas = [patches.measured_m2(piece) for piece in pieces]
    if len(pieces) < 2:
        raise InvalidInput("这条线没有切开图斑 · the line does not cut the patch in two", remedy="从图斑外画到图斑外 · draw it from outside to outside")
    if len(pieces) > MOST_PARTS or areas[-1] < LEAST_M2:
        raise InvalidInput(
            f"会切成 {len(pieces)} 块，最小 {areas[-1]:.1f} 平方米 · it would make {len(pieces)} parts, the smallest of {areas[-1]:.1f} m²",
            remedy=f"至多 {MOST_PARTS} 块，每块不小于 {LEAST_M2:g} 平方米 · at most {MOST_PARTS} parts of {LEAST_M2:g} m² or more",
        )
    made = []
    for piece, area in zip(pieces, areas, strict=True):
        made.append(await _child(connection, [whole], piece, area))
    await patch_rows.retire(connection, patch_id, "split")
    await patch_rows.note(connection, patch_id, "split", patches.measured_m2(whole["geom"]), staff_id=staff_id, reason=reason, related=made)
    for child, piece, area in zip(made, pieces, areas, strict=True):
        await patch_rows.note(connection, child, "cut", area, staff_id=staff_id, reason=reason, related=[patch_id], geom=piece)
    await _changed(connection, [patch_id, *made])
    return made


def _pieces(geom: shapely.MultiPolygon, line: shapely.LineString | None) -> list[shapely.MultiPolygon]:
    """The parts of a cut shape. Parts that the line leaves whole go with the nearest that it cut."""
    parts = list(shapely.get_parts(geom))
    if line is None:
        return [patches.whole([part]) for part in parts]
    cut, left = [], []
    for part in parts:
        pieces = [piece for piece in cut_polygon(part, line).geoms if piece.geom_type == "Polygon"] if part.intersects(line) else [part]
        (cut if len(pieces) > 1 else left).append(pieces)
    groups = [[piece] for pieces in cut for piece in pieces]
    if not groups:
        return [geom]
    for (part,) in left:
        min(groups, key=lambda group: shapely.distance(group[0], part)).append(part)
    return [shapely.set_srid(shapely.MultiPolygon(group), 4326) for group in groups]


async def merge(connection: AsyncConnection, scope: Scope, staff_id: int, patch_ids: Sequence[int], reason: str) -> int:
    """Joins undecided patches of one kind that lie within APART_M of each other. Returns the id of the new patch.

    Raises NotFound, IllegalStep, InvalidInput (no reason, fewer than two, several kinds, too far apart).
    """
    _given(reason)
    ids = sorted(set(patch_ids))
    if not 2 <= len(ids) <= MOST_PARTS:
        raise InvalidInput(f"要合并 {len(ids)} 个图斑 · {len(ids)} patches to join", remedy=f"选择 2 至 {MOST_PARTS} 个 · choose 2 to {MOST_PARTS}")
    joined = [await patch_rows.claim(connection, scope, patch_id) for patch_id in ids]
    if len(kinds := {one["kind"] for one in joined}) > 1:
        raise InvalidInput(f"类型不同：{'、'.join(sorted(kinds))} · of several kinds", remedy="只合并同类图斑 · join patches of one kind")
    if apart := await _apart(connection, ids):
        raise InvalidInput(
            f"图斑 {apart[0]} 与其余相距超过 {APART_M:.0f} 米 · patch {apart[0]} lies over {APART_M:.0f} m from the others",
            remedy=f"只合并彼此相连、间距 {APART_M:.0f} 米以内的 · join those that hang together within {APART_M:.0f} m",
        )
    geom = patches.whole(one["geom"] for one in joined)
    area = patches.measured_m2(geom)
    made = await _child(connection, joined, geom, area)
    for one in joined:
        await patch_rows.retire(connection, one["id"], "merged")
        await patch_rows.note(connection, one["id"], "merged", one["area_m2"], staff_id=staff_id, reason=reason, related=[made])
    await patch_rows.note(connection, made, "joined", area, staff_id=staff_id, reason=reason, related=ids, geom=geom)
    await _changed(connection, [*ids, made])
    return made


async def redraw(
    connection: AsyncConnection, scope: Scope, staff_id: int, patch_id: int, geom: shapely.Polygon | shapely.MultiPolygon, reason: str, version: int | None = None
) -> None:
    """Gives an undecided patch another outline (EPSG:4326); the former stays in its history.

    Raises NotFound, IllegalStep, Conflict, InvalidInput (no reason, crossing itself, of no area, elsewhere, far beyond it).
    """
    _given(reason)
    was = await patch_rows.claim(connection, scope, patch_id, version)
    if shapely.get_dimensions(geom) != 2 or not geom.is_valid:
        raise InvalidInput(f"轮廓无效：{shapely.is_valid_reason(geom)} · not a valid outline", remedy="边线不要自相交 · let its edges not cross")
    drawn = patches.whole([geom])
    area = patches.measured_m2(drawn)
    if area < LEAST_M2 or not drawn.intersects(was["geom"]):
        raise InvalidInput("新轮廓没有盖到原图斑 · the new outline does not touch the patch", remedy="画在原图斑上；别处的变化请上报 · draw over it; report a change elsewhere")
    if not was["geom"].buffer(APART_M / METRES_PER_DEGREE).covers(drawn):
        raise InvalidInput(
            f"新轮廓超出原图斑 {APART_M:.0f} 米以外 · the new outline reaches over {APART_M:.0f} m beyond the patch", remedy="画在原图斑上；别处的变化请上报 · draw over it; report a change elsewhere"
        )
    await patch_rows.reshape(connection, patch_id, drawn, area)
    await patch_rows.note(connection, patch_id, "redrawn", area, staff_id=staff_id, reason=reason, geom=drawn)
    await _changed(connection, [patch_id])


async def _apart(connection: AsyncConnection, ids: Sequence[int]) -> list[int]:
    """Those of the patches that no chain of gaps within APART_M joins to the first."""
    near = await rows(
        connection,
        """
        SELECT a.id, b.id AS other FROM patches AS a JOIN patches AS b ON b.id <> a.id AND b.id = ANY(%(ids)s)
        WHERE a.id = ANY(%(ids)s) AND ST_DWithin(a.geom::geography, b.geom::geography, %(most)s)
        """,
        {"ids": list(ids), "most": APART_M},
    )
    reached, more = {ids[0]}, {ids[0]}
    while more:
        more = {r["other"] for r in near if r["id"] in more} - reached
        reached |= more
    return [one for one in ids if one not in reached]


def _given(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("没有写原因 · no reason given", remedy="写明为什么改 · say why it is changed")


async def _child(connection: AsyncConnection, origins: Sequence[dict], geom: shapely.MultiPolygon, area: float) -> int:
    """A new patch in place of others: seen by what saw them, in the widest span of pictures."""
    ids = [one["id"] for one in origins]
    spans = await rows(
        connection,
        """
        SELECT p.id, p.survey_id, p.number, p.observation_id, coalesce(p.first_survey_id, p.survey_id) AS first, after.taken_at AS until, before.taken_at AS since
        FROM patches AS p JOIN surveys AS s ON s.id = p.survey_id JOIN surveys AS f ON f.id = coalesce(p.first_survey_id, p.survey_id)
        JOIN scenes AS after ON after.id = s.after_scene JOIN scenes AS before ON before.id = f.before_scene WHERE p.id = ANY(%(ids)s) ORDER BY p.id
        """,
        {"ids": ids},
    )
    newest, oldest = max(spans, key=lambda span: span["until"]), min(spans, key=lambda span: span["since"])
    found = Found(
        newest["survey_id"], newest["number"], origins[0]["kind"], max(one["score"] for one in origins), area, newest["observation_id"],
        common_region([one["region_code"] for one in origins]), any(one["simulated"] for one in origins), shapely.set_srid(geom, 4326),
    )  # fmt: skip
    made = await patch_rows.insert(connection, found, first_survey_id=oldest["first"], found_at=min(one["found_at"] for one in origins), parents=ids)
    await patch_rows.inherit(connection, made, ids)
    return made


async def _changed(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Asks for the alerts of patches to be judged again, and tells that the patches changed."""
    for found in await rows(connection, "SELECT DISTINCT alert_id FROM alert_patches WHERE patch_id = ANY(%(ids)s) ORDER BY alert_id", {"ids": list(ids)}):
        await jobs.enqueue(connection, "enrich", {"alert_id": found["alert_id"]}, queueing_lock=f"enrich:{found['alert_id']}")
    await patch_rows.announce(connection, *ids)
