"""Alerts that wait or are being handled: colour and shape say how severe, size how sure."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import SEVERITY
from layers.spec import Faces, Field, LayerSpec
from layers.symbols import MAPPING, URL

LAYER = LayerSpec(
    id="alerts",
    title="告警",
    title_en="Alerts",
    group="events",
    kind="geojson",
    sql="""
        SELECT id, kind, title, title_en, severity::int AS severity, state, agreement, probability, place_name, accuracy_m, opened_at, last_seen_at, observation_count,
               (ARRAY['diamond', 'triangle', 'circle', 'ring'])[severity] AS symbol, simulated, version, geom
        FROM alerts
        WHERE region_code LIKE %(scope)s AND state IN ('open', 'acknowledged', 'confirmed') AND geom && %(degrees)s
        ORDER BY severity DESC, opened_at
    """,
    attributes=(
        *("kind", "title", "title_en", "severity", "state", "agreement", "probability", "place_name", "accuracy_m"),
        *("opened_at", "last_seen_at", "observation_count", "symbol", "simulated", "version"),
    ),
    deck=lambda url: Layer(
        "GeoJsonLayer",
        data=String(url),
        id="alerts",
        point_type=String("icon"),
        icon_atlas=String(URL),
        icon_mapping=MAPPING,
        get_icon="properties.symbol",
        get_icon_color=SEVERITY.expression(255),
        get_icon_size="properties.severity == 1 ? 28 : properties.severity == 2 ? 24 : 20",
        icon_size_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 110],
    ),
    legend=SEVERITY.legend(),
    tooltip=(
        Field("title", "告警", "Alert"),
        Field("place_name", "位置", "Place"),
        Field("accuracy_m", "精度", "Accuracy", "米"),
        Field("probability", "可能性", "Probability"),
        Field("opened_at", "发现时间", "Opened"),
        Field("observation_count", "观测数", "Observations", "次"),
    ),
    visible=Faces(wall=True, review=True, field=True),
    refreshed_by=("alert.*",),
    count_from="(SELECT * FROM alerts WHERE state IN ('open', 'acknowledged', 'confirmed')) AS alerts",
    updated="max(last_seen_at)",
    order=90,
)
