"""Buildings raised to their height, from z14."""

from pydeck import Layer
from pydeck.types import String

from layers.catalog.buildings import HELD, LEVELS, REGISTER
from layers.paint import Steps
from layers.spec import Field, LayerSpec

HEIGHT = Steps(
    "height_m",
    ((0, "24 米以下", "Below 24 m", "#31456B"), (24, "24–54 米", "24–54 m", "#40598A"), (54, "54–100 米", "54–100 m", "#5573AB"), (100, "100 米以上", "Above 100 m", "#7C9BD0")),
)

LAYER = LayerSpec(
    id="buildings_3d",
    title="建筑（三维）",
    title_en="Buildings in 3D",
    group="city",
    kind="mvt",
    sql=((15, LEVELS), (22, REGISTER)),
    attributes=("height_m", "use", "name"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="buildings_3d",
        extruded=True,
        get_elevation="properties.height_m",
        get_fill_color=HEIGHT.expression(235),
        material=True,
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 60],
        min_zoom=14,
        max_zoom=16,
    ),
    legend=HEIGHT.legend(),
    tooltip=(Field("name", "名称", "Name"), Field("use", "用途", "Use"), Field("height_m", "高度", "Height", "米")),
    min_zoom=14,
    tile_max_zoom=16,
    count_from="buildings",
    order=80,
    held=HELD,
)
