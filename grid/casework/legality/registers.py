"""The registers that rules may ask: an allow-list of tables and columns. What a rule file names must stand here, or the start stops."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Register:
    """A bitemporal table and its `<table>_past`. `name`, `category`, `clause`: columns shown ('' where it has none); `columns`: what may be asked, with type."""

    table: str
    title: str
    title_en: str
    name: str
    category: str
    clause: str
    columns: Mapping[str, type]


REGISTERS: Mapping[str, Register] = MappingProxyType(
    {
        register.table: register
        for register in (
            Register("parcels", "地块", "parcels", "code", "category", "", MappingProxyType({"category": str, "basic_farmland": bool})),
            Register("forest_zones", "林班", "forest compartments", "name", "class", "", MappingProxyType({"class": str, "species": str, "fire_risk": int})),
            Register("setbacks", "退缩线", "coast setbacks", "name", "", "clause", MappingProxyType({"distance_m": float})),
            Register("redlines", "生态保护红线", "ecological red lines", "name", "class", "clause", MappingProxyType({"class": str})),
            Register("planning_zones", "规划分区", "planning zones", "name", "use", "", MappingProxyType({"use": str, "plan": str})),
        )
    }
)

CATEGORIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "farmland": ("耕地", "farmland"),
        "orchard": ("园地", "orchard"),
        "forest": ("林地", "forest land"),
        "residential": ("住宅用地", "residential land"),
        "commercial": ("商业用地", "commercial land"),
        "industrial": ("工业用地", "industrial land"),
        "public": ("公共设施用地", "public land"),
        "transport": ("交通用地", "transport land"),
        "water": ("水域", "water"),
        "green": ("绿地", "green space"),
        "bare": ("未利用地", "unused land"),
        "agricultural": ("农业空间", "agricultural space"),
        "ecological": ("生态空间", "ecological space"),
        "reserve": ("留白用地", "reserved land"),
    }
)
"""Uses of parcels and of planning zones."""

CLASSES: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "forest_zones": {
            "public_welfare": ("公益林", "public-welfare forest"),
            "commercial": ("商品林", "commercial forest"),
            "scenic": ("风景林", "scenic forest"),
        },
        "redlines": {
            "water_conservation": ("水源涵养", "water conservation"),
            "biodiversity": ("生物多样性", "biodiversity"),
            "soil_conservation": ("水土保持", "soil conservation"),
            "coastal": ("海岸生态", "coast"),
            "reserve_core": ("自然保护地核心区", "core of a reserve"),
            "other": ("其他", "other"),
        },
    }
)


def words(register: str, category: str) -> tuple[str, str]:
    """A category of a register in Chinese and English; its own name where it is not known.

    >>> words("forest_zones", "commercial"), words("parcels", "commercial"), words("parcels", "x")
    (('商品林', 'commercial forest'), ('商业用地', 'commercial land'), ('x', 'x'))
    """
    return CLASSES.get(register, CATEGORIES).get(category, (category, category))
