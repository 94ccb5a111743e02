"""The coastline by chainage 桩号: of a place, and the place of one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.world import CoastAt, CoastPlace
from grid.errors import NotFound
from grid.world import coast

router = APIRouter(prefix="/api/coast", tags=["coast"], responses=RESPONSES)


@router.get("/at")
async def coast_at(
    lon: Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[120.3826])],
    lat: Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[36.0521])],
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> CoastAt:
    """Name, chainage and distance of the coast of the caller's region that is nearest to a place."""
    found = await coast.nearest(connection, lon, lat, caller.scope)
    if found is None:
        raise NotFound("辖区内没有岸线 · no coastline in your region", remedy="import one into the coastline")
    return CoastAt(name=found.name, distance_m=round(found.distance_m, 2), chainage_m=round(found.chainage_m, 2), stake=coast.stake(found.chainage_m))


@router.get("/place")
async def coast_place(
    name: Annotated[str, Query(min_length=1, max_length=120, examples=["青岛大陆岸线"])],
    chainage: Annotated[float, Query(ge=0, le=10_000_000, allow_inf_nan=False, description="metres", examples=[12345.6])],
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> CoastPlace:
    """The place of a chainage on a named coast."""
    lon, lat = await coast.at_chainage(connection, caller.scope, name, chainage)
    return CoastPlace(name=name, lon=round(lon, 8), lat=round(lat, 8), chainage_m=chainage, stake=coast.stake(chainage))
