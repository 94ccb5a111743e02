"""Forest compartments by class, by leading species, by fire risk, and by class and species or risk together."""

from layers.spec import Field
from layers.subsets import Register, subset

FOREST = Register(
    table="forest_zones",
    group="nature",
    shape="fill",
    columns={"code": "code", "name": "name", "class": "class", "species": "species", "fire_risk": "fire_risk::int", "area_ha": "round(area_ha::numeric, 1)::float8"},
    tooltip=(
        Field("name", "林班", "Compartment"),
        Field("code", "编号", "Code"),
        Field("species", "优势树种", "Leading species"),
        Field("fire_risk", "火险等级", "Fire risk"),
        Field("area_ha", "面积", "Area", "公顷"),
    ),
    always="valid @> hdq_today()",
    min_zoom=8,
    tile_max_zoom=14,
    order=40,
)
KINDS = {"public_welfare": ("公益林", "Public welfare forest", "#5E8A66"), "commercial": ("商品林", "Commercial forest", "#86895A"), "scenic": ("风景林", "Scenic forest", "#5A8A80")}
SPECIES = {
    "chisong": ("赤松", "Japanese red pine", "#6D8A54"),
    "heisong": ("黑松", "Black pine", "#4F7A58"),
    "yousong": ("油松", "Chinese pine", "#7A9460"),
    "luoyesong": ("落叶松", "Larch", "#94985E"),
    "cebai": ("侧柏", "Oriental arborvitae", "#5F8C74"),
    "cihuai": ("刺槐", "Black locust", "#84A06C"),
    "mali": ("麻栎", "Sawtooth oak", "#8E8C58"),
    "kuoye": ("阔叶混交", "Mixed broadleaf", "#6E9C78"),
}
RISKS = {3: ("三级", "#A89A62"), 4: ("四级", "#A8865E"), 5: ("五级", "#A6725C")}

LAYERS = (
    *(subset(FOREST, f"forest_{kind}", f"林班 · {zh}", en, color, f"class = '{kind}'", order=41) for kind, (zh, en, color) in KINDS.items()),
    *(subset(FOREST, f"forest_{name}", f"树种 · {zh}", f"Species: {en.lower()}", color, f"species = '{zh}'", order=42) for name, (zh, en, color) in SPECIES.items()),
    *(subset(FOREST, f"forest_risk_{risk}", f"火险等级 · {zh}", f"Fire risk {risk} of 5", color, f"fire_risk = {risk}", order=43) for risk, (zh, color) in RISKS.items()),
    *(
        subset(FOREST, f"forest_{kind}_{name}", f"{KINDS[kind][0]} · {zh}", f"{KINDS[kind][1]}: {en.lower()}", color, f"class = '{kind}' AND species = '{zh}'", order=44)
        for kind in KINDS
        for name, (zh, en, color) in SPECIES.items()
    ),
    *(
        subset(
            FOREST, f"forest_{kind}_risk_{risk}", f"{KINDS[kind][0]} · 火险{zh}", f"{KINDS[kind][1]}: fire risk {risk}", color, f"class = '{kind}' AND fire_risk = {risk}", order=45
        )
        for kind in KINDS
        for risk, (zh, color) in RISKS.items()
    ),
)
