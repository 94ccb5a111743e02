"""Roads by class; fewer classes at low zooms."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, Held, LayerSpec

CLASS = Choice(
    "class",
    (
        ("motorway", "高速公路", "Motorway", "#9CB2D6"),
        ("trunk", "快速路", "Trunk road", "#8AA0C6"),
        ("primary", "主干路", "Primary road", "#748BB3"),
        ("secondary", "次干路", "Secondary road", "#5F769C"),
        ("residential", "支路", "Local road", "#4E6386"),
        ("track", "林区路", "Track", "#5F6F5F"),
    ),
    shape="line",
)

LAYER = LayerSpec(
    id="roads",
    title="道路",
    title_en="Roads",
    group="city",
    kind="mvt",
    sql="""
        SELECT id, name, class, speed_kmh, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM roads
        WHERE region_code LIKE %(scope)s AND geom && %(degrees)s
            AND (%(z)s >= 14 OR class IN ('motorway', 'trunk', 'primary') OR (%(z)s >= 12 AND class = 'secondary'))
    """,
    attributes=("name", "class", "speed_kmh", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="roads",
        get_line_color=CLASS.expression(220),
        get_line_width="properties.class == 'motorway' || properties.class == 'trunk' ? 12 : properties.class == 'primary' ? 8 : 4",
        line_width_min_pixels=1,
        line_joint_rounded=True,
        line_cap_rounded=True,
        pickable=True,
        min_zoom=9,
        max_zoom=15,
    ),
    legend=CLASS.legend(),
    tooltip=(Field("name", "道路", "Road"), Field("class", "等级", "Class"), Field("speed_kmh", "限速", "Speed", "公里/时")),
    min_zoom=9,
    tile_max_zoom=15,
    count_from="roads",
    order=60,
    held=Held(tables=("roads",), changes_at=(9, 12, 14)),
)
