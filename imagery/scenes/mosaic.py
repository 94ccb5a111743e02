"""Many scenes as one picture of a day: at each pixel the newest scene, taken by then, that sees the ground there; where none does, the newest."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
from psycopg import AsyncConnection

from grid.clock import ZONE
from grid.database import Scope
from imagery.scenes import catalogue, masks, shows, tiles, veils
from imagery.scenes.catalogue import Scene
from imagery.scenes.sky import CLEAR

MOST_SCENES = 12
"""Looked at for one tile."""
REACH_DAYS = 366
"""Older scenes are not shown as if they were of that day."""


@dataclass(frozen=True, slots=True)
class Patchwork:
    """A tile of (row, col, RGBA) bytes, None where no scene has anything, and the scenes that it is made of, newest first: `used` for what is seen
    clear, `filling` for places that none sees clear, where the newest shows its cloud."""

    pixels: np.ndarray | None
    used: tuple[Scene, ...]
    filling: tuple[Scene, ...] = ()


async def candidates(connection: AsyncConnection, scope: Scope, day: date, bounds: tiles.Bounds, show: shows.Show, collection: str | None) -> list[Scene]:
    """Scenes inside the scope with the bands of a show, taken on that day in the city or up to a year before, that touch bounds (degrees); newest first."""
    until = datetime.combine(day + timedelta(days=1), time(), ZONE)
    found = await catalogue.page(
        connection, scope, bbox=bounds, collection=collection, since=until - timedelta(days=REACH_DAYS), until=until, limit=10 * MOST_SCENES
    )
    return [scene for scene in found if set(show.bands) <= set(scene.band_names)][:MOST_SCENES]


def draw(scenes: list[Scene], data_dir: Path, z: int, x: int, y: int, show: shows.Show) -> Patchwork:
    """Lays scenes, newest first, into one tile. A scene's clouds are known from its mask, where one lies beside it."""
    bounds, size = tiles.tile_bounds(z, x, y), (tiles.SIZE, tiles.SIZE)
    whole: np.ndarray | None = None
    behind: list[tuple[Scene, np.ndarray]] = []
    used: list[Scene] = []
    for scene in scenes:
        look = tiles.shown(scene, data_dir, show)
        picture = tiles.draw(scene.path(data_dir), tiles.indexes_of(scene, look), bounds, size, look)
        if picture is None:
            continue
        clear = (picture[..., 3] > 0) & _clear(scene.path(data_dir), bounds, size)
        whole = np.zeros_like(picture) if whole is None else whole
        new = clear & (whole[..., 3] == 0)
        whole[new] = picture[new]
        behind.append((scene, picture))
        if new.any():
            used.append(scene)
        if (whole[..., 3] > 0).all():
            break
    filling: list[Scene] = []
    for scene, picture in behind:
        gaps = (whole[..., 3] == 0) & (picture[..., 3] > 0)
        whole[gaps] = picture[gaps]
        if gaps.any():
            filling.append(scene)
    return Patchwork(whole, tuple(used), tuple(filling))


def _clear(path: Path, bounds: tiles.Bounds, size: tuple[int, int]) -> np.ndarray:
    """Where a scene's mask, if it has one, lets the ground be seen, (row, col) bool of a picture in Web Mercator."""
    mask = masks.known_of(path)
    if mask is None:
        return np.ones(size[::-1], bool)
    return veils.seen_in(mask, bounds, size)[0] == CLEAR
