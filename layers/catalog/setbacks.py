"""Coast building setback zones 海岸建筑退缩线 in force today."""

from layers.paint import LegendEntry, rgb
from layers.registers import zones
from layers.spec import Field

COLOR = "#4E93A6"

LAYER = zones(
    "setbacks",
    "海岸退缩区",
    "Coast setback zones",
    group="nature",
    reads=("name", "distance_m", "clause"),
    fill=[*rgb(COLOR), 45],
    line=[*rgb(COLOR), 220],
    width=1.2,
    zooms=(9, 15),
    legend=(LegendEntry("退缩区", "Setback zone", COLOR),),
    tooltip=(Field("name", "名称", "Name"), Field("distance_m", "退缩距离", "Distance", "米"), Field("clause", "依据", "Clause")),
)
