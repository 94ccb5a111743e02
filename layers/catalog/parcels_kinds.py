"""Parcels by category, owner and size, and by the permits that lie on them."""

from layers.spec import Field
from layers.subsets import Register, subset

PARCELS = Register(
    table="parcels",
    group="city",
    shape="fill",
    columns={"code": "parcels.code", "category": "parcels.category", "owner": "parcels.owner", "area_m2": "round(parcels.area_m2)::bigint", "basic_farmland": "parcels.basic_farmland"},
    tooltip=(Field("code", "地块", "Parcel"), Field("category", "地类", "Category"), Field("owner", "权属", "Owner"), Field("area_m2", "面积", "Area", "平方米")),
    always="parcels.valid @> hdq_today()",
    far="parcels.area_m2 > 4000",
    near=12,
    min_zoom=9,
    order=20,
)
CATEGORIES = {
    "farmland": ("耕地", "Farmland", "#9A9457"),
    "orchard": ("园地", "Orchard", "#8C9A5C"),
    "forest": ("林地", "Forest land", "#5E8A62"),
    "residential": ("住宅用地", "Residential land", "#7A86A6"),
    "commercial": ("商业用地", "Commercial land", "#A68B62"),
    "industrial": ("工业用地", "Industrial land", "#8C7AA0"),
    "public": ("公共用地", "Public land", "#6B94A0"),
    "transport": ("交通用地", "Transport land", "#858C98"),
    "water": ("水域", "Water", "#4F86A6"),
    "green": ("绿地", "Green space", "#6FA070"),
    "bare": ("裸地", "Bare land", "#A08C7A"),
}
SIZES = (("tiny", "0.1 公顷以下", "below 0.1 ha", None, 1e3), ("small", "0.1–1 公顷", "0.1 to 1 ha", 1e3, 1e4), ("medium", "1–10 公顷", "1 to 10 ha", 1e4, 1e5), ("large", "10 公顷以上", "10 ha and more", 1e5, None))
PERMITS = {"construction": ("建设工程规划许可", "construction permit", "#A68B62"), "land_use": ("用地许可", "land use permit", "#8C9A5C"), "felling": ("采伐许可", "felling permit", "#7A8A54")}
STATES = {
    "in_force": ("有效", "in force", "permits.valid @> hdq_today()"),
    "expiring": ("180 天内到期", "expiring within 180 days", "permits.valid @> hdq_today() AND upper(permits.valid) < hdq_today() + 180"),
    "expired": ("已到期", "expired", "upper(permits.valid) <= hdq_today()"),
    "ahead": ("尚未生效", "not yet in force", "lower(permits.valid) > hdq_today()"),
}
BUILT = ("residential", "orchard", "industrial", "commercial", "public", "bare", "green")


def _permitted(kind: str, state: str = "true") -> str:
    return f"EXISTS (SELECT FROM permits WHERE permits.parcel_id = parcels.id AND permits.kind = '{kind}' AND {state})"


def _size(low: float | None, high: float | None) -> str:
    return f"parcels.area_m2 >= {low or 0:.0f}" + (f" AND parcels.area_m2 < {high:.0f}" if high else "")


LAYERS = (
    *(subset(PARCELS, f"parcels_{name}", f"地块 · {zh}", en, color, f"parcels.category = '{name}'", order=21) for name, (zh, en, color) in CATEGORIES.items()),
    subset(PARCELS, "parcels_basic_farmland", "永久基本农田", "Permanent basic farmland", "#A09848", "parcels.basic_farmland", order=22),
    subset(PARCELS, "parcels_other_farmland", "一般耕地", "Farmland that is not basic farmland", "#A8A26C", "parcels.category = 'farmland' AND NOT parcels.basic_farmland", order=22),
    subset(PARCELS, "parcels_state_owned", "国有土地", "State-owned land", "#8A90A8", "parcels.owner = '国有'", order=23),
    subset(PARCELS, "parcels_collective", "集体土地", "Collectively owned land", "#9A9A6C", "parcels.owner = '村集体'", order=23),
    *(
        subset(PARCELS, f"parcels_size_{name}", f"地块面积 · {zh}", f"Parcels {en}", color, _size(low, high), order=24)
        for (name, zh, en, low, high), color in zip(SIZES, ("#6A7488", "#7C8698", "#8E98A8", "#A2ABB9"), strict=True)
    ),
    *(
        subset(PARCELS, f"parcels_{category}_large", f"10 公顷以上 · {CATEGORIES[category][0]}", f"{CATEGORIES[category][1]} of 10 ha and more", CATEGORIES[category][2],
               f"parcels.category = '{category}' AND {_size(1e5, None)}", order=24)
        for category in ("farmland", "orchard", "forest", "residential", "industrial")
    ),
    *(
        subset(PARCELS, f"permits_{kind}_{state}", f"{zh} · {state_zh}", f"Parcels with a {en} {state_en}", color, _permitted(kind, where), order=25)
        for kind, (zh, en, color) in PERMITS.items()
        for state, (state_zh, state_en, where) in STATES.items()
    ),
    *(
        subset(PARCELS, f"permits_construction_{category}", f"有建设许可的{CATEGORIES[category][0]}", f"{CATEGORIES[category][1]} with a construction permit",
               CATEGORIES[category][2], f"parcels.category = '{category}' AND {_permitted('construction')}", order=26)
        for category in BUILT
    ),
    subset(PARCELS, "permits_farmland_land_use", "有用地许可的耕地", "Farmland with a land use permit", "#9A9457", f"parcels.category = 'farmland' AND {_permitted('land_use')}", order=26),
    subset(
        PARCELS, "parcels_setback", "退缩区内地块", "Parcels inside coast setbacks", "#5E9DAE",
        "EXISTS (SELECT FROM setbacks WHERE setbacks.valid @> hdq_today() AND ST_Intersects(setbacks.geom, parcels.geom))", order=27,
    ),
    subset(
        PARCELS, "parcels_forest_edge", "与林班相邻的非林地地块", "Parcels beside forest that are no forest land", "#7E9A72",
        "parcels.category <> 'forest' AND EXISTS (SELECT FROM forest_zones WHERE forest_zones.valid @> hdq_today() AND ST_Intersects(forest_zones.geom, parcels.geom))", order=27,
    ),
)
