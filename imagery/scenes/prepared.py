"""Indices of a scene prepared as files of one byte a pixel, when it comes in: what a survey of an index reads instead of the bands."""

import asyncio
import os
from functools import partial
from pathlib import Path

import rasterio
from rasterio.windows import Window

from imagery.engine import isolated
from imagery.scenes import indices, pairs
from imagery.scenes.catalogue import Scene
from imagery.scenes.mapped import MAPS
from imagery.scenes.raster import QUIET, open_raster, publish

STRIP = 512


def prepare(scene: Path, names: tuple[str, ...], index_id: str) -> Path:
    """Makes the index of a scene's file with bands `names` and publishes it; one that is there is kept.

    One byte a pixel, not compressed, nodata 0: noise of single pixels leaves little to compress, and what is mapped need not be read. About 3 CPU
    seconds for 100 million pixels, 50 MB of memory besides GDAL's. Raises InvalidInput when the scene lacks the bands, and what `open_raster`
    raises; then nothing is left behind.
    """
    destination = indices.path_of(scene, index_id)
    wanted = indices.get(index_id).bands
    pairs.common_bands(names, names, wanted)
    if MAPS.of(destination) is not None:
        return destination
    source = pairs.Source(scene, names)
    with open_raster(scene) as dataset:
        grid = pairs.Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)
    profile = {
        "driver": "GTiff", "count": 1, "height": grid.height, "width": grid.width, "dtype": "uint8", "crs": grid.crs, "transform": grid.transform,
        "nodata": indices.NOTHING, "tiled": False, "blockysize": STRIP, "bigtiff": "IF_SAFER",
    }  # fmt: skip

    def write(draft: Path) -> None:
        with rasterio.Env(**QUIET), rasterio.open(str(draft), "w", **profile) as dataset:
            for row in range(0, grid.height, STRIP):
                tall = min(STRIP, grid.height - row)
                pixels, valid = pairs.read(source, grid, wanted, (row, 0, tall, grid.width))
                dataset.write(indices.codes(*pixels, valid), 1, window=Window(0, row, grid.width, tall))
            dataset.scales, dataset.offsets = (indices.STEP,), (-1 - indices.STEP,)
            dataset.set_band_description(1, index_id)

    publish(destination, write)
    return destination


def forget(scene: Path) -> None:
    """Deletes the prepared indices of a scene's file."""
    for one in indices.INDICES:
        indices.path_of(scene, one).unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """Deletes, in a folder of scenes, the prepared indices of files that are there no longer, however they went; returns how many."""
    gone = 0
    for path in (folder / "indices").glob("[!.]*.tif"):
        stem, _, index_id = path.stem.rpartition(".")
        if index_id in indices.INDICES and not (folder / f"{stem}.tif").exists():
            path.unlink(missing_ok=True)
            gone += 1
    return gone


async def run(data_dir: Path, scene: Scene) -> list[Path]:
    """Prepares a scene's first indices in a process of its own, at low priority; raises what `prepare` and `isolated` raise."""
    wanted = [one.id for one in indices.of_bands(scene.band_names) if one.id in indices.FIRST]
    return [await asyncio.to_thread(partial(isolated, _gently, scene.path(data_dir), scene.band_names, one, seconds=900.0)) for one in wanted]


def _gently(scene: Path, names: tuple[str, ...], index_id: str) -> Path:
    os.nice(10)
    return prepare(scene, names, index_id)
