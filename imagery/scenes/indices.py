"""Spectral indices as one byte a pixel: normalised differences in steps of 0.008, fine enough for any threshold of change and a fifth of the
bytes of the bands they are made of. A scene's index is prepared once as a file of its own and read instead of its bands.

Code 0 is "no value"; 1 … 251 are −1 … 1. Half a step, 0.004, is the most that rounding moves a value.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from psycopg import AsyncConnection

from grid import jobs
from grid.errors import InvalidInput

STEP = 0.008
FIRST = ("ndvi",)
"""Those that are prepared when a scene comes in."""
NOTHING = 0
LAST = 251


@dataclass(frozen=True, slots=True)
class Index:
    """(first − second) / (first + second) of two bands, our names; with its source."""

    id: str
    title: str
    title_en: str
    bands: tuple[str, str]
    source: str


INDICES = {
    one.id: one
    for one in (
        Index("ndvi", "归一化植被指数", "Vegetation index", ("nir", "red"), "Rouse et al., NASA SP-351, 1974"),
        Index("nbr", "归一化燃烧指数", "Burn ratio", ("nir", "swir2"), "Key & Benson, USDA RMRS-GTR-164, 2006"),
        Index("ndwi", "归一化水体指数", "Water index", ("green", "nir"), "McFeeters, Int. J. Remote Sensing 17(7), 1996"),
        Index("ndmi", "归一化水分指数", "Moisture index", ("nir", "swir1"), "Gao, Remote Sensing of Environment 58(3), 1996"),
        Index("ndbi", "归一化建筑指数", "Built-up index", ("swir1", "nir"), "Zha, Gao & Ni, Int. J. Remote Sensing 24(3), 2003"),
    )
}


def get(index_id: str) -> Index:
    """The index of a name. InvalidInput names those there are."""
    if index_id not in INDICES:
        raise InvalidInput(f"no index {index_id!r}", remedy=f"one of: {', '.join(INDICES)}")
    return INDICES[index_id]


def of_bands(names: tuple[str, ...]) -> tuple[Index, ...]:
    """The indices that a scene with these bands has."""
    return tuple(one for one in INDICES.values() if set(one.bands) <= set(names))


def codes(first: np.ndarray, second: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Codes of two bands (rows, cols) float32; NOTHING where `valid` (rows, cols) bool says so or the bands' sum is not positive.

    >>> codes(np.float32([3, 0, 1]), np.float32([1, 0, 1]), np.array([True, True, False])).tolist()
    [189, 0, 0]
    """
    value = ratio(first, second)
    known = valid & np.isfinite(value)
    np.copyto(value, 0, where=~known)
    np.clip(value, -1, 1, out=value)
    value += np.float32(1)
    value *= np.float32(1 / STEP)
    made = np.rint(value, out=value).astype(np.uint8)
    made += np.uint8(1)
    made *= known
    return made


def ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Normalised difference (first − second) / (first + second), float32; NaN where the sum is not positive.

    >>> ratio(np.float32([3, 0]), np.float32([1, 0])).tolist()
    [0.5, nan]
    """
    total = np.asarray(first + second, np.float32)
    total[~(total > 0)] = np.nan
    return ((first - second) / total).astype(np.float32, copy=False)


@functools.cache
def values() -> np.ndarray:
    """The value of each code, (256,) float32; NaN for NOTHING and codes that are never written.

    >>> values()[[1, 126, 251]].round(3).tolist(), bool(np.isnan(values()[0]))
    ([-1.0, 0.0, 1.0], True)
    """
    table = ((np.arange(256) - 1) * STEP - 1).astype(np.float32)
    table[NOTHING] = np.nan
    table[LAST + 1 :] = np.nan
    table.flags.writeable = False
    return table


def pair(index_id: str, names: tuple[str, ...], before: np.ndarray, after: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index values (1, rows, cols) of before and after, and where both have one (rows, cols), of their bands `names` (bands, rows, cols)."""
    first, second = (names.index(name) for name in get(index_id).bands)
    was, now = (values()[codes(pixels[first], pixels[second], valid)] for pixels in (before, after))
    valid = np.isfinite(was) & np.isfinite(now)
    return np.where(valid, was, 0)[None], np.where(valid, now, 0)[None], valid


def path_of(scene: Path, index_id: str) -> Path:
    """Where the prepared index of a scene's file lies, or would: beside the scenes, under `indices`."""
    return scene.parent / "indices" / f"{scene.stem}.{index_id}.tif"


async def ask(connection: AsyncConnection, scene_id: str, names: tuple[str, ...]) -> None:
    """Enqueues the job that prepares a scene's FIRST indices, where its bands make any; once, however often it is asked for."""
    if any(one.id in FIRST for one in of_bands(names)):
        await jobs.enqueue(connection, "prepare_scene", {"scene_id": scene_id}, priority=-10, lock="publish", queueing_lock=f"prepare-{scene_id}")
