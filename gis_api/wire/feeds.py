"""Subscriptions, deliveries, and CAP messages taken, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gis_api.wire.alerts import Severity
from gis_api.wire.base import Wire

Told = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,30}\.([a-z_]{1,30}|\*)$")]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
DeliveryState = Literal["waiting", "delivered", "dead"]


class CapTaken(Wire):
    """What became of a CAP message."""

    identifier: str
    sender: str
    msg_type: str
    status: str
    signed: bool = Field(description="it carries an XML signature, which is not judged")
    new: bool = Field(description="false: it was known already")
    observations: list[int] = Field(description="ids of its areas in the city, as findings of kind official_warning")
    remarks: list[str] = Field(description="what was left out, and why")


class SubscriptionIn(Wire):
    """Who shall be told of what."""

    title: str = Field(min_length=1, max_length=200, examples=["应急局火情"])
    format: Literal["cloudevents", "cap", "cot"] = "cloudevents"
    address: str = Field(
        min_length=1, max_length=500, examples=["https://events.example.cn/hdq"],
        description="http(s)://… for cloudevents and cap, tcp:// or udp://host:port for cot; without credentials; its host is on HDQ_FEED_HOSTS",
    )  # fmt: skip
    secret: str | None = Field(None, max_length=40, description="name of the signing secret: HDQ_CONNECTOR_SECRET_NAME in the server's environment; null over HTTP: one that we make (POST …/secret tells it)", examples=["EMERGENCY"])
    events: list[Told] = Field(default=["alert.*"], min_length=1, max_length=20, description="kinds of events, as on /api/events; noun.* for all of a noun")
    kinds: list[Kind] = Field(default_factory=list, max_length=40, description="kinds of alerts; empty: any", examples=[["forest_fire"]])
    severity: Severity = Field(4, description="the least urgent that is told: 1 特急 only … 4 all")
    area: dict[str, Any] | None = Field(None, description="GeoJSON Polygon (EPSG:4326, lon before lat): only what touches it; null: the whole region")
    active: bool = True


class SubscriptionOut(Wire):
    """A subscription, and how many deliveries of it wait, arrived, or are dead."""

    id: int
    title: str
    format: Literal["cloudevents", "cap", "cot"]
    address: str
    secret: str | None
    events: list[str]
    kinds: list[str]
    severity: Severity
    area: dict[str, Any] | None
    active: bool
    region_code: str
    created_at: datetime
    waiting: int
    delivered: int
    dead: int


class SecretMade(Wire):
    """A new signing secret: whoever asked sees it this once."""

    secret: str = Field(description="whsec_ and base64, as Standard Webhooks has it")


class Tested(Wire):
    """How a test message went."""

    ok: bool
    reason: str = Field(description="why it failed; empty for success")


class SubscriptionList(Wire):
    """The subscriptions of the caller's region, and the hosts that the operator allows."""

    hosts: list[str]
    subscriptions: list[SubscriptionOut]


class DeliveryOut(Wire):
    """One event for one subscription. `reason`: why the last try failed, or why nothing had to be sent."""

    id: int
    subscription_id: int
    event_id: int
    kind: str
    entity_id: str
    happened_at: datetime
    state: DeliveryState
    attempts: int
    next_at: datetime
    reason: str
    ended_at: datetime | None
