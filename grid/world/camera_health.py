"""How the cameras are: how many in each state, and those that are not well, since when. "Offline" is never "nothing seen"."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid.database import Scope, row, rows

SILENT_AFTER = timedelta(minutes=30)
"""Without a frame for so long, a camera that should stream is `silent`, whatever state was seen last: or for longer, where cameras take turns."""
FRAMES_END = "coalesce(c.last_frame_at, '-infinity'::timestamptz) < clock_timestamp() - make_interval(secs => %(silent)s)"
_HOW = f"CASE WHEN c.state = 'online' AND c.stream IS NOT NULL AND {FRAMES_END} THEN 'silent' ELSE c.state END"


@dataclass(frozen=True, slots=True)
class Standing:
    """A camera and how it is. `since`: when it came into that state; for a silent one its last frame, None when none ever came."""

    id: int
    code: str
    name: str
    kind: str
    owner: str
    lon: float
    lat: float
    region_code: str
    how: str
    since: datetime | None
    last_frame_at: datetime | None
    simulated: bool


async def counts(connection: AsyncConnection, scope: Scope, silent_after: timedelta = SILENT_AFTER) -> dict[str, int]:
    """Cameras of a scope by how they are: the states of cameras, and `silent`."""
    found = await rows(
        connection,
        f"SELECT {_HOW} AS how, count(*) AS n FROM cameras c WHERE c.region_code LIKE %(scope)s GROUP BY 1 ORDER BY 1",
        {"scope": scope.like, "silent": silent_after.total_seconds()},
    )
    return {each["how"]: each["n"] for each in found}


async def page(
    connection: AsyncConnection, scope: Scope, silent_after: timedelta = SILENT_AFTER, *, how: str | None, text: str, limit: int, offset: int
) -> list[Standing]:
    """Cameras of a scope that are in a state, or, with None, all that are not well; longest first. `text`: part of a name or owner, or the beginning of a code."""
    async with connection.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(
            f"""
            SELECT id, code, name, kind, owner, ST_X(geom) AS lon, ST_Y(geom) AS lat, region_code, how,
                   CASE WHEN how = 'silent' THEN last_frame_at ELSE state_since END AS since, last_frame_at, simulated
            FROM (SELECT c.*, {_HOW} AS how FROM cameras c WHERE c.region_code LIKE %(scope)s) c
            WHERE CASE WHEN %(how)s::text IS NULL THEN how <> 'online' ELSE how = %(how)s END
                AND (%(text)s = '' OR strpos(lower(name), lower(%(text)s)) > 0 OR strpos(lower(owner), lower(%(text)s)) > 0 OR starts_with(code, %(text)s))
            ORDER BY since NULLS FIRST, id LIMIT %(limit)s OFFSET %(offset)s
            """,
            {"scope": scope.like, "silent": silent_after.total_seconds(), "how": how, "text": text, "limit": limit, "offset": offset},
        )
        return await cursor.fetchall()


async def as_of(connection: AsyncConnection) -> datetime:
    """The database's own time."""
    return (await row(connection, "SELECT clock_timestamp() AS now"))["now"]
