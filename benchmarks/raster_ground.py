"""A pair of scenes that does not exist: 10,980 × 10,980 pixels of 10 m at two dates, red and near infrared as 16-bit numbers, the same at each run."""

from pathlib import Path

import numpy as np
from rasterio.transform import from_origin

from imagery.scenes.raster import copy_as_cog, write_geotiff

SIDE = 10_980
CORNER = (199_980.0, 4_000_020.0)
CRS = "EPSG:32651"
BANDS = ("red", "nir")
PLANTED = 3500


def write(folder: Path, side: int = SIDE) -> tuple[Path, Path]:
    """Writes `before.tif` and `after.tif`, as scenes are kept (COG, tiles of 512, deflate); what is there is kept. About three minutes of CPU."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"before-{side}.tif", folder / f"after-{side}.tif"
    if all(path.is_file() for path in paths):
        return paths
    random = np.random.default_rng(11)
    green = np.zeros((side, side), np.float32)
    for cells, weight in ((6, 0.5), (24, 0.35), (96, 0.22), (400, 0.15), (1600, 0.08)):
        green += np.float32(weight) * _octave(random, side, cells)
    parcels = random.random((side // 37 + 2, side // 37 + 2), np.float32)
    row = np.arange(side) // 37
    green += np.float32(0.35) * (parcels[row][:, row] - np.float32(0.5))
    np.negative(green, out=green)
    green = 1 / (1 + np.exp(np.float32(2.2) * green))
    water = _octave(random, side, 8) > 1.1
    _save(paths[0], green, water, 1)
    for x, y, wide, tall, left in zip(
        random.integers(0, side, PLANTED), random.integers(0, side, PLANTED), random.integers(6, 60, PLANTED), random.integers(6, 60, PLANTED),
        random.uniform(0.1, 0.45, PLANTED), strict=True,
    ):  # fmt: skip
        part = green[y : y + tall, x : x + wide]
        rows, cols = np.ogrid[: part.shape[0], : part.shape[1]]
        part[np.hypot(2 * rows / tall - 1, 2 * cols / wide - 1) < 1] *= np.float32(left)
    _save(paths[1], np.clip(green * np.float32(0.97) + np.float32(0.01), 0, 1), water, 2)
    return paths


def _octave(random: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise of a wavelength of side / cells pixels."""
    knots = random.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    at = np.arange(side, dtype=np.float32) * cells / side
    whole = at.astype(int)
    part = (at - whole).astype(np.float32)
    rows = knots[whole] * (1 - part)[:, None] + knots[whole + 1] * part[:, None]
    return rows[:, whole] * (1 - part) + rows[:, whole + 1] * part


def _save(path: Path, green: np.ndarray, water: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)
    side = len(green)
    pixels = np.empty((2, side, side), np.uint16)
    for band, (low, high, power, sea) in enumerate(((260, 1900, 1.3, 180), (700, 3600, 1.0, 90))):
        share = (1 - green) ** np.float32(power) if band == 0 else green
        value = np.where(water, np.float32(sea), low + high * share)
        value *= 1 + random.standard_normal((side, side), np.float32) * np.float32(0.012)
        pixels[band] = np.clip(value + random.standard_normal((side, side), np.float32) * 9, 1, 10_000)
    raw = write_geotiff(path.with_suffix(".raw.tif"), pixels, from_origin(*CORNER, 10, 10), CRS, bands=BANDS, nodata=0)
    del pixels
    copy_as_cog(raw, path)
    raw.unlink()
