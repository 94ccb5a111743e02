"""Coastline 岸线 with chainage, natural or artificial."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, Held, LayerSpec

KIND = Choice("kind", (("natural", "自然岸线", "Natural", "#5FA8B8"), ("artificial", "人工岸线", "Artificial", "#8FA3BF")), shape="line")

LAYER = LayerSpec(
    id="coastline",
    title="海岸线",
    title_en="Coastline",
    group="nature",
    kind="mvt",
    sql="""
        SELECT id, name, kind, round(chainage_from_m)::int AS chainage_from_m, round(chainage_to_m)::int AS chainage_to_m, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM coastline
        WHERE region_code LIKE %(scope)s AND geom && %(degrees)s
    """,
    attributes=("name", "kind", "chainage_from_m", "chainage_to_m", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="coastline",
        get_line_color=KIND.expression(230),
        get_line_width=2,
        line_width_units=String("pixels"),
        pickable=True,
        max_zoom=15,
    ),
    legend=KIND.legend(),
    tooltip=(Field("name", "岸段", "Section"), Field("chainage_from_m", "起点桩号", "From chainage", "米"), Field("chainage_to_m", "终点桩号", "To chainage", "米"), Field("kind", "类型", "Kind")),
    tile_max_zoom=15,
    count_from="coastline",
    held=Held(tables=("coastline",)),
)
