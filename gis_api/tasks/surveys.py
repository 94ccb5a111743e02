"""Jobs of the satellites: carry out one survey."""

from functools import partial

from gis_api.tasks import JobContext
from imagery import cluster
from imagery.scenes.survey import run


async def survey(context: JobContext, survey_id: int) -> None:
    """Runs a queued survey, or one whose worker died; one that is done, failed or cancelled is left alone."""
    found = cluster.configured(context.settings)
    elsewhere = None if found is None else partial(cluster.opened, found)
    await run(context.connection, context.data_dir, survey_id, workers=context.settings.survey_workers, elsewhere=elsewhere)


TASKS = {"survey": survey}
