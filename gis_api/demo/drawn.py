"""What the drawing of the demo city hands from one thing to the next: land, built-up blocks, divisions, and the whole road network."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis_api.demo import cameras, districts, plane, streetnet, streets, trunks
from gis_api.demo.streetnet import Edges, Town
from grid.world.atlas import Atlas
from grid.world.cells import Cell
from grid.world.regions import Region

DENSE = "370202"
URBAN = ("370202", "370203", "370213")
PIECES_A_STREET = 60


@dataclass(frozen=True, slots=True)
class City:
    """The drawn city. `cells`: management grids; `nested`: unit and evaluation grids. `town`: the blocks of the dense district with `community_of` and `cell_of` each, and the roads of all built-up
    districts, whose area is `taken`; `centres`: middles of the towns and streets elsewhere (plane metres) with their codes."""

    land: districts.Land
    regions: tuple[Region, ...]
    cells: tuple[Cell, ...]
    nested: tuple[Cell, ...]
    town: Town
    community_of: NDArray[np.object_]
    cell_of: NDArray[np.object_]
    taken: BaseGeometry
    centres: NDArray[np.float64]
    centre_codes: tuple[str, ...]


def draw(outlines: dict[str, BaseGeometry]) -> City:
    """Everything that other things stand on, from the outlines of the districts in degrees."""
    rows = districts.regions(outlines)
    land = districts.land(rows)
    names = streets.names()
    dense = land.districts[DENSE]
    urban = shapely.union_all([shapely.buffer(land.districts[code], 20) for code in URBAN])
    town = streetnet.built_up(urban, dense, land.whole)
    found: list[Region] = []
    community_of = cell_of = np.empty(0, dtype=object)
    cells: tuple[Cell, ...] = ()
    nested: tuple[Cell, ...] = ()
    for code in districts.NAMES:
        if code == DENSE:
            division = streets.divide(code, town.blocks, names)
            community_of, cell_of, cells, nested = division.community_of, division.cell_of, division.cells, division.nested
        else:
            count = sum(1 for name in names if name.startswith(code))
            division = streets.divide(code, streets.tessellate(land.districts[code], PIECES_A_STREET * count, plane.dice(f"pieces {code}")), names)
        found += division.regions
    outer = [r for r in found if r.level == 3 and r.code[:6] not in URBAN]
    spots = plane.to_plane(shapely.point_on_surface(np.array([shapely.centroid(r.geom) if r.geom.contains(r.geom.centroid) else r.geom for r in outer], dtype=object)))
    centres = np.column_stack([shapely.get_x(spots), shapely.get_y(spots)])
    return City(land, tuple(rows + found), cells, nested, town, community_of, cell_of, urban, centres, tuple(r.code for r in outer))


def atlas(city: City) -> Atlas:
    """Where points of the drawn city lie."""
    return Atlas(((r.code, r.level, r.name, r.geom) for r in city.regions if r.level > 1), ((c.code, c.region_code, c.name, c.geom) for c in city.cells))


def network(city: City, ground: np.ndarray) -> Edges:
    """All roads: the lattice of the built-up districts, the grids of the towns, trunks between them, tracks to the towers; one connected net."""
    names = streets.names()
    towns = trunks.town_grids(city.centres, [streets.stem(names[c]) for c in city.centre_codes], city.land.whole, city.taken)
    hubs = trunks.ends(trunks.join([city.town.edges.take(city.town.edges.kind != "residential"), towns]))
    seeds = np.vstack([city.centres, [plane.xy(lon, lat) for lon, lat in URBAN_SEEDS]])
    net = trunks.join([city.town.edges, towns, trunks.trunks(seeds, hubs, city.land.whole)])
    places, _ = cameras.towers(40, ground, city.land)
    x, y = plane.xy(places[:, 0], places[:, 1])
    return trunks.connected(trunks.join([net, trunks.tracks(np.column_stack([x, y]), hubs)]))


URBAN_SEEDS = ((120.385, 36.067), (120.330, 36.066), (120.375, 36.100), (120.355, 36.130), (120.395, 36.160), (120.430, 36.150), (120.410, 36.195), (120.455, 36.165))
