"""Jobs of scenes: publish one for the map."""

from gis_api.tasks import JobContext
from grid.database import Scope
from imagery.scenes import published


async def publish_scene(context: JobContext, scene_id: str) -> None:
    """Makes a scene's pyramid of finished tiles; one that is there is kept."""
    async with context.connection() as connection:
        scene = await published.wanted(connection, Scope(context.settings.city_code), scene_id)
    if scene is not None:
        await published.run(context.data_dir, scene)


TASKS = {"publish_scene": publish_scene}
