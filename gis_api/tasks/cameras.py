"""Jobs of the cameras: look at one accepted frame, and give up loudly on those that cannot be looked at."""

from gis_api.tasks import JobContext
from imagery.cameras import backlog
from imagery.cameras.examine import detect_frame


async def detect(context: JobContext, frame_id: int) -> None:
    """Examines a queued frame; one that was examined or dropped meanwhile is left alone."""
    async with context.connection() as connection:
        await detect_frame(connection, context.settings, frame_id)


async def give_up_frames(context: JobContext) -> None:
    """Says of frames whose examination failed for good that it did. Running twice is the same."""
    async with context.connection() as connection:
        await backlog.give_up(connection)


TASKS = {"detect": detect, "give_up_frames": give_up_frames}
PERIODIC = {"give_up_frames": 60.0}
