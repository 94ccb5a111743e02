"""Alerts in the words of other systems (CAP 1.2, Cursor on Target), and what others say in theirs: CAP messages, findings as CloudEvents."""

from datetime import UTC, datetime

from fastapi import APIRouter, Body, Depends, Request, Response
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.feeds import cap, cap_reading, cap_rows, cot
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.routes.observations import post_observations
from gis_api.wire import cloudevents
from gis_api.wire.feeds import CapTaken
from gis_api.wire.observations import AcceptedBatch, ObservationsIn
from grid.database import driver_errors
from grid.sensing import alerts
from grid.settings import Settings

router = APIRouter(prefix="/api", tags=["feeds"], responses=RESPONSES)


@router.get("/alerts/{alert_id}/cap", response_class=Response, responses={200: {"content": {cap.MEDIA_TYPE: {}}}})
async def alert_as_cap(
    alert_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> Response:
    """The alert as a CAP 1.2 message: Alert, then Updates and a Cancel that refer to those before. Simulated data have status Exercise."""
    content = await cap_rows.issue(connection, caller.scope, alert_id, settings.city_code, keep=False)
    return Response(content, media_type=cap.MEDIA_TYPE, headers={"Content-Disposition": f'attachment; filename="alert-{alert_id}.cap"'})


@router.get("/alerts/{alert_id}/cot", response_class=Response, responses={200: {"content": {cot.MEDIA_TYPE: {}}}})
async def alert_as_cot(
    alert_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> Response:
    """The alert as a Cursor on Target event (XML, version 2.0)."""
    alert = await alerts.get(connection, caller.scope, alert_id)
    return Response(cot.event(alert, settings.city_code, datetime.now(UTC)), media_type=cot.MEDIA_TYPE)


@router.post("/cap", status_code=202)
async def take_cap(
    body: bytes = Body(media_type=cap.MEDIA_TYPE), caller: Caller = Depends(may("observations")), connection: AsyncConnection = Depends(database)
) -> CapTaken:
    """Takes a CAP 1.2 message: each area of it in the city becomes a finding. A message breaking the schema is refused with the place and the reason."""
    found = cap_reading.read(body)
    async with driver_errors():
        taken = await cap_rows.take(connection, caller.scope, caller.id, found, body.decode("utf-8", "replace").replace("\0", ""))
    return CapTaken(
        identifier=found.identifier, sender=found.sender, msg_type=found.msg_type, status=found.status, signed=found.signed,
        new=taken.new, observations=list(taken.observations), remarks=list(taken.remarks),
    )  # fmt: skip


_EVENT = {"type": "object", "required": ["specversion", "type", "source", "id", "data"], "properties": {"specversion": {"const": "1.0"}, "type": {"const": cloudevents.TYPE}}}


@router.post(
    "/observations/cloudevents",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _EVENT},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "maxItems": cloudevents.MOST, "items": _EVENT}},
            },
        }
    },
)
async def take_cloudevents(request: Request, caller: Caller = Depends(may("observations")), connection: AsyncConnection = Depends(database)) -> AcceptedBatch:
    """Takes findings as CloudEvents 1.0, one or up to 1,000, all or none; as POST /api/observations, named by the event's source and id."""
    return await post_observations(ObservationsIn(observations=cloudevents.observations_of(await request.body())), caller, connection)
