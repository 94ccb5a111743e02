"""The ground of Laoshan: a generated terrain model (模拟), since no free elevation of it comes with a package.

Ridges run from the true summit (巨峰, 1,132.7 m) along the true main directions; between them the ground falls to the real coast. The fine relief is
the sample elevation model that matplotlib carries (Jacksboro fault, public domain), detrended: real erosion, elsewhere.
"""

from pathlib import Path

import matplotlib.cbook as cbook
import numpy as np
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_bounds
from scipy import ndimage

from gis_api.demo import plane, zones
from gis_api.demo.districts import Land

WEST, SOUTH, EAST, NORTH = 120.38, 36.03, 120.76, 36.36
COLUMNS, ROWS = 1140, 1220
SUMMIT = (120.6186, 36.1720, 1132.7)
# crest lines: height at the beginning and the end in metres, then lon, lat
CRESTS = (
    (1132, 560, (120.6186, 36.172), (120.600, 36.196), (120.586, 36.222), (120.560, 36.250), (120.535, 36.275)),
    (1132, 620, (120.6186, 36.172), (120.645, 36.180), (120.665, 36.195), (120.672, 36.215)),
    (1132, 540, (120.6186, 36.172), (120.625, 36.150), (120.628, 36.130), (120.640, 36.112)),
    (1132, 430, (120.6186, 36.172), (120.590, 36.165), (120.565, 36.158), (120.540, 36.150), (120.520, 36.140)),
    (760, 320, (120.600, 36.196), (120.570, 36.200), (120.545, 36.196), (120.520, 36.188)),
    (640, 280, (120.586, 36.222), (120.612, 36.240), (120.635, 36.262), (120.640, 36.285)),
    (560, 250, (120.535, 36.275), (120.505, 36.262), (120.490, 36.240)),
    (520, 180, (120.535, 36.275), (120.560, 36.300), (120.590, 36.315)),
    (430, 200, (120.520, 36.140), (120.500, 36.128), (120.488, 36.118)),
    (384, 240, (120.4215, 36.089), (120.437, 36.100), (120.448, 36.106)),
)


def file(data_dir: Path) -> Path:
    """Where the terrain model lies."""
    return data_dir / "terrain" / "laoshan.tif"


def heights(land: Land) -> np.ndarray:
    """Heights in metres (float32, ROWS × COLUMNS, north up, EPSG:4326 grid of WEST … NORTH): sea and lowland near zero, summit 1,132.7 m."""
    lons = WEST + (np.arange(COLUMNS) + 0.5) * (EAST - WEST) / COLUMNS
    lats = NORTH - (np.arange(ROWS) + 0.5) * (NORTH - SOUTH) / ROWS
    x, y = plane.xy(*np.meshgrid(lons, lats))
    cell = float(np.hypot(x[0, 1] - x[0, 0], y[0, 1] - y[0, 0]))
    transform = from_bounds(WEST, SOUTH, EAST, NORTH, COLUMNS, ROWS)
    shore = rasterize([(plane.to_degrees(shapely.simplify(land.whole, 5.0)), 1)], (ROWS, COLUMNS), transform=transform, dtype=np.uint8)
    inland = ndimage.distance_transform_edt(shore) * cell
    ground = np.zeros((ROWS, COLUMNS))
    relief = _relief()
    wander = ndimage.zoom(plane.dice("terrain wander").normal(0, 1, (24, 24)), (ROWS / 24, COLUMNS / 24), order=3) * 260
    for top, foot, *points in CRESTS:
        line = np.array([plane.xy(*p) for p in points])
        distance, share = _along(line, x + wander, y - wander)
        crest = top + (foot - top) * share
        ground = np.maximum(ground, crest * np.exp(-((distance / (520 + 0.95 * crest)) ** 1.25)))
    broken = ground * (1 + 0.42 * relief) + 16 * np.maximum(relief, -0.5) * (ground > 4)
    hills = zones.hill_m(x, y)
    rise = np.clip(inland / 520.0, 0, 1) ** 1.15
    total = np.maximum(broken, hills) * rise + np.minimum(inland / 60.0, 14.0) * (0.8 + 0.2 * relief)
    total = ndimage.gaussian_filter(total, 0.8)
    row, column = int((NORTH - SUMMIT[1]) / (NORTH - SOUTH) * ROWS), int((SUMMIT[0] - WEST) / (EAST - WEST) * COLUMNS)
    dome = np.exp(-((x - x[row, column]) ** 2 + (y - y[row, column]) ** 2) / (2 * 420.0**2))
    others = total * (1 - dome)
    total = np.minimum(others, 1050.0) + dome * np.maximum(total, 900.0)
    total = total + dome**3 * (SUMMIT[2] - total[row, column])
    total[row, column] = SUMMIT[2]
    return np.where(shore == 1, np.clip(total, 0.3, SUMMIT[2]), 0.0).astype(np.float32)


def write(data_dir: Path, ground: np.ndarray) -> Path:
    """Writes the model as a tiled, compressed GeoTIFF (metres, EPSG:4326), marked simulated, whole or not at all."""
    target = file(data_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = target.with_suffix(".part.tif")
    profile = {"driver": "GTiff", "width": COLUMNS, "height": ROWS, "count": 1, "dtype": "float32", "crs": "EPSG:4326", "tiled": True, "compress": "deflate", "predictor": 3}
    with rasterio.open(incoming, "w", transform=from_bounds(WEST, SOUTH, EAST, NORTH, COLUMNS, ROWS), **profile) as dataset:
        dataset.write(ground, 1)
        dataset.update_tags(simulated="true", note="模拟高程：山脊走向与主峰按实地，其余生成 · generated terrain, not surveyed", vertical="metres above the 1985 datum, simulated")
    incoming.replace(target)
    return target


def at(ground: np.ndarray, lon, lat) -> np.ndarray:
    """Height in metres at degrees, nearest cell; outside the model what the hills among the houses give, at least 3 m."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    column = ((lon - WEST) / (EAST - WEST) * COLUMNS).astype(int)
    row = ((NORTH - lat) / (NORTH - SOUTH) * ROWS).astype(int)
    inside = (column >= 0) & (column < COLUMNS) & (row >= 0) & (row < ROWS)
    found = ground[np.clip(row, 0, ROWS - 1), np.clip(column, 0, COLUMNS - 1)]
    return np.where(inside, found, np.maximum(zones.hill_m(*plane.xy(lon, lat)), 3.0))


def _relief() -> np.ndarray:
    with cbook.get_sample_data("jacksboro_fault_dem.npz") as sample:
        field = sample["elevation"].astype(float)
    field = field - ndimage.gaussian_filter(field, 28)
    field = np.block([[field, field[:, ::-1]], [field[::-1], field[::-1, ::-1]]])
    grown = ndimage.zoom(field, 1.7, order=1)
    repeats = (-(-ROWS // grown.shape[0]), -(-COLUMNS // grown.shape[1]))
    tiled = np.tile(grown, repeats)[:ROWS, :COLUMNS]
    return np.clip(tiled / (2.2 * tiled.std()), -1.0, 1.0)


def _along(line: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in metres to a polyline and the share of its length at the nearest point."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    reached = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    best, share = np.full(x.shape, np.inf), np.zeros(x.shape)
    for (ax, ay), (bx, by), r0, r1 in zip(line[:-1], line[1:], reached[:-1], reached[1:], strict=True):
        dx, dy = bx - ax, by - ay
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        distance = np.hypot(x - ax - t * dx, y - ay - t * dy)
        nearer = distance < best
        best, share = np.where(nearer, distance, best), np.where(nearer, r0 + t * (r1 - r0), share)
    return best, share
