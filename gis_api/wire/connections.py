"""Connections to other systems on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire

Mode = Literal["replace", "upsert"]


class SourceKind(Wire):
    """A kind of source that can be connected."""

    kind: str
    title: str
    title_en: str
    schemes: list[str]


class ConnectionFault(Wire):
    """Why the last run stored nothing; the dataset is as it was before."""

    title: str = ""
    detail: str
    remedy: str = ""
    quarantine: int | None = None


class ConnectionIn(Wire):
    """A connection to be made."""

    title: str = Field(min_length=1, max_length=120, examples=["排水井（水务局）"])
    kind: str = Field(max_length=40, examples=["ogc_features"])
    address: str = Field(min_length=1, max_length=500, description="without credentials; its host is on HDQ_CONNECTOR_HOSTS", examples=["https://gis.example.cn/ogc"])
    collection: str = Field(min_length=1, max_length=200, examples=["wells"])
    mode: Mode = "replace"
    key: str | None = Field(None, max_length=120, description="attribute that tells features apart; needed for upsert; id: the feature's own id")
    frame: str | None = Field(None, max_length=80, description="frame of the coordinates as a person knows it; null: as the source says", examples=["GCJ-02"])
    page_size: int = Field(1000, ge=1, le=10_000)
    secret: str | None = Field(None, max_length=40, description="name of a secret: HDQ_CONNECTOR_SECRET_NAME in the server's environment", examples=["WATER"])
    every_minutes: int = Field(1440, ge=5, le=525_600)
    active: bool = True
    dataset: str | None = Field(None, max_length=63, description="an existing dataset that shall follow the source; null: one of its own")


class ConnectionChange(Wire):
    """What shall be different."""

    title: str | None = Field(None, min_length=1, max_length=120)
    address: str | None = Field(None, min_length=1, max_length=500)
    collection: str | None = Field(None, min_length=1, max_length=200)
    mode: Mode | None = None
    key: str | None = Field(None, max_length=120, description="empty: none")
    frame: str | None = Field(None, max_length=80, description="empty: as the source says")
    page_size: int | None = Field(None, ge=1, le=10_000)
    secret: str | None = Field(None, max_length=40, description="empty: none")
    every_minutes: int | None = Field(None, ge=5, le=525_600)
    active: bool | None = None


class Connection(Wire):
    """A connection and how its last run went."""

    id: int
    title: str
    kind: str
    address: str
    collection: str
    mode: Mode
    key: str | None
    frame: str | None
    page_size: int
    secret: str | None = Field(description="the name, never the secret")
    every_minutes: int
    active: bool
    dataset_id: str = Field(description="there from the first run that succeeds")
    region_code: str
    created_by: str
    created_at: datetime
    last_run_at: datetime | None
    last_good_at: datetime | None = Field(description="when the dataset was last known to be what the source says")
    last_state: Literal["never", "fetching", "importing", "ok", "held", "failed"]
    last_error: ConnectionFault | None
    last_features: int | None
    next_run_at: datetime | None


class ConnectionList(Wire):
    """The connections of the caller's region, the kinds there are, and the hosts that may be asked (none: connectors are off)."""

    hosts: list[str]
    kinds: list[SourceKind]
    connections: list[Connection]


class ConnectionCheck(Wire):
    """What to look at: without a collection only what is offered."""

    kind: str = Field(max_length=40)
    address: str = Field(min_length=1, max_length=500)
    collection: str = Field("", max_length=200)
    secret: str | None = Field(None, max_length=40)


class OfferedCollection(Wire):
    """A collection that a source offers."""

    id: str
    title: str
    frame: str | None
    features: int | None


class ConnectionSeen(Wire):
    """A dry run: nothing is stored."""

    collections: list[OfferedCollection]
    frame: str | None = Field(description="frame that the features come in")
    features: int | None = Field(description="how many there are, where the source says it")
    sample: list[dict[str, Any]] = Field(description="the first features as GeoJSON, x first, in `frame`")
