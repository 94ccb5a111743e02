"""Cameras, the door for a file of them, and the one for frames that are sent rather than fetched."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import shapely
from fastapi import APIRouter, Depends, File, Form, Query, UploadFile
from psycopg import AsyncConnection

from gis_api.auth import Caller, may, signed_in
from gis_api.params import Bbox, Page, bbox, database, page, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.cameras import CameraDetail, CameraOut, CamerasImported, FrameAccepted, FrameOut, PresetOut
from grid.errors import Forbidden, HdqError, TooLarge
from grid.settings import Settings
from grid.world import camera_import, cameras
from grid.world.cameras import Camera
from imagery.cameras import backlog, frames, streams

router = APIRouter(prefix="/api", tags=["cameras"], responses=RESPONSES)
STALE_AFTER = timedelta(minutes=30)
REGISTER_BYTES = 128 * 2**20


def _fields(camera: Camera) -> dict:
    stale = camera.stream is not None and (camera.last_frame_at is None or datetime.now(UTC) - camera.last_frame_at > STALE_AFTER)
    named = {name: getattr(camera, name) for name in CameraOut.model_fields if name not in ("stale", "streaming", "detectors")}
    return named | {"detectors": list(camera.detectors), "stale": stale, "streaming": camera.stream is not None}


@router.get("/cameras")
async def list_cameras(
    box: Bbox | None = Depends(bbox),
    kind: Annotated[Literal["tower", "street"] | None, Query()] = None,
    state: Annotated[Literal["online", "offline", "frozen", "blurred", "dark", "moved", "wrong_pose"] | None, Query()] = None,
    streaming: bool | None = None,
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
) -> list[CameraOut]:
    """Cameras of the caller's region, by id."""
    bounds = (box.west, box.south, box.east, box.north) if box else None
    found = await cameras.page(connection, caller.scope, bbox=bounds, kind=kind, state=state, streaming=streaming, limit=paging.limit, offset=paging.offset)
    return [CameraOut(**_fields(camera)) for camera in found]


@router.get("/cameras/{camera_id}")
async def camera(camera_id: int, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> CameraDetail:
    """One camera, the ground it sees and its last 20 frames."""
    found = await cameras.get(connection, camera_id, caller.scope)
    latest = await backlog.latest(connection, found.id)
    presets = await cameras.presets(connection, found.id)
    return CameraDetail(
        **_fields(found),
        view=shapely.geometry.mapping(found.view) if found.view is not None else None,
        presets=[PresetOut.model_validate(preset) for preset in presets],
        frames=[FrameOut.model_validate(frame) for frame in latest],
    )


@router.post("/cameras/import", responses={413: {"description": "过大 · too large"}})
async def import_cameras(
    file: Annotated[UploadFile, File(description="CSV (headings ours or Chinese) or GeoJSON of points: docs/cameras.md")],
    caller: Caller = Depends(may("import")),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> CamerasImported:
    """Adds or changes cameras by their code, all sound rows or none; each refused row says why. Streams only of allowed hosts."""
    content = await file.read(REGISTER_BYTES + 1)
    if len(content) > REGISTER_BYTES:
        raise TooLarge(f"文件过大 · the file has more than {REGISTER_BYTES:,} bytes", remedy="split it")

    def judge(stream: str) -> HdqError | None:
        if streams.of_network(stream):
            return streams.judged(stream, settings.allowed_streams)
        return Forbidden("视频源须为网络地址 · a file may name network streams only", remedy="rtsp://, rtmp://, hls:https:// or snapshot:https://")

    register = await asyncio.to_thread(camera_import.read, content, judge)
    return CamerasImported.model_validate(await camera_import.store(connection, caller.scope, register, caller.id))


@router.post(
    "/cameras/{camera_id}/frames", status_code=202, responses={413: {"description": "过大 · too large"}, 415: {"description": "不是图片 · no picture"}}
)
async def add_frame(
    camera_id: int,
    file: Annotated[UploadFile, File(description="JPEG, PNG or WebP, at most 32 MB and 60 megapixels")],
    recorded_at: Annotated[datetime | None, Form(description="when it was taken, with zone; now when left out", examples=["2026-11-22T08:00:00+08:00"])] = None,
    caller: Caller = Depends(may("frames")),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> FrameAccepted:
    """Accepts a frame: it is stored before the answer leaves and examined exactly once. The same picture of the same moment again is the same frame."""
    found = await cameras.get(connection, camera_id, caller.scope)
    content = await file.read(frames.MAX_BYTES + 1)
    if len(content) > frames.MAX_BYTES:
        raise TooLarge(f"图片过大 · the picture has more than {frames.MAX_BYTES:,} bytes", remedy="send a smaller picture")
    accepted = await backlog.accept_frame(connection, settings, found, content, recorded_at or datetime.now(UTC))
    return FrameAccepted(frame_id=accepted.frame_id, sha256=accepted.sha256, repeated=accepted.repeated)
