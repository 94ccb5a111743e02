"""Buildings by use. Up to z15 the generalised levels of layers.pyramid are drawn, from z16 each building as it stands in the register."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice, rgb
from layers.spec import Field, Held, LayerSpec

USE = Choice(
    "use",
    (
        ("residential", "住宅", "Residential", "#5A6C8C"),
        ("commercial", "商业", "Commercial", "#8C7A5A"),
        ("office", "办公", "Office", "#5A7F8C"),
        ("industrial", "工业", "Industrial", "#76688C"),
        ("public", "公共", "Public", "#5F8C78"),
        ("education", "教育", "Education", "#7C8C5A"),
        ("medical", "医疗", "Medical", "#8C6470"),
        ("warehouse", "仓储", "Warehouse", "#75706A"),
    ),
    other=("其他", "Other", "#6A7280"),
)

LEVELS = """
    SELECT id, use, height_m, count, NULL::text AS name, NULL::text AS address, NULL::int AS floors, NULL::int AS households, region_code, geom_3857
    FROM building_levels
    WHERE level = %(z)s::smallint AND geom_3857 && %(wide)s AND region_code LIKE %(scope)s
"""

REGISTER = """
    SELECT id, use, height_m, 1 AS count, nullif(name, '') AS name, nullif(address, '') AS address, floors::int AS floors, households, region_code, geom_3857
    FROM buildings
    WHERE geom_3857 && %(wide)s AND region_code LIKE %(scope)s
"""

HELD = Held(tables=("buildings",), changes_at=tuple(range(9, 17)))

LAYER = LayerSpec(
    id="buildings",
    title="建筑（按用途）",
    title_en="Buildings by use",
    group="city",
    kind="mvt",
    sql=((15, LEVELS), (22, REGISTER)),
    attributes=("use", "height_m", "count", "name", "address", "floors", "households"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="buildings",
        get_fill_color=USE.expression(190),
        get_line_color=[*rgb("#2A3A5C"), 150],
        get_line_width=0.5,
        line_width_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 60],
        min_zoom=9,
        max_zoom=16,
    ),
    legend=USE.legend(),
    tooltip=(
        Field("name", "名称", "Name"),
        Field("address", "地址", "Address"),
        Field("use", "用途", "Use"),
        Field("height_m", "高度", "Height", "米"),
        Field("floors", "层数", "Floors", "层"),
        Field("households", "户数", "Households", "户"),
        Field("count", "合并栋数", "Buildings merged", "栋"),
    ),
    min_zoom=9,
    tile_max_zoom=16,
    count_from="buildings",
    order=70,
    held=HELD,
    far=("use", "height_m"),
)
