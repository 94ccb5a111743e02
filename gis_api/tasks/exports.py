"""Jobs that make the files people asked for, and remove them a day later."""

from uuid import UUID

from gis_api.tasks import JobContext
from layers import exports
from layers.catalog import catalog


async def export_layer(context: JobContext, export_id: str) -> None:
    """Makes the file of an export. Running twice makes the same file again."""
    async with context.connection() as connection:
        await exports.make(connection, catalog(), context.data_dir, UUID(export_id))


async def exports_expire(context: JobContext) -> None:
    """Removes files that have had their day."""
    async with context.connection() as connection:
        await exports.expire(connection, context.data_dir)


TASKS = {"export_layer": export_layer, "exports_expire": exports_expire}
PERIODIC = {"exports_expire": 3600.0}
