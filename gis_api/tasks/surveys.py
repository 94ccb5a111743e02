"""Jobs of the satellites: carry out one survey."""

from gis_api.tasks import JobContext
from imagery.scenes.survey import run


async def survey(context: JobContext, survey_id: int) -> None:
    """Runs a queued survey, or one whose worker died; one that is done, failed or cancelled is left alone."""
    await run(context.connection, context.data_dir, survey_id)


TASKS = {"survey": survey}
