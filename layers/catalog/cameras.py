"""Cameras with their state: one that is offline has seen nothing, which is not the same as nothing seen."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice, rgb
from layers.spec import Faces, Field, LayerSpec

STATE = Choice(
    "seeing",
    (
        ("tower", "高点监控（有画面）", "High point, delivering", "#8FC7D9"),
        ("street", "街面监控（有画面）", "Street, delivering", "#A9BBD6"),
        ("silent", "30 分钟内无画面", "No picture for 30 min", "#7C8794"),
        ("impaired", "画面异常（冻结、模糊、过暗、移位）", "Impaired (frozen, blurred, dark, displaced)", "#B08D57"),
        ("offline", "离线（不等于未发现）", "Offline (not: nothing seen)", "#565E6B"),
    ),
    shape="circle",
)

LAYER = LayerSpec(
    id="cameras",
    title="摄像机",
    title_en="Cameras",
    group="sensing",
    kind="mvt",
    sql="""
        SELECT id, code, name, kind, state, owner, height_m, range_m, CASE WHEN state = 'offline' THEN state WHEN state <> 'online' THEN 'impaired' WHEN last_frame_at > now() - interval '30 minutes' THEN kind ELSE 'silent' END AS seeing,
               to_char(last_frame_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS') AS last_frame, simulated, ST_Transform(geom, 3857) AS geom_3857
        FROM cameras
        WHERE region_code LIKE %(scope)s AND geom && %(degrees)s AND (%(z)s >= 11 OR kind = 'tower')
    """,
    attributes=("code", "name", "kind", "state", "owner", "seeing", "height_m", "range_m", "last_frame", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="cameras",
        point_type=String("circle"),
        get_fill_color=STATE.expression(230),
        get_line_color=[*rgb("#0B1220"), 200],
        get_line_width=0.8,
        line_width_units=String("pixels"),
        get_point_radius="properties.kind == 'tower' ? 7 : 4.5",
        point_radius_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 120],
        min_zoom=8,
        max_zoom=14,
    ),
    legend=STATE.legend(),
    tooltip=(
        Field("name", "摄像机", "Camera"),
        Field("code", "国标编码", "GB/T 28181 code"),
        Field("kind", "类型", "Kind"),
        Field("state", "状态", "State"),
        Field("owner", "权属单位", "Owner"),
        Field("height_m", "镜头离地", "Lens above ground", "米"),
        Field("range_m", "作用距离", "Range", "米"),
        Field("last_frame", "最近画面", "Last frame"),
    ),
    min_zoom=8,
    tile_max_zoom=14,
    visible=Faces(review=True),
    refreshed_by=("camera.changed",),
    count_from="cameras",
    updated="max(last_frame_at)",
    order=80,
)
