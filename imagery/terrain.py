"""The ground under and before a camera, on a mast or in the air: one GeoTIFF of heights, bilinear elevation, and where a ray first meets it.

A ray leaves the lens at height h₀ and falls against the terrain by the Earth's curvature less refraction: its height at ground distance s is
h₀ + s·tan(elevation) + (1 − k)·s²/(2R), k = 0.13 (standard optical refraction), R = 6,371 km. Heights are those of the file (orthometric in the
usual models); masts must use the same datum.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pyproj import CRS, Geod, Transformer
from rasterio.io import DatasetReader
from scipy.ndimage import maximum_filter

from grid.errors import InvalidInput, UnknownCrs
from imagery.scenes.raster import open_raster

GEOD = Geod(ellps="WGS84")
EARTH_M = 6_371_000.0
REFRACTION = 0.13
PIXELS = 100_000_000
KEPT_BYTES = 1 << 30
KNOT_M = 1000.0
BISECTIONS = 24
RAYS = 16_384
TILE = 8
TOUCH_M = 0.05
"""A ray that is walked to within this of the ground has met it."""


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """Heights in metres on a regular grid. `heights`: rows × columns float32, NaN where unknown; `inverse`: (x, y) of `crs` to (column, row) of the
    pixel centres, six affine numbers; `cell_m`: ground size of a cell; `crs`: None means longitude and latitude."""

    heights: np.ndarray
    inverse: tuple[float, float, float, float, float, float]
    cell_m: float
    to_crs: Transformer | None
    sigma_m: float

    def elevation(self, lon, lat) -> np.ndarray:
        """Bilinear height at WGS84 degrees; NaN outside the grid or beside an unknown cell. Arrays in, array of their shape out."""
        return self._sample(*self._cell(np.asarray(lon, float), np.asarray(lat, float)))

    def _cell(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Column and row, fractional, pixel centres at whole numbers."""
        x, y = (lon, lat) if self.to_crs is None else (np.asarray(v) for v in self.to_crs.transform(lon, lat))
        a, b, c, d, e, f = self.inverse
        return a * x + b * y + c, d * x + e * y + f

    def _sample(self, column: np.ndarray, row: np.ndarray) -> np.ndarray:
        rows, columns = self.heights.shape
        inside = (column >= 0) & (row >= 0) & (column <= columns - 1) & (row <= rows - 1)
        i = np.clip(np.where(inside, row, 0).astype(np.int64), 0, rows - 2)
        j = np.clip(np.where(inside, column, 0).astype(np.int64), 0, columns - 2)
        v, u = np.where(inside, row - i, 0), np.where(inside, column - j, 0)
        h = self.heights
        value = (h[i, j] * (1 - u) + h[i, j + 1] * u) * (1 - v) + (h[i + 1, j] * (1 - u) + h[i + 1, j + 1] * u) * v
        return np.where(inside, value, np.nan)

    def reach(self, lon: float, lat: float, height_m, azimuth_deg, elevation_deg, *, near_m: float = 1.0, far_m: float = 35_000.0) -> np.ndarray:
        """Ground distance in metres at which each ray first meets the terrain; NaN where it meets none between `near_m` and `far_m`.

        `height_m`: the lens above the datum of the heights; azimuth clockwise from true north and elevation above the horizontal, degrees;
        scalars or arrays of one shape. Steps are half a cell, at most 3,000 to `far_m`, then bisection; positions between points of the
        geodesic 1 km apart are interpolated (error < 2 cm). Unknown terrain hides nothing.
        """
        slope = np.tan(np.radians(np.clip(np.asarray(elevation_deg, float), -89.9, 89.9)))
        azimuth, slope, lens = np.broadcast_arrays(np.asarray(azimuth_deg, float), slope, np.asarray(height_m, float))
        shape = azimuth.shape
        azimuth, slope, lens = azimuth.ravel(), slope.ravel(), lens.ravel()
        step = max(self.cell_m / 2, (far_m - near_m) / 3000)
        distances = np.concatenate([[near_m], np.arange(max(near_m + min(step, 1.0), step), far_m + step, step)])
        knots = np.arange(0.0, distances[-1] + 2 * KNOT_M, KNOT_M)
        n, k = len(azimuth), len(knots)
        x, y, _ = GEOD.fwd(np.full(n * k, lon), np.full(n * k, lat), np.repeat(azimuth, k), np.tile(knots, n))
        path = tuple(part.reshape(n, k) for part in self._cell(np.asarray(x), np.asarray(y)))

        def above(rays: np.ndarray, at: np.ndarray) -> np.ndarray:
            return self._above(path, rays, lens[rays], slope[rays], at)

        return _first_below(above, n, distances).reshape(shape)

    def meet(self, lon: float, lat: float, height_m: float, east, north, up, *, far_m: float = 10_000.0, stride: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Longitude, latitude and height at which straight rays from one lens first meet the terrain, steep ones too; NaN where none within `far_m`.

        `east`, `north`, `up`: unit vectors at the lens, arrays of one shape. A ray is led down through squares whose highest ground it
        stays above, then walked in steps of `stride` cells over ground (what it pierces for less may be stepped over), then bisected; curvature and refraction as in `reach`. Positions come from a cubic
        in east and north (error < 1 mm at 10 km). A ray that comes out of unknown terrain below the ground met it unseen: NaN.
        """
        east, north, up = (np.asarray(v, float) for v in np.broadcast_arrays(east, north, up))
        shape = east.shape
        east, north, up = east.ravel(), north.ravel(), up.ravel()
        flat_m = np.hypot(east, north)
        top, bottom = float(np.nanmax(self.heights)) + 1.0, float(np.nanmin(self.heights)) - 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            enter = np.where(up < 0, (height_m - top) / -up, 0.0 if height_m <= top else np.inf)
            leave = np.where(up < 0, (height_m - bottom) / -up, far_m)
            leave = np.minimum(np.where(up < 0, (height_m - bottom + drop_m(np.minimum(leave, far_m) * flat_m)) / -up, far_m), far_m)
        enter = np.maximum(enter, 0.0)
        met = np.full((3, len(east)), np.nan)
        going = np.flatnonzero((enter < leave) & np.isfinite(leave))
        if len(going):
            span = (leave - enter) * flat_m
            cubic = self._cubic(lon, lat, max(1.0, float((leave[going] * flat_m[going]).max())))
            peaks = self._peaks()
            for rays in np.array_split(going[np.argsort(span[going])], max(1, len(going) // RAYS)):
                near = self._descend(cubic, peaks, height_m, east[rays], north[rays], up[rays], enter[rays], leave[rays])
                rays, near = rays[np.isfinite(near)], near[np.isfinite(near)]
                left = (leave[rays] - near) * flat_m[rays]
                if len(rays):
                    steps = int(np.clip(np.ceil(left.max() / (self.cell_m * stride)), 2, 8192))
                    met[:, rays] = self._walk(cubic, height_m, east[rays], north[rays], up[rays], near, leave[rays], steps)
        return tuple(part.reshape(shape) for part in met)

    def _peaks(self) -> np.ndarray:
        """The highest height in and around each square of TILE cells."""
        rows, columns = (-(-n // TILE) * TILE for n in self.heights.shape)
        padded = np.full((rows, columns), -np.inf, np.float32)
        padded[: self.heights.shape[0], : self.heights.shape[1]] = np.where(np.isnan(self.heights), -np.inf, self.heights)
        return maximum_filter(padded.reshape(rows // TILE, TILE, columns // TILE, TILE).max(axis=(1, 3)), 3, mode="nearest")

    def _descend(self, cubic, peaks, height_m: float, east, north, up, enter, leave) -> np.ndarray:
        """How far (m) each ray may be walked from `enter` without coming near any ground: strides shorter than a square; NaN for a ray always above."""
        begin, end = (cubic(east * t, north * t)[2:] for t in (enter, leave))
        strides = int(np.clip(np.ceil(np.abs(end - begin).max() / (TILE - 1)), 1, 4096))
        share = np.linspace(0.0, 1.0, strides + 1)
        along = enter[:, None] + share * (leave - enter)[:, None]
        height = height_m + along * up[:, None] + drop_m(along * np.hypot(east, north)[:, None])
        column, row = (begin[i][:, None] + share * (end - begin)[i][:, None] for i in (0, 1))
        i = np.clip(row[:, :-1] // TILE, 0, peaks.shape[0] - 1).astype(np.int64)
        j = np.clip(column[:, :-1] // TILE, 0, peaks.shape[1] - 1).astype(np.int64)
        close = np.minimum(height[:, :-1], height[:, 1:]) <= peaks[i, j] + TOUCH_M
        first = np.argmax(close, axis=1)
        return np.where(close.any(axis=1), along[np.arange(len(first)), first], np.nan)

    def _walk(self, cubic, height_m: float, east, north, up, enter, leave, steps: int) -> np.ndarray:
        """Rows longitude, latitude, height where rays meet the ground between `enter` and `leave` (m along the ray)."""
        flat_m = np.hypot(east, north)
        knots = [cubic(east * t, north * t)[2:] for t in (enter, (enter + leave) / 2, leave)]
        begin = knots[0]
        bend = 2 * (knots[0] - 2 * knots[1] + knots[2])
        rise = knots[2] - begin - bend

        def above(rays: np.ndarray, at: np.ndarray) -> np.ndarray:
            column, row = (begin[i, rays, None] + at * (rise[i, rays, None] + at * bend[i, rays, None]) for i in (0, 1))
            along = enter[rays, None] + at * (leave - enter)[rays, None]
            return height_m + along * up[rays, None] + drop_m(along * flat_m[rays, None]) - self._sample(column, row)

        share = _first_below(above, len(east), np.linspace(0.0, 1.0, steps + 1), block=12)
        gap = above(np.arange(len(east)), share[:, None])[:, 0]
        along = enter + share * (leave - enter)
        lon, lat = cubic(east * along, north * along)[:2]
        height = height_m + along * up + drop_m(along * flat_m)
        return np.where(np.abs(gap) < TOUCH_M, np.stack([lon, lat, height]), np.nan)

    def _cubic(self, lon: float, lat: float, radius_m: float):
        """Function of metres east and north of a place, good within `radius_m`: rows longitude, latitude, column, row."""
        east, north = (part.ravel() * radius_m for part in np.meshgrid(*[np.linspace(-1, 1, 9)] * 2))
        x, y, _ = GEOD.fwd(np.full(81, lon), np.full(81, lat), np.degrees(np.arctan2(east, north)), np.hypot(east, north))
        values = np.stack([np.asarray(x), np.asarray(y), *self._cell(np.asarray(x), np.asarray(y))])
        if not np.isfinite(values).all():
            raise InvalidInput(f"镜头不在高程模型坐标系的范围内 · the lens at {lon:.6f}, {lat:.6f} is outside the terrain's reference system", remedy="check both")
        first = np.array([lon, lat, 0.0, 0.0])[:, None]
        coefficients = np.linalg.lstsq(_powers(east / radius_m, north / radius_m).T, (values - first).T, rcond=None)[0].T

        def cubic(e: np.ndarray, n: np.ndarray) -> np.ndarray:
            return first + coefficients @ _powers(e / radius_m, n / radius_m)

        return cubic

    def _above(self, path, rays: np.ndarray, lens: np.ndarray, slope: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Height of `rays` above the terrain at distances (m, one row a ray), NaN where the terrain is unknown."""
        knot = (distances // KNOT_M).astype(np.int64)
        share = (distances - knot * KNOT_M) / KNOT_M
        of = rays[:, None]
        column, row = (part[of, knot] * (1 - share) + part[of, knot + 1] * share for part in path)
        return lens[:, None] + slope[:, None] * distances + drop_m(distances) - self._sample(column, row)


def _powers(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The ten products of u and v up to the third degree, one row each."""
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v, u**3, u * u * v, u * v * v, v**3])


def _first_below(above: Callable[[np.ndarray, np.ndarray], np.ndarray], rays: int, walked: np.ndarray, *, block: int = 64) -> np.ndarray:
    """How far along each ray first comes to the ground or under it: a value between the first and last of `walked` (ascending), NaN for none.

    `above(rays, at)`: metres above the ground of the rays (indices) at places along them (one row a ray), NaN over unknown terrain, which hides
    nothing. Steps of `walked`, then bisection.
    """
    reach = np.full(rays, np.nan)
    open_rays = np.arange(rays)
    before = np.full(rays, np.inf)
    last = walked[0]
    for stretch in np.array_split(walked, max(1, len(walked) // block)):
        if not len(open_rays):
            break
        passed = np.concatenate([[last], stretch])
        gaps = np.concatenate([before[open_rays, None], above(open_rays, np.broadcast_to(stretch, (len(open_rays), len(stretch))))], axis=1)
        known = np.where(np.isnan(gaps), np.inf, gaps)
        hit = known[:, 1:] <= 0
        first = np.argmax(hit, axis=1)
        met = hit[np.arange(len(hit)), first]
        index = open_rays[met]
        low, high = passed[first[met]], passed[first[met] + 1]
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = ~(above(index, middle[:, None])[:, 0] > 0)
            low, high = np.where(below, low, middle), np.where(below, middle, high)
        reach[index] = high
        before[open_rays] = known[:, -1]
        last = stretch[-1]
        open_rays = open_rays[~met]
    return reach


def drop_m(distance_m):
    """How much lower than the tangent plane the ground lies at `distance_m`, less refraction.

    >>> round(float(drop_m(10_000.0)), 2)
    6.83
    >>> float(drop_m(0.0))
    0.0
    """
    return (1 - REFRACTION) * np.square(distance_m) / (2 * EARTH_M)


def flat(height_m: float = 0.0, *, sigma_m: float = 2.0) -> Terrain:
    """Level ground everywhere: for street cameras without a terrain model.

    >>> float(flat(7.0).elevation(120.4, 36.1)), float(flat().elevation(-180, 90))
    (7.0, 0.0)
    """
    heights = np.full((2, 2), height_m, np.float32)
    return Terrain(heights, (1 / 360, 0.0, 0.5, 0.0, 1 / 180, 0.5), 10.0, None, sigma_m)


def load_terrain(path: Path, *, sigma_m: float = 8.0) -> Terrain:
    """The first band of GeoTIFF `path` as terrain. `sigma_m`: standard error of its heights (8 m suits SRTM-class models).

    Raises NotFound, UnsupportedMedia, TooLarge, UnknownCrs (no CRS), InvalidInput (smaller than 2×2 or nothing known).
    """
    with _grid(path) as dataset:
        heights = dataset.read(1, masked=True).astype(np.float32).filled(np.nan)
        crs, transform = CRS.from_wkt(dataset.crs.to_wkt()), dataset.transform
    heights[(heights < -500) | (heights > 9000)] = np.nan
    if not np.isfinite(heights).any():
        raise InvalidInput(f"高程模型没有有效值 · {path.name} holds no height", remedy="check its nodata value")
    return from_array(heights, tuple(transform)[:6], crs, sigma_m=sigma_m)


@contextmanager
def _grid(path: Path) -> Iterator[DatasetReader]:
    """The open file of a terrain model that we take."""
    with open_raster(path) as dataset:
        if dataset.crs is None:
            raise UnknownCrs(f"高程模型没有坐标系 · {path.name} declares no reference system", remedy="write its CRS into the GeoTIFF, e.g. EPSG:4326")
        if dataset.width * dataset.height > PIXELS or min(dataset.width, dataset.height) < 2:
            raise InvalidInput(f"高程模型大小不合 · {path.name} is {dataset.width} × {dataset.height}", remedy=f"2×2 to {PIXELS:,} cells")
        yield dataset


Model = tuple[Path, int]
"""A file of heights, and when it was written (ns)."""


def models(data_dir: Path, lon: float, lat: float) -> Iterator[Model]:
    """The models of `data_dir`/terrain/*.tif whose grid holds a place, by name. No heights are read. Raises what `load_terrain` says of a file that is none."""
    for path in sorted((data_dir / "terrain").glob("*.tif")):
        model = path, path.stat().st_mtime_ns
        if np.isfinite(_extent(*model).elevation(lon, lat)):
            yield model


@lru_cache(maxsize=4096)
def _extent(path: Path, modified_ns: int) -> Terrain:
    """The grid of a file with zero for every height, which takes no memory."""
    with _grid(path) as dataset:
        level = np.broadcast_to(np.float32(0), (dataset.height, dataset.width))
        return from_array(level, tuple(dataset.transform)[:6], CRS.from_wkt(dataset.crs.to_wkt()))


class Kept:
    """Terrains of files, the last used up to `most_bytes` of heights, one at least. Safe between threads; files are read one at a time, each once."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most = most_bytes
        self._held: dict[Model, Terrain] = {}
        self._lock = threading.Lock()

    def __call__(self, model: Model) -> Terrain:
        """The terrain of a model, now the last used. Raises what `load_terrain` does."""
        with self._lock:
            terrain = self._held.pop(model, None)
            self._held[model] = terrain = load_terrain(model[0]) if terrain is None else terrain
            while len(self._held) > 1 and sum(each.heights.nbytes for each in self._held.values()) > self._most:
                del self._held[next(iter(self._held))]
        return terrain


kept = Kept()


def from_array(heights: np.ndarray, transform: tuple[float, ...], crs: CRS | str = "EPSG:4326", *, sigma_m: float = 8.0) -> Terrain:
    """Terrain from heights (rows × columns) and the six affine numbers (a, b, c, d, e, f) that take a pixel corner to x, y of `crs`."""
    crs = CRS.from_user_input(crs)
    a, b, c, d, e, f = transform
    determinant = a * e - b * d
    if determinant == 0 or not np.isfinite(determinant):
        raise InvalidInput("高程模型没有地理参考 · the heights have no usable transform", remedy="georeference the file")
    ia, ib, id_, ie = e / determinant, -b / determinant, -d / determinant, a / determinant
    inverse = (ia, ib, -(ia * c + ib * f) - 0.5, id_, ie, -(id_ * c + ie * f) - 0.5)
    geographic = crs.is_geographic
    to_crs = None if geographic else Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    unit = 111_320.0 if geographic else crs.axis_info[0].unit_conversion_factor
    return Terrain(np.asarray(heights, np.float32), inverse, float(min(np.hypot(a, d), np.hypot(b, e))) * unit, to_crs, sigma_m)
