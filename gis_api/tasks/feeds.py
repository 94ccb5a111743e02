"""The jobs that tell subscribers what happened."""

from datetime import UTC, datetime

from gis_api.feeds import cap, cap_rows, cot, sending, subscriptions, webhooks
from gis_api.feeds.subscriptions import Delivery, Subscription
from gis_api.tasks import JobContext
from grid import jobs
from grid.database import Scope
from grid.errors import Conflict, InvalidInput, NotFound
from grid.sensing import alerts

EACH_RUN = 100


async def feeds(context: JobContext) -> None:
    """Matches new events with the subscriptions and enqueues what is due. Running twice is the same."""
    looked = subscriptions.AT_ONCE
    while looked == subscriptions.AT_ONCE:
        async with context.connection() as connection:
            looked = await subscriptions.match(connection)
    async with context.connection() as connection:
        for subscription_id in await subscriptions.due(connection):
            await jobs.enqueue(connection, "deliver", {"subscription_id": subscription_id}, queueing_lock=f"deliver {subscription_id}", lock=f"deliver {subscription_id}")


async def deliver(context: JobContext, subscription_id: int) -> None:
    """Sends what waits for one subscription, oldest first, up to the first that fails. At least once: a receiver knows repeats by their id."""
    async with context.connection() as connection:
        due = await subscriptions.waiting(connection, subscription_id, EACH_RUN)
        try:
            subscription = await subscriptions.get(connection, Scope(context.settings.city_code), subscription_id)
        except NotFound:
            return
    for delivery in due:
        try:
            body, headers = await _message(context, subscription, delivery)
        except (Conflict, NotFound) as nothing:
            async with context.connection() as connection:
                await subscriptions.delivered(connection, delivery, nothing.detail)
            continue
        except InvalidInput as wrong:
            answer = sending.Answer(False, wrong.detail)
        else:
            answer = await sending.send(subscription.format, subscription.address, body, headers, context.settings.told_hosts)
        async with context.connection() as connection:
            if answer.ok:
                await subscriptions.delivered(connection, delivery)
            else:
                await subscriptions.failed(connection, delivery, answer.reason, gone=answer.gone)
                return


async def _message(context: JobContext, subscription: Subscription, delivery: Delivery) -> tuple[bytes, dict[str, str]]:
    """Body and headers. Raises NotFound and Conflict when there is nothing to tell any more, InvalidInput when the secret is gone."""
    city, now = context.settings.city_code, datetime.now(UTC)
    scope = Scope(subscription.region_code)
    if subscription.format == "cloudevents":
        body, kind = webhooks.cloudevent(city, delivery.event_id, delivery.kind, delivery.entity_id, delivery.happened_at, delivery.payload), webhooks.MEDIA_TYPE
    else:
        async with context.connection() as connection:
            if subscription.format == "cap":
                body, kind = await cap_rows.issue(connection, scope, int(delivery.entity_id), city), cap.MEDIA_TYPE
            else:
                body, kind = cot.event(await alerts.get(connection, scope, int(delivery.entity_id)), city, now), cot.MEDIA_TYPE
    headers = {"Content-Type": kind, "User-Agent": "haidongqing"}
    async with context.connection() as connection:
        key = await subscriptions.key(connection, subscription)
    return body, headers if key is None else headers | webhooks.signed(key, f"{city}-{delivery.event_id}", now, body)


async def feeds_forget(context: JobContext) -> None:
    """Lets go of what was delivered or given up long ago. Running twice is the same."""
    async with context.connection() as connection:
        await subscriptions.forget(connection, datetime.now(UTC) - subscriptions.KEPT)


TASKS = {"feeds": feeds, "deliver": deliver, "feeds_forget": feeds_forget}
PERIODIC = {"feeds": 3.0, "feeds_forget": 3600.0}
