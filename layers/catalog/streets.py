"""Streets and towns 街道(镇)."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

LINE = "#5C7396"

LAYER = LayerSpec(
    id="streets",
    title="街道（镇）界",
    title_en="Streets and towns",
    group="governance",
    kind="mvt",
    sql="""
        SELECT code::bigint AS id, code, name, simulated, ST_Transform(geom, 3857) AS geom_3857
        FROM regions
        WHERE level = 3 AND (code LIKE %(scope)s OR starts_with(%(prefix)s, code)) AND geom && %(degrees)s
    """,
    attributes=("code", "name", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="streets",
        filled=True,
        get_fill_color=[0, 0, 0, 0],
        get_line_color=[*rgb(LINE), 200],
        get_line_width=1,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=9,
        max_zoom=14,
    ),
    legend=(LegendEntry("街道（镇）界", "Street or town", LINE, "line"),),
    tooltip=(Field("name", "街道（镇）", "Street or town"), Field("code", "代码", "Code")),
    min_zoom=9,
    tile_max_zoom=14,
    count_from="(SELECT * FROM regions WHERE level = 3) AS streets",
    count_scope="code",
    order=60,
)
