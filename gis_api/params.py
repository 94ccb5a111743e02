"""What requests share: the database transaction, boxes, time windows and paging."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated

from fastapi import Depends, Query, Request
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from grid.errors import InvalidInput
from grid.settings import Settings


async def database(request: Request) -> AsyncConnection:
    """Dependency: the request's one pooled connection, in one transaction: committed when the handler returns, before the answer is
    sent (accepted means stored), rolled back when it raises.

    It is entered into the stack that FastAPI closes around the handler; a plain `yield` would commit only after the answer has left.
    """
    return await request.scope["fastapi_function_astack"].enter_async_context(request.app.state.pool.connection())


def pool_of(request: Request) -> AsyncConnectionPool:
    """Dependency: the pool itself, for handlers that hold no connection while a file comes in or is read."""
    return request.app.state.pool


Connection = Annotated[AsyncConnection, Depends(database)]


def file_name(said: str | None, otherwise: str) -> str:
    """What its sender calls a file, to be shown and kept, never to be a path: without folders and NUL, the last 255 characters.

    >>> file_name("飞行/DJI_0001.JPG", "photo.jpg"), file_name("..", "photo.jpg"), file_name("a" * 300 + ".srt", "")[-6:]
    ('DJI_0001.JPG', 'photo.jpg', 'aa.srt')
    """
    name = PurePath((said or "").replace("\x00", "")).name[-255:]
    return name if name.strip(".") else otherwise


def settings_of(request: Request) -> Settings:
    """Dependency: the settings the server was started with."""
    return request.app.state.settings


@dataclass(frozen=True, slots=True)
class Bbox:
    """A box in degrees, lon before lat, west < east, south < north."""

    west: float
    south: float
    east: float
    north: float


def parse_bbox(text: str) -> Bbox:
    """`west,south,east,north` in degrees (EPSG:4326, lon before lat).

    >>> parse_bbox("120.3,36.0,120.4,36.1").east
    120.4
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise InvalidInput(f"bbox {text!r} 不是四个数 · is not four numbers", remedy="bbox=west,south,east,north in degrees, e.g. 120.3,36.0,120.4,36.1")
    box = Bbox(*numbers)
    if not (-180 <= box.west < box.east <= 180 and -90 <= box.south < box.north <= 90):
        swapped = "; lon and lat look swapped" if abs(box.south) > 90 or abs(box.north) > 90 else ""
        raise InvalidInput(f"bbox {text!r} 不在世界之内或为空 · is empty or outside the world{swapped}", remedy="west < east, south < north, lon before lat")
    return box


def bbox(bbox: str | None = Query(None, description="west,south,east,north in degrees (lon before lat)", examples=["120.3,36.0,120.4,36.1"], max_length=200)) -> Bbox | None:
    """Dependency: the box asked for, or None."""
    return None if bbox is None else parse_bbox(bbox)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, aware, since inclusive and until exclusive; None is open."""

    since: datetime | None
    until: datetime | None


def window(
    since: datetime | None = Query(None, description="ISO 8601 with zone; inclusive", examples=["2026-11-22T00:00:00+08:00"]),
    until: datetime | None = Query(None, description="ISO 8601 with zone; exclusive"),
) -> Window:
    """Dependency: the time window asked for. A time without a zone is refused: nobody can know which it meant."""
    for name, value in (("since", since), ("until", until)):
        if value is not None and value.tzinfo is None:
            raise InvalidInput(f"{name} {value.isoformat()} 没有时区 · has no time zone", remedy="end it with Z or +08:00 (in a URL write + as %2B)")
    if since is not None and until is not None and since >= until:
        raise InvalidInput(f"since {since.isoformat()} 不早于 until {until.isoformat()} · is not before until", remedy="swap them")
    return Window(since.astimezone(UTC) if since else None, until.astimezone(UTC) if until else None)


@dataclass(frozen=True, slots=True)
class Page:
    """How many rows, after how many."""

    limit: int
    offset: int


def page(limit: int = Query(50, ge=1, le=500), offset: int = Query(0, ge=0, le=1_000_000)) -> Page:
    """Dependency: paging."""
    return Page(limit, offset)
