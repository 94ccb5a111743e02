"""Pictures of scenes: XYZ tiles (256 px, PNG or lossless WebP) and chips, natural colour unless other bands are asked for.

Drawn without GDAL's warper: the window behind a tile is read once, reduced by GDAL to about a pixel per pixel, and resampled where the
projection says, worked out at 17 × 17 points and linear between them (under a tenth of a pixel; a test holds it to that).
"""

import io
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import morecantile
import numpy as np
from PIL import Image
from pyproj import Transformer
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from grid.errors import InvalidInput, NotFound
from imagery.scenes import shows
from imagery.scenes.catalogue import Scene
from imagery.scenes.handles import Handles
from imagery.scenes.raster import open_raster

SIZE = 256
MERCATOR = "EPSG:3857"
WEB_MERCATOR = morecantile.tms.get("WebMercatorQuad")
NATURAL = ("red", "green", "blue")
GAMMA = 1.5
HANDLES = Handles()
CONTROL = 17
WIDE_M = 2_000_000.0
"""Pictures wider than this are projected pixel by pixel."""
SHADES = 4096
HALF = 127
METRES_PER_DEGREE = 111_195.0
Bounds = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a scene is drawn: one or three band names, the values (low, high) per band that become black and white, and the gamma between; or, where
    `show` is not empty, an index or hillshade of `shows` made of all its bands."""

    bands: tuple[str, ...]
    rescale: tuple[tuple[float, float], ...]
    gamma: float = 1.0
    show: str = ""


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
    chosen = bands or usual(names)
    unknown = [name for name in chosen if name not in names]
    if unknown or len(chosen) not in (1, 3):
        raise InvalidInput(f"cannot draw the bands {', '.join(chosen)} of {scene.id}", remedy=f"choose one or three of: {', '.join(names)}")
    if rescale and (len(rescale) not in (1, len(chosen)) or any(not low < high for low, high in rescale)):
        raise InvalidInput(f"rescale {rescale} does not fit {len(chosen)} bands", remedy="give low,high once or per band, low < high")
    if rescale:
        return Look(chosen, tuple(rescale) * (len(chosen) if len(rescale) == 1 else 1))
    return stretched(scene.path(data_dir), names, chosen)


def shown(scene: Scene, data_dir: Path, show: shows.Show) -> Look:
    """The look of one of the allowed shows. InvalidInput names the band that the scene lacks for it."""
    missing = [name for name in show.bands if name not in scene.band_names]
    if missing:
        raise InvalidInput(f"{show.id} needs {', '.join(missing)}, which {scene.id} has not", remedy=f"choose one of: {', '.join(shows.fitting(scene.band_names)) or 'none'}")
    return look_of(scene, data_dir, show.bands) if show.plain else Look(show.bands, (), show=show.id)


def stretched(path: Path, names: tuple[str, ...], chosen: tuple[str, ...]) -> Look:
    """The look of some of a file's bands (all of them: `names`) by its own colours, read once."""
    stretch = _percentiles(str(path))
    white = max(stretch[names.index(name)][1] for name in chosen)
    return Look(chosen, tuple((stretch[names.index(name)][0], white) for name in chosen), GAMMA)


def usual(names: tuple[str, ...]) -> tuple[str, ...]:
    """The bands that are drawn when none are asked for."""
    return NATURAL if set(NATURAL) <= set(names) else names[:1]


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


def tile(scene: Scene, data_dir: Path, z: int, x: int, y: int, look: Look, form: str = "png") -> bytes:
    """One XYZ tile (Web Mercator, y from the north) as "png" or "webp", the same pixels; transparent where the scene has nothing."""
    pixels = draw(scene.path(data_dir), indexes_of(scene, look), tile_bounds(z, x, y), (SIZE, SIZE), look)
    return blank(form) if pixels is None else encode(pixels, form)


def tile_bounds(z: int, x: int, y: int, across: int = 1) -> Bounds:
    """The bounds of `across` × `across` tiles from that one on, in Web Mercator metres."""
    first, last = WEB_MERCATOR.xy_bounds(morecantile.Tile(x, y, z)), WEB_MERCATOR.xy_bounds(morecantile.Tile(x + across - 1, y + across - 1, z))
    return first.left, last.bottom, last.right, first.top


def chip(scene: Scene, data_dir: Path, bounds: Bounds, look: Look, most_px: int = 256) -> bytes:
    """A PNG of the part of a scene inside bounds (in degrees), in Web Mercator, longer side `most_px`."""
    west, south, east, north = transform_bounds("EPSG:4326", MERCATOR, *bounds)
    scale = most_px / max(east - west, north - south)
    size = max(1, round((east - west) * scale)), max(1, round((north - south) * scale))
    pixels = draw(scene.path(data_dir), indexes_of(scene, look), (west, south, east, north), size, look)
    return blank() if pixels is None else encode(pixels)


def indexes_of(scene: Scene, look: Look) -> list[int]:
    """The places of a look's bands in the scene's file, from 1."""
    return [scene.band_names.index(name) + 1 for name in look.bands]


def draw(path: Path, indexes: list[int], bounds: Bounds, size: tuple[int, int], look: Look) -> np.ndarray | None:
    """The part of a raster inside bounds (Web Mercator metres), (row, col, RGBA) bytes of `size` (width, height); None where it has nothing.

    A pixel is opaque where at least half of what it is made of is there in every band. Raises what `open_raster` raises.
    """
    with HANDLES.reading(path) as dataset:
        found = _around(dataset, indexes, bounds, size)
        nodata = dataset.nodata
        degree = METRES_PER_DEGREE if dataset.crs.is_geographic else 1.0
        ground = dataset.res[0] * degree, dataset.res[1] * degree
    if found is None:
        return None
    pixels, across, down, reduced = found
    cell_m = ground[0] * reduced[0], ground[1] * reduced[1]
    there = np.ones(pixels.shape[1:], bool)
    for band in pixels:
        if nodata is not None and not np.isnan(nodata):
            there &= band != nodata
        if band.dtype.kind == "f":
            there &= np.isfinite(band)
    source = np.empty((*there.shape, 4), np.uint8)
    if look.show:
        source[..., :3], known = shows.colours(shows.get(look.show), pixels, cell_m)
        there &= known
    else:
        for channel in range(3):
            which = channel if channel < len(indexes) else 0
            source[..., channel] = _shaded(pixels[which], *look.rescale[which], look.gamma)
    source[..., 3] = np.where(there, 255, 0)
    if not there.all():
        source[~there] = 0
    picture = cv2.remap(source, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0))
    return _solid(picture) if (picture[..., 3] >= HALF).any() else None


def _solid(picture: np.ndarray) -> np.ndarray:
    """Half there is there, in the colour of the half that is; the rest is nothing."""
    alpha = picture[..., 3]
    if alpha.min() == 255:
        return picture
    border = (alpha >= HALF) & (alpha < 255)
    edge = picture[border]
    edge[:, :3] = np.minimum(np.rint(edge[:, :3] * (255 / edge[:, 3:].astype(np.float32))), 255)
    edge[:, 3] = 255
    picture[border] = edge
    picture[picture[..., 3] < 255] = 0
    return picture


def _shaded(band: np.ndarray, low: float, high: float, gamma: float) -> np.ndarray:
    if band.dtype in (np.uint8, np.uint16):
        return _table(low, high, gamma, np.iinfo(band.dtype).max)[band]
    scaled = (np.nan_to_num(band).astype(np.float64) - low) / (high - low)
    return _table(0, SHADES, gamma, SHADES)[(np.clip(scaled, 0, 1) * SHADES).astype(np.uint16)]


@lru_cache(maxsize=128)
def _table(low: float, high: float, gamma: float, most: int) -> np.ndarray:
    """The shade of each whole value from 0 to `most`."""
    return np.rint(255 * np.clip((np.arange(most + 1) - low) / (high - low), 0, 1) ** (1 / gamma)).astype(np.uint8)


def _around(dataset: DatasetReader, indexes: list[int], bounds: Bounds, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float]] | None:
    """What lies behind a picture, (band, row, col), reduced to about its resolution, where in it each pixel of the picture lies (column and row,
    whole numbers in the middle of a pixel), and how many columns and rows of the raster one of its pixels spans."""
    col, row, steps = positions(dataset.crs, dataset.transform, bounds, size)
    outside = ~(np.isfinite(col) & np.isfinite(row))
    if outside.any():
        col[outside] = row[outside] = -1e6
    inside = (col > -1) & (row > -1) & (col < dataset.width + 1) & (row < dataset.height + 1)
    if not inside.any():
        return None
    reduced = [_reduction(dataset.overviews(indexes[0]), step) for step in steps]
    left, right = _span(col[inside], 2 * steps[0], reduced[0], dataset.width)
    top, bottom = _span(row[inside], 2 * steps[1], reduced[1], dataset.height)
    wide, tall = math.ceil((right - left) / reduced[0]), math.ceil((bottom - top) / reduced[1])
    pixels = dataset.read(indexes, window=Window(left, top, right - left, bottom - top), out_shape=(len(indexes), tall, wide), resampling=Resampling.average)
    across, down = (col - left) * (wide / (right - left)) - 0.5, (row - top) * (tall / (bottom - top)) - 0.5
    return pixels, across.astype(np.float32), down.astype(np.float32), ((right - left) / wide, (bottom - top) / tall)


def _reduction(overviews: list[int], step: float) -> float:
    """By how much pixels are reduced when read: as an overview of the file is, so that it is only copied, or to the step where none is near."""
    best = max((factor for factor in (1, *overviews) if factor <= 1.34 * step), default=1)
    return float(best) if step <= 2 * best else step


def _span(position: np.ndarray, margin: float, reduced: float, most: int) -> tuple[int, int]:
    """First and last + 1 of the columns or rows that positions with a margin need, in whole reduced pixels, at least one."""
    first = int(min(max(0.0, position.min() - margin), most - 1.0) / reduced) * reduced
    last = min(float(most), math.ceil((position.max() + margin + 1) / reduced) * reduced)
    return int(first), max(int(first) + 1, int(last))


def positions(crs: CRS, transform: Affine, bounds: Bounds, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Column and row (pixel corners are whole numbers) in a raster of the middle of each pixel of a picture in Web Mercator, (row, col)
    each, and how many columns and rows of the raster a pixel of the picture spans, at least 1. Not finite outside the projection."""
    width, height = size
    west, south, east, north = bounds
    wide = east - west > WIDE_M
    middles = [(np.arange(count) + 0.5) / count for count in (width, height)]
    knots = [middle if wide or len(middle) <= CONTROL else np.linspace(middle[0], middle[-1], CONTROL) for middle in middles]
    x, y = np.meshgrid(west + (east - west) * knots[0], north - (north - south) * knots[1])
    there_x, there_y = _from_mercator(crs.to_wkt()).transform(x, y)
    col, row = ~transform @ (there_x, there_y)
    if not wide and np.isfinite(col).all() and np.isfinite(row).all():
        col, row = (_between(_between(knots_of, knots[1], middles[1]).T, knots[0], middles[0]).T for knots_of in (col, row))
    elif col.shape != (height, width):
        x, y = np.meshgrid(west + (east - west) * middles[0], north - (north - south) * middles[1])
        there_x, there_y = _from_mercator(crs.to_wkt()).transform(x, y)
        col, row = ~transform @ (there_x, there_y)
    return col, row, (_step(col), _step(row))


@lru_cache(maxsize=64)
def _from_mercator(wkt: str) -> Transformer:
    return Transformer.from_crs(MERCATOR, wkt, always_xy=True)


def _between(values: np.ndarray, knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Values (knot, any) between rising knots, linear, (at, any)."""
    if len(knots) == len(at):
        return values
    place = np.interp(at, knots, np.arange(len(knots)))
    before = np.minimum(place.astype(int), len(knots) - 2)
    part = (place - before)[:, None]
    return values[before] * (1 - part) + values[before + 1] * part


def _step(position: np.ndarray) -> float:
    """By how much a position changes from one pixel to the next, at least 1: judged at every sixteenth."""
    apart = 16 if min(position.shape) > 16 else 1
    coarse, changes = position[::apart, ::apart], [0.0, 0.0]
    for axis in (0, 1):
        change = np.abs(np.diff(coarse, axis=axis))
        change = change[np.isfinite(change)]
        if change.size:
            changes[axis] = float(np.median(change)) / apart
    return max(1.0, float(np.hypot(*changes)))


def encode(pixels: np.ndarray, form: str = "png") -> bytes:
    """(row, col, RGBA) bytes as a PNG or a lossless WebP of the same pixels; a picture without holes carries no alpha."""
    if (pixels[..., 3] == 255).all():
        pixels = pixels[..., :3]
    if form == "webp":
        made = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(made, "WEBP", lossless=True, method=0, quality=20, exact=True)
        return made.getvalue()
    order = (2, 1, 0, 3)[: pixels.shape[2]]
    return cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]), [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE])[1].tobytes()


def as_png(webp: bytes) -> bytes:
    """A WebP tile of ours as a PNG of the same pixels."""
    with Image.open(io.BytesIO(webp)) as image:
        return encode(np.asarray(image.convert("RGBA")))


@lru_cache(maxsize=2)
def blank(form: str = "png") -> bytes:
    """A transparent tile."""
    return encode(np.zeros((SIZE, SIZE, 4), np.uint8), form)
