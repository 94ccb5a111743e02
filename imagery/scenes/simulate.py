"""A simulated pair of scenes over known ground with planted changes and known truth. Deterministic; nothing here is an observation.

Six bands of surface reflectance × 10,000 as of a Sentinel-2-like sensor. Register such scenes with `simulated=True`
(STAC property hdq:simulated).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from pyproj import Transformer
from rasterio import Affine
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy import ndimage

from grid.errors import InvalidInput

BANDS = ("blue", "green", "red", "nir", "swir1", "swir2")

SPECTRA: dict[str, tuple[int, int, int, int, int, int]] = {
    "forest": (300, 520, 360, 3200, 1500, 650),
    "orchard": (480, 720, 600, 2800, 1800, 950),
    "farmland": (600, 880, 800, 2900, 2000, 1100),
    "green": (500, 800, 600, 3000, 1900, 950),
    "grass": (620, 920, 880, 2600, 2200, 1350),
    "residential": (1150, 1300, 1400, 2000, 2100, 1800),
    "commercial": (1500, 1550, 1600, 1900, 2000, 1800),
    "industrial": (1800, 1900, 2000, 2300, 2500, 2300),
    "public": (1250, 1400, 1450, 2200, 2100, 1700),
    "transport": (1000, 1050, 1100, 1300, 1500, 1400),
    "bare": (1300, 1700, 2100, 2700, 3300, 2900),
    "water": (700, 620, 400, 200, 110, 70),
    "clear_cut": (700, 950, 1150, 2000, 2700, 1750),
    "construction": (1700, 2050, 2400, 2800, 3300, 2900),
    "burn": (290, 420, 480, 1050, 1900, 2000),
}
"""Typical reflectance × 10,000 per class and band (growing season); the last three are what a change leaves behind."""

ROUGHNESS = {"forest": 0.10, "farmland": 0.05, "water": 0.02, "residential": 0.22, "commercial": 0.22, "industrial": 0.18, "public": 0.18}
GREEN = frozenset({"forest", "orchard", "farmland", "green", "grass"})
CHANGES = {"clear_cut": 1, "construction": 2, "burn": 3}
"""Kinds of planted change and their value in the truth raster; 0 is unchanged."""


class SimulatedPair(NamedTuple):
    """`before`, `after`: (6, rows, cols) uint16, reflectance × 10,000, never 0; `truth`: (rows, cols) uint8, see CHANGES."""

    before: np.ndarray
    after: np.ndarray
    transform: Affine
    crs: str
    truth: np.ndarray


def pair(
    bounds: tuple[float, float, float, float],
    resolution_m: float,
    landcover: Sequence[tuple[str, shapely.Geometry]],
    changes: Sequence[tuple[str, shapely.Geometry]],
    seed: int,
    *,
    background: str = "grass",
    elevation: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    shift_px: tuple[float, float] = (0.35, -0.25),
) -> SimulatedPair:
    """Two scenes of `bounds` (west, south, east, north in degrees) on a UTM grid of `resolution_m` metres.

    `landcover`: (class of SPECTRA, EPSG:4326 geometry), later ones on top, `background` elsewhere. `changes`: (kind of CHANGES,
    EPSG:4326 polygon), present in the after scene only. `elevation(lon, lat)` in metres, if given, shades the slopes.
    After differs from before also by season, sun, haze, sensor gain, noise and a shift of `shift_px` (east, south): none of that is
    change. Raises InvalidInput for an unknown class or kind, and for an area under 16 or over 6000 pixels wide.
    """
    west, south, east, north = bounds
    crs = f"EPSG:{(32600 if south + north >= 0 else 32700) + int(((west + east) / 2 + 180) // 6) % 60 + 1}"
    forward = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    left, bottom, right, top = forward.transform_bounds(west, south, east, north)
    left, top = np.floor(left / resolution_m) * resolution_m, np.ceil(top / resolution_m) * resolution_m
    width, height = int(np.ceil((right - left) / resolution_m)), int(np.ceil((top - bottom) / resolution_m))
    if not (16 <= width <= 6000 and 16 <= height <= 6000):
        raise InvalidInput(f"{width} × {height} pixels at {resolution_m} m", remedy="choose bounds and resolution that give 16 to 6000 pixels a side")
    transform = from_origin(left, top, resolution_m, resolution_m)
    names = tuple(SPECTRA)
    for name, _ in landcover:
        if name not in SPECTRA:
            raise InvalidInput(f"unknown land cover {name!r}", remedy=f"one of: {', '.join(names)}")
    for kind, _ in changes:
        if kind not in CHANGES:
            raise InvalidInput(f"unknown change {kind!r}", remedy=f"one of: {', '.join(CHANGES)}")

    def burn_in(shapes: list[tuple[shapely.Geometry, int]], fill: int) -> np.ndarray:
        projected = [(shapely.transform(geom, forward.transform, interleaved=False), value) for geom, value in shapes if not geom.is_empty]
        if not projected:
            return np.full((height, width), fill, np.int32)
        return rasterize(projected, (height, width), fill=fill, transform=transform, dtype=np.int32)

    random = np.random.default_rng(seed)
    cover = burn_in([(geom, names.index(name)) for name, geom in landcover], names.index(background))
    parcel = burn_in([(geom, number) for number, (_, geom) in enumerate(landcover, 1)], 0)
    truth = burn_in([(geom, CHANGES[kind]) for kind, geom in changes], 0).astype(np.uint8)

    table = np.array(list(SPECTRA.values()), np.float32)
    ground = table[cover].transpose(2, 0, 1) * _texture(random, cover, parcel, len(landcover) + 1, names)
    changed = ground.copy()
    for kind, value in CHANGES.items():
        left_behind = table[names.index(kind)][:, None, None] * (1 + 0.08 * _noise(random, truth.shape, 2.0))
        share = np.clip(0.92 + 0.06 * _noise(random, truth.shape, 6.0), 0.75, 1.0) * (truth == value)
        changed = changed * (1 - share) + left_behind * share
    green = np.isin(cover, [names.index(name) for name in GREEN]) & (truth == 0)
    season = np.where(green, np.array([1.06, 1.04, 1.10, 0.93, 1.04, 1.06], np.float32)[:, None, None], 1.0)
    light_before, light_after = _light(elevation, transform, crs, (height, width), (135, 58)), _light(elevation, transform, crs, (height, width), (150, 50))
    before = _sensed(ground * light_before, random, gain=1.0, haze=(0, 0, 0, 0, 0, 0))
    moved = np.stack([ndimage.shift(band, (shift_px[1], shift_px[0]), order=3, mode="nearest") for band in changed * season * light_after])
    after = _sensed(moved, random, gain=0.94, haze=(160, 110, 80, 40, 15, 10))
    return SimulatedPair(before, after, transform, crs, truth)


def _noise(random: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    field = ndimage.gaussian_filter(random.standard_normal(shape, dtype=np.float32), scale, mode="wrap")
    return field / max(float(field.std()), 1e-6)


def _texture(random: np.random.Generator, cover: np.ndarray, parcel: np.ndarray, parcels: int, names: tuple[str, ...]) -> np.ndarray:
    rough = np.array([ROUGHNESS.get(name, 0.08) for name in names], np.float32)[cover]
    field = 0.6 * _noise(random, cover.shape, 0.8) + 0.5 * _noise(random, cover.shape, 4.0) + 0.4 * _noise(random, cover.shape, 20.0)
    tint = random.normal(1, 0.06, parcels).astype(np.float32)[parcel]
    vigour = random.normal(0, 0.05, parcels).astype(np.float32)[parcel]
    lean = np.array([-0.5, -0.2, -1, 1, -0.3, -0.8], np.float32)[:, None, None]
    return np.clip(1 + rough * field, 0.5, 1.6) * tint * (1 + lean * vigour)


def _light(
    elevation: Callable[[np.ndarray, np.ndarray], np.ndarray] | None, transform: Affine, crs: str, shape: tuple[int, int], sun: tuple[float, float]
) -> np.ndarray | float:
    if elevation is None:
        return 1.0
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    x, y = transform @ (cols + 0.5, rows + 0.5)
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    height = ndimage.gaussian_filter(np.asarray(elevation(lon, lat), np.float64).reshape(shape), 1.0)
    southward, eastward = np.gradient(height, transform.a)
    azimuth, up = np.radians(sun[0]), np.radians(sun[1])
    lit = np.sin(up) - np.cos(up) * (np.sin(azimuth) * eastward - np.cos(azimuth) * southward)
    lit /= np.sqrt(1 + eastward**2 + southward**2)
    return (0.4 + 0.6 * np.clip(lit, 0.05, 1) / np.sin(up)).astype(np.float32)


def _sensed(light: np.ndarray, random: np.random.Generator, *, gain: float, haze: tuple[int, ...]) -> np.ndarray:
    blurred = np.stack([ndimage.gaussian_filter(band, 0.6, mode="nearest") for band in light])
    noisy = blurred * gain * random.normal(1, 0.012, blurred.shape) + np.array(haze)[:, None, None] + random.normal(0, 22, blurred.shape)
    return np.clip(np.round(noisy), 1, 10_000).astype(np.uint16)
