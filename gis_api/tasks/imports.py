"""Jobs that read and store imports."""

from uuid import UUID

from gis_api.tasks import JobContext
from layers import imports, uploads


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


TASKS = {"import_read": import_read, "import_store": import_store, "import_sweep": import_sweep}
PERIODIC = {"import_sweep": 3600.0}
