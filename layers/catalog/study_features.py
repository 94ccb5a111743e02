"""What studies found: heaps and pits, objects of orthomosaics, unpermitted building candidates, crops by parcel."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, LayerSpec

WHAT = Choice(
    "what",
    (
        ("heap", "堆体增高", "Heap", "#C98A4B"),
        ("pit", "开挖下降", "Pit", "#5B8FD1"),
        ("candidate", "疑似违建", "Unpermitted building", "#E0566F"),
        ("double", "冬小麦—夏季作物", "Wheat, then a summer crop", "#C7C24A"),
        ("winter", "冬小麦", "Winter wheat", "#E3D38A"),
        ("summer", "夏季作物", "Summer crop", "#7FBF5A"),
        ("evergreen", "园地或林地", "Orchard or trees", "#3F8F5F"),
        ("fallow", "撂荒或裸地", "Fallow or bare", "#B5967A"),
    ),
    other=("其他目标", "Other", "#9AA7BA"),
)

LAYER = LayerSpec(
    id="study_features",
    title="专题分析结果",
    title_en="Results of studies",
    group="events",
    kind="mvt",
    sql="""
        SELECT f.study_id * 100000 + f.number AS id, f.study_id, s.kind, f.class AS label,
               CASE WHEN s.kind = 'unpermitted' THEN 'candidate' ELSE replace(f.class, '_uncertain', '') END AS what,
               coalesce(f.properties ->> 'crop', f.properties ->> 'parcel', f.class) AS name, (f.properties ->> 'area_m2')::float AS area_m2, (f.properties ->> 'volume_m3')::float AS volume_m3,
               f.properties ->> 'growth' AS growth, (f.properties ->> 'score')::float AS score, f.simulated, ST_Transform(f.geom, 3857) AS geom_3857
        FROM study_features AS f JOIN studies AS s ON s.id = f.study_id
        WHERE f.region_code LIKE %(scope)s AND f.geom && %(degrees)s
    """,
    attributes=("study_id", "kind", "label", "what", "name", "area_m2", "volume_m3", "growth", "score", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="study_features",
        get_fill_color=WHAT.expression(80),
        get_line_color=WHAT.expression(240),
        get_line_width=1.2,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=9,
        max_zoom=16,
    ),
    legend=WHAT.legend(),
    tooltip=(
        Field("name", "内容", "What"), Field("area_m2", "面积", "Area", "平方米"), Field("volume_m3", "方量", "Volume", "立方米"), Field("growth", "长势", "Growth"), Field("score", "得分", "Score"),
        Field("study_id", "分析编号", "Study"),
    ),  # fmt: skip
    min_zoom=9,
    tile_max_zoom=16,
    refreshed_by=("study.changed",),
    count_from="study_features",
    order=18,
)
