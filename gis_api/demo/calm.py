"""The demo's calm tower: between its recordings one simulated camera goes on seeing a forest in which nothing burns, so that watching is seen to go on.

The simulator puts a new picture into the folder that this camera shows every ten minutes; the watcher takes it from there as from any camera.
"""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gis_api.demo import pictures
from grid.clock import ZONE
from grid.settings import Settings

LOG = structlog.get_logger("simulator")
EVERY_S = 600.0
NAME = "T6"
SIZE = (640, 480)


def folder_of(data_dir: Path) -> Path:
    """Where the calm tower's picture lies."""
    return data_dir / "replay" / "calm"


def show(folder: Path, now: datetime) -> Path:
    """Writes the view at a time (aware) in place of the former one; it has its name once it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = now.astimezone(ZONE)
    picture = pictures.tower_frame(f"{NAME}  {shown:%m-%d %H:%M:%S}", 0, view=NAME).resize(SIZE)
    half, target = folder / ".calm.part", folder / f"{shown:%Y%m%dT%H%M%S}.jpg"
    picture.save(half, "JPEG", quality=85)
    half.replace(target)
    for former in folder.glob("*.jpg"):
        if former != target:
            former.unlink()
    return target


async def keep(settings: Settings, stop: asyncio.Event) -> None:
    """Shows a new picture every ten minutes until told to stop; a city that was drawn without this tower is left alone."""
    folder = folder_of(settings.data_dir)
    while not stop.is_set():
        if folder.is_dir():
            try:
                await asyncio.to_thread(show, folder, datetime.now(UTC))
            except OSError as error:
                LOG.warning("calm picture not written", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_S)
