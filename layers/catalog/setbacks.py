"""Coast building setback zones 海岸建筑退缩线 in force today."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, Held, LayerSpec

COLOR = "#4E93A6"

LAYER = LayerSpec(
    id="setbacks",
    title="海岸退缩区",
    title_en="Coast setback zones",
    group="nature",
    kind="mvt",
    sql="""
        SELECT id, name, distance_m, clause, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM setbacks
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=("name", "distance_m", "clause", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="setbacks",
        get_fill_color=[*rgb(COLOR), 45],
        get_line_color=[*rgb(COLOR), 220],
        get_line_width=1.2,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=9,
        max_zoom=15,
    ),
    legend=(LegendEntry("退缩区", "Setback zone", COLOR),),
    tooltip=(Field("name", "名称", "Name"), Field("distance_m", "退缩距离", "Distance", "米"), Field("clause", "依据", "Clause")),
    min_zoom=9,
    tile_max_zoom=15,
    count_from="setbacks",
    held=Held(tables=("setbacks",)),
)
