"""Where a scene shows the ground: clouds and their shadows, found once per scene on pixels of 20 m or more, kept beside it as a derived item.

Sentinel-2 L1C with its ten bands: s2cloudless (Sentinel Hub; Skakun et al., RSE 274, 2022), its trees read by LightGBM. Fewer bands: the haze-optimised
transform (Zhang, Guindon & Cihlar, RSE 82, 2002) with the whiteness of Fmask (Zhu & Woodcock, RSE 118, 2012), from sure cloud over weaker haze beside
it. Shadows are as clouds lie, cast along the sun (or, where that is unknown, as dark ground and clouds match best), on ground that is dark in the
infrared. Reflectance × 10,000 (uint16 or int16) is asked for: other numbers have no threshold, and such a scene is not masked.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from psycopg import AsyncConnection
from rasterio.enums import Resampling

from grid import jobs
from imagery.scenes.raster import open_raster, publish, write_geotiff
from imagery.scenes.sky import CLEAR, CLOUD, NODATA, SHADOW, shares

VERSION = "1"
S2 = ("coastal", "blue", "red", "rededge1", "nir", "nir08", "nir09", "cirrus", "swir1", "swir2")
"""The bands that s2cloudless asks for, in its order."""
SCALE = 10_000.0
COARSE_M = 20.0
MOST_PIXELS = 8_000_000
NEED = ("blue", "green", "red", "nir")


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the sun stood: degrees clockwise from north, degrees above the horizon."""

    azimuth: float
    elevation: float


@dataclass(frozen=True, slots=True)
class Mask:
    """`classes` (rows, cols) uint8: 0 nodata, 1 clear, 2 cloud, 3 shadow (`sky`); `method` says how."""

    classes: np.ndarray
    method: str

    def shares(self) -> dict[str, float]:
        """Shares of cloud and shadow where there is a picture."""
        return shares(self.classes)


def reason_against(bands: tuple[str, ...], dtype: str, gsd_m: float) -> str:
    """Why a scene of these bands, numbers and ground pixels (metres) cannot be masked; empty when it can."""
    missing = [name for name in NEED if name not in bands]
    if missing:
        return f"no band {', '.join(missing)}"
    if dtype not in ("uint16", "int16"):
        return f"numbers of type {dtype} are not reflectance × 10,000"
    if gsd_m < 5:
        return f"pixels of {gsd_m:g} m: roofs are as white as clouds"
    return ""


def classify(pixels: np.ndarray, bands: tuple[str, ...], resolution_m: float, sun: Sun | None = None) -> Mask:
    """Judges (bands, rows, cols) reflectance × 10,000, 0 in all bands where there is nothing."""
    valid = (pixels != 0).any(axis=0)
    by_name = dict(zip(bands, pixels.astype(np.float32) / SCALE, strict=True))
    learned = set(S2) <= set(bands) and trees() is not None
    cloud = _learned(by_name, valid) if learned else _hazy(by_name, valid, resolution_m)
    shadow = _shadows(by_name, cloud, valid, resolution_m, sun)
    cloud = _swollen(cloud, 55 / resolution_m) & valid
    shadow &= valid & ~cloud
    classes = np.where(valid, CLEAR, NODATA).astype(np.uint8)
    classes[shadow], classes[cloud] = SHADOW, CLOUD
    return Mask(classes, "s2cloudless" if learned else "hot")


@cache
def trees() -> object | None:
    """The trees of s2cloudless, or None where its package, LightGBM or the library that LightGBM needs is missing. The package itself is not imported: it brings a client of a service."""
    package = importlib.util.find_spec("s2cloudless")
    if package is None or importlib.util.find_spec("lightgbm") is None:
        return None
    try:
        from lightgbm import Booster
    except OSError:  # its compiled part wants libgomp, which a bare machine may lack
        return None
    return Booster(model_file=str(Path(package.submodule_search_locations[0]) / "models" / "pixel_s2_cloud_detector_lightGBM_v0.1.txt"))


def _learned(by_name: dict[str, np.ndarray], valid: np.ndarray, least: float = 0.4) -> np.ndarray:
    from scipy import ndimage

    chance = np.zeros(valid.shape, np.float32)
    chance[valid] = trees().predict(np.stack([by_name[name][valid] for name in S2], axis=1))
    return ndimage.uniform_filter(chance, 3) >= least


def _hazy(by_name: dict[str, np.ndarray], valid: np.ndarray, resolution_m: float) -> np.ndarray:
    from scipy import ndimage

    blue, green, red = by_name["blue"], by_name["green"], by_name["red"]
    bright = (blue + green + red) / 3
    white = (np.abs(blue - bright) + np.abs(green - bright) + np.abs(red - bright)) / np.maximum(bright, 1e-3)
    hot = blue - 0.5 * red
    sure = valid & (hot > 0.13) & (bright > 0.2) & (white < 0.35) & (by_name["nir"] > 0.8 * red)
    sure = ndimage.binary_opening(sure, np.ones((2, 2)))
    if not sure.any():
        return sure
    ground = hot[valid & ~ndimage.binary_dilation(sure, iterations=max(1, round(300 / resolution_m)))]
    if ground.size < 100:
        return sure
    middle = np.median(ground)
    spread = 1.4826 * np.median(np.abs(ground - middle))
    weak = valid & (hot > middle + max(2.5 * spread, 0.012)) & (bright > np.median(bright[valid]))
    return ndimage.binary_dilation(sure, iterations=max(2, round(120 / resolution_m)), mask=weak | sure)


def _swollen(mask: np.ndarray, radius_px: float) -> np.ndarray:
    from scipy import ndimage

    return ndimage.distance_transform_edt(~mask) <= max(1.0, radius_px) if mask.any() else mask


def _shadows(by_name: dict[str, np.ndarray], cloud: np.ndarray, valid: np.ndarray, resolution_m: float, sun: Sun | None) -> np.ndarray:
    from scipy import ndimage

    if not cloud.any():
        return np.zeros_like(cloud)
    infrared = [by_name[name] for name in ("nir", "swir1", "swir2") if name in by_name]
    water = by_name["green"] > np.where(by_name["nir"] > 0, by_name["nir"], 1)
    seen = valid & ~_swollen(cloud, 40 / resolution_m) & ~water
    width = 2 * round(1000 / resolution_m) + 1
    share = np.maximum(ndimage.uniform_filter(seen.astype(np.float32), width), 1e-3)
    dark = seen.copy()
    for band in infrared:
        dark &= band < 0.62 * ndimage.uniform_filter(np.where(seen, band, 0), width) / share
    dark = ndimage.binary_opening(dark, np.ones((2, 2)))
    across = _throw(cloud, dark, valid, resolution_m, sun)
    if across is None:
        return np.zeros_like(cloud)
    labels, count = ndimage.label(cloud)
    cast, sure = np.zeros_like(cloud), np.zeros_like(cloud)
    for number, at in enumerate(ndimage.find_objects(labels), 1):
        rows, cols = np.nonzero(labels[at] == number)
        rows, cols = rows + at[0].start, cols + at[1].start
        best = max(np.linspace(0.7, 1.3, 25), key=lambda scale: (_hits(dark, rows, cols, across, scale), -abs(scale - 1)))
        to_row, to_col = np.round(rows + best * across[0]).astype(int), np.round(cols + best * across[1]).astype(int)
        inside = (to_row >= 0) & (to_row < cloud.shape[0]) & (to_col >= 0) & (to_col < cloud.shape[1])
        cast[to_row[inside], to_col[inside]] = True
        sure[to_row[inside], to_col[inside]] |= _hits(dark, rows, cols, across, best) >= 0.3 * (inside & seen[to_row * inside, to_col * inside]).sum()
    near = _swollen(cast, 100 / resolution_m)
    found = ndimage.binary_propagation(cast & dark, mask=dark & near) | sure
    pieces, _ = ndimage.label(dark)
    outside = _from_outside(pieces, across)
    return _swollen(found | np.isin(pieces, outside), 65 / resolution_m)


def _hits(dark: np.ndarray, rows: np.ndarray, cols: np.ndarray, across: tuple[float, float], scale: float) -> int:
    to_row, to_col = np.round(rows + scale * across[0]).astype(int), np.round(cols + scale * across[1]).astype(int)
    inside = (to_row >= 0) & (to_row < dark.shape[0]) & (to_col >= 0) & (to_col < dark.shape[1])
    return int(dark[to_row[inside], to_col[inside]].sum())


def _throw(cloud: np.ndarray, dark: np.ndarray, valid: np.ndarray, resolution_m: float, sun: Sun | None) -> tuple[float, float] | None:
    """(rows, cols) from cloud to shadow that lays most of the clouds on dark ground; None when under a fifth more is dark there than anywhere."""
    from scipy import fft

    shape = tuple(fft.next_fast_len(2 * side) for side in cloud.shape)

    def match(field: np.ndarray) -> np.ndarray:
        return fft.irfft2(fft.rfft2(field.astype(np.float32), shape) * np.conj(fft.rfft2(cloud.astype(np.float32), shape)), shape)

    share = match(dark) / np.maximum(match(valid & ~cloud), 0.2 * cloud.sum())
    row = np.fft.fftfreq(shape[0], 1 / shape[0])[:, None] * np.ones(shape[1])
    col = np.fft.fftfreq(shape[1], 1 / shape[1])[None, :] * np.ones((shape[0], 1))
    length = np.hypot(row, col) * resolution_m
    toward = np.degrees(np.arctan2(col, -row))
    if sun is not None:
        least, most = (height / np.tan(np.radians(max(sun.elevation, 5.0))) for height in (150.0, 9000.0))
        off = np.abs((toward - sun.azimuth - 180 + 180) % 360 - 180)
        possible = (off <= 8) & (length >= least) & (length <= most)
    else:
        possible = (np.abs(toward) <= 100) & (length >= 150) & (length <= 9000)
    possible &= (np.abs(row) < 0.8 * cloud.shape[0]) & (np.abs(col) < 0.8 * cloud.shape[1])
    if not possible.any():
        return None
    at = np.unravel_index(int(np.argmax(np.where(possible, share, -1))), shape)
    if share[at] < dark[valid].mean() + 0.2:
        return None
    return float(row[at]), float(col[at])


def _from_outside(pieces: np.ndarray, across: tuple[float, float]) -> np.ndarray:
    """Numbers of dark pieces whose cloud, if they are shadows, lies beyond the border."""
    rows, cols = np.nonzero(pieces)
    from_row, from_col = rows - across[0], cols - across[1]
    away = (from_row < 0) | (from_row >= pieces.shape[0]) | (from_col < 0) | (from_col >= pieces.shape[1])
    sizes = np.bincount(pieces[rows, cols], minlength=1)
    gone = np.bincount(pieces[rows[away], cols[away]], minlength=len(sizes))
    return np.nonzero((gone > 0.3 * sizes) & (sizes >= 12))[0]


def of_file(path: Path, bands: tuple[str, ...], destination: Path, sun: Sun | None = None) -> tuple[Mask, Path] | str:
    """Masks a scene's COG from a reduced read and publishes the classes as a GeoTIFF (grid of the scene, coarser pixels), or says why not.

    Raises what opening and publishing raise.
    """
    with open_raster(path) as dataset:
        degree = 111_195.0 if dataset.crs.is_geographic else 1.0
        gsd_m = float(dataset.res[1]) * degree
        against = reason_against(bands, dataset.dtypes[0], gsd_m)
        if against:
            return against
        step = max(1.0, COARSE_M / gsd_m, np.sqrt(dataset.width * dataset.height / MOST_PIXELS))
        shape = max(1, round(dataset.height / step)), max(1, round(dataset.width / step))
        wanted = [name for name in bands if name in {*S2, "green"}]
        numbers = [bands.index(name) + 1 for name in wanted]
        pixels = dataset.read(numbers, out_shape=(len(numbers), *shape), resampling=Resampling.average)
        empty = dataset.read_masks(numbers[0], out_shape=shape, resampling=Resampling.nearest) == 0
        transform = dataset.transform @ rasterio.Affine.scale(dataset.width / shape[1], dataset.height / shape[0])
        crs = dataset.crs.to_wkt()
    pixels[:, empty] = 0
    mask = classify(pixels, tuple(wanted), gsd_m * dataset.width / shape[1], sun)
    publish(destination, lambda draft: _written(draft, mask.classes, transform, crs))
    return mask, destination


def _written(draft: Path, classes: np.ndarray, transform: rasterio.Affine, crs: str) -> None:
    write_geotiff(draft, classes[None], transform, crs, nodata=NODATA)


def maker_of(path: Path) -> Path:
    """Where the mask that its maker delivered with a scene lies beside its COG, or would: our classes on the scene's own grid."""
    return path.with_name(f"{path.stem}.maker.tif")


def ours_of(path: Path) -> Path:
    """Where the mask that we find lies beside a scene's COG, or would."""
    return path.with_name(f"{path.stem}.sky-{VERSION}.tif")


def joined_of(path: Path) -> Path:
    """Where the maker's mask joined with ours lies beside a scene's COG, or would; its second band says why (`veils`)."""
    return path.with_name(f"{path.stem}.joined-{VERSION}.tif")


def known_of(path: Path) -> Path | None:
    """The mask that lies beside a scene's COG: the joined one, else its maker's, else ours; None where there is none yet."""
    return next((mask for mask in (joined_of(path), maker_of(path), ours_of(path)) if mask.is_file()), None)


def beside(path: Path, bands: tuple[str, ...], sun: Sun | None = None) -> Path | None:
    """Our mask file of a scene's COG, beside it, made when it is not there yet; None for a scene that cannot be masked."""
    if (known := ours_of(path)).is_file():
        return known
    made = of_file(path, bands, known, sun)
    return None if isinstance(made, str) else known


async def ask(connection: AsyncConnection, scene_id: str) -> None:
    """Enqueues the job that makes a scene's mask and its item; once, however often it is asked for."""
    await jobs.enqueue(connection, "mask_scene", {"scene_id": scene_id}, priority=-10, lock="publish", queueing_lock=f"mask-{scene_id}")
