"""Heat of the observations of the last 24 hours: where sensors have noticed something, before people judged it."""

from pydeck import Layer

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

RAMP = ("#1E3350", "#2C5079", "#4478A8", "#77A6CC", "#B9D3E6", "#F2F6FA")

LAYER = LayerSpec(
    id="observations_heat",
    title="感知热力（24 小时）",
    title_en="Observations of 24 hours",
    group="events",
    kind="geojson",
    sql="""
        SELECT id, kind, sensor_kind, score, recorded_at, simulated, geom
        FROM observations
        WHERE region_code LIKE %(scope)s AND recorded_at > now() - interval '24 hours' AND geom && %(degrees)s
        ORDER BY recorded_at DESC
    """,
    attributes=("kind", "sensor_kind", "score", "recorded_at", "simulated"),
    deck=lambda url: Layer(
        "HeatmapLayer",
        data=url,
        id="observations_heat",
        get_position="geometry.coordinates",
        get_weight="properties.score",
        radius_pixels=36,
        intensity=1,
        threshold=0.04,
        color_range=[list(rgb(color)) for color in RAMP],
        opacity=0.7,
    ),
    legend=(LegendEntry("少", "Few", RAMP[0], "heat"), LegendEntry("多", "Many", RAMP[-1], "heat")),
    tooltip=(Field("kind", "类型", "Kind"), Field("sensor_kind", "来源", "Sensor"), Field("score", "置信度", "Score")),
    refreshed_by=("observation.accepted",),
    count_from="(SELECT * FROM observations WHERE recorded_at > now() - interval '24 hours') AS observations",
    updated="max(received_at)",
    order=10,
)
