"""One message that says it is a test, sent now, so that whoever subscribes sees whether the other end takes it."""

from datetime import UTC, datetime

from psycopg_pool import AsyncConnectionPool

from gis_api.feeds import cap, cot, sending, subscriptions, webhooks
from gis_api.feeds.sending import Answer
from gis_api.feeds.subscriptions import Subscription
from grid.database import Scope


async def attempt(pool: AsyncConnectionPool, scope: Scope, subscription_id: int, city: str, hosts: frozenset[str]) -> Answer:
    """Sends a test to the subscription's address and tells how it went; nothing is tried again. Raises NotFound, InvalidInput when a named secret is gone."""
    async with pool.connection() as connection:
        subscription = await subscriptions.get(connection, scope, subscription_id)
        key = await subscriptions.key(connection, subscription)
    now = datetime.now(UTC)
    body, kind = _message(subscription, city, now)
    headers = {"Content-Type": kind, "User-Agent": "haidongqing"}
    if key is not None:
        headers |= webhooks.signed(key, f"{city}-test-{subscription.id}-{now.timestamp():.0f}", now, body)
    return await sending.send(subscription.format, subscription.address, body, headers, hosts)


def _message(subscription: Subscription, city: str, now: datetime) -> tuple[bytes, str]:
    if subscription.format == "cap":
        return cap.trial(city, now), cap.MEDIA_TYPE
    if subscription.format == "cot":
        return cot.ping(city, now), cot.MEDIA_TYPE
    return webhooks.cloudevent(city, 0, "subscription.test", str(subscription.id), now, {"title": subscription.title}), webhooks.MEDIA_TYPE
