"""Cameras: place, pose, what they can see, which detectors watch them, and whether they are well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection, sql
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid import events
from grid.database import Scope
from grid.errors import InvalidInput, NotFound
from grid.world.bulk import copy_rows

STATES = ("online", "offline", "frozen", "blurred", "dark", "moved", "wrong_pose")
CHANGEABLE = (
    "name", "ground_m", "height_m", "azimuth_deg", "pitch_deg", "hfov_deg", "range_m", "pose_sigma_deg", "image_width", "image_height",
    "stream", "detectors", "state", "last_frame_at", "geom", "view", "owner", "purpose", "retention_days", "lens_mm",
)  # fmt: skip
POSE = frozenset({"geom", "ground_m", "height_m", "azimuth_deg", "pitch_deg", "hfov_deg"})
"""What, when it is corrected, makes a moved camera well again, and its reference picture and control points void."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera and its pose. `ground_m` terrain height under the mast, `height_m` the lens above it; azimuth clockwise from true north,
    pitch negative below the horizon, `hfov_deg` horizontal opening, `range_m` how far it is useful; `code` 20 digits (GB/T 28181); `lens_mm` focal
    length; `retention_days` how long its pictures may be kept."""

    id: int
    code: str
    name: str
    kind: str
    ground_m: float
    height_m: float
    azimuth_deg: float
    pitch_deg: float
    hfov_deg: float
    range_m: float
    pose_sigma_deg: float
    image_width: int
    image_height: int
    stream: str | None
    detectors: tuple[str, ...] | list[str]
    state: str
    last_frame_at: datetime | None
    region_code: str
    cell_code: str | None
    simulated: bool
    geom: BaseGeometry
    view: BaseGeometry | None
    owner: str = ""
    purpose: str = ""
    retention_days: int = 30
    lens_mm: float | None = None

    @property
    def lon(self) -> float:
        return self.geom.x

    @property
    def lat(self) -> float:
        return self.geom.y


_COLUMNS = ", ".join(Camera.__dataclass_fields__)
ZONED = "SELECT z.detector FROM camera_zones z WHERE z.removed_at IS NULL AND z.enabled AND (z.camera_id = c.id OR ST_Intersects(z.geom, c.view))"
"""SQL: the detectors that the zones of a camera `c` want, at whatever hours."""

WATCHED = f"c.stream IS NOT NULL AND (c.detectors <> '{{}}' OR EXISTS ({ZONED}))"
"""SQL: whether the watcher watches a camera `c`."""

RUNS = f"greatest(cardinality(ARRAY(SELECT unnest(c.detectors) UNION {ZONED})), 1)"
"""SQL: how many detectors a followed frame of a camera `c` is put before, at most: its own and those of its zones."""


async def load(connection: AsyncConnection, cameras: Sequence[Camera]) -> int:
    """Appends cameras (their `id` is given by the table). Returns how many."""
    return await copy_rows(connection, "cameras", cameras)


async def get(connection: AsyncConnection, camera_id: int, scope: Scope | None = None) -> Camera:
    """One camera; with a scope only inside it. Raises NotFound."""
    async with connection.cursor(row_factory=class_row(Camera)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM cameras WHERE id = %(id)s AND region_code LIKE %(scope)s",
            {"id": camera_id, "scope": "%" if scope is None else scope.like},
        )
        found = await cursor.fetchone()
    if found is None:
        raise NotFound(f"no camera {camera_id}", remedy="list cameras with GET /api/cameras")
    return found


async def page(
    connection: AsyncConnection,
    scope: Scope,
    *,
    bbox: tuple[float, float, float, float] | None = None,
    kind: str | None = None,
    state: str | None = None,
    streaming: bool | None = None,
    limit: int = 500,
    offset: int = 0,
) -> list[Camera]:
    """Cameras of a scope by id; `bbox` west, south, east, north in degrees; `streaming`: those that have a stream, or have none."""
    west, south, east, north = bbox or (-180.0, -90.0, 180.0, 90.0)
    async with connection.cursor(row_factory=class_row(Camera)) as cursor:
        await cursor.execute(
            f"""
            SELECT {_COLUMNS} FROM cameras
            WHERE region_code LIKE %(scope)s AND geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)
                AND (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(state)s::text IS NULL OR state = %(state)s)
                AND (%(streaming)s::boolean IS NULL OR (stream IS NOT NULL) = %(streaming)s)
            ORDER BY id LIMIT %(limit)s OFFSET %(offset)s
            """,
            {
                "scope": scope.like, "kind": kind, "state": state, "streaming": streaming, "limit": limit, "offset": offset,
                "west": west, "south": south, "east": east, "north": north,
            },
        )  # fmt: skip
        return await cursor.fetchall()


async def streaming(connection: AsyncConnection) -> list[Camera]:
    """The cameras that have a stream and a detector, or a zone that wants one, by id: what the watcher watches."""
    async with connection.cursor(row_factory=class_row(Camera)) as cursor:
        await cursor.execute(
            f"""
            SELECT {_COLUMNS} FROM cameras c WHERE {WATCHED} ORDER BY id
            """
        )
        return await cursor.fetchall()


async def runs(connection: AsyncConnection, camera_ids: Sequence[int]) -> dict[int, int]:
    """How many detectors a followed frame of each of these cameras is put before, at most (see RUNS)."""
    cursor = await connection.execute(f"SELECT c.id, {RUNS} FROM cameras c WHERE c.id = ANY(%(ids)s)", {"ids": list(camera_ids)})
    return dict(await cursor.fetchall())


async def watched(connection: AsyncConnection) -> dict[str, tuple[int, int]]:
    """By kind: how many cameras the watcher watches, and how many detectors a frame of each of them together is put before, at most."""
    cursor = await connection.execute(f"SELECT c.kind, count(*), sum({RUNS})::bigint FROM cameras c WHERE {WATCHED} GROUP BY c.kind")
    return {kind: (number, runs) for kind, number, runs in await cursor.fetchall()}


async def hold(connection: AsyncConnection, camera_id: int) -> None:
    """Locks a camera's row until the transaction ends: before anything is published by who means to `update` it afterwards."""
    await connection.execute("SELECT 1 FROM cameras WHERE id = %(id)s FOR NO KEY UPDATE", {"id": camera_id})


async def update(connection: AsyncConnection, camera_id: int, scope: Scope | None = None, **changes: object) -> Camera:
    """Changes the named columns (of CHANGEABLE) and returns the camera; publishes camera.changed when its state became another.

    Raises NotFound, and InvalidInput for a column that must not change.
    """
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise InvalidInput(f"a camera's {', '.join(unknown)} cannot be changed", remedy=f"change one of {', '.join(CHANGEABLE)}")
    before = await get(connection, camera_id, scope)
    if not changes:
        return before
    if "detectors" in changes:
        changes["detectors"] = list(changes["detectors"])
    if POSE & set(changes):
        await connection.execute("DELETE FROM camera_references WHERE camera_id = %(id)s", {"id": camera_id})
        await connection.execute("DELETE FROM camera_controls WHERE camera_id = %(id)s", {"id": camera_id})
        if before.state in ("moved", "wrong_pose"):
            changes.setdefault("state", "online")
    parts = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes)
    await connection.execute(sql.SQL("UPDATE cameras SET {} WHERE id = %(camera_id)s").format(parts), {**changes, "camera_id": camera_id})
    after = await get(connection, camera_id)
    if after.state != before.state:
        await events.publish(connection, "camera.changed", camera_id, after.region_code, {"name": after.name, "state": after.state, "was": before.state})
    return after


@dataclass(frozen=True, slots=True)
class Preset:
    """A pose that a pan-tilt-zoom camera can be sent to; degrees as of Camera."""

    name: str
    azimuth_deg: float
    pitch_deg: float
    hfov_deg: float


async def presets(connection: AsyncConnection, camera_id: int) -> list[Preset]:
    """The presets of a camera by name; none for a fixed one."""
    async with connection.cursor(row_factory=class_row(Preset)) as cursor:
        await cursor.execute("SELECT name, azimuth_deg, pitch_deg, hfov_deg FROM camera_presets WHERE camera_id = %(id)s ORDER BY name", {"id": camera_id})
        return await cursor.fetchall()


async def counts(connection: AsyncConnection, scope: Scope) -> dict[str, int]:
    """Number of cameras by state."""
    cursor = await connection.execute("SELECT state, count(*) FROM cameras WHERE region_code LIKE %(scope)s GROUP BY state", {"scope": scope.like})
    return dict(await cursor.fetchall())
