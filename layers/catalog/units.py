"""Vehicles, drones and teams where they last said they were; grey once that is older than two minutes."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Faces, Field, LayerSpec
from layers.symbols import MAPPING, URL

KIND = Choice(
    "shown",
    (("vehicle", "车辆", "Vehicle", "#7FC8A9"), ("drone", "无人机", "Drone", "#9BD1F0"), ("team", "队伍", "Team", "#C5D0E0"), ("stale", "位置过时", "Position stale", "#6B7480")),
    shapes=("arrow", "drone", "person", "arrow"),
)

LAYER = LayerSpec(
    id="units",
    title="处置力量",
    title_en="Units",
    group="response",
    kind="geojson",
    sql="""
        SELECT id, code, name, kind, state, heading_deg, accuracy_m, speed_kmh, reported_at, stale, CASE WHEN stale THEN 'stale' ELSE kind END AS shown,
               CASE kind WHEN 'vehicle' THEN 'arrow' WHEN 'drone' THEN 'drone' ELSE 'person' END AS symbol, simulated, geom
        FROM (SELECT *, reported_at < now() - interval '2 minutes' AS stale FROM units) AS units
        WHERE region_code LIKE %(scope)s AND geom && %(degrees)s
        ORDER BY id
    """,
    attributes=("code", "name", "kind", "state", "heading_deg", "accuracy_m", "speed_kmh", "reported_at", "stale", "shown", "symbol", "simulated"),
    deck=lambda url: Layer(
        "GeoJsonLayer",
        data=String(url),
        id="units",
        point_type=String("icon"),
        icon_atlas=String(URL),
        icon_mapping=MAPPING,
        get_icon="properties.symbol",
        get_icon_angle="properties.kind == 'vehicle' ? 0 - properties.heading_deg : 0",
        get_icon_color=KIND.expression(255),
        get_icon_size="properties.kind == 'vehicle' ? 20 : 22",
        icon_size_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 110],
    ),
    legend=KIND.legend(),
    tooltip=(
        Field("name", "名称", "Name"),
        Field("kind", "类型", "Kind"),
        Field("state", "状态", "State"),
        Field("reported_at", "位置时间", "Position at"),
        Field("accuracy_m", "精度", "Accuracy", "米"),
    ),
    visible=Faces(wall=True, field=True),
    refreshed_by=("units.moved", "order.*"),
    count_from="units",
    updated="max(reported_at)",
    order=80,
)
