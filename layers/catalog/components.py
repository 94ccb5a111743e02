"""City components 部件 of today by major class; those that are not intact stand out."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, LayerSpec

LOOK = Choice(
    "look",
    (
        ("impaired", "破损、丢失、移位或废弃", "Damaged, missing, moved or abandoned", "#FFB224"),
        ("01", "公用设施", "Public utilities", "#6C9BD2"),
        ("02", "交通设施", "Transport", "#9C8AD6"),
        ("03", "市容环境", "City appearance", "#C08A5E"),
        ("04", "园林绿化", "Greening", "#5FA878"),
        ("05", "其他", "Other", "#8A93A0"),
    ),
    shape="circle",
)

LAYER = LayerSpec(
    id="components",
    title="城市部件",
    title_en="City components",
    group="city",
    kind="mvt",
    sql="""
        SELECT components.id, components.code, classes.major, classes.name AS class, components.name, owner, keeper, condition, components.accuracy,
            CASE components.accuracy WHEN 'A' THEN 0.5 WHEN 'B' THEN 1.0 ELSE 10.0 END::float AS accuracy_m, address, cell_code,
            to_char(surveyed_on, 'YYYY-MM-DD') AS surveyed_on, CASE WHEN condition = 'intact' THEN left(class_code, 2) ELSE 'impaired' END AS look, simulated,
            ST_Transform(geom, 3857) AS geom_3857
        FROM components JOIN component_classes AS classes ON classes.code = components.class_code
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=("code", "major", "class", "name", "owner", "keeper", "condition", "accuracy", "accuracy_m", "address", "cell_code", "surveyed_on", "look", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="components",
        point_type=String("circle"),
        get_fill_color=LOOK.expression(230),
        get_point_radius="properties.look == 'impaired' ? 4.5 : 3",
        point_radius_units=String("pixels"),
        stroked=False,
        pickable=True,
        min_zoom=15,
        max_zoom=16,
    ),
    legend=LOOK.legend(),
    tooltip=(
        Field("name", "部件", "Component"),
        Field("class", "类别", "Class"),
        Field("code", "标识码", "Code"),
        Field("condition", "状态", "Condition"),
        Field("owner", "权属", "Owner"),
        Field("keeper", "养护", "Kept by"),
        Field("accuracy", "精度等级", "Accuracy class"),
        Field("accuracy_m", "精度（±）", "Accuracy (±)", "米"),
        Field("surveyed_on", "普查日期", "Surveyed"),
    ),
    min_zoom=15,
    tile_max_zoom=16,
    refreshed_by=("cell.*",),
    count_from="components",
    updated="max(recorded_at)",
    order=40,
)
