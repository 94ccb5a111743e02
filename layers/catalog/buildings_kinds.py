"""Buildings by use, by height and by what is remarkable about them: each a question asked of the register."""

from layers.spec import Field
from layers.subsets import Register, subset

BUILDINGS = Register(
    table="buildings",
    group="city",
    shape="fill",
    columns={
        "name": "nullif(buildings.name, '')",
        "address": "nullif(buildings.address, '')",
        "use": "buildings.use",
        "height_m": "buildings.height_m",
        "floors": "buildings.floors::int",
        "households": "buildings.households",
    },
    tooltip=(
        Field("name", "名称", "Name"),
        Field("address", "地址", "Address"),
        Field("use", "用途", "Use"),
        Field("height_m", "高度", "Height", "米"),
        Field("floors", "层数", "Floors", "层"),
        Field("households", "户数", "Households", "户"),
    ),
    far="ST_XMax(buildings.geom) - ST_XMin(buildings.geom) > 0.0001",
    near=15,
    min_zoom=13,
    tile_max_zoom=16,
    order=40,
)

USES = {
    "residential": ("住宅", "Residential", "#5A6C8C"),
    "commercial": ("商业", "Commercial", "#8C7A5A"),
    "office": ("办公", "Office", "#5A7F8C"),
    "public": ("公共服务", "Public service", "#5F8C78"),
    "education": ("教育", "Education", "#7C8C5A"),
    "warehouse": ("仓储", "Warehouse", "#75706A"),
}
CLASSES = {
    "low": ("低层（1–3 层）", "1–3 floors", "#6F86AE", "buildings.floors <= 3"),
    "multi": ("多层（4–6 层）", "4–6 floors", "#7C93BC", "buildings.floors BETWEEN 4 AND 6"),
    "mid": ("中高层（7–9 层）", "7–9 floors", "#8BA1C8", "buildings.floors BETWEEN 7 AND 9"),
    "high": ("高层（10 层以上，100 米以下）", "10 floors and more, below 100 m", "#9DB1D4", "buildings.floors >= 10 AND buildings.height_m < 100"),
    "super": ("超高层（100 米以上）", "100 m and more", "#B4C5E2", "buildings.height_m >= 100"),
}
MIXED = {
    "residential": ("low", "multi", "mid", "high", "super"),
    "commercial": ("low", "multi", "high", "super"),
    "office": ("high", "super"),
    "public": ("low", "multi"),
    "education": ("low", "multi", "mid"),
}
HOUSEHOLDS = ((1, 1), (2, 9), (10, 49), (50, 99), (100, None))
REMARKABLE = (
    ("single_storey", "平房", "Single-storey buildings", "#8C8566", "buildings.floors = 1"),
    ("named", "有名称的建筑", "Buildings with a name", "#6C8F86", "buildings.name <> ''"),
    ("large", "大体量建筑（基底 1,000 平方米以上）", "Footprints above 1,000 m²", "#7D8A9E", "ST_Area(buildings.geom::geography) >= 1000"),
    (
        "core_setback",
        "核心退缩区内建筑",
        "Buildings inside the core setback",
        "#5E9DAE",
        "EXISTS (SELECT FROM setbacks WHERE setbacks.distance_m <= 100 AND setbacks.valid @> hdq_today() AND ST_Intersects(setbacks.geom, buildings.geom))",
    ),
    (
        "wider_setback",
        "一般退缩区内建筑",
        "Buildings inside the wider setback",
        "#6FAABB",
        "EXISTS (SELECT FROM setbacks WHERE setbacks.distance_m > 100 AND setbacks.valid @> hdq_today() AND ST_Intersects(setbacks.geom, buildings.geom))",
    ),
    (
        "forest_edge",
        "林缘建筑（林班内及 100 米内）",
        "Buildings within 100 m of forest",
        "#7E9A72",
        "EXISTS (SELECT FROM forest_zones WHERE forest_zones.valid @> hdq_today() AND ST_Expand(buildings.geom, 0.0012) && forest_zones.geom"
        " AND ST_DWithin(forest_zones.geom::geography, buildings.geom::geography, 100))",
    ),
)

LAYERS = (
    *(
        subset(BUILDINGS, f"buildings_{use}", f"建筑 · {zh}", f"Buildings: {en.lower()}", color, f"buildings.use = '{use}'", order=41)
        for use, (zh, en, color) in USES.items()
    ),
    *(subset(BUILDINGS, f"buildings_{name}", f"建筑 · {zh}", f"Buildings: {en}", color, where, order=42) for name, (zh, en, color, where) in CLASSES.items()),
    *(
        subset(
            BUILDINGS,
            f"buildings_{use}_{name}",
            f"{USES[use][0]} · {CLASSES[name][0]}",
            f"{USES[use][1]}: {CLASSES[name][1]}",
            USES[use][2],
            f"buildings.use = '{use}' AND {CLASSES[name][3]}",
            order=43,
        )
        for use, names in MIXED.items()
        for name in names
    ),
    *(
        subset(
            BUILDINGS,
            f"buildings_households_{low}",
            f"建筑户数 · {low} 户" if low == high else f"建筑户数 · {low}–{high} 户" if high else f"建筑户数 · {low} 户以上",
            f"Buildings of {low} household" if low == high else f"Buildings of {low} to {high} households" if high else f"Buildings of {low} households and more",
            color,
            f"buildings.households >= {low}" + (f" AND buildings.households <= {high}" if high else ""),
            order=44,
        )
        for (low, high), color in zip(HOUSEHOLDS, ("#54678A", "#6178A0", "#7189B3", "#859BC4", "#9CB0D4"), strict=True)
    ),
    *(subset(BUILDINGS, f"buildings_{name}", zh, en, color, where, order=45) for name, zh, en, color, where in REMARKABLE),
)
