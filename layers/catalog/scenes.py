"""Footprints of the scenes from above, newest on top."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

COLOR = "#9C8FC4"

LAYER = LayerSpec(
    id="scenes",
    title="影像覆盖范围",
    title_en="Scene footprints",
    group="imagery",
    kind="mvt",
    sql="""
        SELECT hashtextextended(id, 0) & 9007199254740991 AS id, id AS scene, collection, title, gsd_m, to_char(taken_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI') AS taken,
               simulated, ST_Transform(geom, 3857) AS geom_3857
        FROM scenes
        WHERE region_code LIKE %(scope)s AND geom && %(degrees)s
        ORDER BY taken_at
    """,
    attributes=("scene", "collection", "title", "gsd_m", "taken", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="scenes",
        get_fill_color=[*rgb(COLOR), 18],
        get_line_color=[*rgb(COLOR), 220],
        get_line_width=1.2,
        line_width_units=String("pixels"),
        pickable=True,
        max_zoom=14,
    ),
    legend=(LegendEntry("影像范围", "Scene", COLOR, "line"),),
    tooltip=(Field("title", "影像", "Scene"), Field("collection", "来源", "Collection"), Field("taken", "拍摄时间", "Taken"), Field("gsd_m", "分辨率", "Ground pixel", "米")),
    tile_max_zoom=14,
    refreshed_by=("scene.registered",),
    count_from="scenes",
    updated="max(created_at)",
)
