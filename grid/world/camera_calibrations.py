"""Poses of cameras that were worked out, with the error of their fit. The only writer of `camera_calibrations`; what is applied becomes the camera's own."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row

from grid import audit, geometry
from grid.database import Scope, row
from grid.errors import NotFound
from grid.world import camera_controls, cameras

APPLIED = ("azimuth_deg", "pitch_deg", "hfov_deg", "pose_sigma_deg")
"""What of a pose a camera takes over; its place and height stay as surveyed."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """`given`: points as they were marked; `pose` what they say, `was` what was registered, `fit` the errors; `applied_at` None: only looked at."""

    id: int
    camera_id: int
    method: str
    given: list[Any]
    pose: dict[str, float]
    was: dict[str, float]
    fit: dict[str, Any]
    applied_at: datetime | None
    made_by: str | None
    made_at: datetime


_SELECT = """
    SELECT c.id, c.camera_id, c.method, c.given, c.pose, c.was, c.fit, c.applied_at, s.name AS made_by, c.made_at
    FROM camera_calibrations c LEFT JOIN staff s ON s.id = c.made_by
"""


async def add(connection: AsyncConnection, camera: cameras.Camera, method: str, given: list[Any], pose: dict[str, float], fit: dict[str, Any], staff_id: int | None) -> Calibration:
    """Keeps a calibration, not yet applied. Audited."""
    was = {name: float(getattr(camera, name)) for name in APPLIED}
    found = await row(
        connection,
        """
        INSERT INTO camera_calibrations (camera_id, method, given, pose, was, fit, made_by)
        VALUES (%(camera)s, %(method)s, %(given)s::jsonb, %(pose)s::jsonb, %(was)s::jsonb, %(fit)s::jsonb, %(staff)s) RETURNING id
        """,
        {"camera": camera.id, "method": method, "given": json.dumps(given), "pose": json.dumps(pose), "was": json.dumps(was), "fit": json.dumps(fit), "staff": staff_id},
    )
    await audit.note(connection, staff_id, "camera.calibrated", f"camera/{camera.id}", {"method": method, "points": len(given), "fit": fit})
    return await _get(connection, found["id"])


async def apply(connection: AsyncConnection, scope: Scope, camera_id: int, calibration_id: int, staff_id: int | None) -> Calibration:
    """Makes a calibration the camera's pose: what it sees is drawn anew, a moved one is well again. Audited. Raises NotFound.

    Control points that it came from are the camera's from now on (`camera_controls`); a vehicle's or a horizon's takes away those of the pose before, which no longer hold.
    """
    camera = await cameras.get(connection, camera_id, scope)
    found = next((each for each in await of_camera(connection, scope, camera_id) if each.id == calibration_id), None)
    if found is None:
        raise NotFound(f"没有标定 {calibration_id} · no such calibration", remedy="GET /api/cameras/{id}/calibrations lists the last ones")
    pose = {name: found.pose[name] for name in APPLIED if name in found.pose}
    hfov_deg = pose.get("hfov_deg", camera.hfov_deg)
    view = geometry.view_sector(camera.lon, camera.lat, pose.get("azimuth_deg", camera.azimuth_deg), hfov_deg, camera.range_m)
    await connection.execute("UPDATE camera_calibrations SET applied_at = clock_timestamp() WHERE id = %(id)s", {"id": calibration_id})
    await audit.note(connection, staff_id, "camera.posed", f"camera/{camera.id}", {"calibration": calibration_id, "pose": pose, "was": found.was})
    points = [(point["x"], point["y"], point["lon"], point["lat"]) for point in found.given] if found.method == "control_points" else []
    await cameras.update(connection, camera.id, scope, **pose, view=view)
    await camera_controls.put(connection, camera.id, staff_id, points, float(found.fit.get("rms_m") or 0.0))
    return await _get(connection, calibration_id)


async def of_camera(connection: AsyncConnection, scope: Scope, camera_id: int, limit: int = 20) -> list[Calibration]:
    """The calibrations of a camera, newest first. Raises NotFound outside the scope."""
    await cameras.get(connection, camera_id, scope)
    async with connection.cursor(row_factory=class_row(Calibration)) as cursor:
        await cursor.execute(f"{_SELECT} WHERE c.camera_id = %(camera)s ORDER BY c.id DESC LIMIT %(limit)s", {"camera": camera_id, "limit": limit})
        return await cursor.fetchall()


async def _get(connection: AsyncConnection, calibration_id: int) -> Calibration:
    async with connection.cursor(row_factory=class_row(Calibration)) as cursor:
        await cursor.execute(f"{_SELECT} WHERE c.id = %(id)s", {"id": calibration_id})
        return await cursor.fetchone()
