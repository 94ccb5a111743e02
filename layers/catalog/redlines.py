"""Ecological red line zones 生态保护红线 in force today, by what they protect."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, Held, LayerSpec

CLASS = Choice(
    "class",
    (
        ("water_conservation", "水源涵养", "Water conservation", "#4E8FB5"),
        ("biodiversity", "生物多样性维护", "Biodiversity", "#5C9A6B"),
        ("soil_conservation", "水土保持", "Soil conservation", "#A98B5D"),
        ("coastal", "海岸生态", "Coastal", "#4E93A6"),
        ("reserve_core", "自然保护地核心区", "Core of a reserve", "#A65D6B"),
    ),
    other=("其他", "Other", "#8A8FA0"),
)

LAYER = LayerSpec(
    id="redlines",
    title="生态保护红线",
    title_en="Ecological red lines",
    group="nature",
    kind="mvt",
    sql="""
        SELECT id, code, name, class, clause, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM redlines
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=("code", "name", "class", "clause", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="redlines",
        get_fill_color=CLASS.expression(50),
        get_line_color=CLASS.expression(240),
        get_line_width=1.6,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=8,
        max_zoom=15,
    ),
    legend=CLASS.legend(),
    tooltip=(Field("name", "名称", "Name"), Field("code", "编号", "Code"), Field("class", "保护类型", "Protects"), Field("clause", "依据", "Clause")),
    min_zoom=8,
    tile_max_zoom=15,
    count_from="redlines",
    held=Held(tables=("redlines",)),
)
