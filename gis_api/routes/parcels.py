"""Land parcels at a place: on a day, and by what was known at a time."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.world import ParcelAt, ParcelPermit
from grid.errors import InvalidInput
from grid.world import parcels

router = APIRouter(prefix="/api/parcels", tags=["parcels"], responses=RESPONSES)


@router.get("/at")
async def parcels_at(
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[120.3826])],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[36.0671])],
    on: Annotated[date | None, Query(description="the day; empty: today in Shanghai")] = None,
    known: Annotated[datetime | None, Query(description="by what the register said then, with zone; empty: now")] = None,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[ParcelAt]:
    """The parcels over a point on a day with their permits: what is true now, or what was held true at an earlier time."""
    if known is not None and known.tzinfo is None:
        raise InvalidInput(f"known {known.isoformat()} 没有时区 · has no time zone", remedy="end it with Z or +08:00 (in a URL write + as %2B)")
    found = await parcels.at(connection, caller.scope, lon, lat, on, known)
    same = ParcelAt.model_fields.keys() - {"permits"}
    return [ParcelAt(**{name: getattr(p, name) for name in same}, permits=[ParcelPermit(number=number, kind=kind) for number, kind in p.permits]) for p in found]
