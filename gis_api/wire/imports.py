"""Imports in progress on the wire."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from gis_api.wire.base import Wire
from gis_api.wire.datasets import RejectedRow


class ChangeExample(Wire):
    """A feature that would change; attributes before and after."""

    kind: Literal["new", "changed", "removed"]
    key: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ChangesSeen(Wire):
    """What storing does to the dataset. `kept` counts features it leaves alone."""

    mode: Literal["create", "append", "replace", "upsert"]
    version: int = Field(description="version of the dataset that was looked at; storing is refused when it moved on")
    new: int
    changed: int
    removed: int
    unchanged: int
    kept: int
    examples: list[ChangeExample]


class ImportJob(Wire):
    """A file on its way to a dataset."""

    id: UUID
    title: str
    state: Literal["waiting", "reading", "staged", "storing", "done", "failed", "cancelled"] = Field(description="staged: look at `changes`, then commit or cancel")
    mode: Literal["create", "append", "replace", "upsert"]
    preview: bool
    dataset_id: str | None
    source_name: str
    source_sha256: str
    source_bytes: int
    done: float = Field(ge=0, le=1, description="share of the file read")
    rows: int = Field(description="rows read so far that can be stored")
    crs: str | None = Field(description="frame its coordinates were read in, once read")
    rejected_count: int | None
    rejected: list[RejectedRow] = Field(description="the first of them")
    changes: ChangesSeen | None
    problem: dict[str, Any] | None = Field(description="why it was refused: title, detail, remedy, candidates, rows")
    created_at: datetime
    updated_at: datetime


class Upload(Wire):
    """A file being sent in parts."""

    id: UUID
    name: str
    size_bytes: int
    offset: int = Field(description="bytes received; send the next part from here")
    complete: bool
