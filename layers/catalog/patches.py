"""Changed polygons 变化图斑 of finished surveys, by what changed."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Faces, Field, LayerSpec

KIND = Choice(
    "kind",
    (
        ("vegetation_loss", "植被减少", "Vegetation loss", "#C9B458"),
        ("construction", "新增建设", "Construction", "#B98AC9"),
        ("burn_scar", "过火迹地", "Burn scar", "#C97A5A"),
        ("water", "水域变化", "Water", "#5FA8D9"),
        ("farmland_change", "耕地变化", "Farmland", "#D9A05F"),
        ("algal_bloom", "浒苔", "Algal bloom", "#6FBF8B"),
        ("reclamation", "疑似填海", "Reclamation", "#7F8FD9"),
        ("land_change", "地表变化", "Land change", "#A8A29A"),
    ),
    other=("其他变化", "Other change", "#9AA7BA"),
)

LAYER = LayerSpec(
    id="patches",
    title="变化图斑",
    title_en="Change polygons",
    group="events",
    kind="mvt",
    sql="""
        SELECT patches.id, patches.number, patches.kind, patches.score, round(patches.area_m2)::bigint AS area_m2, patches.survey_id, surveys.analysis,
               to_char(before.taken_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS before_on, to_char(after.taken_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS after_on,
               patches.simulated, ST_Transform(patches.geom, 3857) AS geom_3857
        FROM patches
        JOIN surveys ON surveys.id = patches.survey_id
        JOIN scenes AS before ON before.id = surveys.before_scene
        JOIN scenes AS after ON after.id = surveys.after_scene
        WHERE patches.region_code LIKE %(scope)s AND patches.geom && %(degrees)s
    """,
    attributes=("number", "kind", "score", "area_m2", "survey_id", "analysis", "before_on", "after_on", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="patches",
        get_fill_color=KIND.expression(70),
        get_line_color=KIND.expression(240),
        get_line_width=1.4,
        line_width_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 60],
        min_zoom=8,
        max_zoom=15,
    ),
    legend=KIND.legend(),
    tooltip=(
        Field("kind", "变化类型", "Change"),
        Field("area_m2", "面积", "Area", "平方米"),
        Field("score", "置信度", "Score"),
        Field("before_on", "前时相", "Before"),
        Field("after_on", "后时相", "After"),
    ),
    min_zoom=8,
    tile_max_zoom=15,
    visible=Faces(review=True),
    refreshed_by=("survey.changed",),
    count_from="patches",
    order=20,
)
