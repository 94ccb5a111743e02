"""Districts 区市: outline only, so that what happens inside stays visible."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

LINE = "#56698F"

LAYER = LayerSpec(
    id="districts",
    title="区市界",
    title_en="Districts",
    group="governance",
    kind="mvt",
    sql="""
        SELECT code::bigint AS id, code, name, name_en, simulated, ST_Transform(geom, 3857) AS geom_3857
        FROM regions
        WHERE level = 2 AND (code LIKE %(scope)s OR starts_with(%(prefix)s, code)) AND geom && %(degrees)s
    """,
    attributes=("code", "name", "name_en", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="districts",
        filled=True,
        get_fill_color=[0, 0, 0, 0],
        get_line_color=[*rgb(LINE), 210],
        get_line_width=1.4,
        line_width_units=String("pixels"),
        pickable=True,
        max_zoom=14,
    ),
    legend=(LegendEntry("区市界", "District", LINE, "line"),),
    tooltip=(Field("name", "区市", "District"), Field("code", "代码", "Code")),
    tile_max_zoom=14,
    count_from="(SELECT * FROM regions WHERE level = 2) AS districts",
    count_scope="code",
    order=70,
)
