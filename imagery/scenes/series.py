"""An index at a point in every scene that shows it: how a place went through the seasons, pixel by pixel, with clouds flagged."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.windows import Window

from imagery.scenes import indices, masks
from imagery.scenes.catalogue import Scene
from imagery.scenes.handles import Handles
from imagery.scenes.indices import Index

AROUND_PX = 48
"""Half the window that is looked at for clouds: a pixel alone does not tell a cloud from a white roof."""
HANDLES = Handles(most=16)


@dataclass(frozen=True, slots=True)
class Point:
    """The index in one scene, −1 … 1; `value` None where the scene has no data there; `cloud` None where that cannot be told of its bands."""

    scene: str
    taken_at: datetime
    value: float | None
    cloud: bool | None
    simulated: bool


def read(scenes: list[Scene], data_dir: Path, lon: float, lat: float, index: Index) -> list[Point]:
    """Points of scenes that have the index' bands and reach over a place (WGS84 degrees), oldest first. Raises what opening a raster raises."""
    asked = [scene for scene in scenes if set(index.bands) <= set(scene.band_names)]
    points = [point for scene in asked if (point := _point(scene, data_dir, lon, lat, index)) is not None]
    return sorted(points, key=lambda point: point.taken_at)


def _point(scene: Scene, data_dir: Path, lon: float, lat: float, index: Index) -> Point | None:
    names = scene.band_names
    with HANDLES.reading(scene.path(data_dir)) as dataset:
        x, y = Transformer.from_crs("EPSG:4326", dataset.crs, always_xy=True).transform(lon, lat)
        row, col = dataset.index(x, y)
        if not (0 <= row < dataset.height and 0 <= col < dataset.width):
            return None
        pixel = dataset.read([names.index(band) + 1 for band in index.bands], window=Window(col, row, 1, 1))[:, 0, 0].astype(np.float32)
        if not _there(pixel, dataset.nodata):
            return Point(scene.id, scene.taken_at, None, None, scene.simulated)
        value = float(indices.ratio(pixel[:1], pixel[1:])[0])
        cloud = _cloudy(dataset, scene, row, col)
    return Point(scene.id, scene.taken_at, value if np.isfinite(value) else None, cloud, scene.simulated)


def _there(pixel: np.ndarray, nodata: float | None) -> bool:
    return bool(np.isfinite(pixel).all() and (nodata is None or not (pixel == nodata).any()))


def _cloudy(dataset: rasterio.DatasetReader, scene: Scene, row: int, col: int) -> bool | None:
    """Whether cloud or its shadow lies over a pixel, judged in the window round it."""
    gsd = scene.gsd_m or float(abs(dataset.transform.a))
    if masks.reason_against(scene.band_names, dataset.dtypes[0], gsd):
        return None
    top, left = max(0, row - AROUND_PX), max(0, col - AROUND_PX)
    tall, wide = min(dataset.height, row + AROUND_PX + 1) - top, min(dataset.width, col + AROUND_PX + 1) - left
    pixels = dataset.read(window=Window(left, top, wide, tall))
    return bool(masks.classify(pixels, scene.band_names, gsd).classes[row - top, col - left] in (masks.CLOUD, masks.SHADOW))
