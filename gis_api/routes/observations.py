"""Findings: handed in by other systems, and read back."""

import asyncio
from typing import Annotated

import numpy as np
import shapely
from fastapi import APIRouter, Depends, Query, Request
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Window, database, pool_of, window
from gis_api.problems import RESPONSES
from gis_api.wire.alerts import Observation
from gis_api.wire.batches import ARROW, BatchTaken, from_arrow, from_json
from gis_api.wire.observations import AcceptedBatch, AcceptedOut, ObservationList, ObservationsIn, finding_of
from grid.database import driver_errors, row
from grid.errors import InvalidInput
from grid.sensing import intake, observations

router = APIRouter(prefix="/api/observations", tags=["observations"], responses=RESPONSES)


def observation_out(stored: observations.Observation) -> Observation:
    """A stored finding on the wire."""
    same = Observation.model_fields.keys() - {"lon", "lat", "footprint"}
    return Observation(
        **{name: getattr(stored, name) for name in same},
        lon=stored.geom.x,
        lat=stored.geom.y,
        footprint=None if stored.footprint is None else shapely.geometry.mapping(stored.footprint),
    )


@router.post("", status_code=202)
async def post_observations(
    body: ObservationsIn, caller: Caller = Depends(may("observations")), connection: AsyncConnection = Depends(database)
) -> AcceptedBatch:
    """Takes up to 1,000 findings, all or none: 202 means stored. Rules judge them within a second; alerts arrive on /api/events.

    A finding outside the caller's region is refused; one that is known already comes back with `new` false.
    """
    findings = [finding_of(given, number) for number, given in enumerate(body.observations)]
    async with driver_errors():
        accepted = await intake.accept(connection, findings, scope=caller.scope)
    for number, each in enumerate(accepted):
        if not caller.scope.covers(each.region_code):
            raise InvalidInput(f"observations[{number}] 位于辖区之外 · lies outside your region", remedy=f"send findings inside {caller.scope.prefix} only")
    return AcceptedBatch(accepted=[AcceptedOut.model_validate(a) for a in accepted], new=sum(a.new for a in accepted))


@router.post(
    "/batch",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"type": "object", "properties": {"observations": {"type": "array", "maxItems": intake.LARGEST_BATCH, "items": {"type": "object"}}}}},
                ARROW: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def post_batch(request: Request, caller: Caller = Depends(may("observations")), pool: AsyncConnectionPool = Depends(pool_of)) -> BatchTaken:
    """Takes up to 20,000 findings at once, all or none: 202 means stored. The same checks as for few, ten times the rate.

    JSON as for few, or an Arrow stream (uncompressed) with columns of the same names, `lon`, `lat` and `accuracy_m` among them.
    A finding outside the caller's region is refused; those that are known already are listed in `known`.
    """
    body = await request.body()
    arrow = request.headers.get("content-type", "").split(";")[0].strip() == ARROW
    given = await asyncio.to_thread(from_arrow if arrow else from_json, body)
    async with driver_errors(), pool.connection() as connection:
        taken = await intake.accept_columns(connection, given, scope=caller.scope)
        outside = taken.first_outside(caller.scope)
        if outside is not None:
            raise InvalidInput(f"observations[{outside}] 位于辖区之外 · lies outside your region", remedy=f"send findings inside {caller.scope.prefix} only")
    return BatchTaken(count=len(given), new=int(taken.new.sum()), ids=taken.ids.tolist(), known=np.flatnonzero(~taken.new).tolist())


@router.get("")
async def list_observations(
    alert_id: Annotated[int | None, Query(ge=1, le=9_223_372_036_854_775_807)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    span: Window = Depends(window),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> ObservationList:
    """Findings of the caller's region, newest first: of one alert, or received in a span of time."""
    found = await observations.page(connection, caller.scope, alert_id=alert_id, since=span.since, until=span.until, limit=limit)
    as_of = (await row(connection, "SELECT clock_timestamp() AS now"))["now"]
    return ObservationList(items=[observation_out(o) for o in found], as_of=as_of)
