"""Where drones' photos and videos looked: each frame's outline on the ground and the place of its lens, with pose and accuracy."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Field, LayerSpec

KIND = Choice("kind", (("photo", "照片画面", "Photo", "#4FC3B0"), ("video", "视频画面", "Video frame", "#E39BC8")))
_SHARED = """
    hashtextextended({key}, 0) & 9007199254740991 AS id, title, properties ->> 'hdq:kind' AS kind, to_char(taken_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS') AS taken,
    (properties ->> 'view:azimuth')::float AS yaw_deg, (properties ->> 'hdq:pitch_deg')::float AS pitch_deg, (properties ->> 'hdq:height_m')::float AS height_m,
    (properties ->> 'hdq:accuracy_m')::float AS accuracy_m, (properties ->> 'hdq:position_sigma_m')::float AS position_m, properties ->> 'hdq:ground' AS ground,
    properties ->> 'platform' AS platform, simulated
"""

LAYER = LayerSpec(
    id="drone_frames",
    title="无人机画面",
    title_en="Drone frames",
    group="imagery",
    kind="mvt",
    sql=f"""
        SELECT {_SHARED.format(key="id")}, ST_Transform(geom, 3857) AS geom_3857
        FROM stac_items WHERE collection = 'drone-frames' AND region_code LIKE %(scope)s AND geom && %(degrees)s
        UNION ALL
        SELECT {_SHARED.format(key="id || ' lens'")}, ST_Transform(ST_Point((properties ->> 'hdq:lon')::float, (properties ->> 'hdq:lat')::float, 4326), 3857)
        FROM stac_items WHERE collection = 'drone-frames' AND region_code LIKE %(scope)s AND geom && ST_Expand(%(degrees)s, 0.02)
            AND ST_Point((properties ->> 'hdq:lon')::float, (properties ->> 'hdq:lat')::float, 4326) && %(degrees)s
    """,
    attributes=("title", "kind", "taken", "yaw_deg", "pitch_deg", "height_m", "accuracy_m", "position_m", "ground", "platform", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="drone_frames",
        get_fill_color=KIND.expression(38),
        get_line_color=KIND.expression(230),
        get_line_width=1.4,
        line_width_units=String("pixels"),
        get_point_radius=4,
        point_radius_units=String("pixels"),
        pickable=True,
        min_zoom=11,
        max_zoom=16,
    ),
    legend=KIND.legend(),
    tooltip=(
        Field("title", "画面", "Frame"), Field("taken", "拍摄时间", "Taken"), Field("platform", "设备", "Device"), Field("yaw_deg", "方位角", "Azimuth", "度"), Field("pitch_deg", "俯仰角", "Pitch", "度"),
        Field("height_m", "镜头高程", "Height of the lens", "米"), Field("accuracy_m", "画面中心精度（90%）", "Accuracy of the middle (90 %)", "米"), Field("position_m", "定位误差", "Error of its place", "米"),
        Field("ground", "地面", "Ground"),
    ),  # fmt: skip
    min_zoom=11,
    tile_max_zoom=16,
    refreshed_by=("scene.framed",),
    count_from="(SELECT * FROM stac_items WHERE collection = 'drone-frames') AS drone_frames",
    updated="max(created_at)",
    order=55,
)
