"""Drones' pictures: where a photo looks, and where a video looked by its telemetry, kept as items that the map shows."""

import asyncio
import hashlib
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, UploadFile
from psycopg_pool import AsyncConnectionPool

from gis_api.auth import Caller, may_apart
from gis_api.params import file_name, pool_of, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.scenes import StacItem, StacItems
from grid import audit, evidence, jobs
from grid.database import point
from grid.errors import InvalidInput, TooLarge
from grid.settings import Settings
from imagery.scenes import drones, footprints, items, telemetry, video
from imagery.scenes.georeference import Lens

router = APIRouter(prefix="/api/drone", tags=["scenes"], responses=RESPONSES)
REFUSED = {413: {"description": "过大 · too large"}, 415: {"description": "不是所要的文件 · not such a file"}}


@router.post("/frames", status_code=201, response_model_exclude_unset=True, responses=REFUSED)
async def add_frame(
    file: Annotated[UploadFile, File(description="a drone's JPEG as it wrote it, with EXIF and XMP; at most 32 MB")],
    datetime: Annotated[datetime | None, Form(description="when it was taken, with zone; in place of the file's clock", examples=["2026-09-15T10:45:00+08:00"])] = None,
    caller: Caller = Depends(may_apart("scenes", "frames")),
    pool: AsyncConnectionPool = Depends(pool_of),
    settings: Settings = Depends(settings_of),
) -> StacItem:
    """Keeps a photo and its footprint on the ground, with pose and accuracy. The same bytes twice are one frame; people see its blurred copy only."""
    if datetime is not None and datetime.tzinfo is None:
        raise InvalidInput(f"the time {datetime.isoformat()} has no zone", remedy="end it with Z or +08:00")
    content = await file.read(evidence.MAX_BYTES + 1)
    if len(content) > evidence.MAX_BYTES:
        raise TooLarge(f"the picture has more than {evidence.MAX_BYTES:,} bytes", remedy="send a smaller picture")
    found = await asyncio.to_thread(_framed, content, file_name(file.filename, "photo.jpg"), settings.data_dir, datetime)
    async with pool.connection() as connection:
        (made,) = await footprints.keep(connection, caller.scope, [found])
        await audit.note(connection, caller.id, "drone.frame", f"item/{made.id}")
        picture = await evidence.store(
            connection, settings.data_dir, content, kind="photo", region_code=made.region_code, taken_at=made.taken_at,
            place=point(made.properties["hdq:lon"], made.properties["hdq:lat"]), accuracy_m=made.properties["hdq:position_sigma_m"],
            azimuth_deg=made.properties["view:azimuth"], properties={"by": caller.id, "frame": made.id},
        )  # fmt: skip
        await jobs.enqueue(connection, "blur", {"sha256": picture.sha256}, queueing_lock=f"blur:{picture.sha256}", priority=5)
    return StacItem(**items.to_stac(made))


def _framed(content: bytes, name: str, data_dir: Path, taken_at: datetime | None) -> items.Item:
    evidence.inspect(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        path.write_bytes(content)
        photo = drones.read_photo(path)
    return footprints.of_photo(replace(photo, name=name), data_dir, hashlib.sha256(content).hexdigest(), taken_at=taken_at)


@router.post("/videos", status_code=201, response_model_exclude_unset=True, responses=REFUSED)
async def add_video(
    file: Annotated[UploadFile, File(description="the telemetry .SRT that the drone wrote beside the video")],
    begun: Annotated[datetime, Form(description="when the video began, with zone", examples=["2026-09-15T10:45:00+08:00"])],
    focal_px: Annotated[float, Form(ge=10, le=100_000, description="focal length in pixels of the video")],
    width: Annotated[int, Form(ge=16, le=16_384, description="pixels of the video")] = 3840,
    height: Annotated[int, Form(ge=16, le=16_384)] = 2160,
    takeoff_m: Annotated[float, Form(ge=-500, le=9000, description="height of the ground at the take-off, metres")] = 0.0,
    pitch_deg: Annotated[float, Form(ge=-90, le=30, description="gimbal pitch where the telemetry has none")] = -90.0,
    yaw_deg: Annotated[float | None, Form(ge=0, le=360, description="gimbal yaw where the telemetry has none; empty: the course")] = None,
    every_s: Annotated[float, Form(ge=0.5, le=600, description="seconds between frames")] = 5.0,
    caller: Caller = Depends(may_apart("scenes", "frames")),
    pool: AsyncConnectionPool = Depends(pool_of),
) -> StacItems:
    """Keeps the footprints of a video's frames, by its telemetry alone: the video itself is not sent. The same file twice are the same frames."""
    if begun.tzinfo is None:
        raise InvalidInput(f"the time {begun.isoformat()} has no zone", remedy="end it with Z or +08:00")
    content, name = await file.read(telemetry.MOST_BYTES + 1), file_name(file.filename, "video.srt")
    if len(content) > telemetry.MOST_BYTES:
        raise TooLarge(f"{name} has more than {telemetry.MOST_BYTES:,} bytes", remedy="cut the flight in parts")
    mount = video.Mount(Lens(width, height, focal_px, focal_px, width / 2, height / 2), takeoff_m, pitch_deg, yaw_deg)
    made = await asyncio.to_thread(lambda: footprints.of_video(telemetry.parse(content, name), mount, name, begun, every_s=every_s))
    async with pool.connection() as connection:
        stored = await footprints.keep(connection, caller.scope, made)
        await audit.note(connection, caller.id, "drone.video", name, {"frames": len(stored)})
    return StacItems(type="FeatureCollection", features=[StacItem(**items.to_stac(item)) for item in stored], links=[])
