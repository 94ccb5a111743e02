"""Jobs around imported files and the index of names."""

from gis_api.tasks import JobContext
from layers import originals, search, staging


async def search_index(context: JobContext) -> None:
    """Fills the index of names again. Running twice is the same."""
    async with context.connection() as connection:
        await search.rebuild(connection)


async def dataset_names(context: JobContext, dataset_id: str) -> None:
    """Gathers statistics of a large dataset's features and makes them findable by name, those that have one. Running twice is the same."""
    async with context.connection() as connection:
        await staging.analyze(connection, dataset_id)
        await search.forget_dataset(connection, dataset_id)
        await search.index_dataset(connection, dataset_id)


async def dataset_originals(context: JobContext) -> None:
    """Removes files that no dataset names any more. Running twice is the same."""
    async with context.connection() as connection:
        await originals.remove_orphans(connection, context.data_dir)


async def search_fresh(context: JobContext) -> None:
    """Fills the index of names again when a register was written since it was built. Running twice is the same."""
    async with context.connection() as connection:
        if await search.stale(connection):
            await search.rebuild(connection)


TASKS = {"search_index": search_index, "search_fresh": search_fresh, "dataset_names": dataset_names, "dataset_originals": dataset_originals}
PERIODIC = {"dataset_originals": 3600.0, "search_fresh": 600.0}
