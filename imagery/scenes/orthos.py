"""Objects in a drone's orthomosaic: a detector over overlapping tiles, boxes in metres, one box an object across tiles.

Sliced inference with overlap (Akyon, Altinuc & Temizel, "Slicing aided hyper inference", ICIP 2022; PyPI `sahi` brings its own torch and its boxes
in pixels, so the slicing is here and the engine is the cameras'). A box that touches an inner edge of its tile is a piece where a neighbour
sees it whole; what is left double goes by overlap in metres on the ground, over the smaller of two boxes as well as over their union.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import shapely
from psycopg import AsyncConnection
from pyproj import CRS, Transformer
from rasterio.enums import Resampling
from rasterio.windows import Window

from grid import geometry
from grid.errors import InvalidInput
from grid.sensing import intake
from grid.sensing.observations import Accepted, Finding
from imagery.cameras.engines import Box
from imagery.scenes.raster import open_raster

MOST_TILES = 20_000
INSIDE = 0.8
"""Share of the smaller box inside a larger one of its class from which the two are one object seen twice."""
TOUCH_PX = 2.0
R90 = 2.146
"""Radius of 90 % of a round normal error, in standard deviations along an axis."""


class Finder(Protocol):
    """What finds boxes in a picture (H×W×3 uint8 RGB): an Engine of the cameras, or anything that answers as it does."""

    side: int

    def boxes(self, image: np.ndarray, threshold: float, *, overlap: float = 0.5, limit: int = 100) -> tuple[Box, ...]: ...


@dataclass(frozen=True, slots=True)
class Model:
    """Which weights: id, version and hash of the files, as an observation keeps them."""

    id: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Seen:
    """An object: class and score of the model; `footprint` its box on the ground (EPSG:4326), `width_m` × `height_m` along the mosaic's axes;
    `box`: left, top, right, bottom in the mosaic's own pixels; `accuracy_m`: radius of 90 % about the footprint's middle."""

    label: str
    score: float
    footprint: shapely.Polygon
    width_m: float
    height_m: float
    box: tuple[float, float, float, float]
    accuracy_m: float


def detect(
    path: Path, finder: Finder, *, threshold: float, labels: frozenset[str] | None = None, gsd_m: float | None = None, largest_m: float = 12.0,
    ortho_sigma_m: float = 1.0, suppress: float = 0.5,
) -> tuple[Seen, ...]:
    """Every object of an orthomosaic (GeoTIFF, three bands or more: red, green, blue), best first.

    `gsd_m`: ground size of a pixel that the model is shown (default: the mosaic's own; coarser is averaged, finer is interpolated); `largest_m`:
    length of the longest object, which the overlap of tiles holds; `ortho_sigma_m`: the mosaic's own place, one standard deviation along an axis: 1 m suits
    one without ground control; `labels`: classes to keep, None for all. Raises InvalidInput (bands, no CRS in metres, tiles too small or too
    many) and what opening raises.
    """  # fmt: skip
    found: list[Seen] = []
    with open_raster(path) as mosaic:
        crs = CRS.from_wkt(mosaic.crs.to_wkt()) if mosaic.crs else None
        if crs is None or not crs.is_projected or mosaic.count < 3:
            raise InvalidInput(f"{path.name}: {mosaic.count} bands, CRS {crs.name if crs else None}", remedy="an RGB orthomosaic in a projected CRS in metres")
        to_storage = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        own = _ground(mosaic, to_storage)
        ratio = (gsd_m or own) / own
        for (left, top, right, bottom), image in _tiles(mosaic, finder.side, ratio, math.ceil(largest_m / (gsd_m or own))):
            scale = (right - left) / image.shape[1]
            for box in finder.boxes(image, threshold, overlap=suppress, limit=1000):
                if labels is not None and box.label not in labels:
                    continue
                corners = (left + box.left * scale, top + box.top * scale, left + box.right * scale, top + box.bottom * scale)
                cut = _cut(box, image.shape, (left > 0, top > 0, right < mosaic.width, bottom < mosaic.height))
                if cut and max(corners[2] - corners[0], corners[3] - corners[1]) * own < largest_m:
                    continue
                found.append(_placed(box, corners, mosaic.transform, to_storage, own, ortho_sigma_m))
    return _once(found, suppress)


def _ground(mosaic, to_storage: Transformer) -> float:
    """Metres on the ground of a pixel in the middle: a Mercator metre is none at 36 degrees north."""
    column, row = mosaic.width / 2, mosaic.height / 2
    x, y = mosaic.transform @ (np.array([column, column + 1]), np.array([row, row]))
    lon, lat = to_storage.transform(x, y)
    return geometry.inverse(lon[0], lat[0], lon[1], lat[1])[1]


def _tiles(mosaic, side: int, ratio: float, overlap: int) -> Iterator[tuple[tuple[int, int, int, int], np.ndarray]]:
    """Windows (left, top, right, bottom in mosaic pixels) and their pictures of at most `side`; empty ones are left out."""
    if overlap >= side:
        raise InvalidInput(f"最长目标 {overlap} 像素，大于切片 {side} · the longest object has {overlap} pixels, a tile {side}", remedy="raise gsd_m or lower largest_m")
    step, span = max(1, round((side - overlap) * ratio)), max(1, round(side * ratio))
    lefts, tops = (sorted({*range(0, max(1, extent - span), step), max(0, extent - span)}) for extent in (mosaic.width, mosaic.height))
    if len(lefts) * len(tops) > MOST_TILES:
        raise InvalidInput(f"{len(lefts) * len(tops)} tiles", remedy=f"at most {MOST_TILES:,}: raise gsd_m or cut the mosaic")
    for top in tops:
        for left in lefts:
            right, bottom = min(left + span, mosaic.width), min(top + span, mosaic.height)
            window = Window(left, top, right - left, bottom - top)
            shape = (max(1, round((bottom - top) / ratio)), max(1, round((right - left) / ratio)))
            how = Resampling.average if ratio > 1 else Resampling.bilinear
            known = mosaic.dataset_mask(window=window, out_shape=shape) > 0
            if known.mean() < 0.02:
                continue
            pixels = mosaic.read((1, 2, 3), window=window, out_shape=(3, *shape), resampling=how)
            yield (left, top, right, bottom), np.ascontiguousarray(np.where(known, _eight_bits(pixels), 114).astype(np.uint8).transpose(1, 2, 0))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels of other types stretched between their 2nd and 98th percentile."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.nanpercentile(pixels, (2, 98))
    return np.clip((pixels - low) / max(high - low, 1e-9) * 255, 0, 255)


def _cut(box: Box, shape: tuple[int, ...], inner: tuple[bool, bool, bool, bool]) -> bool:
    """Whether a box touches an edge of its tile beyond which the mosaic goes on."""
    near = (box.left <= TOUCH_PX, box.top <= TOUCH_PX, box.right >= shape[1] - TOUCH_PX, box.bottom >= shape[0] - TOUCH_PX)
    return any(touches and goes_on for touches, goes_on in zip(near, inner, strict=True))


def _placed(box: Box, corners: tuple[float, float, float, float], transform, to_storage: Transformer, own: float, sigma_m: float) -> Seen:
    left, top, right, bottom = corners
    x, y = transform @ (np.array([left, right, right, left]), np.array([top, top, bottom, bottom]))
    lon, lat = to_storage.transform(x, y)
    width, height = (right - left) * own, (bottom - top) * own
    edge = 0.1 * min(width, height) + own / 2
    accuracy = R90 * math.hypot(sigma_m, edge / math.sqrt(2))
    return Seen(box.label, box.score, shapely.set_srid(shapely.Polygon(np.c_[lon, lat]), 4326), width, height, corners, accuracy)


def _once(found: list[Seen], suppress: float) -> tuple[Seen, ...]:
    """The best of boxes that overlap, within a class; pixels of one mosaic are squares of one size, so shares of pixels are shares of metres."""
    found = sorted(found, key=lambda seen: -seen.score)
    if not found:
        return ()
    boxes = shapely.box(*np.array([seen.box for seen in found]).T)
    tree, areas = shapely.STRtree(boxes), shapely.area(boxes)
    alive = np.ones(len(found), bool)
    for number, seen in enumerate(found):
        if not alive[number]:
            continue
        near = np.array([other for other in tree.query(boxes[number]) if other > number and alive[other] and found[other].label == seen.label], int)
        shared = shapely.area(shapely.intersection(boxes[number], boxes[near]))
        union = areas[number] + areas[near] - shared
        alive[near[(shared > suppress * union) | (shared > INSIDE * np.minimum(areas[number], areas[near]))]] = False
    return tuple(seen for number, seen in enumerate(found) if alive[number])


def findings(
    path: Path, seen: Sequence[Seen], model: Model, kinds: Mapping[str, str], taken_at: datetime, *, simulated: bool = False
) -> list[Finding]:
    """Observations of a mosaic's objects: `kinds` maps a class to its event kind, others are left out. `taken_at` aware: when it was flown."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return [
        Finding(
            source=f"ortho-{content[:16]}",
            source_event_id=hashlib.sha256(f"{model.id} {model.sha256} {one.label} {[round(value, 1) for value in one.box]}".encode()).hexdigest()[:32],
            sensor_kind="drone",
            kind=kinds[one.label],
            class_name=one.label,
            score=one.score,
            recorded_at=taken_at,
            place=one.footprint.centroid,
            accuracy_m=round(one.accuracy_m, 2),
            algorithm=f"ortho-{model.id}",
            model_version=model.version,
            model_hash=model.sha256,
            footprint=one.footprint,
            properties={"ortho": path.name, "ortho_sha256": content, "width_m": round(one.width_m, 2), "height_m": round(one.height_m, 2)},
            simulated=simulated,
        )
        for one in seen
        if one.label in kinds
    ]


async def accept(connection: AsyncConnection, given: Sequence[Finding]) -> list[Accepted]:
    """Hands findings to intake in the caller's transaction, however many; the same mosaic and model twice are the same observations."""
    accepted: list[Accepted] = []
    for start in range(0, len(given), intake.LARGEST_BATCH):
        accepted += await intake.accept(connection, given[start : start + intake.LARGEST_BATCH])
    return accepted
