"""Ecological red line zones 生态保护红线 in force today, by what they protect."""

from layers.paint import Choice
from layers.registers import zones
from layers.spec import Field

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

LAYER = zones(
    "redlines",
    "生态保护红线",
    "Ecological red lines",
    group="nature",
    reads=("code", "name", "class", "clause"),
    fill=CLASS.expression(50),
    line=CLASS.expression(240),
    width=1.6,
    zooms=(8, 15),
    legend=CLASS.legend(),
    tooltip=(Field("name", "名称", "Name"), Field("code", "编号", "Code"), Field("class", "保护类型", "Protects"), Field("clause", "依据", "Clause")),
)
