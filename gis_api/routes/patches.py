"""Patches 图斑: listed, looked at with their history and the law, judged, cut, joined, redrawn, and counted by cycle."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal

import shapely
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Bbox, Page, bbox, database, page
from gis_api.problems import RESPONSES
from gis_api.wire.alerts import LegalityLine
from gis_api.wire.patches import (
    CycleOut,
    MergeIn,
    PatchDetail,
    Patches,
    PatchFeature,
    PatchProperties,
    PatchStep,
    PatchVerdictIn,
    PatchVerdictOut,
    RedrawIn,
    SplitIn,
)  # fmt: skip
from grid.casework import cycles, legality, patch_verdicts, patches, redrawing
from grid.clock import ZONE
from grid.errors import InvalidInput
from grid.world import places

router = APIRouter(prefix="/api/patches", tags=["patches"], responses=RESPONSES)
CHANGED = {409: {"description": "已被改动或已处理 · it changed meanwhile, or was judged already"}}


def feature(patch: patches.Patch) -> PatchFeature:
    """A patch as GeoJSON."""
    properties = PatchProperties(**{name: getattr(patch, name) for name in PatchProperties.model_fields})
    return PatchFeature(id=patch.id, geometry=shapely.geometry.mapping(patch.geom), properties=properties)


def shape_of(geometry: dict[str, Any], *kinds: str) -> shapely.Geometry:
    """The shape of a GeoJSON geometry of one of some kinds. Raises InvalidInput."""
    try:
        shape = shapely.geometry.shape(geometry)
        kind, finite = shape.geom_type, bool(shapely.get_num_coordinates(shape)) and abs(shapely.get_coordinates(shape)).max() <= 180.0
    except (KeyError, ValueError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise InvalidInput(f"不是 GeoJSON 几何 · not a GeoJSON geometry: {error}", remedy=f"send a {' or '.join(kinds)} in degrees") from error
    if kind not in kinds or not finite:
        raise InvalidInput(f"几何为 {kind} · the geometry is a {kind}, or outside ±180°", remedy=f"send a {' or '.join(kinds)} in degrees")
    return shapely.set_srid(shape, 4326)


@router.get("")
async def list_patches(
    survey: Annotated[int | None, Query(ge=1, description="seen by this survey; empty: of all")] = None,
    state: Annotated[Literal["open", "confirmed", "dismissed", "split", "merged"] | None, Query(description="empty: all that stand")] = None,
    kind: Annotated[str | None, Query(max_length=64)] = None,
    alert: Annotated[int | None, Query(ge=1, description="of this alert")] = None,
    box: Bbox | None = Depends(bbox),
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> Patches:
    """Patches of the caller's region as GeoJSON, newest survey and largest patch first."""
    filters = patches.Filters(survey_id=survey, state=state, kind=kind, alert_id=alert, bbox=(box.west, box.south, box.east, box.north) if box else None)
    found, total = await patches.page(connection, caller.scope, filters, limit=paging.limit, offset=paging.offset)
    return Patches(features=[feature(patch) for patch in found], total=total)


@router.get("/cycles")
async def list_cycles(
    on: Annotated[date | None, Query(ge=date(1970, 1, 1), le=date(2100, 12, 31), description="a day of the periods; empty: today in Shanghai")] = None,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[CycleOut]:
    """月清、季核、年度评估: the patches of the caller's region that are due in the month, the quarter and the year of a day."""
    found = await cycles.standing(connection, caller.scope, on or datetime.now(ZONE).date())
    return [CycleOut(**asdict(cycle)) for cycle in found]


@router.get("/{patch_id}")
async def one_patch(patch_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> PatchDetail:
    """One patch with its history, oldest first, and what the registers say of its outline now."""
    patch = await patches.get(connection, caller.scope, patch_id)
    middle = patch.geom.representative_point()
    (located,) = await places.locate_many(connection, [middle.x], [middle.y])
    lines = await legality.context(connection, patch.geom, patch.kind, patch.after_at.astimezone(ZONE).date())
    steps = await patches.steps(connection, patch_id)
    same = PatchStep.model_fields.keys() - {"geometry"}
    return PatchDetail(
        patch=feature(patch),
        place=located.name,
        steps=[PatchStep(**{name: getattr(step, name) for name in same}, geometry=None if step.geom is None else shapely.geometry.mapping(step.geom)) for step in steps],
        legality=[LegalityLine(**asdict(line)) for line in lines],
        may_judge=patch.state == "open" and "verdict" in caller.permissions,
        undo_until=await patch_verdicts.undo_until(connection, caller.id, patch_id),
    )


@router.post("/{patch_id}/verdict", responses=CHANGED)
async def judge_patch(
    patch_id: int, body: PatchVerdictIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)
) -> PatchVerdictOut:
    """Confirms a patch, which gives it its case, or dismisses it with a reason."""
    done = await patch_verdicts.decide(connection, caller.scope, caller.id, patch_id, body.verdict, body.reason, body.note, body.version)
    return PatchVerdictOut(**asdict(done))


@router.delete("/{patch_id}/verdict", status_code=204, responses=CHANGED)
async def undo_verdict(patch_id: int, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> None:
    """Takes back one's own verdict within ten seconds."""
    await patch_verdicts.undo(connection, caller.scope, caller.id, patch_id)


@router.post("/{patch_id}/split", responses=CHANGED)
async def split_patch(patch_id: int, body: SplitIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> Patches:
    """Cuts a patch along a line or into its separate parts; the answer holds the new ones. The original is kept."""
    line = None if body.line is None else shape_of(body.line, "LineString")
    made = await redrawing.split(connection, caller.scope, caller.id, patch_id, line, body.reason, body.version)
    return Patches(features=[feature(await patches.get(connection, caller.scope, one)) for one in made], total=len(made))


@router.post("/merge", responses=CHANGED)
async def merge_patches(body: MergeIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> PatchFeature:
    """Joins patches of one kind; the answer is the new one. The originals are kept."""
    made = await redrawing.merge(connection, caller.scope, caller.id, body.ids, body.reason)
    return feature(await patches.get(connection, caller.scope, made))


@router.post("/{patch_id}/redraw", responses=CHANGED)
async def redraw_patch(patch_id: int, body: RedrawIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> PatchFeature:
    """Gives a patch another outline; the former one stays in its history."""
    await redrawing.redraw(connection, caller.scope, caller.id, patch_id, shape_of(body.geometry, "Polygon", "MultiPolygon"), body.reason, body.version)
    return feature(await patches.get(connection, caller.scope, patch_id))
