"""Jobs of studies: carry out one."""

from gis_api.tasks import JobContext
from imagery.scenes import studying


async def study(context: JobContext, study_id: int) -> None:
    """Runs a queued study, or one whose worker died; one that is done, failed or cancelled is left alone."""
    await studying.run(context.connection, context.data_dir, study_id)


TASKS = {"study": study}
