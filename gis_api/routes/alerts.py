"""Alerts: the list, all that is known of one, and having seen it."""

from datetime import datetime
from typing import Annotated, Literal

import shapely
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Bbox, Page, Window, bbox, database, page, window
from gis_api.problems import RESPONSES
from gis_api.routes.observations import observation_out
from gis_api.wire.alerts import AlertDetail, AlertPage, AlertState, AlertSummary, Comparison, LegalityLine, Precision, Reason, Severity
from gis_api.wire.base import Place
from grid.casework import decisions
from grid.database import Scope, row
from grid.sensing import alerts, surroundings
from grid.sensing.alerts import Alert

router = APIRouter(prefix="/api/alerts", tags=["alerts"], responses=RESPONSES)


def summary(alert: Alert) -> AlertSummary:
    """A line of the list."""
    same = AlertSummary.model_fields.keys() - {"place"}
    place = Place(
        lon=alert.geom.x,
        lat=alert.geom.y,
        accuracy_m=alert.accuracy_m,
        region_code=alert.region_code,
        cell_code=alert.cell_code,
        name=alert.place_name,
    )
    return AlertSummary(**{name: getattr(alert, name) for name in same}, place=place)


async def summary_of(connection: AsyncConnection, scope: Scope, alert_id: int) -> AlertSummary:
    """The line of one alert inside the scope. Raises NotFound."""
    return summary(await alerts.get(connection, scope, alert_id))


LIVE = ("open", "acknowledged")


@router.get("")
async def list_alerts(
    state: Annotated[list[AlertState | Literal["live"]] | None, Query(description="any of these; repeat the parameter. live: open or acknowledged")] = None,
    kind: Annotated[str | None, Query(max_length=40, pattern=r"^[a-z][a-z0-9_]*$", examples=["forest_fire"])] = None,
    severity: Annotated[Severity | None, Query(description="1 特急 2 紧急 3 一般 4 提示")] = None,
    order: Literal["oldest", "newest", "likely", "urgent"] = "newest",
    aside: Annotated[bool | None, Query(description="false (default): those to review; true: those set aside because the reviewers' minutes do not reach them")] = False,
    span: Window = Depends(window),
    box: Bbox | None = Depends(bbox),
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> AlertPage:
    """Alerts of the caller's region; `since` and `until` bound when they were last seen."""
    filters = alerts.Filters(
        states=tuple(dict.fromkeys(each for name in state for each in (LIVE if name == "live" else (name,)))) if state else None,
        kind=kind,
        severity=severity,
        since=span.since,
        until=span.until,
        bbox=(box.west, box.south, box.east, box.north) if box else None,
        aside=aside,
        order=order,
        limit=paging.limit,
        offset=paging.offset,
    )
    items, total = await alerts.page(connection, caller.scope, filters)
    as_of = (await row(connection, "SELECT clock_timestamp() AS now"))["now"]
    return AlertPage(items=[summary(item) for item in items], total=total, as_of=as_of)


@router.get("/{alert_id}")
async def get_alert(alert_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> AlertDetail:
    """All that is known of one alert, why it fired, and what this caller may do now. 404 also outside the caller's region."""
    found = await surroundings.detail(connection, caller.scope, alert_id)
    undo_until = await decisions.undo_until(connection, caller.id, alert_id)
    return AlertDetail(
        **summary(found.alert).model_dump(),
        rule_id=found.alert.rule_id,
        rule_version=found.alert.rule_version,
        reasons=[Reason(**r) for r in found.reasons],
        legality=[LegalityLine(**line) for line in found.legality],
        observations=[observation_out(o) for o in found.observations],
        precision=[Precision.model_validate(p) for p in found.precision],
        region50=None if found.region50 is None else shapely.geometry.mapping(found.region50),
        region90=None if found.region90 is None else shapely.geometry.mapping(found.region90),
        comparison=None if found.comparison is None else Comparison.model_validate(found.comparison),
        buildings_500m=found.buildings_500m,
        households_500m=found.households_500m,
        history=[{"type": p.type, "id": p.id, "title": p.title, "at": p.at.isoformat(), "state": p.state, "distance_m": round(p.distance_m)} for p in found.history],
        actions=_actions(found.alert, caller, undo_until),
        undo_until=undo_until,
    )


def _actions(alert: Alert, caller: Caller, undo_until: datetime | None) -> list[str]:
    judged = alert.state not in ("open", "acknowledged")
    allowed = {
        "acknowledge": alert.state == "open" and caller.may("acknowledge"),
        "verdict": not judged and caller.may("verdict"),
        "undo": undo_until is not None and caller.may("verdict"),
        "dispatch": alert.state not in alerts.ENDED and caller.may("dispatch"),
    }
    return [action for action, now in allowed.items() if now]


@router.post("/{alert_id}/acknowledge")
async def acknowledge(alert_id: int, caller: Caller = Depends(may("acknowledge")), connection: AsyncConnection = Depends(database)) -> AlertSummary:
    """Says that somebody has seen it. The first time is kept; doing it again changes nothing."""
    await alerts.acknowledge(connection, caller.scope, caller.id, alert_id)
    return await summary_of(connection, caller.scope, alert_id)
