"""A mask becomes polygons with area and score."""

from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from pyproj import Transformer
from rasterio import Affine

from grid import geometry
from grid.errors import InvalidInput

EIGHT = np.ones((3, 3), bool)


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
    from scipy import ndimage  # half a second to read: not at every start of a server

    labels, count = ndimage.label(mask, EIGHT)
    if count == 0:
        return []
    flat = labels.ravel()
    pixels = np.bincount(flat, minlength=count + 1)
    sums = np.bincount(flat, weights=np.nan_to_num(score.ravel()), minlength=count + 1)
    peaks = ndimage.maximum(score, labels, np.arange(count + 1))
    pixel_area = abs(transform.a * transform.e - transform.b * transform.d)
    keep = pixels * pixel_area >= 0.9 * minimum_area_m2
    keep[0] = False
    labels *= keep[labels]
    pieces: dict[int, list[shapely.Polygon]] = {}
    for shape, label in rasterio.features.shapes(labels.astype(np.int32), mask=labels > 0, connectivity=4, transform=transform):
        exterior, *holes = shape["coordinates"]
        pieces.setdefault(int(label), []).append(shapely.Polygon(exterior, holes))
    if not pieces:
        return []
    to_storage = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    shapes = shapely.transform([shapely.MultiPolygon(parts) for parts in pieces.values()], to_storage.transform, interleaved=False)
    made = [
        Polygon(shapely.set_srid(geom, 4326), geometry.area_m2(geom), float(sums[label] / pixels[label]), float(peaks[label]), int(pixels[label]))
        for label, geom in zip(pieces, shapes, strict=True)
    ]
    return sorted((one for one in made if one.area_m2 >= minimum_area_m2), key=lambda one: (-one.area_m2, one.geom.bounds))
