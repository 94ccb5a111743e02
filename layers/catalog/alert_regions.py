"""Where an open alert may really be: a soft region, a crisp line around half of the probability, a dashed one around nine tenths.

Its outline is drawn to a two-hundredth of its size; the alert itself keeps every vertex.
"""

from pydeck import Layer
from pydeck.types import String

from layers.paint import SEVERITY, LegendEntry
from layers.spec import Faces, Field, LayerSpec

LAYER = LayerSpec(
    id="alert_regions",
    title="告警不确定范围",
    title_en="Uncertainty of alerts",
    group="events",
    kind="geojson",
    sql="""
        SELECT alerts.id * 2 + part.number AS id, alerts.id AS alert_id, title, severity::int AS severity, part.share, accuracy_m,
               ST_Multi(ST_SimplifyPreserveTopology(part.geom, sqrt(ST_Area(part.geom)) / 200)) AS geom
        FROM alerts CROSS JOIN LATERAL (VALUES (1, 90, region90), (0, 50, region50)) AS part (number, share, geom)
        WHERE region_code LIKE %(scope)s AND state IN ('open', 'acknowledged', 'confirmed') AND part.geom && %(degrees)s
        ORDER BY alerts.opened_at DESC, part.share DESC
    """,
    attributes=("alert_id", "title", "severity", "share", "accuracy_m"),
    deck=lambda url: Layer(
        "GeoJsonLayer",
        data=String(url),
        id="alert_regions",
        filled=True,
        stroked=True,
        get_fill_color=SEVERITY.expression(36),
        get_line_color=SEVERITY.expression(230),
        get_line_width="properties.share == 50 ? 1.6 : 1",
        line_width_units=String("pixels"),
        extensions=[{"@@type": "PathStyleExtension", "dash": True}],
        get_dash_array="properties.share == 50 ? [1, 0] : [6, 5]",
        pickable=True,
    ),
    legend=tuple(LegendEntry(entry.label, entry.label_en, entry.color, "fill") for entry in SEVERITY.legend()),
    tooltip=(Field("title", "告警", "Alert"), Field("share", "概率范围", "Probability inside", "%"), Field("accuracy_m", "精度", "Accuracy", "米")),
    min_zoom=8,
    visible=Faces(wall=True, review=True, field=True),
    refreshed_by=("alert.*",),
    count_from="(SELECT * FROM alerts WHERE region90 IS NOT NULL AND state IN ('open', 'acknowledged', 'confirmed')) AS alerts",
    updated="max(last_seen_at)",
    order=40,
)
