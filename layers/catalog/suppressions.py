"""Places where findings open no alert for a while: visible, so that nobody takes the silence for calm."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

COLOR = "#8C95A3"

LAYER = LayerSpec(
    id="suppressions",
    title="误报抑制区",
    title_en="Suppressed places",
    group="events",
    kind="geojson",
    sql="""
        SELECT id, kind, reason, created_at, expires_at, geom
        FROM suppressions
        WHERE region_code LIKE %(scope)s AND expires_at > now() AND geom && %(degrees)s
        ORDER BY id
    """,
    attributes=("kind", "reason", "created_at", "expires_at"),
    deck=lambda url: Layer(
        "GeoJsonLayer",
        data=String(url),
        id="suppressions",
        get_fill_color=[*rgb(COLOR), 50],
        get_line_color=[*rgb(COLOR), 220],
        get_line_width=1,
        line_width_units=String("pixels"),
        pickable=True,
    ),
    legend=(LegendEntry("抑制区", "Suppressed", COLOR),),
    tooltip=(Field("kind", "类型", "Kind"), Field("reason", "原因", "Reason"), Field("expires_at", "到期", "Until")),
    refreshed_by=("alert.*", "suppression.*"),
    count_from="(SELECT * FROM suppressions WHERE expires_at > now()) AS suppressions",
    order=15,
)
