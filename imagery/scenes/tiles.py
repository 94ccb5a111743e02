"""Pictures of scenes: XYZ tiles (256 px, PNG) and chips, natural colour unless other bands are asked for."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import morecantile
import numpy as np
import rasterio
from rasterio.coords import disjoint_bounds
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject, transform_bounds
from rio_tiler.models import ImageData

from grid.errors import InvalidInput, NotFound
from imagery.scenes.catalogue import Scene
from imagery.scenes.raster import open_raster

SIZE = 256
MERCATOR = "EPSG:3857"
WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")
NATURAL = ("red", "green", "blue")
GAMMA = 1.5


@dataclass(frozen=True, slots=True)
class Look:
    """How a scene is drawn: one or three band names, the values (low, high) per band that become black and white, and the gamma between."""

    bands: tuple[str, ...]
    rescale: tuple[tuple[float, float], ...]
    gamma: float = 1.0


class Cache:
    """The most recently used tiles, up to `most_bytes`; safe between threads. Keys carry the file's name, which no other content ever has."""

    def __init__(self, most_bytes: int = 96 << 20) -> None:
        self._most, self._held = most_bytes, 0
        self._tiles: OrderedDict[tuple, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple) -> bytes | None:
        """The tile, now the most recent one."""
        with self._lock:
            if key not in self._tiles:
                return None
            self._tiles.move_to_end(key)
            return self._tiles[key]

    def put(self, key: tuple, tile: bytes) -> None:
        """Keeps a tile and lets the oldest go."""
        with self._lock:
            self._held += len(tile) - len(self._tiles.pop(key, b""))
            self._tiles[key] = tile
            while self._held > self._most and self._tiles:
                self._held -= len(self._tiles.popitem(last=False)[1])


def look_of(scene: Scene, data_dir: Path, bands: tuple[str, ...] = (), rescale: tuple[tuple[float, float], ...] = ()) -> Look:
    """The look asked for, or natural colour (the first band where the scene lacks it), stretched from each band's first percentile (haze)
    to one white for all of them, the highest 99.5th percentile: so that colours keep their proportions.

    InvalidInput for bands that the scene lacks, other than one or three of them, or a rescale that does not fit.
    """
    names = scene.band_names
    chosen = bands or (NATURAL if set(NATURAL) <= set(names) else names[:1])
    unknown = [name for name in chosen if name not in names]
    if unknown or len(chosen) not in (1, 3):
        raise InvalidInput(f"cannot draw the bands {', '.join(chosen)} of {scene.id}", remedy=f"choose one or three of: {', '.join(names)}")
    if rescale and (len(rescale) not in (1, len(chosen)) or any(not low < high for low, high in rescale)):
        raise InvalidInput(f"rescale {rescale} does not fit {len(chosen)} bands", remedy="give low,high once or per band, low < high")
    if rescale:
        return Look(chosen, tuple(rescale) * (len(chosen) if len(rescale) == 1 else 1))
    stretch = _percentiles(str(scene.path(data_dir)))
    white = max(stretch[names.index(name)][1] for name in chosen)
    return Look(chosen, tuple((stretch[names.index(name)][0], white) for name in chosen), GAMMA)


@lru_cache(maxsize=512)
def _percentiles(path: str) -> tuple[tuple[float, float], ...]:
    with open_raster(_present(Path(path))) as dataset:
        shape = (max(1, min(dataset.height, 512)), max(1, min(dataset.width, 512)))
        pixels = dataset.read(out_shape=(dataset.count, *shape), masked=True)
    found = []
    for band in pixels:
        values = band.compressed()
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [1, 99.5]) if values.size else (0.0, 1.0)
        found.append((float(low), float(high) if high > low else float(low) + 1.0))
    return tuple(found)


def _present(path: Path) -> Path:
    if not path.is_file():
        raise NotFound(f"the file of this scene is gone: {path.name}", remedy="register the scene again under another id")
    return path


def tile(scene: Scene, data_dir: Path, z: int, x: int, y: int, look: Look) -> bytes:
    """A PNG of one XYZ tile (Web Mercator, y from the north); transparent where the scene has nothing."""
    bounds = WEB_MERCATOR.xy_bounds(morecantile.Tile(x, y, z))
    return _part(scene, data_dir, (bounds.left, bounds.bottom, bounds.right, bounds.top), (SIZE, SIZE), look) or blank()


def chip(scene: Scene, data_dir: Path, bounds: tuple[float, float, float, float], look: Look, most_px: int = 256) -> bytes:
    """A PNG of the part of a scene inside bounds (west, south, east, north in degrees), in Web Mercator, longer side `most_px`."""
    west, south, east, north = transform_bounds("EPSG:4326", MERCATOR, *bounds)
    scale = most_px / max(east - west, north - south)
    size = max(1, round((east - west) * scale)), max(1, round((north - south) * scale))
    return _part(scene, data_dir, (west, south, east, north), size, look) or blank()


def _part(scene: Scene, data_dir: Path, bounds: tuple[float, ...], size: tuple[int, int], look: Look) -> bytes | None:
    path = _present(scene.path(data_dir))
    width, height = size
    with open_raster(path) as dataset:
        there = transform_bounds(MERCATOR, dataset.crs, *bounds)
        if disjoint_bounds(there, dataset.bounds):
            return None
        ratio = max((there[2] - there[0]) / width / dataset.res[0], 1.0)
        levels = [level for level, factor in enumerate(dataset.overviews(1)) if factor <= ratio]
    pixels = np.full((len(look.bands), height, width), np.nan, np.float32)
    with open_raster(path, overview=levels[-1] if levels else None) as dataset:
        reproject(
            rasterio.band(dataset, _indexes(scene, look)), pixels, src_nodata=dataset.nodata, dst_nodata=np.nan,
            dst_transform=from_bounds(*bounds, width, height), dst_crs=MERCATOR, resampling=Resampling.bilinear,
        )  # fmt: skip
    empty = np.isnan(pixels).any(axis=0)
    return _drawn(ImageData(np.ma.MaskedArray(np.nan_to_num(pixels), np.broadcast_to(empty, pixels.shape))), look)


def _indexes(scene: Scene, look: Look) -> list[int]:
    return list(scene.band_names.index(name) + 1 for name in look.bands)


def _drawn(image: ImageData, look: Look) -> bytes:
    image.rescale(in_range=look.rescale)
    if look.gamma != 1.0:
        curve = np.round(255 * (np.arange(256) / 255) ** (1 / look.gamma)).astype(np.uint8)
        image.array = np.ma.MaskedArray(curve[image.array.data], image.array.mask)
    return image.render(img_format="PNG", add_mask=True, ZLEVEL=3)


@lru_cache(maxsize=1)
def blank() -> bytes:
    """A transparent tile."""
    empty = np.ma.MaskedArray(np.zeros((3, SIZE, SIZE), np.uint8), mask=True)
    return ImageData(empty).render(img_format="PNG", add_mask=True)
