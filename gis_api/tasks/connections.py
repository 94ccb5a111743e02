"""The jobs that let datasets follow other systems."""

from gis_api.tasks import JobContext
from layers import connections
from layers.connecting.door import Limits


async def connection_run(context: JobContext, connection_id: int) -> None:
    """Fetches one source and hands it to the import door. Running twice is the same."""
    limits = Limits(total_bytes=context.settings.max_upload_mb * 2**20)
    await connections.run(context.pool, context.data_dir, connection_id, context.settings.allowed_hosts, limits=limits)


async def connections_due(context: JobContext) -> None:
    """Takes over how imports went and enqueues the runs that are due, where connectors are on. Running twice is the same."""
    async with context.connection() as connection:
        if context.settings.allowed_hosts:
            await connections.due(connection)
        else:
            await connections.settle(connection)


TASKS = {"connection_run": connection_run, "connections_due": connections_due}
PERIODIC = {"connections_due": 15.0}
