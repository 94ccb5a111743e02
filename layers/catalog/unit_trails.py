"""Trails of units over the last 30 minutes, without the positions that a straight line already tells (within 3 m)."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Faces, Field, LayerSpec

KIND = Choice("kind", (("vehicle", "车辆轨迹", "Vehicle trail", "#7FC8A9"), ("drone", "无人机轨迹", "Drone trail", "#9BD1F0"), ("team", "队伍轨迹", "Team trail", "#C5D0E0")), shape="line")

LAYER = LayerSpec(
    id="unit_trails",
    title="力量轨迹（30 分钟）",
    title_en="Trails of 30 minutes",
    group="response",
    kind="geojson",
    sql="""
        SELECT units.id, units.name, units.kind, units.simulated, trail.since, trail.geom
        FROM units CROSS JOIN LATERAL (
            SELECT ST_Simplify(ST_MakeLine(geom ORDER BY recorded_at), 0.00003, true) AS geom, min(recorded_at) AS since, count(*) AS points
            FROM unit_positions
            WHERE unit_id = units.id AND recorded_at > now() - interval '30 minutes'
        ) AS trail
        WHERE region_code LIKE %(scope)s AND trail.points > 1 AND trail.geom && %(degrees)s
        ORDER BY units.id
    """,
    attributes=("name", "kind", "since", "simulated"),
    deck=lambda url: Layer(
        "GeoJsonLayer",
        data=String(url),
        id="unit_trails",
        get_line_color=KIND.expression(150),
        get_line_width=2,
        line_width_units=String("pixels"),
        line_joint_rounded=True,
        line_cap_rounded=True,
        pickable=False,
    ),
    legend=KIND.legend(),
    tooltip=(Field("name", "名称", "Name"), Field("since", "起始", "Since")),
    visible=Faces(wall=True),
    refreshed_by=("units.moved",),
    count_from="(SELECT units.* FROM units WHERE EXISTS (SELECT FROM unit_positions WHERE unit_id = units.id AND recorded_at > now() - interval '30 minutes')) AS units",
)
