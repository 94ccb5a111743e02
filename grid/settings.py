"""Typed settings, read from the environment (prefix HDQ_) once by a door and passed down."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
SECRET_PREFIX = "HDQ_CONNECTOR_SECRET_"
"""Of the environment's variables that hold the secrets of connectors; they are no settings, so that no dump of settings holds them."""


class Settings(BaseSettings):
    """Everything an operator may choose. Nonsense is refused at start with the name of the setting."""

    model_config = SettingsConfigDict(env_prefix="HDQ_", extra="ignore", frozen=True)

    data_dir: Path = Field(ROOT / ".hdq", description="private cluster, evidence, scenes, models, logs")
    database_url: str | None = Field(None, description="postgresql://… of another server; unset: the private cluster in data_dir")
    host: str = Field("127.0.0.1", description="address the server binds")
    port: int = Field(8470, ge=1, le=65535)
    city_code: str = Field("3702", description="prefix of every region code of the city (GB/T 2260)")
    test_data: Path | None = Field(None, description="folder with real data; unset: ../shared/data when it exists")
    demo: bool = Field(True, description="demo accounts are shown on the login page and units are simulated")
    worker_concurrency: int = Field(2, ge=1, le=64)
    camera_glances: bool = Field(True, description="whether JPEGs of folders and snapshots are judged on an eighth of their size, and decoded only where something changed")
    detector_threads: int = Field(2, ge=1, le=64, description="CPU threads a detector may take")
    survey_workers: int = Field(0, ge=0, le=64, description="processes that judge the blocks of a survey; 0: the worker itself")
    dask_address: str | None = Field(None, pattern=r"^(tls|tcp)://", description="scheduler of a dask cluster that judges them instead, tls://host:port")
    dask_ca: Path | None = Field(None, description="PEM file of the authority that the cluster's certificates are signed by")
    dask_certificate: Path | None = Field(None, description="PEM file of our certificate for the cluster")
    dask_key: Path | None = Field(None, description="PEM file of its key")
    pool_size: int = Field(10, ge=2, le=200, description="database connections of one process")
    statement_timeout_ms: int = Field(30_000, ge=100, description="of a statement that a request runs")
    tile_cache_mb: int = Field(192, ge=0, description="finished tiles that the server keeps; 0: each is drawn anew")
    tile_memory_mb: int = Field(768, ge=0, description="layers that the server holds in memory for its tiles; 0: SQL draws every tile")
    session_hours: int = Field(12, ge=1, le=720)
    max_upload_mb: int = Field(1024, ge=1, le=16_384)
    import_folder: Path | None = Field(None, description="files that are put here are imported; unset: no folder is watched")
    scene_folder: Path | None = Field(None, description="scenes that are put here are registered: docs/scenes.md; unset: no folder is watched")
    tide_file: Path | None = Field(None, description="TOML file of tide stations and their constituents: docs/scenes.md; unset: a scene without a given level has none")
    tianditu_key: SecretStr | None = Field(None, description="key of 天地图; unset: it is not offered and nothing reaches out")
    tianditu_url: str = Field("https://t{s}.tianditu.gov.cn", pattern=r"^https?://[\w.{}:-]+(/[\w./-]*)?$", description="天地图, or a city's own node of it")
    tianditu_approval: str = Field("", max_length=60, description="审图号 of 天地图, shown on the map")
    basemaps: Path | None = Field(None, description="TOML or JSON file with further WMTS and XYZ base maps: docs/basemaps.md")
    basemap_cache_mb: int = Field(1024, ge=0, description="tiles of base maps kept on disk; the least used go")
    basemap_cache_days: int = Field(30, ge=1, le=3650, description="after which a kept tile is asked for again")
    connector_hosts: str = Field("", description="host or host:port, by commas: the only ones that connectors ask; empty: connectors are off")
    stream_hosts: str = Field("", description="host, host:port or network (10.20.0.0/16), by commas: the only ones that camera streams come from; empty: none")
    feed_hosts: str = Field("", description="host or host:port, by commas: the only ones that subscriptions are sent to; empty: nothing is sent")
    nats_url: str | None = Field(None, pattern=r"^(nats|tls)://", description="NATS JetStream that consumers (python -m gis_api.gateways.broker) take batches of findings from; unset: none")
    nats_at_once: int = Field(1, ge=1, le=64, description="batches that one consumer of NATS takes in at a time; consumers are what is added for more cores")
    mqtt_url: str | None = Field(None, pattern=r"^mqtts?://[^@/?#]+/?$", description="broker whose messages are taken, mqtt://host:1883 or mqtts://host; its host is on HDQ_CONNECTOR_HOSTS; unset: none")
    mqtt_topic: str = Field("hdq/observations/+", pattern=r"^([^+#/]+/)*\+(/[^+#/]+)*$", description="topic of the messages; its + is the user name of the device")
    mqtt_username: str = Field("", max_length=200, description="user name at the broker; empty: none")
    mqtt_password: SecretStr | None = Field(None, description="its password")
    mqtt_ca: Path | None = Field(None, description="PEM file of the authority that signed the broker's certificate; unset: the system's")
    watch_looks: int = Field(0, ge=0, description="runs of a detector a minute that the watcher's cameras may ask for; beyond it they take turns by expected yield; 0: any number")
    holidays: FilePath | None = Field(None, description="CSV file of the city's holidays and make-up work days (day,works,name,provenance); unset: the national ones")
    frame_backlog: int = Field(8, ge=1, le=1000, description="queued frames kept per camera; the oldest are dropped beyond it")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("city_code")
    @classmethod
    def _digits(cls, value: str) -> str:
        if not (value.isdigit() and 2 <= len(value) <= 12):
            raise ValueError(f"HDQ_CITY_CODE {value!r} is not a region code prefix of 2 to 12 digits, e.g. 3702")
        return value

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("HDQ_DATABASE_URL must start with postgresql://")
        return value

    @field_validator("connector_hosts", "stream_hosts", "feed_hosts")
    @classmethod
    def _hosts(cls, value: str, info: ValidationInfo) -> str:
        found = sorted({entry.lower().rstrip(".") for entry in re.split(r"[\s,]+", value) if entry})
        for entry in found:
            if "/" in entry and info.field_name == "stream_hosts":
                ip_network(entry)
            elif not re.fullmatch(r"(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.\-]*[a-z0-9])?)(:\d{1,5})?", entry):
                raise ValueError(f"HDQ_{info.field_name.upper()}: {entry!r} is no host or host:port, e.g. gis.example.cn,10.0.0.5:8080")
        return ",".join(found)

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The entries of connector_hosts."""
        return frozenset(filter(None, self.connector_hosts.split(",")))

    @property
    def allowed_streams(self) -> frozenset[str]:
        """The entries of stream_hosts."""
        return frozenset(filter(None, self.stream_hosts.split(",")))

    @property
    def told_hosts(self) -> frozenset[str]:
        """The entries of feed_hosts."""
        return frozenset(filter(None, self.feed_hosts.split(",")))

    @model_validator(mode="after")
    def _demo_stays_home(self) -> "Settings":
        if self.demo and "demo" not in self.model_fields_set and self.host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(
                f"HDQ_HOST {self.host!r} is not the loopback, and the demo shows its passwords on the login page: set HDQ_DEMO=false, or HDQ_DEMO=true to insist"
            )
        return self

    @model_validator(mode="after")
    def _absolute(self) -> "Settings":
        object.__setattr__(self, "data_dir", self.data_dir.expanduser().resolve())
        if self.test_data is None:
            beside = ROOT.parent / "shared" / "data"
            if beside.is_dir():
                object.__setattr__(self, "test_data", beside)
        return self
