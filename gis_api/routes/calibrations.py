"""Calibrations of registered cameras: worked out from control points, a tracked vehicle or the horizon, looked at, then applied."""

import numpy as np
from fastapi import APIRouter, Depends
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may, may_apart, signed_in
from gis_api.params import database, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.calibrations import CalibrationIn, CalibrationOut
from grid.errors import InvalidInput
from grid.settings import Settings
from grid.world import camera_calibrations, cameras
from imagery.cameras import posing, stands
from imagery.cameras.posing import Posed

router = APIRouter(prefix="/api/cameras/{camera_id}/calibrations", tags=["cameras"], responses=RESPONSES)


def pose_of(camera: cameras.Camera, body: CalibrationIn, settings: Settings) -> Posed:
    """What the points say; some seconds of computing. Raises InvalidInput."""
    if bool(body.control) + bool(body.horizon) + (body.vehicle is not None) != 1:
        raise InvalidInput("须给出 control、horizon 或 vehicle 之一 · give control points, a horizon or a vehicle", remedy='{"control": [{"x": …, "y": …, "lon": …, "lat": …}]}')
    if body.control:
        return posing.from_control(camera, np.array([[point.x, point.y, point.lon, point.lat] for point in body.control]))
    if body.vehicle is not None:
        boxes = [[box.at.timestamp(), box.left, box.top, box.right, box.bottom] for box in body.vehicle.boxes]
        return posing.from_vehicle(camera, np.array(boxes), np.array([[each.at.timestamp(), each.lon, each.lat] for each in body.vehicle.positions]))
    stand = stands.stand(settings.data_dir, camera, camera.image_width, camera.image_height)
    return posing.from_horizon(camera, np.array([[point.x, point.y] for point in body.horizon]), stand.pose, stand.terrain)


@router.get("")
async def list_calibrations(camera_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[CalibrationOut]:
    """The calibrations of a camera, newest first."""
    return [CalibrationOut.model_validate(each) for each in await camera_calibrations.of_camera(connection, caller.scope, camera_id)]


@router.post("", status_code=201)
async def calibrate_camera(
    camera_id: int, body: CalibrationIn, caller: Caller = Depends(may_apart("zones")), pool: AsyncConnectionPool = Depends(pool_of), settings: Settings = Depends(settings_of)
) -> CalibrationOut:
    """Works out the pose of a camera and keeps it with the error of its fit; nothing changes until it is applied. Audited."""
    async with pool.connection() as connection:
        camera = await cameras.get(connection, camera_id, caller.scope)
    posed = await stands.worked_out(pose_of, camera, body, settings)
    async with pool.connection() as connection:
        return CalibrationOut.model_validate(await camera_calibrations.add(connection, camera, posed.method, body.given(), posed.pose, posed.fit, caller.id))


@router.post("/{calibration_id}/apply")
async def apply_calibration(
    camera_id: int, calibration_id: int, caller: Caller = Depends(may("zones")), connection: AsyncConnection = Depends(database)
) -> CalibrationOut:
    """Makes a calibration the camera's pose; what it sees is drawn anew, and a moved camera is well again. Audited."""
    return CalibrationOut.model_validate(await camera_calibrations.apply(connection, caller.scope, camera_id, calibration_id, caller.id))
