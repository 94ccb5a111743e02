"""What each camera can see: the sector of its view on the ground."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice, rgb
from layers.spec import Field, LayerSpec

SEEING = Choice("seeing", (("tower", "高点视域", "High point view", "#8FC7D9"), ("street", "街面视域", "Street view", "#A9BBD6"), ("blind", "离线视域", "Offline", "#5B6472")))

LAYER = LayerSpec(
    id="camera_views",
    title="摄像机视域",
    title_en="Camera view sectors",
    group="sensing",
    kind="mvt",
    sql="""
        SELECT id, name, kind, azimuth_deg, hfov_deg, range_m, CASE WHEN state = 'online' THEN kind ELSE 'blind' END AS seeing, simulated, ST_Transform(view, 3857) AS geom_3857
        FROM cameras
        WHERE region_code LIKE %(scope)s AND view && %(degrees)s AND (%(z)s >= 14 OR kind = 'tower')
    """,
    attributes=("name", "kind", "azimuth_deg", "hfov_deg", "range_m", "seeing", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="camera_views",
        get_fill_color=SEEING.expression(18),
        get_line_color=[*rgb("#8FC7D9"), 90],
        get_line_width=0.8,
        line_width_units=String("pixels"),
        pickable=True,
        min_zoom=10,
        max_zoom=15,
    ),
    legend=SEEING.legend(),
    tooltip=(Field("name", "摄像机", "Camera"), Field("azimuth_deg", "方位角", "Azimuth", "度"), Field("hfov_deg", "视场角", "Field of view", "度"), Field("range_m", "作用距离", "Range", "米")),
    min_zoom=10,
    tile_max_zoom=15,
    refreshed_by=("camera.changed",),
    count_from="(SELECT * FROM cameras WHERE view IS NOT NULL) AS camera_views",
)
