"""The people who may sign in, for who keeps their accounts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may
from gis_api.params import Page, database, page
from gis_api.problems import RESPONSES
from gis_api.wire.session import Role
from gis_api.wire.staff import StaffMember, StaffPage
from grid.world import staff

router = APIRouter(prefix="/api/staff", tags=["session"], responses=RESPONSES)


@router.get("")
async def list_staff(
    role: Role | None = None,
    q: Annotated[str, Query(max_length=60, description="part of a name, user name or department")] = "",
    paging: Page = Depends(page),
    caller: Caller = Depends(may("staff")),
    connection: AsyncConnection = Depends(database),
) -> StaffPage:
    """People of the caller's region, by user name."""
    found, total = await staff.page(connection, caller.scope, role=role, words=q, limit=paging.limit, offset=paging.offset)
    return StaffPage(items=[StaffMember.model_validate(one) for one in found], total=total)
