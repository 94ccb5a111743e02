"""Two scenes on one grid: where they overlap, how far apart they lie, and how their radiometry compares."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
import shapely
from pyproj import CRS as ProjCRS
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.io import DatasetReader
from rasterio.transform import from_origin
from rasterio.warp import reproject
from rasterio.windows import Window

from grid.errors import InvalidInput
from imagery.scenes import indices
from imagery.scenes.handles import Handles
from imagery.scenes.invariants import Normalisation, fit_normalisation
from imagery.scenes.mapped import MAPS, Mapped
from imagery.scenes.masks import CLEAR, NODATA
from imagery.scenes.raster import footprint, open_raster

TILE = 256
SAMPLE = 60_000
LARGE = 16_000_000
"""Pixels of a pair from which it is known by windows instead of whole."""
OPEN = Handles(8)
"""Scenes that this process keeps open: what GDAL has unpacked of one is not unpacked again for the next question."""


class Misaligned(InvalidInput):
    """The scenes lie further apart than we correct, or the correction did not hold; `extra` carries the figures in pixels."""

    title = "影像未对准 · Scenes are not aligned"


@dataclass(frozen=True, slots=True)
class Source:
    """A raster and the common names of its bands in file order, e.g. ('blue', 'green', 'red', 'nir'). `mask`: classes of `masks` on any grid; what is
    cloud or shadow there is read as not valid. `kept`: whether it is a scene of ours, whose indices may lie prepared beside it."""

    path: Path
    bands: tuple[str, ...]
    mask: Path | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A north-up raster grid in a projected CRS; `resolution` in metres."""

    crs: str
    transform: rasterio.Affine
    width: int
    height: int

    @property
    def resolution(self) -> float:
        """Pixel size in metres."""
        return self.transform.a


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the after scene lies relative to before, in pixels of the grid, columns east and rows south positive.

    `residual` is what is left after correction; `tiles` how many agreed. With tiles 0 nothing could be matched (sea, haze):
    east and south are then 0 and mean "not measured".
    """

    east: float
    south: float
    residual: float
    tiles: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two scenes that can be read on one grid. `bands` are the common ones that were asked for, in this order; `ground`: polygons in the grid's
    CRS outside of which nothing is valid, None for all; `index`: one of `indices` that is read in place of the bands, "" for the bands."""

    before: Source
    after: Source
    grid: Grid
    bands: tuple[str, ...]
    shift: Shift
    normalisation: Normalisation
    ground: tuple[shapely.Polygon, ...] | None = None
    index: str = ""

    def read(self, window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row, col, height, width) -> before and after (bands, height, width) float32, and valid (height, width) bool.

        After is shifted into place and in the radiometry of before. Pixels that either scene lacks are not valid, value 0.
        Of an index pair there is one band: the index (−1…1).
        """
        if self.index:
            pair = [indices.values()[code][None] for code in self.codes(window)]
            valid = np.isfinite(pair[0][0]) & np.isfinite(pair[1][0])
            return np.where(valid, pair[0], 0), np.where(valid, self.normalisation.apply(pair[1]), 0), valid
        old, old_valid = read(self.before, self.grid, self.bands, window)
        new, new_valid = read(self.after, _moved(self.grid, self.shift), self.bands, window)
        valid = old_valid & new_valid
        if self.ground is not None:
            valid &= _inside(self.ground, self.grid, window)
        return old * valid, self.normalisation.apply(new) * valid, valid

    def codes(self, window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        """(row, col, height, width) -> the codes of an index pair before and after, (height, width) uint8; after as it was taken, in its place.

        Read from the prepared index where there is one on these pixels, made of the bands otherwise: the same codes.
        """
        both = _codes(self.before, self.grid, self.index, window), _codes(self.after, _moved(self.grid, self.shift), self.index, window)
        if self.ground is not None:
            inside = _inside(self.ground, self.grid, window)
            both = both[0] * inside, both[1] * inside
        return both

    def indexed(self, index: str) -> "Pair":
        """The same pair seen through an index of `indices`; what normalising its bands does to the index of after is taken as a straight line."""
        bands = self.only(indices.get(index).bands)
        _, raw = sample(bands.raw())
        taken, brought = (indices.ratio(*pixels) for pixels in (raw, bands.normalisation.apply(raw)))
        known = np.isfinite(taken) & np.isfinite(brought)
        gain, offset = np.polyfit(taken[known], brought[known], 1) if np.ptp(taken[known]) > indices.STEP else (1.0, np.mean(brought[known] - taken[known]))
        fit = Normalisation(np.array([gain]), np.array([offset]), np.ones(1), self.normalisation.unchanged)
        return replace(bands, index=index, normalisation=fit)

    def only(self, bands: tuple[str, ...]) -> "Pair":
        """The same pair with some of its bands, in another order."""
        picked = [self.bands.index(name) for name in bands]
        fit = self.normalisation
        return replace(self, bands=bands, normalisation=replace(fit, gain=fit.gain[picked], offset=fit.offset[picked], noise=fit.noise[picked]))

    def cut(self, ground: Sequence[shapely.Polygon]) -> "Pair":
        """The same pair where only pixels whose centre lies in a polygon (EPSG:4326) are valid."""
        forward = Transformer.from_crs("EPSG:4326", self.grid.crs, always_xy=True)
        return replace(self, ground=tuple(shapely.transform(list(ground), forward.transform, interleaved=False)))

    def raw(self) -> "Pair":
        """The same pair with after in its own radiometry."""
        return replace(self, normalisation=_plain(len(self.bands)))


def _plain(bands: int) -> Normalisation:
    return Normalisation(np.ones(bands), np.zeros(bands), np.ones(bands), 1.0)


def _inside(ground: tuple[shapely.Polygon, ...], grid: Grid, window: tuple[int, int, int, int]) -> np.ndarray:
    row, col, height, width = window
    at = grid.transform @ rasterio.Affine.translation(col, row)
    corners = shapely.box(*rasterio.transform.array_bounds(height, width, at))
    near = [shape for shape in ground if shapely.intersects(shape.envelope, corners)]
    return rasterize(near, (height, width), transform=at, dtype=np.uint8).astype(bool) if near else np.zeros((height, width), bool)


def common_bands(before: tuple[str, ...], after: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The bands to compare, by name: `wanted`, or all that both have when it is empty. InvalidInput names the missing ones."""
    shared = tuple(name for name in before if name in after)
    missing = [name for name in wanted if name not in shared]
    if missing or not shared:
        raise InvalidInput(
            f"the scenes do not both have {', '.join(missing) or 'any common band'}: {', '.join(before)} and {', '.join(after)}",
            remedy="choose scenes with these bands, or name the bands when registering",
        )
    return wanted or shared


def common_grid(before: DatasetReader, after: DatasetReader) -> Grid:
    """The overlap on one grid: before's own pixels when both are in one projected CRS, else a UTM zone; the coarser resolution.

    InvalidInput when the overlap is narrower than 16 pixels.
    """
    shared = footprint(before).intersection(footprint(after))
    if shared.is_empty:
        raise InvalidInput("the two scenes do not overlap", remedy="choose two scenes of one place")
    old, new = ProjCRS.from_wkt(before.crs.to_wkt()), ProjCRS.from_wkt(after.crs.to_wkt())
    upright = before.transform.is_rectilinear and before.transform.a > 0 > before.transform.e
    if old.is_projected and old == new and upright and after.transform.is_rectilinear:
        crs, origin = old.to_wkt(), (before.transform.c, before.transform.f)
        resolution = max(before.res[0], after.res[0])
        west, south = max(before.bounds.left, after.bounds.left), max(before.bounds.bottom, after.bounds.bottom)
        east, north = min(before.bounds.right, after.bounds.right), min(before.bounds.top, after.bounds.top)
    else:
        lon, lat = shared.centroid.x, shared.centroid.y
        crs, origin = f"EPSG:{(32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1}", (0.0, 0.0)
        forward = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        x, y = forward.transform(*np.array(shared.exterior.coords).T)
        west, south, east, north = min(x), min(y), max(x), max(y)
        resolution = max(_ground_resolution(before, forward), _ground_resolution(after, forward))
    slack = 1e-6
    first, last = np.ceil((west - origin[0]) / resolution - slack), np.floor((east - origin[0]) / resolution + slack)
    top, bottom = np.ceil((origin[1] - north) / resolution - slack), np.floor((origin[1] - south) / resolution + slack)
    if last - first < 16 or bottom - top < 16:
        raise InvalidInput(f"the two scenes share only {last - first:.0f} × {bottom - top:.0f} pixels", remedy="choose scenes that overlap more")
    corner = from_origin(origin[0] + first * resolution, origin[1] - top * resolution, resolution, resolution)
    return Grid(crs, corner, int(last - first), int(bottom - top))


def _ground_resolution(dataset: DatasetReader, forward: Transformer) -> float:
    back = Transformer.from_crs(ProjCRS.from_wkt(dataset.crs.to_wkt()), "EPSG:4326", always_xy=True)
    col, row = dataset.width / 2, dataset.height / 2
    x, y = forward.transform(*back.transform(*(dataset.transform @ (np.array([col, col + 1]), np.array([row, row])))))
    return float(round(np.hypot(x[1] - x[0], y[1] - y[0]), 3))


def align(before: Source, after: Source, wanted: tuple[str, ...] = (), *, max_shift_px: float = 4.0, max_residual_px: float = 0.5) -> Pair:
    """Brings two scenes onto one grid and one radiometry, or refuses with the figure. A shift below 0.2 pixels is left as it is:
    resampling would cost more than it mends (Dai & Khorram, IEEE TGRS 36(5), 1998, ask for 0.2).

    Raises Misaligned (shift above `max_shift_px`, or more than `max_residual_px` left after correction), InvalidInput (no overlap,
    missing bands, too few valid pixels), and what opening a raster raises.
    """
    bands = common_bands(before.bands, after.bands, wanted)
    with open_raster(before.path) as old, open_raster(after.path) as new:
        grid = common_grid(old, new)
    shift = _place(before, after, grid, bands, max_shift_px, max_residual_px)
    pair = Pair(before, after, grid, bands, shift, _plain(len(bands)))
    return replace(pair, normalisation=fit_normalisation(*sample(pair)))


def _place(before: Source, after: Source, grid: Grid, bands: tuple[str, ...], limit: float, tolerance: float) -> Shift:
    one = bands[-1:] if "nir" not in bands else ("nir",)
    tiles = windows(grid)
    old = [read(before, grid, one, tile) for tile in tiles]
    new = [read(after, grid, one, tile) for tile in tiles]
    east, south, agreed = measure_shift(old, new)
    size = float(np.hypot(east, south))
    if size > limit:
        raise Misaligned(
            f"the scenes lie {size:.2f} pixels ({size * grid.resolution:.1f} m) apart; up to {limit:g} pixels are corrected",
            remedy="orthorectify one of them again, or check its georeference",
            shift_px=round(size, 3),
        )
    if agreed == 0 or size < 0.2:
        return Shift(east, south, size, agreed)
    moved = _moved(grid, Shift(east, south, 0.0, agreed))
    left_east, left_south, still = measure_shift(old, [read(after, moved, one, tile) for tile in tiles])
    residual = float(np.hypot(left_east, left_south))
    if still == 0 or residual > tolerance:
        raise Misaligned(
            f"after moving by {size:.2f} pixels the scenes still lie {residual:.2f} pixels apart; {tolerance:g} is allowed",
            remedy="the shift differs across the scene: orthorectify it again",
            shift_px=round(size, 3),
            residual_px=round(residual, 3),
        )
    return Shift(east, south, residual, agreed)


def windows(grid: Grid, most: int = 3, side: int = TILE) -> list[tuple[int, int, int, int]]:
    """Up to most × most windows (row, col, height, width) spread over the grid: enough to know the whole. Of a LARGE grid they begin at multiples of
    `side`, so that each lies in one tile of the file."""
    tall, wide = min(side, grid.height), min(side, grid.width)
    whole = side if grid.width * grid.height > LARGE else 1
    rows = sorted({round(r) // whole * whole for r in np.linspace(0, grid.height - tall, min(most, -(-grid.height // tall)))})
    cols = sorted({round(c) // whole * whole for c in np.linspace(0, grid.width - wide, min(most, -(-grid.width // wide)))})
    return [(row, col, tall, wide) for row in rows for col in cols]


def measure_shift(
    before: list[tuple[np.ndarray, np.ndarray]], after: list[tuple[np.ndarray, np.ndarray]], *, least_match: float = 0.1
) -> tuple[float, float, int]:
    """(east, south, tiles): the median sub-pixel shift of after against before over tiles of (pixels (1, h, w), valid (h, w)).

    Phase correlation of edge images (Kuglin & Hines 1975; up-sampled as Guizar-Sicairos 2008). A tile counts when its edges
    correlate at `least_match` or better once shifted, and it lies within a pixel of the median.
    """
    from scipy import ndimage  # with skimage two seconds to read: not at every start of a server
    from skimage.registration import phase_cross_correlation

    found = []
    for (old, old_valid), (new, new_valid) in zip(before, after, strict=True):
        valid = old_valid & new_valid
        if valid.mean() < 0.5:
            continue
        first, second = _edges(old[0], valid), _edges(new[0], valid)
        (south, east), _, _ = phase_cross_correlation(first, second, upsample_factor=20, normalization=None)
        settled = ndimage.shift(second, (south, east), order=1)
        scale = np.sqrt((first**2).sum() * (settled**2).sum())
        if scale > 0 and (first * settled).sum() / scale >= least_match:
            found.append((-float(east), -float(south)))
    if not found:
        return 0.0, 0.0, 0
    middle = np.median(found, axis=0)
    near = [shift for shift in found if np.hypot(*(np.array(shift) - middle)) <= 1.0] or found
    east, south = np.median(near, axis=0)
    return float(east), float(south), len(near)


def _edges(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    inside = ndimage.binary_erosion(valid, iterations=3, border_value=0)
    filled = np.where(valid, pixels, np.median(pixels[valid]))
    edges = ndimage.gaussian_gradient_magnitude(filled.astype(np.float64), 1.0)
    edges = np.minimum(edges, np.percentile(edges[valid], 99))
    mean = edges[inside].mean() if inside.any() else 0.0
    taper = np.outer(np.hanning(pixels.shape[0] + 2)[1:-1], np.hanning(pixels.shape[1] + 2)[1:-1])
    return np.where(inside, edges - mean, 0) * taper


def _moved(grid: Grid, shift: Shift) -> Grid:
    return Grid(grid.crs, grid.transform @ rasterio.Affine.translation(shift.east, shift.south), grid.width, grid.height)


def sample(pair: Pair, size: int = SAMPLE) -> tuple[np.ndarray, np.ndarray]:
    """About `size` valid pixels spread over the pair: before and after (bands, samples) float32, after normalised as the pair says.
    Evenly, or of a LARGE pair that is not cut to a register's ground from the windows that its shift was measured in, so that nothing else of it need be read."""
    grid = pair.grid
    if grid.width * grid.height > LARGE and pair.ground is None:
        step = max(1, round(np.sqrt(9 * TILE**2 / size)))
        seen = [tuple(part[..., ::step, ::step] for part in pair.read(window)) for window in windows(grid)]
        return tuple(np.concatenate([part[scene][:, part[2]] for part in seen], axis=1) for scene in (0, 1))
    rows_at_once = max(1, min(grid.height, 4_000_000 // grid.width))
    step = max(1, round(np.sqrt(grid.width * grid.height / size)))
    old_parts, new_parts = [], []
    for row in range(0, grid.height, rows_at_once):
        old, new, valid = pair.read((row, 0, min(rows_at_once, grid.height - row), grid.width))
        first = -row % step
        keep = valid[first::step, ::step]
        old_parts.append(old[:, first::step, ::step][:, keep])
        new_parts.append(new[:, first::step, ::step][:, keep])
    return np.concatenate(old_parts, axis=1), np.concatenate(new_parts, axis=1)


def read(source: Source, grid: Grid, bands: tuple[str, ...], window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Bands of a scene on a grid, in a window (row, col, height, width): (bands, height, width) float32 and valid (height, width) bool. A pixel is
    valid when no band is nodata or not a number, not all are 0, and the mask of clouds lets it be seen; the others are 0."""
    row, col, height, width = window
    numbers = [source.bands.index(name) + 1 for name in bands]
    at = grid.transform @ rasterio.Affine.translation(col, row)
    pixels = np.full((len(bands), height, width), np.nan, np.float32)
    with OPEN.reading(source.path) as dataset:
        offset = _whole_offset(dataset, grid.crs, at)
        if offset is None:
            reproject(
                rasterio.band(dataset, numbers), pixels, src_nodata=dataset.nodata, dst_transform=at, dst_crs=grid.crs, dst_nodata=np.nan,
                resampling=Resampling.cubic,
            )  # fmt: skip
        else:
            _copy(dataset, numbers, offset, pixels)
    valid, lit = np.isfinite(pixels[0]), pixels[0] != 0
    for band in pixels[1:]:
        valid &= np.isfinite(band)
        lit |= band != 0
    valid &= lit
    if source.mask is not None:
        valid &= clear(source.mask, grid.crs, at, valid.shape)
    if not valid.all():
        np.copyto(pixels, 0, where=~valid)
    return pixels, valid


def clear(mask: Path, crs: str, at: rasterio.Affine, shape: tuple[int, int]) -> np.ndarray:
    """Where a mask lets pixels of a grid (rows, cols) be seen: that of the mask's pixel in which their centre lies."""
    with OPEN.reading(mask) as dataset:
        steps = ~dataset.transform @ at
        if steps.is_rectilinear and min(steps.a, steps.e) > 0 and dataset.crs == rasterio.CRS.from_string(crs):
            rows, cols = (np.floor(start + (np.arange(many) + 0.5) * step).astype(int) for start, step, many in zip((steps.f, steps.c), (steps.e, steps.a), shape, strict=True))
            (top, bottom), (left, right) = ((max(0, side[0]), min(most, side[-1] + 1)) for side, most in ((rows, dataset.height), (cols, dataset.width)))
            open_air = np.zeros((max(0, bottom - top) + 1, max(0, right - left) + 1), bool)
            if open_air.shape[0] > 1 and open_air.shape[1] > 1:
                open_air[:-1, :-1] = dataset.read(1, window=Window(left, top, right - left, bottom - top)) == CLEAR
            rows, cols = (np.where((side >= least) & (side < most), side - least, -1) for side, least, most in ((rows, top, bottom), (cols, left, right)))
            return open_air[:, cols][rows]
        classes = np.zeros(shape, np.uint8)
        reproject(rasterio.band(dataset, 1), classes, dst_transform=at, dst_crs=crs, init_dest_nodata=True, dst_nodata=NODATA, resampling=Resampling.nearest)
    return classes == CLEAR


def _codes(source: Source, grid: Grid, index: str, window: tuple[int, int, int, int]) -> np.ndarray:
    prepared = MAPS.of(indices.path_of(source.path, index)) if source.kept else None
    if prepared is not None:
        at = grid.transform @ rasterio.Affine.translation(window[1], window[0])
        offset = _whole_offset(prepared, grid.crs, at)
        if offset is not None:
            codes = prepared.window(*offset, *window[2:])
            return codes if source.mask is None else codes * clear(source.mask, grid.crs, at, codes.shape)
    pixels, valid = read(source, grid, indices.get(index).bands, window)
    return indices.codes(*pixels, valid)


def _whole_offset(dataset: DatasetReader | Mapped, crs: str, at: rasterio.Affine) -> tuple[int, int] | None:
    """(row, col) of the dataset where a grid begins, when both have the same pixels; None when pixels must be resampled."""
    steps = ~dataset.transform @ at
    row, col = round(steps.f), round(steps.c)
    near = np.allclose((steps.a, steps.b, steps.d, steps.e, steps.f - row, steps.c - col), (1, 0, 0, 1, 0, 0), atol=1e-4)
    return (row, col) if near and dataset.crs == rasterio.CRS.from_string(crs) else None


def _copy(dataset: DatasetReader, numbers: list[int], offset: tuple[int, int], pixels: np.ndarray) -> None:
    """Fills (bands, height, width) float32 with the dataset's pixels from an offset on, as far as it reaches; its nodata is NaN."""
    height, width = pixels.shape[1:]
    top, left = max(0, -offset[0]), max(0, -offset[1])
    bottom, right = min(height, dataset.height - offset[0]), min(width, dataset.width - offset[1])
    if top >= bottom or left >= right:
        return
    place = pixels[:, top:bottom, left:right]
    place[...] = dataset.read(numbers, window=Window(offset[1] + left, offset[0] + top, right - left, bottom - top))
    if dataset.nodata is not None:
        np.copyto(place, np.nan, where=place == np.float32(dataset.nodata))
