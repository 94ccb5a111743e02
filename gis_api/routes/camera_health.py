"""How the cameras are: counts, and those that are not well, since when."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import Page, database, page, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.camera_health import CameraHealth, CameraStanding, How
from grid.settings import Settings
from grid.world import camera_health, cameras
from imagery.cameras import turns

router = APIRouter(prefix="/api/camera-health", tags=["cameras"], responses=RESPONSES)


@router.get("")
async def read_camera_health(
    how: Annotated[How | None, Query(description="left out: all that are not well")] = None,
    q: Annotated[str, Query(max_length=120, description="part of a name or owner, or the beginning of a code")] = "",
    paging: Page = Depends(page),
    caller: Caller = Depends(signed_in),
    connection: AsyncConnection = Depends(database),
    settings: Settings = Depends(settings_of),
) -> CameraHealth:
    """How many cameras of the caller's region are in each state, and those in one, longest first."""
    silent_after = max(camera_health.SILENT_AFTER, 2 * turns.rotation(await cameras.watched(connection), settings.watch_looks))
    text = q.replace("\x00", "").strip()
    found = await camera_health.page(connection, caller.scope, silent_after, how=how, text=text, limit=paging.limit, offset=paging.offset)
    return CameraHealth(
        as_of=await camera_health.as_of(connection),
        counts=await camera_health.counts(connection, caller.scope, silent_after),
        cameras=[CameraStanding.model_validate(each) for each in found],
    )
