"""Heaps and pits between two surface models of one site: volume with its standard error, above a level of detection.

Heights are laid on one grid (average, not interpolation, where the finer is made coarser) and tied on stable ground: a horizontal shift by the
aspect of slopes (Nuth & Kääb, The Cryosphere 5, 2011), then a plane, by medians, so that heaps do not pull. What is left on stable ground is the error:
its spread (NMAD: Höhle & Höhle, ISPRS J. 64(4), 2009) gives the level of detection at 95 % (Brasington et al. 2003; Wheaton et al., ESPL
35(2), 2010). Errors are alike nearby, so the error of a mean does not fall with the root of its pixels: it is read off the means of stable
squares of the patch's size (the patch method: Rolstad et al., J. Glaciology 55(192), 2009; Dehecq et al. 2020).
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.warp import reproject

from grid.errors import InvalidInput
from grid.sensing.observations import Finding
from imagery.scenes.pairs import Grid, common_grid
from imagery.scenes.polygonize import Polygon, polygons
from imagery.scenes.raster import open_raster

VERSION = "1.0.0"
MOST_PIXELS = 100_000_000
LEAST_STABLE = 1000
"""Stable pixels below which no error can be told."""
CONFIDENCE = 1.96
NMAD = 1.4826
STEEP = 0.1
"""Slope (rise over run) from which an aspect is known well enough to see a horizontal shift."""


@dataclass(frozen=True, slots=True)
class Heap:
    """A place where the surface rose (or sank: all figures negative but the errors). `volume_m3` ± `volume_sigma_m3` (one standard error);
    `height_m`: the mean change, `peak_m` its extreme; `certain`: the volume is further from 0 than 1.96 of its errors."""

    patch: Polygon
    volume_m3: float
    volume_sigma_m3: float
    height_m: float
    peak_m: float

    @property
    def certain(self) -> bool:
        """Whether 0 m³ lies outside the 95 % interval."""
        return abs(self.volume_m3) > CONFIDENCE * self.volume_sigma_m3

    @property
    def confidence(self) -> float:
        """How likely the change of volume is more than error, 0–1, two-sided and normal; at most 0.99, since a parked lorry is a heap too."""
        return min(0.99, math.erf(abs(self.volume_m3) / max(self.volume_sigma_m3, 1e-9) / math.sqrt(2)))


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What two surface models differ by. `change`: metres (rows, cols) float32, tied, NaN where unknown; `detection_m`: least change that counts at
    one pixel; `offset_m`: height taken off; `east_m`, `south_m`: shift taken off; `spread_m`: NMAD on stable ground; `curve`: pairs of
    (side in m, standard error in m) of a mean over a square; `stable_share` of the known ground."""

    grid: Grid
    change: np.ndarray
    heaps: tuple[Heap, ...]
    detection_m: float
    offset_m: float
    east_m: float
    south_m: float
    spread_m: float
    curve: tuple[tuple[float, float], ...]
    stable_share: float


def measure(
    before: Path, after: Path, *, stable: shapely.Geometry | None = None, minimum_area_m2: float = 20.0, least_m: float = 0.0
) -> Difference:
    """Heaps and pits between two surface models (GeoTIFF, metres, one height datum), largest area first.

    `stable`: ground that is known not to have changed (EPSG:4326); without it, all whose change is within three NMAD of the median after tying: then
    more than half of the scene must be unchanged. `least_m` raises the level of detection. Raises InvalidInput (no overlap, too large, too little
    stable ground, a shift above four cells) and what opening raises.
    """
    with open_raster(before) as old, open_raster(after) as new:
        grid = common_grid(old, new)
    if grid.width * grid.height > MOST_PIXELS:
        raise InvalidInput(f"{grid.width} × {grid.height} cells", remedy=f"at most {MOST_PIXELS:,}: cut both models to the site")
    was, now = _heights(before, grid), _heights(after, grid)
    given = None if stable is None else _raster(stable, grid)
    was, now, offset, east, south = _tied(was, now, given, grid)
    change = now - was
    known = np.isfinite(change)
    ground = _stable(change, given)
    if ground.sum() < LEAST_STABLE:
        raise InvalidInput(
            f"稳定地面只有 {int(ground.sum())} 个像元 · {int(ground.sum())} cells of stable ground, {LEAST_STABLE} are needed",
            remedy="fly wider than the works, or give the stable ground as a polygon",
        )
    spread = NMAD * float(np.median(np.abs(change[ground] - np.median(change[ground]))))
    curve = _curve(change, ground, grid.resolution, spread)
    detection = max(CONFIDENCE * spread, least_m)
    heaps = []
    for sign in (1, -1):
        for patch in polygons(known & (sign * change > detection) & _solid(sign * change, detection), sign * change, grid.transform, grid.crs, minimum_area_m2=minimum_area_m2):
            height, volume = patch.score, patch.score * patch.area_m2
            error = _error(curve, np.sqrt(patch.area_m2)) * patch.area_m2
            heaps.append(Heap(patch, sign * volume, error, sign * height, sign * patch.peak))
    heaps.sort(key=lambda heap: -abs(heap.volume_m3))
    return Difference(grid, change.astype(np.float32), tuple(heaps), detection, offset, east, south, spread, curve, float(ground.sum() / max(known.sum(), 1)))


def findings(found: Difference, *, source: str, seen_at: datetime, accuracy_m: float = 2.0, simulated: bool = False) -> list[Finding]:
    """Observations of the heaps that certainly grew, kind `spoil_heap`. `source` names the later flight, `seen_at` aware: when it was flown;
    `accuracy_m`: radius of 90 % of its place."""
    return [
        Finding(
            source=source, source_event_id=hashlib.sha256(heap.patch.geom.normalize().wkb).hexdigest()[:32], sensor_kind="drone", kind="spoil_heap",
            class_name="heap", score=heap.confidence, recorded_at=seen_at, place=heap.patch.geom.representative_point(), accuracy_m=accuracy_m,
            algorithm="volumes", model_version=VERSION, footprint=heap.patch.geom,
            properties={
                "area_m2": round(heap.patch.area_m2, 1), "volume_m3": round(heap.volume_m3, 1), "volume_sigma_m3": round(heap.volume_sigma_m3, 1),
                "height_m": round(heap.height_m, 2), "peak_m": round(heap.peak_m, 2), "detection_m": round(found.detection_m, 3),
            },
            simulated=simulated,
        )
        for heap in found.heaps
        if heap.certain and heap.volume_m3 > 0
    ]  # fmt: skip


def _heights(path: Path, grid: Grid) -> np.ndarray:
    heights = np.full((grid.height, grid.width), np.nan, np.float32)
    with open_raster(path) as dataset:
        finer = max(abs(dataset.transform.a), abs(dataset.transform.e)) < 0.75 * grid.resolution and dataset.crs.is_projected
        reproject(
            rasterio.band(dataset, 1), heights, src_nodata=dataset.nodata, dst_transform=grid.transform, dst_crs=grid.crs, dst_nodata=np.nan,
            resampling=Resampling.average if finer else Resampling.bilinear,
        )  # fmt: skip
    heights[np.abs(heights) > 9000] = np.nan
    return heights


def _raster(shape: shapely.Geometry, grid: Grid) -> np.ndarray:
    from pyproj import Transformer

    forward = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    placed = shapely.transform(shape, forward.transform, interleaved=False)
    return rasterize([placed], (grid.height, grid.width), transform=grid.transform, dtype=np.uint8).astype(bool)


def _tied(was: np.ndarray, now: np.ndarray, given: np.ndarray | None, grid: Grid) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Both surfaces, the later moved and levelled onto the earlier: with the height, and the shift east and south in metres, that were taken off."""
    from scipy import ndimage

    south_slope, east_slope = np.gradient(was, grid.resolution)
    slope = np.hypot(east_slope, south_slope)
    east = south = 0.0
    moved = now
    for _ in range(5):
        change = moved - was
        ground = _stable(change, given) & (slope > STEEP) & np.isfinite(slope)
        if ground.sum() < LEAST_STABLE:
            break
        step = _shift(change[ground], east_slope[ground], south_slope[ground])
        east, south = east + step[0], south + step[1]
        if np.hypot(east, south) > 4 * grid.resolution:
            raise InvalidInput(
                f"两期表面模型错位 {np.hypot(east, south):.2f} m · the models lie {np.hypot(east, south):.2f} m apart, {4 * grid.resolution:.2f} m are corrected",
                remedy="process both flights with the same ground control points",
            )
        if np.hypot(east, south) < 0.05 * grid.resolution:
            moved = now
        else:
            moved = ndimage.shift(now, (-south / grid.resolution, -east / grid.resolution), order=1, cval=np.nan, prefilter=False)
        if np.hypot(*step) < 0.02 * grid.resolution:
            break
    change = moved - was
    plane = _plane(change, _stable(change, given))
    return was, moved - plane, float(np.nanmedian(plane)), float(east), float(south)


def _shift(change: np.ndarray, east_slope: np.ndarray, south_slope: np.ndarray) -> tuple[float, float]:
    """Metres east and south that the later surface lies off: least squares of change = −slope · shift + offset, trimmed thrice."""
    design = np.column_stack([-east_slope, -south_slope, np.ones_like(change)]).astype(np.float64)
    kept = np.ones(len(change), bool)
    for _ in range(4):
        found, *_ = np.linalg.lstsq(design[kept], change[kept], rcond=None)
        left = change - design @ found
        kept = np.abs(left - np.median(left)) <= 2.5 * NMAD * np.median(np.abs(left - np.median(left))) + 1e-9
    return float(found[0]), float(found[1])


def _plane(change: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Median and tilt of the change on stable ground, over the whole grid: a drone's block bends and tips."""
    rows, cols = np.nonzero(ground)
    if len(rows) < LEAST_STABLE:
        return np.zeros_like(change)
    step = max(1, len(rows) // 200_000)
    rows, cols, values = rows[::step], cols[::step], change[ground][::step].astype(np.float64)
    tall, wide = change.shape
    design = np.column_stack([rows / tall - 0.5, cols / wide - 0.5, np.ones(len(rows))])
    kept = np.ones(len(values), bool)
    for _ in range(4):
        found, *_ = np.linalg.lstsq(design[kept], values[kept], rcond=None)
        left = values - design @ found
        kept = np.abs(left - np.median(left)) <= 2.5 * NMAD * np.median(np.abs(left - np.median(left))) + 1e-9
    spanned = np.ptp(rows) > tall / 2 and np.ptp(cols) > wide / 2
    tilt = found[:2] if spanned else np.zeros(2)
    level = float(np.median(values - design[:, :2] @ tilt))
    return (((np.arange(tall) / tall - 0.5) * tilt[0])[:, None] + ((np.arange(wide) / wide - 0.5) * tilt[1])[None] + level).astype(np.float32)


def _stable(change: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    known = np.isfinite(change)
    if given is not None:
        return known & given
    if not known.any():
        return known
    middle = np.median(change[known])
    spread = NMAD * np.median(np.abs(change[known] - middle))
    return known & (np.abs(change - middle) <= 3 * spread + 1e-6)


def _solid(change: np.ndarray, detection: float) -> np.ndarray:
    """Where the mean of nine cells rose as well: a single noisy cell is no heap."""
    from scipy import ndimage

    return ndimage.uniform_filter(np.nan_to_num(change), 3) > detection / 2


def _curve(change: np.ndarray, ground: np.ndarray, resolution: float, spread: float) -> tuple[tuple[float, float], ...]:
    """Standard error of the mean over squares of growing side; at least the uncorrelated one, and never growing with the side."""
    tall, wide = change.shape
    values = np.where(ground, change - np.median(change[ground]), 0).astype(np.float64)
    points, side = [(resolution, spread)], 2
    while side <= min(tall, wide) // 4:
        rows, cols = tall // side, wide // side
        fold = lambda of, n=side, r=rows, c=cols: of[: r * n, : c * n].reshape(r, n, c, n).sum(axis=(1, 3))  # noqa: E731
        count, total = fold(ground.astype(np.int64)), fold(values)
        full = count >= 0.75 * side * side
        if full.sum() < 8:
            break
        means = total[full] / count[full]
        error = NMAD * float(np.median(np.abs(means - np.median(means))))
        points.append((side * resolution, float(np.clip(error, spread / side, points[-1][1]))))
        side *= 2
    return tuple(points)


def _error(curve: tuple[tuple[float, float], ...], side_m: float) -> float:
    """The curve between and beyond its points, in logarithms; beyond the last it stays."""
    sides, errors = np.log(np.array(curve) + 1e-12).T
    return float(np.exp(np.interp(np.log(max(side_m, 1e-6)), sides, errors)))
