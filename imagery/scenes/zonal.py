"""Statistics of a scene's index over many polygons: how green is each grid. Which pixels a polygon covers, and by how much, is worked out once."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from rasterio.windows import Window

from imagery.scenes import indices, masks, pairs, prepared
from imagery.scenes.mapped import MAPS
from imagery.scenes.raster import open_raster

KEPT = 8


@dataclass(frozen=True, slots=True)
class Coverage:
    """How zones cover the pixels of a window (row, col, height, width) of a raster, as a sparse matrix by rows in two parts: spans of pixels that lie
    whole in a zone (`span_of` (zones + 1,), `span_at` first pixel, `span_long`), and pixels with the share that does (`edge_of`, `edge_at`,
    `edge_share`); pixels are counted row by row in the window."""

    window: tuple[int, int, int, int]
    span_of: np.ndarray
    span_at: np.ndarray
    span_long: np.ndarray
    edge_of: np.ndarray
    edge_at: np.ndarray
    edge_share: np.ndarray


@dataclass(frozen=True, slots=True)
class Figures:
    """Of each zone, (zones,) float64: mean, standard deviation, least and most value of the index by area, NaN where the scene shows none of the zone;
    `share` of the zone that it shows (0…1)."""

    mean: np.ndarray
    deviation: np.ndarray
    least: np.ndarray
    most: np.ndarray
    share: np.ndarray


def cover(zones: Sequence[shapely.Geometry], transform: rasterio.Affine, height: int, width: int) -> Coverage:
    """The coverage of (multi)polygons in the raster's CRS; exact, to rounding. Zones outside of the raster cover nothing."""
    from imagery.scenes import coverage  # numba is half a second to read: not at every start

    frame = shapely.Polygon([transform @ corner for corner in ((0, 0), (width, 0), (width, height), (0, height))])
    cut = np.atleast_1d(shapely.intersection(np.asarray(zones, object), frame))
    inside = (shapely.get_dimensions(cut) == 2) & ~shapely.is_empty(cut)
    mixed = inside & (shapely.get_type_id(cut) == shapely.GeometryType.GEOMETRYCOLLECTION)
    cut[mixed] = [shapely.union_all([part for part in shapely.get_parts(one) if shapely.get_dimensions(part) == 2]) for one in cut[mixed]]
    shapes = shapely.orient_polygons(np.where(inside, cut, shapely.Polygon()))
    west, south, east, north = shapely.total_bounds(shapes) if inside.any() else (0.0, 0.0, 0.0, 0.0)
    corners = [~transform @ corner for corner in ((west, north), (east, south), (west, south), (east, north))]
    left, right = (int(edge(min(max(at(c[0] for c in corners), 0), width))) for edge, at in ((np.floor, min), (np.ceil, max)))
    top, bottom = (int(edge(min(max(at(c[1] for c in corners), 0), height))) for edge, at in ((np.floor, min), (np.ceil, max)))
    parts, zone_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring_of = shapely.get_coordinates(rings, return_index=True)
    col, row = ~transform @ (xy[:, 0], xy[:, 1])
    ends = np.concatenate([[0], np.cumsum(np.bincount(ring_of, minlength=len(rings)))]) if len(rings) else np.zeros(1, np.int64)
    of = zone_of_part[part_of_ring] if len(rings) else np.zeros(0, np.int64)
    firsts = np.searchsorted(of, np.arange(len(shapes) + 1))
    made = coverage.weigh(np.ascontiguousarray(col - left), np.ascontiguousarray(row - top), ends.astype(np.int64), firsts.astype(np.int64), bottom - top, right - left)
    return Coverage((top, left, bottom - top, right - left), *made)


def figures(found: Coverage, path: Path, areas: np.ndarray, mask: Path | None = None) -> Figures:
    """Statistics of a prepared index over zones; `areas` (zones,) are theirs in pixels. What the scene's `mask` calls cloud or shadow shows nothing of them."""
    from imagery.scenes import coverage

    top, left, height, width = found.window
    pixels = np.zeros(0, np.uint8)
    if height and width:
        prepared = MAPS.of(path)
        if prepared is None:
            with open_raster(path) as dataset:
                pixels = dataset.read(1, window=Window(left, top, width, height)).ravel()
        else:
            pixels = prepared.window(top, left, height, width).ravel()
        if mask is not None:
            with open_raster(path) as dataset:
                crs, at = str(dataset.crs), dataset.transform @ rasterio.Affine.translation(left, top)
            pixels = pixels * pairs.clear(mask, crs, at, (height, width)).ravel()
    values = indices.values().astype(np.float64)
    sums = coverage.sums(
        pixels, np.nan_to_num(values), np.isfinite(values), found.span_of, found.span_at, found.span_long, found.edge_of, found.edge_at, found.edge_share
    )
    area, total, squares, least, most = sums.T
    seen = area > 0
    base = np.where(seen, area, 1)
    mean = total / base
    deviation = np.sqrt(np.maximum(squares / base - mean**2, 0))
    share = np.clip(area / np.where(areas > 0, areas, 1), 0, 1)
    return Figures(*(np.where(seen, one, np.nan) for one in (mean, deviation, least, most)), share)


class Coverages:
    """The coverages that were asked for last, by zones and raster grid; safe between threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._held: OrderedDict[bytes, tuple[Coverage, np.ndarray]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, zones: Sequence[shapely.Geometry], crs: rasterio.CRS, transform: rasterio.Affine, height: int, width: int) -> tuple[Coverage, np.ndarray]:
        """The coverage of zones (EPSG:4326) on a raster's grid, and their areas in its pixels."""
        key = hashlib.sha256(b"".join(shapely.to_wkb(list(zones))) + repr((crs.to_wkt(), transform, height, width)).encode()).digest()
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        forward = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        there = shapely.transform(np.asarray(list(zones), object), forward.transform, interleaved=False)
        made = cover(there, transform, height, width), shapely.area(there) / abs(transform.determinant)
        with self._lock:
            self._held[key] = made
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made


COVERAGES = Coverages()


def of_scene(scene: Path, names: tuple[str, ...], index_id: str, zones: Sequence[shapely.Geometry]) -> Figures:
    """An index of a scene's file with bands `names` over zones (EPSG:4326); the index is prepared where it is not yet. Raises what `prepare` raises."""
    path = prepared.prepare(scene, names, index_id)
    with open_raster(path) as dataset:
        grid = dataset.crs, dataset.transform, dataset.height, dataset.width
    found, areas = COVERAGES.of(zones, *grid)
    return figures(found, path, areas, masks.known_of(scene))
