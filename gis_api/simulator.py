"""The simulator process of the demo: units drive and fly, orders are acknowledged, a calm tower looks on; everything it writes is marked 模拟."""

import asyncio

from gis_api.watcher import run_process
from grid.settings import Settings


async def simulate(settings: Settings, stop: asyncio.Event) -> None:
    """All of it, until told to stop."""
    from gis_api.demo import calm, movement

    await asyncio.gather(movement.simulate(settings, stop), calm.keep(settings, stop))


if __name__ == "__main__":
    run_process("simulator", simulate)
