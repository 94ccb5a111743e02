"""Jobs of scenes: publish one for the map, take those that were put into the watched folder, sweep what a killed arrival left."""

import asyncio
import time

import structlog

from gis_api.tasks import JobContext
from grid.database import Scope
from imagery import engine
from imagery.scenes import arrivals, dropped, masking, prepared, published, surveys

LEFT_S = 6 * 3600.0


async def publish_scene(context: JobContext, scene_id: str) -> None:
    """Makes a scene's pyramid of finished tiles; one that is there is kept."""
    async with context.connection() as connection:
        scene = await published.wanted(connection, Scope(context.settings.city_code), scene_id)
    if scene is not None:
        await published.run(context.data_dir, scene)


async def scene_folder(context: JobContext) -> None:
    """Registers the whole scenes in the watched folder, where one is set. Running twice is the same: what was taken is gone from it."""
    folder = context.settings.scene_folder
    if folder is None or not folder.is_dir():
        return
    for one in await dropped.take(context.pool, context.data_dir, folder, city_code=context.settings.city_code, max_bytes=context.settings.max_upload_mb << 20, tide_file=context.settings.tide_file):
        structlog.get_logger("worker").info("scene.taken" if one.scene_id else "scene.refused", name=one.name, scene=one.scene_id, reason=one.refusal)


async def scene_sweep(context: JobContext) -> None:
    """Removes what arrivals left whose process was killed, the indices of scenes that are gone, and blocks kept of surveys that ended otherwise.
    Running twice is the same."""
    folder = context.data_dir / "scenes"
    for place in (folder, folder / "indices"):
        await asyncio.to_thread(arrivals.sweep, place, time.time() - LEFT_S)
    await asyncio.to_thread(prepared.sweep, folder)
    kept = {int(path.name): path for path in (folder / "kept").glob("[0-9]*") if path.name.isdigit()}
    async with context.connection() as connection:
        going = await surveys.going(connection, list(kept))
    for survey_id in kept.keys() - going:
        await asyncio.to_thread(engine.forget, kept[survey_id])


async def prepare_scene(context: JobContext, scene_id: str) -> None:
    """Makes the indices of a scene that are made when it comes in; those that are there are kept."""
    async with context.connection() as connection:
        scene = await published.wanted(connection, Scope(context.settings.city_code), scene_id)
    if scene is not None:
        await prepared.run(context.data_dir, scene)


async def mask_scene(context: JobContext, scene_id: str) -> None:
    """Makes a scene's mask and its item; a mask that is there is kept."""
    async with context.connection() as connection:
        scene = await published.wanted(connection, Scope(context.settings.city_code), scene_id)
    item = None if scene is None else await masking.run(context.data_dir, scene)
    if item is not None:
        async with context.connection() as connection:
            await masking.store(connection, item)


TASKS = {"mask_scene": mask_scene, "prepare_scene": prepare_scene, "publish_scene": publish_scene, "scene_folder": scene_folder, "scene_sweep": scene_sweep}
PERIODIC = {"scene_folder": 10.0, "scene_sweep": 3600.0}
