"""The wall's five figures and the 24 h time bar."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.command import Figure, TimeBar
from grid.casework import kpis

router = APIRouter(prefix="/api", tags=["figures"], responses=RESPONSES)


@router.get("/kpis")
async def figures(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[Figure]:
    """Five figures of the caller's region, each with 24 hourly values and the list behind it."""
    return [Figure(**asdict(figure)) for figure in await kpis.figures(connection, caller.scope)]


@router.get("/timeline")
async def timeline(
    hours: Annotated[int, Query(ge=1, le=168)] = 24, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)
) -> TimeBar:
    """Alerts, findings and cases per 10 minutes, oldest first."""
    return TimeBar(**asdict(await kpis.time_bar(connection, caller.scope, hours)))
