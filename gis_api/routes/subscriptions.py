"""Subscriptions: who is told of what (CloudEvents webhooks, CAP, CoT), how the telling went, and sending again."""

from typing import Annotated

import shapely
from fastapi import APIRouter, Depends, Query, Request, Response
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may
from gis_api.feeds import subscriptions, trying
from gis_api.feeds.subscriptions import Delivery, Plan, Subscription
from gis_api.params import database, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.feeds import DeliveryOut, DeliveryState, SecretMade, SubscriptionIn, SubscriptionList, SubscriptionOut, Tested
from gis_api.wire.observations import shape_of
from grid import audit
from grid.errors import InvalidInput
from grid.settings import Settings

router = APIRouter(prefix="/api", tags=["feeds"], responses=RESPONSES)


def _out(found: Subscription) -> SubscriptionOut:
    same = SubscriptionOut.model_fields.keys() - {"secret", "area"}
    area = None if found.area is None else shapely.geometry.mapping(found.area)
    return SubscriptionOut(**{name: getattr(found, name) for name in same}, secret=found.secret_name, area=area)


def _delivery(found: Delivery) -> DeliveryOut:
    return DeliveryOut(**{name: getattr(found, name) for name in DeliveryOut.model_fields})


def _plan(body: SubscriptionIn, hosts: frozenset[str]) -> Plan:
    plan = Plan(
        body.title, body.format, body.address, tuple(body.events), tuple(body.kinds), body.severity,
        None if body.area is None else shape_of(body.area, "area"), body.secret, body.active,
    )  # fmt: skip
    return subscriptions.sound(plan, hosts)


@router.get("/subscriptions")
async def list_subscriptions(
    caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> SubscriptionList:
    """The subscriptions of the caller's region."""
    return SubscriptionList(hosts=sorted(settings.told_hosts), subscriptions=[_out(found) for found in await subscriptions.page(connection, caller.scope)])


@router.post("/subscriptions", status_code=201)
async def add_subscription(
    body: SubscriptionIn, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> SubscriptionOut:
    """Subscribes an address to what happens in the caller's region from now on; audited."""
    return _out(await subscriptions.add(connection, caller.scope, _plan(body, settings.told_hosts), caller.id))


@router.put("/subscriptions/{subscription_id}")
async def change_subscription(
    subscription_id: int, body: SubscriptionIn, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> SubscriptionOut:
    """Puts a subscription in the place of the old one; what waits goes to the new address. Audited."""
    return _out(await subscriptions.change(connection, caller.scope, subscription_id, _plan(body, settings.told_hosts), caller.id))


@router.delete("/subscriptions/{subscription_id}", status_code=204)
async def delete_subscription(subscription_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> Response:
    """Ends a subscription and forgets its deliveries; audited."""
    await subscriptions.remove(connection, caller.scope, subscription_id, caller.id)
    return Response(status_code=204)


@router.post("/subscriptions/{subscription_id}/secret")
async def renew_secret(
    subscription_id: int, request: Request, response: Response, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)
) -> SecretMade:
    """Makes a new signing secret and tells it this once; the old one is void. Send no Idempotency-Key: answers to it are kept, and this one is not. Audited."""
    if "idempotency-key" in request.headers:
        raise InvalidInput("此处不接受 Idempotency-Key · no Idempotency-Key is taken here: its answer would be kept", remedy="send the request without it")
    response.headers["Cache-Control"] = "no-store"
    return SecretMade(secret=await subscriptions.renew_secret(connection, caller.scope, subscription_id, caller.id))


@router.post("/subscriptions/{subscription_id}/test")
async def try_subscription(
    subscription_id: int, caller: Caller = Depends(may("import")), pool: AsyncConnectionPool = Depends(pool_of), settings: Settings = Depends(settings_of)
) -> Tested:
    """Sends a message that says it is a test, now and once: CloudEvent cn.haidongqing.subscription.test, CAP of status Test, CoT t-x-c-t."""
    answer = await trying.attempt(pool, caller.scope, subscription_id, settings.city_code, settings.told_hosts)
    async with pool.connection() as connection:
        await audit.note(connection, caller.id, "subscription.tested", f"subscription/{subscription_id}", {"ok": answer.ok})
    return Tested(ok=answer.ok, reason=answer.reason)


@router.get("/subscriptions/{subscription_id}/deliveries")
async def list_deliveries(
    subscription_id: int,
    state: DeliveryState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    caller: Caller = Depends(may("import")),
    connection: AsyncConnection = Depends(database),
) -> list[DeliveryOut]:
    """Deliveries, newest first: `dead` ones were given up, with the reason."""
    return [_delivery(found) for found in await subscriptions.deliveries(connection, caller.scope, subscription_id, state, limit)]


@router.post("/deliveries/{delivery_id}/resend", status_code=202)
async def resend_delivery(delivery_id: int, caller: Caller = Depends(may("import")), connection: AsyncConnection = Depends(database)) -> DeliveryOut:
    """Has a delivery tried anew; audited."""
    return _delivery(await subscriptions.resend(connection, caller.scope, delivery_id, caller.id))
