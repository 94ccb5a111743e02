"""Jobs that read and store imports."""

from uuid import UUID

from gis_api.tasks import JobContext
from grid.database import Scope
from layers import dropped, imports, uploads


async def import_read(context: JobContext, import_id: str) -> None:
    """Reads one import and, unless it is to be looked at, stores it. Running twice is the same."""
    await imports.run(context.pool, context.data_dir, UUID(import_id))


async def import_store(context: JobContext, import_id: str) -> None:
    """Stores one import that was looked at. Running twice is the same."""
    await imports.run_store(context.pool, context.data_dir, UUID(import_id))


async def import_sweep(context: JobContext) -> None:
    """Lets go of imports and uploads that nobody finished. Running twice is the same."""
    async with context.connection() as connection:
        await imports.sweep(connection)
        await uploads.sweep(connection, context.data_dir)


async def import_folder(context: JobContext) -> None:
    """Takes the whole files of the watched folder, where one is set. Running twice is the same: a file that was taken is gone."""
    folder = context.settings.import_folder
    if folder is not None and folder.is_dir():
        await dropped.take(
            context.pool, context.data_dir, folder, Scope(context.settings.city_code), max_bytes=context.settings.max_upload_mb * 2**20
        )


TASKS = {"import_read": import_read, "import_store": import_store, "import_sweep": import_sweep, "import_folder": import_folder}
PERIODIC = {"import_folder": 10.0, "import_sweep": 3600.0}
