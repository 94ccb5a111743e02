"""Governance grids: which one, whose, on that day; their history; and splitting, merging and redrawing them."""

from datetime import date
from typing import Annotated

import shapely
from fastapi import APIRouter, Depends, Path, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Bbox, bbox, database
from gis_api.problems import RESPONSES
from gis_api.wire.cells import CellAtOut, CellOut, CellsOut, ChangeIn, ChangeOut, CodeOut, Kind, NewCellOut, ObjectionOut, PlanOut
from gis_api.wire.observations import shape_of
from grid.casework import regridded
from grid.errors import InvalidInput
from grid.geometry import clean
from grid.world import cells, redistricting
from grid.world.cell_codes import check_code
from grid.world.partition import TOLERANCE_M
from grid.world.redistricting import Change, Plan, Wish

router = APIRouter(prefix="/api/cells", tags=["cells"], responses=RESPONSES)
Database = Annotated[AsyncConnection, Depends(database)]
Reader = Annotated[Caller, Depends(signed_in)]
Editor = Annotated[Caller, Depends(may("cells"))]
On = Annotated[date | None, Query(description="the day; empty: today in Shanghai", examples=["2026-11-22"])]
MOST = 2000


@router.get("/at")
async def cells_at(
    caller: Reader,
    connection: Database,
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[120.3826])],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[36.0671])],
    on: On = None,
    kind: Annotated[Kind | None, Query(description="empty: every kind")] = None,
) -> list[CellAtOut]:
    """The grids over a point on a day and whose they were, management grids first. On a border the lower code comes first."""
    return [CellAtOut.model_validate(found) for found in await cells.at(connection, caller.scope, lon, lat, on, kind)]


@router.get("")
async def list_cells(
    caller: Reader, connection: Database, box: Annotated[Bbox | None, Depends(bbox)], kind: Kind = "management", on: On = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> CellsOut:  # fmt: skip
    """Grids of a kind as they were on a day, inside a box, with their shapes; by code."""
    around = (-180.0, -90.0, 180.0, 90.0) if box is None else (box.west, box.south, box.east, box.north)
    found = await cells.within(connection, caller.scope, around, kind, on, limit + 1)
    return CellsOut(items=[_cell(each) for each in found[:limit]], truncated=len(found) > limit)


@router.get("/changes")
async def list_changes(caller: Reader, connection: Database, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[ChangeOut]:
    """Splits, merges and redraws in the caller's region, newest first."""
    return [_change(each, {}) for each in await redistricting.changes(connection, caller.scope, limit)]


@router.post("/plan")
async def plan_change(body: ChangeIn, caller: Editor, connection: Database) -> PlanOut:
    """What a change would come to: new grids, codes, areas, and every gap, overlap or excess with its place. Writes nothing."""
    return _plan(await redistricting.plan(connection, caller.scope, _wish(body)))


@router.post("/changes", status_code=201)
async def make_change(body: ChangeIn, caller: Editor, connection: Database) -> ChangeOut:
    """Makes a change in one transaction: old periods end, new ones begin, and on the effective day buildings, cameras, open alerts and cases and
    the grids' people follow. Refused with 409 and `problems` while anything blocks it."""
    _, made, moved = await regridded.change(connection, caller.scope, _wish(body), caller.id)
    return _change(made, moved)


@router.get("/code")
async def check_a_code(
    caller: Reader, connection: Database, code: Annotated[str, Query(max_length=40, examples=["370202001001001"])], kind: Kind = "management",
    region: Annotated[str | None, Query(max_length=12, description="community it must belong to")] = None,
) -> CodeOut:  # fmt: skip
    """Whether a code fits this city's template for a kind of grid, and why not."""
    template = (await cells.templates(connection))[kind]
    parts = "+".join(str(part) for part in (template.county, template.street, template.community, *([template.literal] if template.literal else []), template.serial))
    try:
        check_code(code, template, region)
    except InvalidInput as wrong:
        return CodeOut(valid=False, reason=wrong.detail, remedy=wrong.remedy, digits=template.digits, parts=parts)
    return CodeOut(valid=True, reason="", remedy="", digits=template.digits, parts=parts)


@router.get("/{code}")
async def cell_history(code: Annotated[str, Path(pattern="^[0-9]{1,40}$")], caller: Reader, connection: Database) -> list[CellOut]:
    """All periods of a grid code with their shapes, oldest first."""
    return [_cell(each) for each in await cells.history(connection, caller.scope, code)]


def _cell(found: cells.Version) -> CellOut:
    same = CellOut.model_fields.keys() - {"geometry"}
    return CellOut(**{name: getattr(found, name) for name in same}, geometry=shapely.geometry.mapping(found.geom))


def _wish(body: ChangeIn) -> Wish:
    line = None
    if body.line is not None:
        line = clean(shapely.LineString(body.line))
        if line is None or line.length == 0:
            raise InvalidInput("分割线没有长度 · the line has no length", remedy="line: [[lon, lat], [lon, lat], …]")
    shapes = tuple((each.id, shape_of(each.geometry, "geometry")) for each in body.shapes)
    return Wish(body.action, tuple(body.ids), body.effective, line, shapes, body.follow, body.note)


def _plan(found: Plan) -> PlanOut:
    return PlanOut(
        action=found.action,
        kind=found.kind,
        region_code=found.region_code,
        effective=found.effective,
        before=[old.code for old in found.before],
        after=[NewCellOut(code=new.code, name=new.name, area_m2=round(new.area_m2, 1), geometry=shapely.geometry.mapping(new.geom)) for new in found.after],
        objections=[
            ObjectionOut(
                kind=each.kind, blocking=each.blocking, codes=list(each.codes), area_m2=round(each.area_m2, 2), detail=each.detail, remedy=each.remedy,
                geometry=shapely.geometry.mapping(each.geom),
            )
            for each in found.objections
        ],
        possible=found.possible,
        tolerance_m=TOLERANCE_M,
    )  # fmt: skip


def _change(made: Change, moved: dict[str, int]) -> ChangeOut:
    same = ChangeOut.model_fields.keys() - {"moved", "applied"}
    return ChangeOut(**{name: getattr(made, name) for name in same}, applied=made.applied or bool(moved), moved=moved)
