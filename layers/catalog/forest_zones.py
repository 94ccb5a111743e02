"""Forest compartments 林班 in force today, by fire risk."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Steps, rgb
from layers.spec import Field, Held, LayerSpec

RISK = Steps(
    "fire_risk",
    ((1, "一级火险", "Risk 1", "#2E5B45"), (2, "二级火险", "Risk 2", "#3F7357"), (3, "三级火险", "Risk 3", "#6B8A52"), (4, "四级火险", "Risk 4", "#93914E"), (5, "五级火险", "Risk 5", "#A8824A")),
)

LAYER = LayerSpec(
    id="forest_zones",
    title="林班（火险等级）",
    title_en="Forest compartments by fire risk",
    group="nature",
    kind="mvt",
    sql="""
        SELECT id, code, name, class, species, fire_risk::int AS fire_risk, area_ha, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM forest_zones
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=("code", "name", "class", "species", "fire_risk", "area_ha", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="forest_zones",
        get_fill_color=RISK.expression(110),
        get_line_color=[*rgb("#7FA58F"), 200],
        get_line_width=1,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=8,
        max_zoom=15,
    ),
    legend=RISK.legend(),
    tooltip=(
        Field("name", "林班", "Compartment"),
        Field("code", "编号", "Code"),
        Field("class", "林种", "Class"),
        Field("species", "树种", "Species"),
        Field("area_ha", "面积", "Area", "公顷"),
        Field("fire_risk", "火险等级", "Fire risk", "级"),
    ),
    min_zoom=8,
    tile_max_zoom=15,
    count_from="forest_zones",
    held=Held(tables=("forest_zones",)),
)
