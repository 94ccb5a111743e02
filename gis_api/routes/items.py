"""Items beside the scenes: masks and results that link the scenes they come from, frames of drones; their files."""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse
from psycopg import AsyncConnection

from gis_api.auth import Caller, signed_in
from gis_api.params import database, settings_of
from gis_api.problems import RESPONSES
from gis_api.wire.scenes import StacItem, StacItems
from grid.errors import NotFound
from grid.settings import Settings
from imagery.scenes import catalogue, items

router = APIRouter(prefix="/api", tags=["scenes"], responses=RESPONSES)
FILE = {200: {"content": {"image/tiff": {"schema": {"type": "string", "format": "binary"}}}, "description": "GeoTIFF"}}


@router.get("/scenes/{scene_id}/derived", response_model_exclude_unset=True)
async def derived(scene_id: str, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> StacItems:
    """What was derived from a scene: its mask, and the results of surveys and studies that read it; newest first."""
    scene = await catalogue.get(connection, caller.scope, scene_id)
    found = await items.derived_from(connection, caller.scope, scene.id)
    return StacItems(type="FeatureCollection", features=[StacItem(**items.to_stac(item)) for item in found], links=[])


@router.get("/items/{item_id}", response_model_exclude_unset=True)
async def item(item_id: str, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database)) -> StacItem:
    """One item; its links of rel derived_from name the scenes it comes from."""
    return StacItem(**items.to_stac(await items.get(connection, caller.scope, item_id)))


@router.get("/items/{item_id}/file", response_class=FileResponse, responses=FILE)
async def file(item_id: str, caller: Caller = Depends(signed_in), connection: AsyncConnection = Depends(database), settings: Settings = Depends(settings_of)) -> FileResponse:
    """The file of an item, to be downloaded: of a mask a GeoTIFF of classes and, where two sources are joined, of reasons."""
    found = await items.get(connection, caller.scope, item_id)
    path: Path = found.path(settings.data_dir)
    if not await asyncio.to_thread(path.is_file):
        raise NotFound(f"文件已不在 · the file of {item_id!r} is gone", remedy="hdq scene masks makes masks anew")
    return FileResponse(path, media_type="image/tiff", filename=f"{found.id}{path.suffix}", headers={"Cache-Control": "private, max-age=3600", "ETag": f'"{found.sha256}"'})
