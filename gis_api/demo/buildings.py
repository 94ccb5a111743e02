"""The buildings of the dense districts: rows of lots in every block, shaped by the kind of place, bent with the streets.

Everything is drawn at once with numpy: a block becomes rows, a row becomes lots, a lot a footprint (rectangle, L or cross).
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gis_api.demo import lattice, plane, zones
from gis_api.demo.streetnet import NAMES, Town
from grid.world.buildings import Buildings


@dataclass(frozen=True, slots=True)
class Style:
    """Lots of a kind of place in metres: pitch along a row and across, gap to the next, how full, floors, share of L-shapes and crosses."""

    along: float
    across: float
    gap: tuple[float, float]
    depth: tuple[float, float]
    fill: float
    floors: tuple[int, int]
    ell: float = 0.0
    cross: float = 0.0
    run: int = 0
    storey_m: float = 3.0


STYLES = {
    "old": Style(6.05, 7.3, (0.2, 1.2), (0.66, 0.86), 0.95, (1, 4), ell=0.16),
    "commercial": Style(11.0, 12.0, (0.2, 1.5), (0.7, 0.88), 0.96, (2, 6), ell=0.2, storey_m=3.5),
    "villa": Style(19.0, 21.0, (5.0, 9.0), (0.42, 0.62), 0.88, (2, 3), ell=0.55, storey_m=3.3),
    "slab": Style(13.5, 25.0, (0.0, 0.05), (0.44, 0.5), 0.97, (5, 8), run=4),
    "tower": Style(36.0, 40.0, (9.0, 15.0), (0.5, 0.66), 0.95, (17, 33), cross=0.6),
    "cbd": Style(48.0, 46.0, (9.0, 20.0), (0.5, 0.72), 0.93, (12, 58), ell=0.2, storey_m=3.9),
    "port": Style(64.0, 34.0, (6.0, 10.0), (0.6, 0.72), 0.86, (1, 2), storey_m=6.5),
    "campus": Style(52.0, 38.0, (10.0, 18.0), (0.38, 0.5), 0.8, (4, 7), ell=0.35, storey_m=3.8),
    "medical": Style(46.0, 36.0, (8.0, 14.0), (0.45, 0.6), 0.85, (4, 16), ell=0.4, storey_m=3.8),
    "works": Style(60.0, 40.0, (8.0, 14.0), (0.55, 0.7), 0.85, (1, 3), storey_m=5.5),
}
FOCUS = plane.xy(120.372, 36.060)
EDGE_M = {"residential": 4.0, "secondary": 9.0, "primary": 12.0, "trunk": 15.0}


@dataclass(frozen=True, slots=True)
class Footprints:
    """Drawn buildings in plane metres, with the zone and the leaf each came from."""

    shape: NDArray[np.object_]
    zone: NDArray[np.object_]
    leaf: NDArray[np.int64]
    floors: NDArray[np.int64]
    shed: NDArray[np.bool_]

    def take(self, which: NDArray) -> "Footprints":
        return Footprints(*(getattr(self, name)[which] for name in self.__slots__))


def draw(leaves: tuple[lattice.Leaf, ...], index: NDArray[np.int64], squeeze: float, dice: np.random.Generator) -> Footprints:
    """Footprints of the leaves named by `index`. `squeeze` below 1 makes the lots of old quarters narrower."""
    parts = []
    for zone, style in STYLES.items():
        chosen = np.array([i for i in index if leaves[i].zone == zone], dtype=np.int64)
        if len(chosen):
            parts.append(_rows(leaves, chosen, zone, style, squeeze if zone == "old" else 1.0, dice))
            if zone in ("slab", "tower", "villa"):
                shed = Style(13.5, 25.0, (7.0, 9.5), (0.16, 0.24), 0.6, (1, 1))
                parts.append(_rows(leaves, chosen, zone, shed, 1.0, dice, shift=0.5))
    return Footprints(*(np.concatenate([getattr(p, name) for p in parts]) for name in Footprints.__slots__))


def _rows(leaves, chosen, zone: str, style: Style, squeeze: float, dice: np.random.Generator, shift: float = 0.0) -> Footprints:
    box = np.array([(leaves[i].u0, leaves[i].v0, leaves[i].u1, leaves[i].v1) for i in chosen]) + np.array([4.6, 4.6, -4.6, -4.6])
    size = np.maximum(box[:, 2:] - box[:, :2], 1.0)
    turned = size[:, 1] > size[:, 0] * dice.uniform(0.9, 1.25, len(chosen))
    length, width = np.where(turned, size[:, 1], size[:, 0]), np.where(turned, size[:, 0], size[:, 1])
    rows = np.maximum(np.floor(width / (style.across * squeeze) + 0.15), 1).astype(int)
    leaf = np.repeat(np.arange(len(chosen)), rows)
    row = np.arange(len(leaf)) - np.repeat(np.cumsum(rows) - rows, rows)
    pitch = width[leaf] / rows[leaf]
    lots = np.maximum(np.floor(length[leaf] / (style.along * squeeze) + 0.1), 1).astype(int)
    line = np.repeat(np.arange(len(leaf)), lots)
    order = np.arange(len(line)) - np.repeat(np.cumsum(lots) - lots, lots)
    weight = dice.uniform(0.72, 1.36, len(line)) if not style.run else np.where(order % style.run == style.run - 1, 1.45, 1.0)
    upto = np.cumsum(weight)
    begin = np.repeat((upto - weight)[np.cumsum(lots) - lots], lots)
    total = np.bincount(line, weight)[line]
    of = leaf[line]
    share = length[of] / total
    along = (upto - weight / 2 - begin) * share
    gap = dice.uniform(*style.gap, len(line))
    long = weight * share - gap
    if style.run:
        loose = order % style.run == style.run - 1
        along, long = along - np.where(loose, 0.45 * share / 2, 0.0), np.where(loose, share, weight * share) - gap
    deep = pitch[line] * dice.uniform(*style.depth, len(line))
    across = (row[line] + 0.5 + shift) * pitch[line]
    if not style.run and style.gap[0] >= 5:
        along = along + dice.uniform(-0.3, 0.3, len(line)) * gap
        across = across + dice.uniform(-0.12, 0.12, len(line)) * pitch[line]
    across = np.where(across > width[of], np.nan, across)
    keep = (dice.random(len(line)) < style.fill) & np.isfinite(across) & (long > 3.0) & (deep > 3.0)
    of, along, across, long, deep = of[keep], along[keep], across[keep], long[keep], deep[keep]
    flip = turned[of]
    u = box[of, 0] + np.where(flip, across, along)
    v = box[of, 1] + np.where(flip, along, across)
    du, dv = np.where(flip, deep, long), np.where(flip, long, deep)
    low, high = style.floors
    per_leaf = dice.integers(low, high + 1, len(chosen))[of]
    floors = np.clip(per_leaf + dice.integers(-1, 2, len(of)), low, high) if high > low + 1 else dice.integers(low, high + 1, len(of))
    if zone == "cbd":
        floors = np.clip((low + (high - low) * dice.random(len(of)) ** 2.6).astype(int), low, high)
    kind = dice.random(len(of))
    shape = _place(u, v, du, dv, np.where(kind < style.ell, 1, np.where(kind < style.ell + style.cross, 2, 0)), dice)
    return Footprints(shape, np.full(len(of), zone, dtype=object), chosen[of], floors.astype(np.int64), np.full(len(of), shift > 0))


_UNIT = {
    0: np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], float),
    1: np.array([(-1, -1), (1, -1), (1, 0.1), (0.0, 0.1), (0.0, 1), (-1, 1), (-1, -1)], float),
    2: np.array([(-1, -0.5), (-0.5, -0.5), (-0.5, -1), (0.5, -1), (0.5, -0.5), (1, -0.5), (1, 0.5), (0.5, 0.5), (0.5, 1), (-0.5, 1), (-0.5, 0.5), (-1, 0.5), (-1, -0.5)], float),
}  # fmt: skip


def _place(u, v, du, dv, kind, dice: np.random.Generator) -> NDArray[np.object_]:
    """Polygons in plane metres of rectangles (0), L-shapes (1) and crosses (2) centred at (u, v), right-angled, along the street."""
    x, y = lattice.bend(u, v)
    ux, uy, vx, vy = lattice.axes(u, v)
    su = np.hypot(ux, uy)
    ex, ey = ux / su, uy / su
    sv = np.abs(-ey * vx + ex * vy)
    half_u, half_v = du * su / 2, dv * sv / 2
    mirror_u, mirror_v = dice.choice([-1.0, 1.0], len(u)), dice.choice([-1.0, 1.0], len(u))
    shapes = np.empty(len(u), dtype=object)
    for which, unit in _UNIT.items():
        at = np.flatnonzero(kind == which)
        if not len(at):
            continue
        a = unit[None, :, 0] * (half_u * mirror_u)[at, None]
        b = unit[None, :, 1] * (half_v * mirror_v)[at, None]
        ring = np.stack([x[at, None] + a * ex[at, None] - b * ey[at, None], y[at, None] + a * ey[at, None] + b * ex[at, None]], axis=2)
        shapes[at] = shapely.polygons(ring)
    return shapely.orient_polygons(shapes) if len(shapes) else shapes


def settle(town: Town, footprints: Footprints) -> tuple[Footprints, NDArray[np.int64]]:
    """The footprints that lie wholly in one block and clear of main roads, with the block of each."""
    inner = shapely.buffer(town.blocks, -3.2)
    tree = shapely.STRtree(inner)
    centre = shapely.centroid(footprints.shape)
    at, block = tree.query(centre, predicate="within")
    first = np.unique(at, return_index=True)
    at, block = first[0], block[first[1]]
    shapely.prepare(inner)
    whole = shapely.contains_properly(inner[block], footprints.shape[at])
    at, block = at[whole], block[whole]
    wide = town.edges.take(town.edges.kind != "residential")
    corridors = shapely.STRtree(shapely.buffer(wide.line, np.array([EDGE_M[k] for k in wide.kind]), cap_style="flat"))
    hit = np.unique(corridors.query(footprints.shape[at], predicate="intersects")[0])
    free = np.ones(len(at), dtype=bool)
    free[hit] = False
    kept, block = footprints.take(at[free]), block[free]
    clear = _clear(kept)
    return kept.take(clear), block[clear]


def _clear(footprints: Footprints) -> NDArray[np.bool_]:
    """Which footprints to keep so that none overlaps another: of two the shed goes, else the later one."""
    a, b = shapely.STRtree(footprints.shape).query(footprints.shape, predicate="overlaps")
    order = np.arange(len(footprints.shape)) + np.where(footprints.shed, len(footprints.shape), 0)
    keep = np.ones(len(footprints.shape), dtype=bool)
    keep[np.where(order[a] > order[b], a, b)] = False
    return keep


def choose(town: Town, wanted: int) -> tuple[Footprints, NDArray[np.int64]]:
    """Exactly `wanted` buildings (or as many as fit), nearest to the city's middle when fewer than the area holds."""
    present = np.unique(town.leaf)
    middle = np.array([lattice.bend((town.leaves[i].u0 + town.leaves[i].u1) / 2, (town.leaves[i].v0 + town.leaves[i].v1) / 2) for i in present])
    present = present[np.argsort(np.hypot(*(middle - FOCUS).T), kind="stable")]
    per_leaf = np.array([_estimate(town.leaves[i]) for i in present])
    enough = int(np.searchsorted(np.cumsum(per_leaf), wanted * 1.35 + 400)) + 1
    squeeze = 1.0
    for _ in range(4):
        drawn, block = settle(town, draw(town.leaves, np.sort(present[:enough]), squeeze, plane.dice("buildings")))
        if len(drawn.shape) >= wanted or enough < len(present):
            break
        squeeze *= max(0.8, np.sqrt(len(drawn.shape) / wanted) * 0.985)
    if len(drawn.shape) > wanted:
        order = plane.dice("thin").permutation(len(drawn.shape)) if enough >= len(present) else _nearness(drawn)
        kept = np.sort(np.argsort(order, kind="stable")[:wanted])
        drawn, block = drawn.take(kept), block[kept]
    return drawn, block


def _nearness(drawn: Footprints) -> NDArray[np.float64]:
    bounds = shapely.bounds(drawn.shape)
    return np.hypot(bounds[:, 0] - FOCUS[0], bounds[:, 1] - FOCUS[1])


def _estimate(leaf: lattice.Leaf) -> float:
    style = STYLES.get(leaf.zone)
    return 0.0 if style is None else max(leaf.u1 - leaf.u0 - 11, 0) * max(leaf.v1 - leaf.v0 - 11, 0) / (style.along * style.across) * style.fill


def rows(town: Town, drawn: Footprints, block: NDArray[np.int64], community_of: NDArray, cell_of: NDArray) -> Buildings:
    """The buildings as rows: addresses from the nearest street, use, height, households, region and grid of their block."""
    dice = plane.dice("building rows")
    n = len(drawn.shape)
    centre = shapely.centroid(drawn.shape)
    area = shapely.area(drawn.shape)
    near = shapely.STRtree(town.edges.line).query_nearest(centre, all_matches=False)
    edge = np.empty(n, dtype=np.int64)
    edge[near[0]] = near[1]
    number = 1 + 2 * (np.maximum(town.edges.start_m[edge] - shapely.length(town.edges.line[edge]) / 2 + shapely.line_locate_point(town.edges.line[edge], centre), 0) // 7)
    number = (number + _side(town.edges.line[edge], centre)).astype(int)
    address = np.array([f"{name}{k}号" for name, k in zip(town.edges.name[edge], number, strict=True)], dtype=object)
    use = _uses(drawn, area, edge, town, dice)
    storey = _storeys(drawn)
    height = np.round(np.where(drawn.shed, dice.uniform(2.4, 3.4, n), drawn.floors * storey + dice.uniform(0.4, 2.8, n)), 1)
    floors = np.where(drawn.shed, 1, drawn.floors)
    homes = np.where((use == "residential") & ~drawn.shed, np.maximum(np.round(floors * area / dice.uniform(70, 110, n)), 1), 0).astype(int)
    return Buildings(
        _names(drawn), address, use, height, floors, homes, community_of[block], cell_of[block], np.ones(n, dtype=bool), plane.to_degrees(drawn.shape)
    )


def _storeys(drawn: Footprints) -> NDArray[np.float64]:
    table = {zone: style.storey_m for zone, style in STYLES.items()}
    return np.array([table[z] for z in drawn.zone])


def _side(lines: NDArray[np.object_], centre: NDArray[np.object_]) -> NDArray[np.int64]:
    """0 for the left side of a street, 1 for the right: odd and even numbers."""
    a, b = shapely.get_point(lines, 0), shapely.get_point(lines, -1)
    ax, ay = shapely.get_x(a), shapely.get_y(a)
    cross = (shapely.get_x(b) - ax) * (shapely.get_y(centre) - ay) - (shapely.get_y(b) - ay) * (shapely.get_x(centre) - ax)
    return (cross < 0).astype(np.int64)


def _uses(drawn: Footprints, area, edge, town: Town, dice: np.random.Generator) -> NDArray[np.object_]:
    use = np.array([zones.USE_OF[z] for z in drawn.zone], dtype=object)
    chance = dice.random(len(use))
    use[(drawn.zone == "old") & (town.edges.kind[edge] != "residential") & (chance < 0.45)] = "commercial"
    use[(drawn.zone == "old") & (chance > 0.985)] = "public"
    use[(drawn.zone == "old") & (chance > 0.994)] = "education"
    use[(drawn.zone == "cbd") & (chance < 0.3)] = "commercial"
    use[drawn.shed] = "public"
    return use


def _names(drawn: Footprints) -> NDArray[np.object_]:
    """Names of towers, slabs and large houses; small houses have none."""
    names = np.full(len(drawn.shape), "", dtype=object)
    for zone, stem, ending in (("tower", "花园", "号楼"), ("slab", "小区", "号楼"), ("cbd", "大厦", "座"), ("campus", "校区", "号楼"), ("medical", "医院", "号楼")):
        at = np.flatnonzero((drawn.zone == zone) & ~drawn.shed)
        if not len(at):
            continue
        order = np.argsort(drawn.leaf[at], kind="stable")
        at = at[order]
        start = np.r_[True, drawn.leaf[at][1:] != drawn.leaf[at][:-1]]
        number = np.arange(len(at)) - np.maximum.accumulate(np.where(start, np.arange(len(at)), 0)) + 1
        if zone == "cbd":
            names[at] = [f"{NAMES[(leaf * 5) % len(NAMES)]}{stem}{chr(64 + min(k, 26))}{ending}" for leaf, k in zip(drawn.leaf[at], number, strict=True)]
        else:
            names[at] = [f"{NAMES[(leaf * 11) % len(NAMES)]}{stem}{k}{ending}" for leaf, k in zip(drawn.leaf[at], number, strict=True)]
    return names
