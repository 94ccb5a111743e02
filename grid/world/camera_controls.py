"""Control points of cameras: which place on the ground a pixel shows, as surveyed. A camera that has some is calibrated by them, not by its pose."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from grid import audit
from grid.database import rows

Point = tuple[float, float, float, float]
"""x, y as fractions of the frame, lon, lat in degrees."""


@dataclass(frozen=True, slots=True)
class Control:
    """The points of a camera, and by how many metres (root mean square, each axis) the camera fitted to them misses them."""

    points: tuple[Point, ...]
    rms_m: float
    changed_at: datetime

    @property
    def numbers(self) -> tuple[float, ...]:
        """All points one after the other."""
        return tuple(number for point in self.points for number in point)


async def of_camera(connection: AsyncConnection, camera_id: int) -> Control | None:
    """The control points of a camera, or None."""
    return (await of_cameras(connection, [camera_id])).get(camera_id)


async def of_cameras(connection: AsyncConnection, camera_ids: Sequence[int]) -> dict[int, Control]:
    """The control points of those of these cameras that have some, by camera."""
    found = await rows(connection, "SELECT camera_id, pixels, places, rms_m, changed_at FROM camera_controls WHERE camera_id = ANY(%(ids)s)", {"ids": list(camera_ids)})
    return {one["camera_id"]: Control(_points(one["pixels"], one["places"]), one["rms_m"], one["changed_at"]) for one in found}


def _points(pixels: list[float], places: list[float]) -> tuple[Point, ...]:
    return tuple(zip(pixels[::2], pixels[1::2], places[::2], places[1::2], strict=True))


async def put(connection: AsyncConnection, camera_id: int, staff_id: int | None, points: Sequence[Point], rms_m: float) -> None:
    """Replaces the control points of a camera; none takes them away. Audited."""
    await connection.execute("DELETE FROM camera_controls WHERE camera_id = %(id)s", {"id": camera_id})
    if points:
        await connection.execute(
            """
            INSERT INTO camera_controls (camera_id, pixels, places, rms_m, changed_by)
            VALUES (%(id)s, %(pixels)s, %(places)s, %(rms)s, %(staff)s)
            """,
            {
                "id": camera_id,
                "pixels": [value for point in points for value in point[:2]],
                "places": [value for point in points for value in point[2:]],
                "rms": rms_m,
                "staff": staff_id,
            },
        )
    await audit.note(connection, staff_id, "camera.controls", f"camera/{camera_id}", {"points": [list(point) for point in points], "rms_m": rms_m})
