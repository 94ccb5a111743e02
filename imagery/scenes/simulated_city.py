"""A simulated city by the sea with planted changes: seasons and harvests, a beach under a tide, roads, parcels off the pixels' grid.

Deterministic; nothing here is an observation. Register such scenes with `simulated=True` (STAC property hdq:simulated).
"""

from dataclasses import dataclass

import numpy as np
import shapely
from rasterio import Affine
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy import ndimage

from grid.errors import InvalidInput
from imagery.scenes.simulate import SPECTRA
from imagery.scenes.simulated_sky import Sky, noise, picture

GROUND = SPECTRA | {
    "fallow": (850, 1080, 1330, 2050, 2600, 2050),
    "ripe": (760, 1120, 1320, 2500, 2450, 1550),
    "sprouting": (700, 960, 1020, 2350, 2250, 1500),
    "mud": (760, 880, 980, 1020, 760, 520),
    "sand": (1500, 1800, 2150, 2500, 2950, 2600),
    "fill": (1550, 1850, 2150, 2550, 3050, 2700),
}
"""Reflectance × 10,000 per class, with the states of fields and of the shore."""
NAMES = tuple(GROUND)
TABLE = np.array(list(GROUND.values()), np.float32)
ROUGH = {"forest": 0.10, "farmland": 0.05, "water": 0.03, "residential": 0.18, "commercial": 0.18, "industrial": 0.16, "grass": 0.08}
AUTUMN = {"forest": (1.05, 1.03, 1.12, 0.90, 1.05, 1.08), "orchard": (1.08, 1.05, 1.25, 0.86, 1.08, 1.12), "grass": (1.08, 1.05, 1.18, 0.88, 1.05, 1.08)}
"""What autumn does to green classes, per band, where it has come all the way."""
FIELDS = {"before": (("farmland", 0.6), ("sprouting", 0.15), ("fallow", 0.25)), "after": (("farmland", 0.35), ("ripe", 0.3), ("fallow", 0.35))}
"""States of fields and their shares; each field by itself."""
KINDS = {"clear_cut": 1, "construction": 2, "burn": 3, "reclamation": 4}
"""Kinds of planted change and their value in the truth."""
ONTO = {"clear_cut": ("forest", "orchard"), "construction": ("farmland", "grass", "forest", "orchard"), "burn": ("forest", "grass")}
CRS = "EPSG:32651"
ORIGIN = (240_000.0, 4_000_000.0)
FINE = 2
"""Points a side that are averaged into a pixel."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A change that is in the after scene only: kind, outline in EPSG:32651, m² on that plane."""

    kind: str
    geom: shapely.Polygon
    area_m2: float


@dataclass(frozen=True, slots=True)
class City:
    """A pair over the city. `before`, `after` (6, rows, cols) uint16; `clear` where both see the ground; `truth` see KINDS; `height` (rows, cols)
    metres above the height datum; `tides` the water levels of the two on it."""

    before: np.ndarray
    after: np.ndarray
    clear: np.ndarray
    truth: np.ndarray
    height: np.ndarray
    tides: tuple[float, float]
    skies: tuple[Sky, Sky]
    planted: tuple[Planted, ...]
    transform: Affine
    crs: str = CRS


def city(
    seed: int, *, size: int = 1000, changes: int = 300, skies: tuple[Sky, Sky] = (Sky(), Sky()), tides: tuple[float, float] = (0.0, 0.0),
    seasons: bool = True, slope: float = 0.012,
) -> City:  # fmt: skip
    """`size` × `size` pixels of 10 m; land in the west, a beach of `slope` (m of height per m) and sea in the east. `changes` are planted on land,
    a sixth as many, larger, as fill on the flats. Season, fields, sky, shift and tide differ between the two and are no change.

    InvalidInput for under 128 or over 2500 pixels.
    """
    if not 128 <= size <= 2500:
        raise InvalidInput(f"a city of {size} × {size} pixels", remedy="128 to 2500")
    random = np.random.default_rng(seed)
    transform = from_origin(*ORIGIN, 10, 10)
    fine = transform @ Affine.scale(1 / FINE)
    shape = (size * FINE, size * FINE)
    height = _shore(random, size, slope)
    cover, parcel, parcels = _cover(random, shape, fine, size)
    wide = ndimage.zoom(height, FINE, order=1)[: shape[0], : shape[1]]
    cover[(wide < 3.2) & (cover != NAMES.index("water"))] = NAMES.index("sand")
    planted = _plant(random, cover, wide, fine, changes)
    truth_fine = rasterize([(one.geom, KINDS[one.kind]) for one in planted], shape, transform=fine, dtype=np.uint8) if planted else np.zeros(shape, np.uint8)
    rough = np.array([ROUGH.get(name, 0.07) for name in NAMES], np.float32)[cover]
    texture = np.clip(1 + rough * (0.6 * noise(random, shape, 1.5) + 0.5 * noise(random, shape, 8) + 0.4 * noise(random, shape, 40)), 0.5, 1.6)
    tint = random.normal(1, 0.06, (parcels + 1, len(TABLE[0]))).astype(np.float32)[parcel].transpose(2, 0, 1)
    autumn = np.clip(0.7 + 0.3 * noise(random, shape, 200), 0, 1) if seasons else np.zeros(shape, np.float32)
    tilled = cover == NAMES.index("farmland")
    made = []
    for when, tide, sky in (("before", tides[0], skies[0]), ("after", tides[1], skies[1])):
        now = cover.copy()
        if seasons:
            names, shares = zip(*FIELDS[when], strict=True)
            state = random.choice([NAMES.index(name) for name in names], parcels + 1, p=shares)
            now[tilled] = state[parcel][tilled]
        ground = TABLE[now].transpose(2, 0, 1) * texture * tint
        if when == "after":
            for name, factors in AUTUMN.items():
                there = autumn * (cover == NAMES.index(name))
                ground *= 1 + there * (np.array(factors, np.float32)[:, None, None] - 1)
        beach = wide < 3.2
        bare = TABLE[NAMES.index("sand")][:, None, None] * (1 + 0.05 * noise(random, shape, 6))
        wet = np.clip((wide - tide) / 0.9, 0, 1)
        bare = bare * wet + TABLE[NAMES.index("mud")][:, None, None] * (1 - wet)
        ground = np.where(beach, bare, ground)
        depth = np.clip(tide + 0.12 * noise(random, shape, 12) - wide, 0, None)
        under = (1 - np.exp(-depth / 0.25)) * beach
        swell = TABLE[NAMES.index("water")][:, None, None] * (1 + 0.06 * noise(random, shape, 60))
        ground = ground * (1 - under) + swell * under
        if when == "after":
            for kind, value in KINDS.items():
                left = TABLE[NAMES.index("fill" if kind == "reclamation" else kind)][:, None, None] * (1 + 0.08 * noise(random, shape, 4))
                share = (truth_fine == value) * np.clip(0.92 + 0.06 * noise(random, shape, 12), 0.75, 1)
                ground = ground * (1 - share) + left * share
        made.append(picture(random, ground.astype(np.float32), sky, fine=FINE, resolution_m=10.0))
    (before, clear), (after, also) = made
    return City(before, after, clear & also, truth_fine[1::FINE, 1::FINE], height, tides, skies, planted, transform)


def _shore(random: np.random.Generator, size: int, slope: float) -> np.ndarray:
    """Metres above the datum: hills in the west, a plain, a beach along a winding line, the sea bed."""
    col = np.arange(size)[None, :] + np.zeros((size, 1))
    line = 0.84 * size + 0.04 * size * noise(random, (size, 1), size / 6)
    inland = (line - col) * 10.0
    beach = inland * slope + 0.06 * noise(random, (size, size), 15)
    return np.where(inland > 3.5 / slope, 3.5 + (inland - 3.5 / slope) * 0.02, beach).astype(np.float32)


def _cover(random: np.random.Generator, shape: tuple[int, int], fine: Affine, size: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Class and parcel number of every fine point; parcels are turned against the grid, roads between blocks."""
    side = size * 10.0
    shapes: list[tuple[shapely.Geometry, str]] = []
    turn = float(random.uniform(8, 25))
    centre = (ORIGIN[0] + side / 2, ORIGIN[1] - side / 2)
    town = noise(random, (64, 64), 9)
    for x in np.arange(-0.75 * side, 0.75 * side, 120.0):
        for y in np.arange(-0.75 * side, 0.75 * side, 90.0):
            u, v = int(np.clip((x / side + 0.75) / 1.5 * 63, 0, 63)), int(np.clip((y / side + 0.75) / 1.5 * 63, 0, 63))
            if town[v, u] > 0.9:
                kind = str(random.choice(["residential", "industrial", "commercial", "grass", "bare"], p=(0.5, 0.2, 0.12, 0.13, 0.05)))
            else:
                kind = "orchard" if random.random() < 0.12 else "farmland"
            wide, tall = random.uniform(80, 119), random.uniform(60, 89)
            shapes.append((shapely.box(x, y, x + wide, y + tall), kind))
    shapes = [(shapely.affinity.translate(shapely.affinity.rotate(geom, turn, origin=(0, 0)), *centre), kind) for geom, kind in shapes]
    every = 480.0
    roads = [shapely.LineString([(t, -side), (t, side)]) for t in np.arange(-0.75 * side, 0.75 * side, every)]
    roads += [shapely.LineString([(-side, t), (side, t)]) for t in np.arange(-0.75 * side, 0.75 * side, every)]
    roads = [shapely.affinity.translate(shapely.affinity.rotate(line, turn, origin=(0, 0)), *centre).buffer(random.uniform(5, 12)) for line in roads]
    grass = NAMES.index("grass")
    cover = rasterize([(geom, NAMES.index(kind)) for geom, kind in shapes], shape, fill=grass, transform=fine, dtype=np.int16)
    parcel = rasterize([(geom, number) for number, (geom, _) in enumerate(shapes, 1)], shape, fill=0, transform=fine, dtype=np.int32)
    woods = noise(random, shape, 45 * FINE) + 1.6 * (0.32 - np.arange(shape[1])[None, :] / shape[1])
    cover[woods > 0.55], parcel[woods > 0.55] = NAMES.index("forest"), 0
    over = rasterize([(geom, 1) for geom in roads], shape, transform=fine, dtype=np.uint8) == 1
    cover[over], parcel[over] = NAMES.index("transport"), 0
    lakes = noise(random, shape, 25 * FINE) > 2.3
    cover[lakes], parcel[lakes] = NAMES.index("water"), 0
    return cover, parcel, len(shapes)


def _plant(random: np.random.Generator, cover: np.ndarray, height: np.ndarray, fine: Affine, changes: int) -> tuple[Planted, ...]:
    """Rectangles at any angle, wholly on ground where such a change can be, 60 m apart; areas log-uniform from 400 m² to 2 ha, fill 0.4 to 4 ha."""
    planted: list[Planted] = []
    taken = np.zeros(cover.shape, bool)
    wanted = [list(ONTO)[number % len(ONTO)] for number in range(changes)] + ["reclamation"] * (changes // 6)
    allowed = {kind: np.isin(cover, [NAMES.index(name) for name in onto]) & (height >= 3.2) for kind, onto in ONTO.items()}
    allowed["reclamation"] = (height > -2.5) & (height < 1.5)
    rows, cols = {}, {}
    for kind, where in allowed.items():
        rows[kind], cols[kind] = np.nonzero(where)
    for kind in wanted:
        for _ in range(60):
            if not len(rows[kind]):
                break
            pick = random.integers(len(rows[kind]))
            area = float(np.exp(random.uniform(*np.log((4000, 40_000) if kind == "reclamation" else (400, 20_000)))))
            aspect = random.uniform(1, 2.2)
            wide, tall = np.sqrt(area * aspect), np.sqrt(area / aspect)
            x, y = fine @ (cols[kind][pick] + random.random(), rows[kind][pick] + random.random())
            geom = shapely.affinity.rotate(shapely.box(x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2), random.uniform(0, 90))
            part, at = _cut(geom.buffer(60), fine, cover.shape)
            if part is None or taken[at].any():
                continue
            own = rasterize([(geom, 1)], part, transform=fine @ Affine.translation(at[1].start, at[0].start), dtype=np.uint8) == 1
            if not own.any() or not allowed[kind][at][own].all():
                continue
            taken[at] |= own
            planted.append(Planted(kind, geom, area))
            break
    return tuple(planted)


def _cut(geom: shapely.Geometry, fine: Affine, shape: tuple[int, int]) -> tuple[tuple[int, int] | None, tuple[slice, slice]]:
    west, south, east, north = geom.bounds
    (left, top), (right, bottom) = ~fine @ (west, north), ~fine @ (east, south)
    at = slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)
    if left < 0 or top < 0 or right >= shape[1] or bottom >= shape[0]:
        return None, at
    return (at[0].stop - at[0].start, at[1].stop - at[1].start), at
