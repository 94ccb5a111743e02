"""Where to look next when there is compute for few cameras."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.learning import PlaceOut
from grid.sensing import attention_rows

router = APIRouter(prefix="/api/attention", tags=["learning"], responses=RESPONSES)


@router.get("")
async def ranking(
    limit: Annotated[int, Query(ge=1, le=500)] = 50, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)
) -> list[PlaceOut]:
    """Cameras of the caller's region in the order of looking: the longest unseen for the floor's share, then by events expected per second."""
    return [PlaceOut.model_validate(found) for found in await attention_rows.ranking(connection, caller.scope, limit)]
