"""Zones that cameras watch: drawn in a picture or on the map, seen in every camera; counts across lines; control points of cameras."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
import shapely
from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may, may_apart, signed_in, signed_in_apart
from gis_api.params import database, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.camera_zones import CameraPicture, CameraZone, CameraZoneChange, CameraZoneIn, ControlPoint, ControlsIn, ControlsOut, ZoneCount, ZoneInPicture
from gis_api.wire.observations import shape_of
from grid import jobs
from grid.errors import InvalidInput
from grid.settings import Settings
from grid.world import camera_calibrations, camera_controls, camera_zones, cameras, zone_visits
from grid.world.camera_controls import Control
from grid.world.camera_zones import Draft, Zone
from grid.world.cameras import Camera
from imagery.cameras import backlog, detectors, posing, stands
from imagery.cameras.weights import models_dir
from imagery.cameras.zones import Outline

router = APIRouter(prefix="/api", tags=["cameras"], responses=RESPONSES)


def _out(zone: Zone) -> CameraZone:
    same = CameraZone.model_fields.keys() - {"shape", "active", "changed_by"}
    shape = shapely.geometry.mapping(zone.geom if zone.picture is None else zone.picture)
    return CameraZone(**{name: getattr(zone, name) for name in same}, shape=shape, active=zone.active(datetime.now(UTC)), changed_by=zone.changed_by_name)


def _draft(body: CameraZoneIn, settings: Settings) -> Draft:
    """The draft with the event it makes. Raises InvalidInput for a detector that does not exist, a class that it does not know,
    and where things are counted but it finds groups of them."""
    directory = models_dir(settings.data_dir)
    found = detectors.named(body.detector, directory)
    if found is None:
        known = ", ".join(entry.detector.id for entry in detectors.standings(directory, weights=True))
        raise InvalidInput(f"没有算法 {body.detector!r} · no such detector", remedy=known)
    unknown = sorted(set(body.classes) - set(found.detector.kinds))
    if unknown:
        raise InvalidInput(f"算法 {body.detector} 不识别 {', '.join(unknown)} · it does not know these classes", remedy=", ".join(found.detector.kinds))
    if body.purpose != "forbidden" and found.detector.gather:
        raise InvalidInput(f"算法 {body.detector} 的结果是成群的，不能逐个计数 · it finds groups, which are not counted one by one", remedy="persons")
    kind = {"forbidden": found.detector.in_zone, "crowd": "crowd", "count": ""}[body.purpose]
    same = Draft.__dataclass_fields__.keys() & CameraZoneIn.model_fields.keys() - {"shape", "classes", "days"}
    given = {name: getattr(body, name) for name in same}
    return Draft(**given, kind=kind, classes=tuple(dict.fromkeys(body.classes)), days=tuple(sorted(set(body.days))), shape=shape_of(body.shape, "shape"))


@router.get("/zones")
async def list_zones(
    camera_id: Annotated[int | None, Query(ge=1, description="those in its picture, and those on the map in its view")] = None,
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[CameraZone]:
    """Zones of the caller's region, newest first."""
    if camera_id is not None:
        await cameras.get(connection, camera_id, caller.scope)
    return [_out(zone) for zone in await camera_zones.page(connection, caller.scope, camera_id=camera_id)]


@router.post("/zones", status_code=201)
async def create_zone(
    body: CameraZoneIn, caller: Caller = Depends(may("zones")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> CameraZone:
    """Adds a zone; from now on the cameras that see it run its detector. Audited."""
    draft = await asyncio.to_thread(_draft, body, settings)
    return _out(await camera_zones.create(connection, caller.scope, caller.id, draft))


@router.put("/zones/{zone_id}")
async def change_zone(
    zone_id: int, body: CameraZoneChange, caller: Caller = Depends(may("zones")), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)
) -> CameraZone:
    """Replaces a zone; 409 when somebody else changed it since `version`. Audited."""
    await camera_zones.get(connection, caller.scope, zone_id)
    draft = await asyncio.to_thread(_draft, body, settings)
    return _out(await camera_zones.update(connection, caller.scope, caller.id, zone_id, body.version, draft))


@router.delete("/zones/{zone_id}")
async def remove_zone(
    zone_id: int,
    version: Annotated[int, Query(ge=1)],
    caller: Caller = Depends(may("zones")),
    connection: AsyncConnection = Depends(database),
) -> CameraZone:
    """Takes a zone away; what it found keeps its name. Audited."""
    return _out(await camera_zones.remove(connection, caller.scope, caller.id, zone_id, version))


@router.get("/zones/{zone_id}/pictures")
async def zone_in_pictures(
    zone_id: int, caller: Caller = Depends(signed_in_apart), pool: AsyncConnectionPool = Depends(pool_of), settings: Settings = Depends(settings_of)
) -> list[ZoneInPicture]:
    """What a zone is in the picture of each camera that sees it, best seen first; cameras that see nothing of it are left out."""
    async with pool.connection() as connection:
        zone = await camera_zones.get(connection, caller.scope, zone_id)
        seeing = await camera_zones.seen_by(connection, caller.scope, zone)
        controls = await camera_controls.of_cameras(connection, [camera.id for camera in seeing])
    seen = [each for camera in seeing for each in await stands.worked_out(_pictures, settings, camera, controls.get(camera.id), [zone])]
    return sorted((each for each in seen if each.outline is not None), key=lambda each: -each.visible)


@router.get("/cameras/{camera_id}/zones")
async def zones_in_picture(
    camera_id: int, caller: Caller = Depends(signed_in_apart), pool: AsyncConnectionPool = Depends(pool_of), settings: Settings = Depends(settings_of)
) -> list[ZoneInPicture]:
    """What the zones of the caller's region are in one camera's picture, newest first."""
    async with pool.connection() as connection:
        camera = await cameras.get(connection, camera_id, caller.scope)
        zones = await camera_zones.page(connection, caller.scope, camera_id=camera_id)
        control = await camera_controls.of_camera(connection, camera_id)
    return await stands.worked_out(_pictures, settings, camera, control, zones)


@router.post("/cameras/{camera_id}/picture")
async def newest_picture(camera_id: int, caller: Caller = Depends(may("zones")), connection: AsyncConnection = Depends(database)) -> CameraPicture:
    """The newest picture of a camera to draw on, in the copy that people may see; where there is none yet it is made, and `evidence.shown` says when."""
    camera = await cameras.get(connection, camera_id, caller.scope)
    newest = await backlog.newest(connection, camera.id)
    if newest is None:
        return CameraPicture(sha256=None, recorded_at=None, ready=False)
    sha256, recorded_at, ready = newest
    if not ready:
        await jobs.enqueue(connection, "blur", {"sha256": sha256}, queueing_lock=f"blur:{sha256}", priority=5)
    return CameraPicture(sha256=sha256, recorded_at=recorded_at, ready=ready)


@router.get("/zones/{zone_id}/counts")
async def zone_counts(zone_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> list[ZoneCount]:
    """What crossed a counting line, by hour and camera, of the last seven days; hours without any are left out."""
    zone = await camera_zones.get(connection, caller.scope, zone_id)
    return [ZoneCount.model_validate(count) for count in await zone_visits.counts(connection, caller.scope, zone.id)]


@router.get("/cameras/{camera_id}/control")
async def camera_control(camera_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> ControlsOut:
    """The control points of a camera."""
    camera = await cameras.get(connection, camera_id, caller.scope)
    control = await camera_controls.of_camera(connection, camera.id)
    if control is None:
        return ControlsOut(points=[], rms_m=None, changed_at=None)
    points = [ControlPoint(x=x, y=y, lon=lon, lat=lat) for x, y, lon, lat in control.points]
    return ControlsOut(points=points, rms_m=control.rms_m, changed_at=control.changed_at)


@router.put("/cameras/{camera_id}/control")
async def put_control(
    camera_id: int, body: ControlsIn, caller: Caller = Depends(may_apart("zones")), pool: AsyncConnectionPool = Depends(pool_of)
) -> ControlsOut:
    """Replaces the control points of a camera and says how well a camera fits them: a calibration that is applied at once, so that pose, view, zones and
    speeds go by them from now on. None takes them away and leaves the pose. Audited."""
    async with pool.connection() as connection:
        camera = await cameras.get(connection, camera_id, caller.scope)
        if not body.points:
            await camera_controls.put(connection, camera.id, caller.id, [], 0.0)
            return await camera_control(camera_id, caller, connection)
    posed = await stands.worked_out(posing.from_control, camera, np.array([[point.x, point.y, point.lon, point.lat] for point in body.points]))
    async with pool.connection() as connection:
        given = [point.model_dump() for point in body.points]
        made = await camera_calibrations.add(connection, camera, posed.method, given, posed.pose, posed.fit, caller.id)
        await camera_calibrations.apply(connection, caller.scope, camera.id, made.id, caller.id)
        return await camera_control(camera_id, caller, connection)


def _pictures(settings: Settings, camera: Camera, control: Control | None, zones: list[Zone]) -> list[ZoneInPicture]:
    where = stands.stand(settings.data_dir, camera, camera.image_width, camera.image_height, control)
    return [_in_picture(camera, zone, stands.outline(where, zone), "control" if control else "pose") for zone in zones]


def _in_picture(camera: Camera, zone: Zone, outline: Outline, by: str) -> ZoneInPicture:
    return ZoneInPicture(
        zone_id=zone.id,
        camera_id=camera.id,
        camera_name=camera.name,
        camera_kind=camera.kind,
        outline=None if outline.best.is_empty else shapely.geometry.mapping(shapely.set_precision(outline.best, 1e-6)),
        visible=outline.visible,
        border_sigma=outline.sigma,
        by="picture" if zone.picture is not None else by,
    )
