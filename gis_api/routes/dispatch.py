"""Units, the proposed package for an alert, orders and their steps."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import database
from gis_api.problems import RESPONSES
from gis_api.wire.alerts import OrdersIn, Package, ProposedUnit
from gis_api.wire.command import Order, OrderStepIn, PositionIn, TrailPoint, Unit
from grid import audit
from grid.casework import dispatch
from grid.errors import Forbidden, InvalidInput
from grid.world import units

router = APIRouter(prefix="/api", tags=["command"], responses=RESPONSES)
FUTURE = timedelta(minutes=5)
"""How far a device's clock may be ahead: a unit placed in the future would never grow stale, and its true positions would count as old."""


def _order(found: dict[str, Any], caller: Caller) -> Order:
    may_act = caller.may("order")
    return Order(
        **{key: found[key] for key in ("id", "alert_id", "case_id", "unit_id", "unit_name", "unit_kind", "state", "distance_m", "eta_s", "exercise")},
        **{key: found[key] for key in ("ordered_at", "acknowledged_at", "departed_at", "arrived_at", "version")},
        eta_at=(found["departed_at"] or found["ordered_at"]) + timedelta(seconds=found["eta_s"]),
        ordered_by=found["ordered_by_name"],
        actions=[action for action, (sources, _) in dispatch.STEPS.items() if found["state"] in sources] if may_act else [],
        route=json.loads(shapely.to_geojson(found["route"])) if found["route"] is not None else None,
    )


@router.get("/alerts/{alert_id}/package")
async def propose(alert_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> Package:
    """The two vehicles and one drone that could be there soonest, along roads; what is missing is said."""
    proposals, missing = await dispatch.propose(connection, caller.scope, alert_id)
    offered = [
        ProposedUnit(
            unit_id=p.unit_id, code=p.code, name=p.name, kind=p.kind, distance_m=p.distance_m, eta_s=p.eta_s, position_age_s=p.position_age_s,
            along=p.along, route=json.loads(shapely.to_geojson(p.route)),
        )
        for p in proposals
    ]  # fmt: skip
    return Package(alert_id=alert_id, units=offered, missing=missing, as_of=datetime.now(UTC))


@router.post("/alerts/{alert_id}/orders", status_code=201)
async def order(
    alert_id: int, body: OrdersIn, caller: Caller = Depends(may("dispatch")), connection: AsyncConnection = Depends(database)
) -> list[Order]:
    """Confirms an order to units: all or none. 409 when one of them follows another order."""
    ids = await dispatch.order(connection, caller.scope, caller.id, alert_id, body.unit_ids, exercise=body.exercise)
    return [_order(found, caller) for found in await dispatch.page(connection, caller.scope, live=False, ids=ids)]


@router.get("/orders")
async def list_orders(
    live: bool = False,
    alert_id: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[Order]:
    """Orders of the caller's region, newest first; `live` leaves out done and cancelled ones."""
    return [_order(found, caller) for found in await dispatch.page(connection, caller.scope, live=live, alert_id=alert_id)]


@router.post("/orders/{order_id}/steps")
async def step(order_id: int, body: OrderStepIn, caller: Caller = Depends(may("order")), connection: AsyncConnection = Depends(database)) -> Order:
    """Takes a step of an order for its unit. 409 when the order has no such step now."""
    await dispatch.step(connection, order_id, body.action, scope=caller.scope, version=body.version)
    await audit.note(connection, caller.id, "order.stepped", f"order/{order_id}", {"step": body.action})
    return _order((await dispatch.page(connection, caller.scope, live=False, ids=[order_id]))[0], caller)


@router.get("/units")
async def list_units(caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[Unit]:
    """Vehicles, drones and teams of the caller's region with the age of their position; stale after two minutes."""
    fields = Unit.model_fields
    return [Unit(**{name: getattr(unit, name) for name in fields}) for unit in await units.fleet(connection, caller.scope, datetime.now(UTC))]


@router.post("/units/{unit_id}/positions", status_code=202)
async def report_position(
    unit_id: int, body: PositionIn, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)
) -> Unit:
    """Where a unit is now; by its own driver or the command. Older positions join the trail and move nothing."""
    now = datetime.now(UTC)
    unit = await units.get(connection, unit_id, caller.scope, now)
    if body.recorded_at.tzinfo is not None and body.recorded_at > now + FUTURE:
        raise InvalidInput(f"recorded_at {body.recorded_at.isoformat()} 在未来 · lies in the future; here it is {now.isoformat(timespec='seconds')}", remedy="set the clock of the device")
    if unit.staff_id != caller.id and not caller.may("order"):
        raise Forbidden(f"{unit.name} is not your unit", remedy="sign in as its driver, or as a commander")
    position = units.UnitPosition(unit_id, body.position.lon, body.position.lat, body.recorded_at, body.heading_deg, body.position.accuracy_m)
    await units.move(connection, [position])
    moved = await units.get(connection, unit_id, caller.scope, datetime.now(UTC))
    return Unit(**{name: getattr(moved, name) for name in Unit.model_fields})


@router.get("/units/{unit_id}/trail")
async def trail(
    unit_id: int,
    minutes: Annotated[int, Query(ge=1, le=1440)] = 30,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[TrailPoint]:
    """Where a unit went in the last minutes, oldest first."""
    await units.get(connection, unit_id, caller.scope, datetime.now(UTC))
    found = await units.trail(connection, unit_id, caller.scope, datetime.now(UTC) - timedelta(minutes=minutes))
    return [TrailPoint(lon=p.lon, lat=p.lat, heading_deg=p.heading_deg, recorded_at=p.recorded_at) for p in found]
