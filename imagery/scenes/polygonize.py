"""A mask becomes polygons with area and score."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Transformer
from rasterio import Affine

from grid.errors import InvalidInput
from grid.geometry import GEOD

if TYPE_CHECKING:
    from imagery.scenes.runs import Runs


@dataclass(frozen=True, slots=True)
class Polygon:
    """A connected piece of a mask (corners connect): EPSG:4326 lon/lat along pixel edges, holes kept; geodesic area; mean and peak score."""

    geom: shapely.MultiPolygon
    area_m2: float
    score: float
    peak: float
    pixels: int


def polygons(mask: np.ndarray, score: np.ndarray, transform: Affine, crs: str, *, minimum_area_m2: float = 0.0) -> list[Polygon]:
    """Pieces of `mask` (rows, cols) of at least `minimum_area_m2`, largest first; an empty mask gives an empty list.

    `transform` maps pixel corners to `crs`, which must be projected in metres (areas are then measured on the ellipsoid).
    """
    if mask.shape != score.shape:
        raise InvalidInput(f"mask {mask.shape} and score {score.shape} differ in shape")
    from imagery.scenes import runs  # numba is half a second to read: not at every start of a server

    return of_runs(runs.runs_of(mask, score), transform, crs, minimum_area_m2=minimum_area_m2)


def of_runs(found: "Runs", transform: Affine, crs: str, *, minimum_area_m2: float = 0.0) -> list[Polygon]:
    """The same of a mask that is held as runs; their values are the scores."""
    from imagery.scenes import runs

    whole = runs.pieces(found)
    pixel_area = abs(transform.a * transform.e - transform.b * transform.d)
    keep = whole.pixels * pixel_area >= 0.9 * minimum_area_m2
    if not keep.any():
        return []
    geoms, areas, kept = _shapes(found, whole.of, keep, transform, crs)
    made = [
        Polygon(geom, float(area), float(whole.sums[piece] / whole.pixels[piece]), float(whole.peaks[piece]), int(whole.pixels[piece]))
        for geom, area, piece in zip(geoms, areas, kept, strict=True)
        if area >= minimum_area_m2
    ]
    return sorted(made, key=lambda one: (-one.area_m2, one.geom.bounds))


def _shapes(found: "Runs", piece_of: np.ndarray, keep: np.ndarray, transform: Affine, crs: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """MultiPolygons (EPSG:4326) of the pieces to keep, their geodesic areas (m²), and which pieces they are: parts of a piece that meet at a corner
    only stay parts."""
    from imagery.scenes import runs

    rings = runs.rings(found, keep[piece_of])
    part = runs.pieces(found, corners=False).of[rings.run]
    order = np.lexsort((rings.area < 0, part))  # a polygon's outer ring before its holes
    lengths = np.diff(rings.offsets)[order]
    first = np.concatenate([[0], np.cumsum(lengths)])
    corner = np.repeat(rings.offsets[order] - first[:-1], lengths) + np.arange(first[-1])
    x, y = transform @ (rings.columns[corner].astype(float), rings.rows[corner].astype(float))
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    ends = first.tolist()
    areas = [abs(GEOD.polygon_area_perimeter(lon[start:stop], lat[start:stop])[0]) for start, stop in pairwise(ends)]
    lines = shapely.linearrings(np.c_[lon, lat], indices=np.repeat(np.arange(len(order)), lengths))
    parts, of = np.unique(part[order], return_inverse=True)
    one = shapely.polygons(lines, indices=of)
    piece = np.empty(len(parts), np.int64)
    piece[of] = piece_of[rings.run[order]]
    by_piece = np.argsort(piece, kind="stable")
    kept, inside = np.unique(piece[by_piece], return_inverse=True)
    signed = np.where(rings.area[order] > 0, areas, np.negative(areas))
    area = np.bincount(np.searchsorted(kept, piece_of[rings.run[order]]), weights=signed, minlength=len(kept))
    return shapely.set_srid(shapely.multipolygons(one[by_piece], indices=inside), 4326), area, kept
