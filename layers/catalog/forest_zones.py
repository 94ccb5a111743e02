"""Forest compartments 林班 in force today, by fire risk."""

from layers.paint import Steps, rgb
from layers.registers import zones
from layers.spec import Field

RISK = Steps(
    "fire_risk",
    ((1, "一级火险", "Risk 1", "#2E5B45"), (2, "二级火险", "Risk 2", "#3F7357"), (3, "三级火险", "Risk 3", "#6B8A52"), (4, "四级火险", "Risk 4", "#93914E"), (5, "五级火险", "Risk 5", "#A8824A")),
)

LAYER = zones(
    "forest_zones",
    "林班（火险等级）",
    "Forest compartments by fire risk",
    group="nature",
    reads=("code", "name", "class", "species", "fire_risk::int AS fire_risk", "area_ha"),
    fill=RISK.expression(110),
    line=[*rgb("#7FA58F"), 200],
    width=1,
    zooms=(8, 15),
    legend=RISK.legend(),
    tooltip=(
        Field("name", "林班", "Compartment"),
        Field("code", "编号", "Code"),
        Field("class", "林种", "Class"),
        Field("species", "树种", "Species"),
        Field("area_ha", "面积", "Area", "公顷"),
        Field("fire_risk", "火险等级", "Fire risk", "级"),
    ),
)
