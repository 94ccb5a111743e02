"""Open cases 在办案件; a late one is a triangle."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Choice
from layers.spec import Faces, Field, LayerSpec
from layers.symbols import MAPPING, URL

CLOCK = Choice("clock", (("overdue", "已超期", "Overdue", "#F76B15"), ("running", "在办", "In time", "#6AA5FF")), shapes=("triangle", "square"))

LAYER = LayerSpec(
    id="cases",
    title="案件",
    title_en="Cases",
    group="events",
    kind="geojson",
    sql="""
        SELECT cases.id, number, title, categories.name AS category, state, urgent, place_name, opened_at, due_at, accuracy_m,
               CASE WHEN due_at < now() THEN 'overdue' ELSE 'running' END AS clock, simulated, version, geom
        FROM cases JOIN categories ON categories.code = cases.category_code
        WHERE region_code LIKE %(scope)s AND closed_at IS NULL AND state NOT IN ('rejected', 'closed', 'forced_closed', 'cancelled') AND geom && %(degrees)s
        ORDER BY opened_at
    """,
    attributes=("number", "title", "category", "state", "urgent", "place_name", "opened_at", "due_at", "accuracy_m", "clock", "simulated", "version"),
    deck=lambda url: Layer(
        "GeoJsonLayer",
        data=String(url),
        id="cases",
        point_type=String("icon"),
        icon_atlas=String(URL),
        icon_mapping=MAPPING,
        get_icon="properties.clock == 'overdue' ? 'triangle' : 'square'",
        get_icon_color=CLOCK.expression(255),
        get_icon_size=17,
        icon_size_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 110],
    ),
    legend=CLOCK.legend(),
    tooltip=(
        Field("number", "案件号", "Number"),
        Field("title", "案件", "Case"),
        Field("category", "类别", "Category"),
        Field("state", "状态", "State"),
        Field("place_name", "位置", "Place"),
        Field("due_at", "时限", "Due"),
    ),
    visible=Faces(wall=True, field=True),
    refreshed_by=("case.*",),
    count_from="(SELECT * FROM cases WHERE closed_at IS NULL AND state NOT IN ('rejected', 'closed', 'forced_closed', 'cancelled')) AS cases",
    updated="max(opened_at)",
    order=80,
)
