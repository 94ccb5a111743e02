"""Scenes published for the map: each in its default look as a pyramid of finished tiles, so that a tile is bytes read from a file.

The file lies under scenes/published, named by the scene's file and a hash of its look: another content or look is another name, and what is
there is whole (drafted beside it, read through by GDAL, renamed). It is asked for when somebody first looks at a scene.
"""

import asyncio
import glob
import hashlib
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from psycopg import AsyncConnection

from grid import jobs
from grid.database import Scope
from grid.errors import InvalidInput, NotFound
from imagery.engine import isolated
from imagery.scenes import blocks, catalogue, tiles
from imagery.scenes.blocks import Blocks, Extent
from imagery.scenes.catalogue import Scene
from imagery.scenes.raster import Limits, open_raster, publish

DRAWING = 1
"""Counts changes of how tiles are drawn: files of older ones are made anew."""
FINEST_ZOOM = 21
COARSEST_TILES = 4
MOST_LEVELS = 10
LANE = "publish"
AGAIN_AFTER_S = 600.0
"""A scene that could not be published is tried again when it is looked at so much later."""
ACROSS = 4
"""Tiles are drawn so many by so many."""
LIMITS = Limits(pixels=1 << 36, decoded_bytes=1 << 38, ratio=math.inf)
"""For our own files: most of a scene's square may be empty."""


def native_extent(scene: Scene, data_dir: Path) -> tuple[Extent, int]:
    """The tiles of the zoom nearest to the scene's resolution, and how many zooms its file has: until `COARSEST_TILES` or fewer are left a
    side. The extent begins and ends where tiles of the coarsest zoom do, so that every level lies on the grid."""
    west, south, east, north = scene.geom.bounds
    z = _nearest_zoom(scene, data_dir)
    first, last = tiles.WEB_MERCATOR.tile(west, north, z), tiles.WEB_MERCATOR.tile(east, south, z)
    levels = 1
    while levels < min(MOST_LEVELS, z) and max(last.x - first.x, last.y - first.y) >> (levels - 1) >= COARSEST_TILES:
        levels += 1
    unit = 1 << (levels - 1)
    x, y = first.x // unit * unit, first.y // unit * unit
    return Extent(z, x, y, (last.x // unit + 1) * unit - x, (last.y // unit + 1) * unit - y), levels


def _nearest_zoom(scene: Scene, data_dir: Path) -> int:
    middle = scene.geom.centroid
    place = tiles.WEB_MERCATOR.tile(middle.x, middle.y, FINEST_ZOOM)
    with open_raster(scene.path(data_dir)) as dataset:
        bounds = tiles.tile_bounds(place.z, place.x, place.y)
        col, row, _ = tiles.positions(dataset.crs, dataset.transform, bounds, (tiles.SIZE, tiles.SIZE))
    pixels = float(np.hypot(col[0, 1] - col[0, 0], row[0, 1] - row[0, 0]))
    if not 0 < pixels < math.inf:
        raise InvalidInput(f"the middle of {scene.id} has no place in its own raster", remedy="register the scene again")
    return max(1, min(FINEST_ZOOM, FINEST_ZOOM + round(math.log2(pixels))))


def path_of(scene: Scene, data_dir: Path) -> Path:
    """Where the published file of a scene in its default look lies, or would. Reads the scene's colours once."""
    return _path(data_dir, scene.file, scene.band_names, DRAWING)


@lru_cache(maxsize=4096)
def _path(data_dir: Path, file: str, names: tuple[str, ...], drawing: int) -> Path:
    look = tiles.stretched(data_dir / "scenes" / file, names, tiles.usual(names))
    text = f"{drawing} {look.bands} {look.rescale} {look.gamma}"
    return data_dir / "scenes" / "published" / f"{Path(file).stem}.{hashlib.sha256(text.encode()).hexdigest()[:12]}.tif"


def make(scene: Scene, data_dir: Path) -> Path:
    """Draws all tiles of a scene in its default look and publishes them; a file that is there is kept, those of older looks go.

    About 15 CPU seconds for 100 million pixels. Raises what `open_raster` raises; then nothing is left behind.
    """
    destination, look = path_of(scene, data_dir), tiles.look_of(scene, data_dir)
    if destination.is_file():
        return destination
    extent, levels = native_extent(scene, data_dir)
    indexes, path = tiles.indexes_of(scene, look), scene.path(data_dir)

    def drawn(level: Extent) -> Iterator[bytes]:
        for top in range(0, level.tall, ACROSS):
            band = [
                tiles.draw(path, indexes, tiles.tile_bounds(level.z, level.x + left, level.y + top, ACROSS), (ACROSS * tiles.SIZE,) * 2, look)
                for left in range(0, level.wide, ACROSS)
            ]
            for row in range(min(ACROSS, level.tall - top)):
                for col in range(level.wide):
                    yield _cut(band[col // ACROSS], row, col % ACROSS)

    about = {"scene": scene.id, "file": scene.file, "sha256": scene.sha256, "bands": look.bands, "rescale": look.rescale, "gamma": look.gamma}
    publish(destination, lambda draft: blocks.write(draft, extent, levels, drawn, about), LIMITS)
    for old in destination.parent.glob(f"{glob.escape(Path(scene.file).stem)}.*.tif"):
        if old != destination:
            old.unlink(missing_ok=True)
    return destination


def _cut(picture: np.ndarray | None, row: int, col: int) -> bytes:
    if picture is None:
        return b""
    part = picture[row * tiles.SIZE : (row + 1) * tiles.SIZE, col * tiles.SIZE : (col + 1) * tiles.SIZE]
    return tiles.encode(part, "webp") if part[..., 3].any() else b""


async def request(connection: AsyncConnection, scene: Scene) -> bool:
    """Enqueues the job that publishes a scene, behind everything else that waits, unless one waits or runs already or one has failed in the
    last `AGAIN_AFTER_S`; whether it did."""
    lock = f"publish-{scene.id}"
    cursor = await connection.execute(
        """
        SELECT 1 FROM procrastinate_jobs j
        WHERE j.queueing_lock = %(lock)s AND j.task_name = 'publish_scene'
          AND (j.status IN ('todo', 'doing') OR EXISTS (
              SELECT 1 FROM procrastinate_events e WHERE e.job_id = j.id AND e.at > now() - make_interval(secs => %(again)s)))
        LIMIT 1
        """,
        {"lock": lock, "again": AGAIN_AFTER_S},
    )
    if await cursor.fetchone():
        return False
    return await jobs.enqueue(connection, "publish_scene", {"scene_id": scene.id}, priority=-20, lock=LANE, queueing_lock=lock) is not None


async def wanted(connection: AsyncConnection, scope: Scope, scene_id: str) -> Scene | None:
    """The scene to publish; None when it has gone meanwhile."""
    try:
        return await catalogue.get(connection, scope, scene_id)
    except NotFound:
        return None


async def run(data_dir: Path, scene: Scene) -> Path:
    """Publishes a scene in a process of its own, at low priority; raises what `make` and `isolated` raise."""
    return await asyncio.to_thread(partial(isolated, _make_gently, scene, data_dir, seconds=3600.0))


def _make_gently(scene: Scene, data_dir: Path) -> Path:
    os.nice(15)
    return make(scene, data_dir)


class Shelf:
    """Published files kept open, the most recently used `most`; safe between threads."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._open: OrderedDict[Path, Blocks] = OrderedDict()
        self._lock = threading.Lock()

    def tile(self, path: Path, z: int, x: int, y: int) -> bytes | None:
        """The WebP of a tile, empty where the scene has nothing; None when that file is not there (yet) or has no such zoom, or is damaged:
        then it is taken away, to be made anew."""
        try:
            return self._blocks(path).tile(z, x, y)
        except FileNotFoundError:
            return None
        except InvalidInput:
            with self._lock:
                self._open.pop(path, None)
            path.unlink(missing_ok=True)
            return None

    def _blocks(self, path: Path) -> Blocks:
        with self._lock:
            if path in self._open:
                self._open.move_to_end(path)
                return self._open[path]
        found = Blocks(path)
        with self._lock:
            self._open[path] = found
            while len(self._open) > self._most:
                self._open.popitem(last=False)
        return found


SHELF = Shelf()


def tile(scene: Scene, data_dir: Path, z: int, x: int, y: int) -> bytes | None:
    """The WebP of a tile in the scene's default look, without drawing; None where it has to be drawn."""
    found = SHELF.tile(path_of(scene, data_dir), z, x, y)
    return tiles.blank("webp") if found == b"" else found
