"""The jobs of the observability ledger: who looked where, minute by minute, and what masts see past the ridges."""

import asyncio
from datetime import UTC, datetime

from gis_api.tasks import JobContext
from grid.sensing import ledger
from imagery.cameras.skyline import clear_view
from imagery.cameras.stands import terrain_at


async def write_ledger(context: JobContext) -> None:
    """Writes the looks since the last run. Running twice is the same."""
    async with context.connection() as connection:
        await ledger.write(connection, datetime.now(UTC))


async def clip_views(context: JobContext) -> None:
    """Clips the views of high cameras by the terrain model, where there is one and the pose is new. Running twice is the same."""
    async with context.connection() as connection:
        towers = await ledger.unclipped(connection)
    for tower in towers:
        terrain = await asyncio.to_thread(terrain_at, context.data_dir, tower.lon, tower.lat)
        if terrain is None:
            continue
        lens = float(terrain.elevation(tower.lon, tower.lat)) + max(tower.height_m, 0.5)
        view = await asyncio.to_thread(clear_view, tower.lon, tower.lat, lens, tower.azimuth_deg, tower.hfov_deg, tower.range_m, terrain)
        async with context.connection() as connection:
            await ledger.clip(connection, tower, view)


TASKS = {"write_ledger": write_ledger, "clip_views": clip_views}
PERIODIC = {"write_ledger": 120.0, "clip_views": 3600.0}
