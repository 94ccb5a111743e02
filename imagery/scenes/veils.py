"""What hides a scene's ground and who says so: the maker's own mask and ours, joined on the finer of their grids, and drawn for the map.

Joined is the union: cloud where either says so, else shadow where either does; nothing where the maker says there is no picture. The second band of
the file keeps the reason, so that a person sees whom to doubt: Sen2Cor takes bright roofs and haze for clouds, we miss what is thin.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.windows import Window

from imagery.scenes import masks, tiles
from imagery.scenes.raster import QUIET, open_raster, publish
from imagery.scenes.sky import CLEAR, CLOUD, NODATA, SHADOW

MAKER_CLOUD, MAKER_SHADOW, OUR_CLOUD, OUR_SHADOW = 1, 2, 4, 8
"""Bits of the second band."""
STRIP = 512
LEGEND = (
    ("cloud_both", "云：双方都认定", "Cloud, by both", "#F2F6FA"),
    ("cloud_maker", "云：仅制作方", "Cloud, by its maker only", "#F0B24A"),
    ("cloud_ours", "云：仅本系统", "Cloud, by us only", "#B48CF2"),
    ("shadow", "云影", "Cloud shadow", "#2F5FB3"),
)
"""Classes of the drawn mask: id, 中文, English, colour."""
OPACITY = 190


@dataclass(frozen=True, slots=True)
class Veil:
    """A scene's mask as a file, who made it, and shares (0…1) of the picture: cloud, shadow, and what one says alone."""

    path: Path
    said_by: tuple[str, ...]
    shares: dict[str, float]


def join(maker: np.ndarray, ours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes and reasons, uint8, of two masks of one shape.

    >>> [part.tolist() for part in join(np.uint8([1, 2, 1, 3, 0, 3]), np.uint8([1, 2, 2, 1, 2, 2]))]
    [[1, 2, 2, 3, 0, 2], [0, 5, 4, 2, 0, 6]]
    """
    reasons = np.zeros(maker.shape, np.uint8)
    for mask, cloud, shadow in ((maker, MAKER_CLOUD, MAKER_SHADOW), (ours, OUR_CLOUD, OUR_SHADOW)):
        reasons[mask == CLOUD] |= cloud
        reasons[mask == SHADOW] |= shadow
    reasons[maker == NODATA] = 0
    classes = np.full(maker.shape, CLEAR, np.uint8)
    classes[reasons > 0] = SHADOW
    classes[(reasons & (MAKER_CLOUD | OUR_CLOUD)) > 0] = CLOUD
    classes[maker == NODATA] = NODATA
    return classes, reasons


def beside(path: Path, bands: tuple[str, ...], sun: masks.Sun | None = None) -> Path | None:
    """The mask file of a scene's COG, beside it, made when it is not there yet: the maker's joined with ours, or the one there is; None for none."""
    joined, maker = masks.joined_of(path), masks.maker_of(path)
    if joined.is_file():
        return joined
    ours = masks.beside(path, bands, sun)
    if ours is None or not maker.is_file():
        return ours or (maker if maker.is_file() else None)
    publish(joined, lambda draft: _joined(draft, maker, ours))
    return joined


def _joined(draft: Path, maker: Path, ours: Path) -> None:
    with open_raster(maker) as theirs, open_raster(ours) as own:
        finer, other = (theirs, own) if theirs.res[0] <= own.res[0] else (own, theirs)
        profile = {
            "driver": "GTiff", "count": 2, "height": finer.height, "width": finer.width, "dtype": "uint8", "crs": finer.crs, "transform": finer.transform,
            "nodata": NODATA, "compress": "deflate", "tiled": True, "blockxsize": STRIP, "blockysize": STRIP,
        }  # fmt: skip
        whole = other.read(1)
        step_down, step_right = other.height / finer.height, other.width / finer.width
        cols = np.minimum(((np.arange(finer.width) + 0.5) * step_right).astype(int), other.width - 1)
        with rasterio.Env(**QUIET), rasterio.open(str(draft), "w", **profile) as made:
            for row in range(0, finer.height, STRIP):
                tall = min(STRIP, finer.height - row)
                window = Window(0, row, finer.width, tall)
                rows = np.minimum(((np.arange(row, row + tall) + 0.5) * step_down).astype(int), other.height - 1)
                fine, coarse = finer.read(1, window=window), whole[rows][:, cols]
                classes, reasons = join(fine, coarse) if finer is theirs else join(coarse, fine)
                made.write(np.stack([classes, reasons]), window=window)
            made.set_band_description(1, "classes")
            made.set_band_description(2, "reasons")


def told(path: Path) -> Veil:
    """What a mask file says, read whole in strips."""
    counts = np.zeros((4, 16), np.int64)
    with open_raster(path) as dataset:
        for row in range(0, dataset.height, STRIP):
            window = Window(0, row, dataset.width, min(STRIP, dataset.height - row))
            classes = dataset.read(1, window=window)
            reasons = dataset.read(2, window=window) if dataset.count > 1 else np.zeros_like(classes)
            counts += np.bincount((np.minimum(classes, 3) * 16 + (reasons & 15)).ravel(), minlength=64).reshape(4, 16)
        both = dataset.count > 1
    seen = max(int(counts[1:].sum()), 1)
    share = lambda number: round(float(number / seen), 4)  # noqa: E731
    shares = {"cloud": share(counts[CLOUD].sum()), "shadow": share(counts[SHADOW].sum())}
    if both:
        bits = np.arange(16)
        theirs, own = (bits & (MAKER_CLOUD | MAKER_SHADOW)) > 0, (bits & (OUR_CLOUD | OUR_SHADOW)) > 0
        hidden = counts[CLOUD] + counts[SHADOW]
        shares |= {"maker_only": share(hidden[theirs & ~own].sum()), "ours_only": share(hidden[own & ~theirs].sum()), "both": share(hidden[theirs & own].sum())}
    return Veil(path, ("maker", "hdq") if both else ("maker",) if path.name.endswith(".maker.tif") else ("hdq",), shares)


def seen_in(path: Path, bounds: tiles.Bounds, size: tuple[int, int]) -> np.ndarray:
    """Classes and reasons (2, row, col) uint8 of a mask in a picture in Web Mercator, 0 outside of it. Each pixel is the nearest of the mask."""
    found = np.zeros((2, *size[::-1]), np.uint8)
    with tiles.HANDLES.reading(path) as dataset:
        col, row, _ = tiles.positions(dataset.crs, dataset.transform, bounds, size)
        inside = np.isfinite(col) & np.isfinite(row) & (col >= 0) & (row >= 0) & (col < dataset.width) & (row < dataset.height)
        if not inside.any():
            return found
        left, right, top, bottom = int(col[inside].min()), int(col[inside].max()) + 1, int(row[inside].min()), int(row[inside].max()) + 1
        wide, tall = min(right - left, 2 * size[0]), min(bottom - top, 2 * size[1])
        bands = [1, 2] if dataset.count > 1 else [1]
        pixels = dataset.read(bands, window=((top, bottom), (left, right)), out_shape=(len(bands), tall, wide))
    across, down = ((col - left) * wide / (right - left)).astype(np.float32) - 0.5, ((row - top) * tall / (bottom - top)).astype(np.float32) - 0.5
    for number, band in enumerate(pixels):
        found[number][inside] = cv2.remap(band, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)[inside]
    return found


def tile(path: Path, z: int, x: int, y: int, form: str = "png") -> bytes:
    """A tile of a mask in the colours of LEGEND, transparent where the ground is seen."""
    classes, reasons = seen_in(path, tiles.tile_bounds(z, x, y), (tiles.SIZE, tiles.SIZE))
    hidden = (classes == CLOUD) | (classes == SHADOW)
    return tiles.encode(_colours(path.name.endswith(".maker.tif"))[classes, reasons], form) if hidden.any() else tiles.blank(form)


@lru_cache(maxsize=2)
def _colours(of_maker: bool) -> np.ndarray:
    """RGBA of each class and reason, (4, 256, 4) uint8; `of_maker`: whose a mask is that gives no reasons."""
    paint = {name: (*(int(colour[at : at + 2], 16) for at in (1, 3, 5)), OPACITY) for name, _, _, colour in LEGEND}
    table = np.zeros((4, 256, 4), np.uint8)
    table[SHADOW] = paint["shadow"]
    for reasons in range(256):
        theirs, own = bool(reasons & MAKER_CLOUD), bool(reasons & OUR_CLOUD)
        if not (theirs or own):
            theirs, own = of_maker, not of_maker
        table[CLOUD, reasons] = paint["cloud_both" if theirs and own else "cloud_maker" if theirs else "cloud_ours"]
    return table
