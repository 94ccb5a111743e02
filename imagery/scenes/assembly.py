"""Bands of several files brought onto one grid, as one GeoTIFF of whole numbers: reflectance × 10,000, 0 where there is nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.io import DatasetReader

from grid.errors import InvalidInput
from imagery.scenes.pairs import Grid
from imagery.scenes.raster import QUIET, open_raster

SCALE = 10_000
NODATA = 0
TILED = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "zstd", "zstd_level": 1, "interleave": "band", "bigtiff": "if_safer"}


@dataclass(frozen=True, slots=True)
class Plane:
    """One band: `table[value]` (65,536 uint16) is what becomes of each value of the file; pixels are repeated where the file is coarser than the grid."""

    name: str
    path: Path
    table: np.ndarray


def reflectance(gain: float, offset: float, nothing: int = 0) -> np.ndarray:
    """The table of a band whose reflectance is value × gain + offset: × 10,000, at least 1 where there is a picture, `nothing` to 0.

    >>> reflectance(1e-4, -0.1)[[0, 1, 1000, 1500, 65535]].tolist()
    [0, 1, 1, 500, 64535]
    """
    values = np.arange(1 << 16) * gain + offset
    table = np.clip(np.rint(values * SCALE), 1, (1 << 16) - 1).astype(np.uint16)
    table[nothing] = NODATA
    return table


def assemble(destination: Path, grid: Grid, planes: list[Plane], driver: str = "GTiff") -> Path:
    """Writes the planes in order, band names as descriptions; one band in memory at a time. InvalidInput for a file that does not fit the grid."""
    profile = {**TILED, "count": len(planes), "height": grid.height, "width": grid.width, "dtype": "uint16", "crs": grid.crs, "transform": grid.transform}
    with rasterio.Env(**QUIET), rasterio.open(str(destination), "w", **profile, nodata=NODATA) as target:
        for number, plane in enumerate(planes, 1):
            target.write(onto(grid, plane.path, driver, lambda values, table=plane.table: table[values]), number)
            target.set_band_description(number, plane.name)
    return destination


def classify(destination: Path, grid: Grid, path: Path, driver: str, judge: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Writes the codes that `judge` makes of a mask's values, one uint8 band on the grid; returns them (rows, cols)."""
    codes = onto(grid, path, driver, judge)
    profile = {**TILED, "count": 1, "height": grid.height, "width": grid.width, "dtype": "uint8", "crs": grid.crs, "transform": grid.transform}
    with rasterio.Env(**QUIET), rasterio.open(str(destination), "w", **profile) as target:
        target.write(codes, 1)
    return codes


def onto(grid: Grid, path: Path, driver: str, judge: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The first band of a file, judged and repeated onto the grid, (rows, cols). InvalidInput when the grid is no whole multiple of it."""
    with open_raster(path, driver=driver) as dataset:
        times = _times(grid, dataset, path)
        values = dataset.read(1)
    if values.dtype not in (np.uint8, np.uint16):
        raise InvalidInput(f"{path.name!r} holds {values.dtype} samples", remedy="products hold uint8 or uint16: fetch the product again")
    found = judge(values)
    return found if times == 1 else np.repeat(np.repeat(found, times, axis=0), times, axis=1)


def _times(grid: Grid, dataset: DatasetReader, path: Path) -> int:
    times = round(grid.width / dataset.width)
    if times < 1 or (dataset.width * times, dataset.height * times) != (grid.width, grid.height):
        raise InvalidInput(
            f"{path.name!r} has {dataset.width} × {dataset.height} pixels, which do not fit the product's {grid.width} × {grid.height}",
            remedy="fetch the product again",
        )
    return times
