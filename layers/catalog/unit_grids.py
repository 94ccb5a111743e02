"""Unit grids 单元网格 of today, about 10,000 m² each, with the management grid they belong to."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

LAYER = LayerSpec(
    id="unit_grids",
    title="单元网格",
    title_en="Unit grids",
    group="governance",
    kind="mvt",
    sql="""
        SELECT id, code, name, parent_code, round(ST_Area(geom::geography))::bigint AS area_m2, simulated, ST_Transform(geom, 3857) AS geom_3857
        FROM cells
        WHERE region_code LIKE %(scope)s AND kind = 'unit' AND valid @> (now() AT TIME ZONE 'Asia/Shanghai')::date AND geom && %(degrees)s
    """,
    attributes=("code", "name", "parent_code", "area_m2", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="unit_grids",
        get_fill_color=[*rgb("#7A8CA6"), 8],
        get_line_color=[*rgb("#7A8CA6"), 120],
        get_line_width=0.7,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=14,
        max_zoom=15,
    ),
    legend=(LegendEntry("单元网格", "Unit grid", "#7A8CA6", "line"),),
    tooltip=(
        Field("name", "单元网格", "Unit grid"),
        Field("code", "代码", "Code"),
        Field("parent_code", "管理网格", "Management grid"),
        Field("area_m2", "面积", "Area", "平方米"),
    ),
    min_zoom=14,
    tile_max_zoom=15,
    refreshed_by=("cell.*",),
    count_from="(SELECT region_code, simulated FROM cells WHERE kind = 'unit' AND valid @> (now() AT TIME ZONE 'Asia/Shanghai')::date) AS cells",
    order=11,
)
