"""The watcher process: follows the cameras' streams and folders and puts their frames before the detectors."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from gis_api import logs, supervisor
from grid.errors import Unavailable
from grid.settings import Settings

Loop = Callable[[Settings, asyncio.Event], Awaitable[None]]


async def until_told(loop: Loop, settings: Settings) -> None:
    """Runs a loop with a stop event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    running = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(sign, stop.set)
    await loop(settings, stop)


def run_process(name: str, loop: Loop) -> None:
    """A long-running process around a loop: settings from the environment, logs to run/NAME.jsonl."""
    supervisor.die_with_parent()
    settings = Settings()
    logs.configure(settings, name)
    if settings.database_url is None:
        raise Unavailable(f"the {name} has no database", remedy="start it with hdq up, or set HDQ_DATABASE_URL")
    asyncio.run(until_told(loop, settings))


if __name__ == "__main__":
    from imagery.cameras.watch import watch

    run_process("watcher", watch)
