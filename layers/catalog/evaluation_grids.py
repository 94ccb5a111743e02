"""Evaluation grids 评价网格 of today: the areas over which a period's work is judged."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

LAYER = LayerSpec(
    id="evaluation_grids",
    title="评价网格",
    title_en="Evaluation grids",
    group="governance",
    kind="mvt",
    sql="""
        SELECT id, code, name, round(ST_Area(geom::geography))::bigint AS area_m2, simulated, ST_Transform(geom, 3857) AS geom_3857
        FROM cells
        WHERE region_code LIKE %(scope)s AND kind = 'evaluation' AND valid @> (now() AT TIME ZONE 'Asia/Shanghai')::date AND geom && %(degrees)s
    """,
    attributes=("code", "name", "area_m2", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="evaluation_grids",
        get_fill_color=[*rgb("#A68C7A"), 8],
        get_line_color=[*rgb("#A68C7A"), 120],
        get_line_width=0.7,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=11,
        max_zoom=15,
    ),
    legend=(LegendEntry("评价网格", "Evaluation grid", "#A68C7A", "line"),),
    tooltip=(
        Field("name", "评价网格", "Evaluation grid"),
        Field("code", "代码", "Code"),
        Field("area_m2", "面积", "Area", "平方米"),
    ),
    min_zoom=11,
    tile_max_zoom=15,
    refreshed_by=("cell.*",),
    count_from="(SELECT region_code, simulated FROM cells WHERE kind = 'evaluation' AND valid @> (now() AT TIME ZONE 'Asia/Shanghai')::date) AS cells",
    order=12,
)
