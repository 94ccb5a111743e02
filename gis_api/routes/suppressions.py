"""Suppressions: planned burns, chimneys and the like; visible, expiring, reversible."""

import shapely
from fastapi import APIRouter, Depends
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.observations import SuppressionIn, SuppressionOut, shape_of
from grid import audit
from grid.errors import InvalidInput
from grid.sensing import suppression
from grid.sensing.suppression import Suppression

router = APIRouter(prefix="/api/suppressions", tags=["suppressions"], responses=RESPONSES)


def _out(found: Suppression) -> SuppressionOut:
    same = SuppressionOut.model_fields.keys() - {"area", "created_by"}
    return SuppressionOut(**{name: getattr(found, name) for name in same}, created_by=found.created_by_name, area=shapely.geometry.mapping(found.geom))


@router.get("")
async def list_suppressions(active: bool = True, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[SuppressionOut]:
    """Suppressions of the caller's region, newest first; with `active=false` the ended ones too."""
    return [_out(found) for found in await suppression.page(connection, caller.scope, active=active)]


@router.post("", status_code=201)
async def create_suppression(
    body: SuppressionIn, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)
) -> SuppressionOut:
    """Starts one: findings of the kind inside the area are kept, and say why they opened nothing, until it expires (a year at most)."""
    if body.expires_at.tzinfo is None:
        raise InvalidInput("expires_at 没有时区 · names no time zone", remedy="end it with Z or +08:00")
    area = shape_of(body.area, "area")
    created = await suppression.create(connection, caller.scope, caller.id, kind=body.kind, reason=body.reason, expires_at=body.expires_at, area=area)
    told = {"kind": body.kind, "reason": body.reason, "until": body.expires_at}
    await audit.note(connection, caller.id, "suppression.created", f"suppression/{created.id}", told)
    return _out(created)


@router.delete("/{suppression_id}")
async def lift_suppression(suppression_id: int, caller: Caller = Depends(may("verdict")), connection: AsyncConnection = Depends(database)) -> SuppressionOut:
    """Ends one now. What it held in the last 24 hours is judged again."""
    lifted = await suppression.lift(connection, caller.scope, suppression_id)
    await audit.note(connection, caller.id, "suppression.lifted", f"suppression/{suppression_id}")
    return _out(lifted)
