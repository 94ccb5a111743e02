"""Land parcels 地块 in force today, by category, with the number of permits in force."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice, rgb
from layers.spec import Field, Held, LayerSpec

CATEGORY = Choice(
    "category",
    (
        ("farmland", "耕地", "Farmland", "#9A9458"),
        ("orchard", "园地", "Orchard", "#7F8F55"),
        ("forest", "林地", "Forest", "#4C7A5F"),
        ("residential", "住宅用地", "Residential", "#6A7FA6"),
        ("commercial", "商业用地", "Commercial", "#8F7F62"),
        ("industrial", "工业用地", "Industrial", "#7A6C90"),
        ("public", "公共用地", "Public", "#6A918C"),
        ("transport", "交通用地", "Transport", "#77808C"),
        ("water", "水域", "Water", "#4A7C9C"),
        ("green", "绿地", "Green", "#5F8C66"),
        ("bare", "裸地", "Bare", "#8A8378"),
    ),
    other=("其他", "Other", "#6A7280"),
)

LAYER = LayerSpec(
    id="parcels",
    title="土地地块",
    title_en="Land parcels",
    group="city",
    kind="mvt",
    sql="""
        SELECT id, code, category, basic_farmland, owner, round(area_m2)::bigint AS area_m2, simulated,
               (SELECT count(*) FROM permits WHERE permits.parcel_id = parcels.id AND permits.valid @> hdq_today())::int AS permits, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM parcels
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=("code", "category", "basic_farmland", "owner", "area_m2", "permits", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="parcels",
        get_fill_color=CATEGORY.expression(80),
        get_line_color=[*rgb("#8794A8"), 170],
        get_line_width=0.8,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=12,
        max_zoom=15,
    ),
    legend=CATEGORY.legend(),
    tooltip=(
        Field("code", "地块编号", "Parcel"),
        Field("category", "地类", "Category"),
        Field("basic_farmland", "永久基本农田", "Basic farmland"),
        Field("owner", "权属", "Owner"),
        Field("area_m2", "面积", "Area", "平方米"),
        Field("permits", "有效许可", "Permits in force", "件"),
    ),
    min_zoom=12,
    tile_max_zoom=15,
    count_from="parcels",
    order=10,
    held=Held(tables=("parcels", "permits")),
)
