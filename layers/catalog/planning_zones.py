"""Zones of the territorial plan 国土空间规划分区 in force today, by planned use."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, Held, LayerSpec

USE = Choice(
    "use",
    (
        ("residential", "居住", "Residential", "#D9B45F"),
        ("commercial", "商业服务", "Commercial", "#C98A7A"),
        ("industrial", "工业仓储", "Industrial", "#A78AB5"),
        ("public", "公共服务", "Public service", "#C48FB0"),
        ("transport", "交通", "Transport", "#8E97A6"),
        ("green", "绿地", "Green", "#7FB07A"),
        ("agricultural", "农业", "Agricultural", "#B5BF77"),
        ("ecological", "生态", "Ecological", "#5C9A6B"),
        ("water", "水域", "Water", "#6FA9CF"),
    ),
    other=("留白", "Reserve", "#A6A299"),
)

LAYER = LayerSpec(
    id="planning_zones",
    title="国土空间规划分区",
    title_en="Planning zones",
    group="city",
    kind="mvt",
    sql="""
        SELECT id, code, name, use, plan, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM planning_zones
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=("code", "name", "use", "plan", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="planning_zones",
        get_fill_color=USE.expression(70),
        get_line_color=USE.expression(200),
        get_line_width=0.8,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=11,
        max_zoom=16,
    ),
    legend=USE.legend(),
    tooltip=(Field("name", "名称", "Name"), Field("use", "规划用途", "Planned use"), Field("plan", "规划", "Plan"), Field("code", "编号", "Code")),
    min_zoom=11,
    tile_max_zoom=16,
    count_from="planning_zones",
    held=Held(tables=("planning_zones",)),
)
