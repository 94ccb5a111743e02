"""The job that draws the small pictures of layers, after their contracts were checked."""

from gis_api.tasks import JobContext
from layers import thumbnails
from layers.catalog import catalog


async def layer_thumbnails(context: JobContext) -> None:
    """Draws what is new or has changed, for a few seconds; the next run goes on. Running twice draws nothing new."""
    async with context.connection() as connection:
        await thumbnails.run(connection, catalog())


TASKS = {"layer_thumbnails": layer_thumbnails}
