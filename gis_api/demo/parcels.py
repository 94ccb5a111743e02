"""Land parcels with category and permits: in Shinan the blocks between the streets, in the other districts fields, orchards and works round the towns."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis_api.demo import plane, streets
from gis_api.demo.districts import Land
from gis_api.demo.streetnet import Town
from grid import geometry
from grid.world.parcels import Parcel, Permit

CATEGORY_OF = {
    "old": "residential", "villa": "residential", "slab": "residential", "tower": "residential", "cbd": "commercial", "commercial": "commercial",
    "port": "transport", "campus": "public", "medical": "public", "works": "industrial", "park": "green",
}  # fmt: skip
LEAST_M2 = 30.0
RURAL = (("farmland", 0.46), ("orchard", 0.17), ("residential", 0.13), ("industrial", 0.08), ("forest", 0.06), ("bare", 0.05), ("public", 0.03), ("water", 0.02))
OWNERS = {"farmland": "村集体", "orchard": "村集体", "forest": "国有林场", "water": "国有"}
SITES = (
    ("有许可工地", "370212", 120.5120, 36.1180, 190.0, True),
    ("无许可工地", "370212", 120.5260, 36.1260, 150.0, False),
    ("无许可工地", "370212", 120.6560, 36.2700, 140.0, False),
)
"""Building sites on which the simulated scenes show change: note, district, lon, lat, half a side in metres, whether a construction permit exists."""


@dataclass(frozen=True, slots=True)
class Cadastre:
    """Parcels and permits as rows; `cover` their category and shape in degrees for the simulated scenes; `sites` the building sites by order of SITES."""

    parcels: tuple[Parcel, ...]
    permits: tuple[Permit, ...]
    sites: tuple[BaseGeometry, ...]


def draw(land: Land, town: Town, towns: NDArray[np.float64], town_codes: list[str], woods: BaseGeometry, region_of_block: NDArray[np.object_]) -> Cadastre:
    """Every parcel and permit. `towns`: centres in plane metres, `town_codes` their street codes; `woods` is forest already."""
    dice = plane.dice("parcels")
    found: list[Parcel] = []
    permits: list[Permit] = []

    def add(code_stem: str, category: str, shape: BaseGeometry, region: str, odds: float) -> None:
        area_m2 = round(geometry.area_m2(shape), 1)
        if area_m2 < LEAST_M2:
            return
        code = f"{code_stem}{len(found) + 1:06d}"
        basic = category == "farmland" and dice.random() < 0.6
        found.append(Parcel(code, category, bool(basic), OWNERS.get(category, "国有" if category != "residential" else "多权属"), area_m2, region, True, shape))
        if dice.random() < odds:
            kind = "felling" if category == "forest" else "construction" if category not in ("farmland", "water") else "land_use"
            year = int(dice.integers(2023, 2027))
            permits.append(Permit(f"{PREFIX[kind]}字第{region[:6]}{year}{len(permits) + 1:05d}号", kind, code, date(year, 1 + int(dice.integers(12)), 1), date(year + 3, 1, 1), True))

    blocks = shapely.buffer(town.blocks, -3.0, join_style="mitre")
    for shape, zone, region in zip(plane.to_degrees(blocks), town.zone, region_of_block, strict=True):
        if shape is not None and not shape.is_empty:
            add(f"{region[:9]}GB", CATEGORY_OF[zone], plane.polygonal(shape), region, 0.05)
    sites = tuple(_square(*plane.xy(lon, lat), half) for _, _, lon, lat, half, _ in SITES)
    for (_, district, *_, permitted), site in zip(SITES, sites, strict=True):
        add(f"{district}009GB", "bare" if permitted else "farmland", plane.polygonal(plane.to_degrees(site)), district, 0.0)
        if permitted:
            permits.append(Permit(f"{PREFIX['construction']}字第{district}2026{len(permits) + 1:05d}号", "construction", found[-1].code, date(2026, 1, 1), date(2029, 1, 1), True))
    taken = shapely.union_all([woods, shapely.union_all(sites)])
    for (x, y), code in zip(towns, town_codes, strict=True):
        area = shapely.intersection(_outskirts(x, y, dice), land.districts[code[:6]])
        area = shapely.difference(area, shapely.intersection(taken, area.envelope))
        pieces = [p for p in shapely.get_parts(area) if p.area > 2e4]
        if not pieces:
            continue
        for shape in streets.tessellate(max(pieces, key=lambda p: p.area), 140 if code[:6] == "370212" else 60, dice):
            category = str(dice.choice([c for c, _ in RURAL], p=[w for _, w in RURAL]))
            near = np.hypot(*(shapely.get_coordinates(shape.centroid)[0] - (x, y))) < 700
            category = str(dice.choice(("residential", "public", "commercial", "industrial"), p=(0.6, 0.15, 0.15, 0.1))) if near else category
            add(f"{code}GB", category, plane.polygonal(plane.to_degrees(shapely.buffer(shape, -4.0, join_style="mitre"))), code, 0.06)
    return Cadastre(tuple(found), tuple(permits), tuple(plane.to_degrees(np.array(sites, dtype=object))))


PREFIX = {"construction": "建", "land_use": "地", "felling": "林采", "sea_use": "海"}


def _outskirts(x: float, y: float, dice: np.random.Generator) -> BaseGeometry:
    """The uneven patch of land round a town that is surveyed, plane metres."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = 1700 * (1 + sum(dice.normal(0, 0.22 / k) * np.sin(k * turn + dice.uniform(0, 6.3)) for k in (1, 2, 3, 4)))
    return shapely.buffer(shapely.Polygon(np.column_stack([x + reach * np.cos(turn), y + reach * np.sin(turn)])), 0)


def _square(x: float, y: float, half: float) -> BaseGeometry:
    corners = np.array([(-1, -0.8), (1, -0.9), (0.95, 0.85), (-0.9, 1)]) * half
    return shapely.Polygon(corners + (x, y))
