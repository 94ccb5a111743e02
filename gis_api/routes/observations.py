"""Findings: handed in by other systems, and read back."""

from typing import Annotated

import shapely
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Window, database, window
from gis_api.problems import RESPONSES
from gis_api.wire.alerts import Observation
from gis_api.wire.observations import AcceptedBatch, AcceptedOut, ObservationIn, ObservationList, ObservationsIn
from grid.database import driver_errors, point, row
from grid.errors import InvalidInput
from grid.sensing import intake, observations
from grid.sensing.observations import Finding

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


def shape_of(geojson: dict, field: str) -> shapely.Geometry:
    """A GeoJSON geometry, read strictly: every coordinate a number. Raises InvalidInput."""
    try:
        if not _numbers(geojson.get("coordinates")):
            raise ValueError("coordinates must be numbers")
        return shapely.geometry.shape(geojson)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, shapely.errors.ShapelyError) as error:
        raise InvalidInput(f"{field} 不是 GeoJSON 几何 · is not a GeoJSON geometry: {error}", remedy='{"type": "Polygon", "coordinates": [[[lon, lat], …]]}') from error


def _numbers(value: object, depth: int = 0) -> bool:
    if isinstance(value, list):
        return depth < 5 and all(_numbers(item, depth + 1) for item in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finding(given: ObservationIn, number: int) -> Finding:
    same = ObservationIn.model_fields.keys() & Finding.__dataclass_fields__.keys() - {"footprint", "evidence", "boxes"}
    return Finding(
        **{name: getattr(given, name) for name in same},
        place=point(given.position.lon, given.position.lat),
        accuracy_m=given.position.accuracy_m,
        footprint=None if given.footprint is None else shape_of(given.footprint, f"observations[{number}].footprint"),
        evidence=tuple(given.evidence),
        boxes=tuple(given.boxes),
    )


@router.post("", status_code=202)
async def post_observations(
    body: ObservationsIn, caller: Caller = Depends(may("observations")), connection: AsyncConnection = Depends(database)
) -> AcceptedBatch:
    """Takes up to 1,000 findings, all or none: 202 means stored. Rules judge them within a second; alerts arrive on /api/events.

    A finding outside the caller's region is refused; one that is known already comes back with `new` false.
    """
    findings = [_finding(given, number) for number, given in enumerate(body.observations)]
    async with driver_errors():
        accepted = await intake.accept(connection, findings)
    for number, each in enumerate(accepted):
        if not caller.scope.covers(each.region_code):
            raise InvalidInput(f"observations[{number}] 位于辖区之外 · lies outside your region", remedy=f"send findings inside {caller.scope.prefix} only")
    return AcceptedBatch(accepted=[AcceptedOut.model_validate(a) for a in accepted], new=sum(a.new for a in accepted))


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
