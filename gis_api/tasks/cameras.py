"""Jobs of the cameras: look at one accepted frame."""

from gis_api.tasks import JobContext
from imagery.cameras.examine import detect_frame


async def detect(context: JobContext, frame_id: int) -> None:
    """Examines a queued frame; one that was examined or dropped meanwhile is left alone."""
    async with context.connection() as connection:
        await detect_frame(connection, context.settings, frame_id)


TASKS = {"detect": detect}
