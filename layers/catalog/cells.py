"""Management grids 管理网格 of today, filled by the number of their open cases."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Steps, rgb
from layers.spec import Faces, Field, LayerSpec

OPEN = Steps(
    "open_cases",
    ((0, "无在办案件", "No open case", "#33425F"), (1, "1–2 件", "1–2 open", "#3B5B8C"), (3, "3–5 件", "3–5 open", "#4F7FBF"), (6, "6 件及以上", "6 or more", "#7FB2F0")),
)

LAYER = LayerSpec(
    id="cells",
    title="管理网格（在办案件）",
    title_en="Management grids by open cases",
    group="governance",
    kind="mvt",
    sql="""
        SELECT cells.id, cells.code, cells.name, cells.simulated, count(cases.id) AS open_cases,
               count(cases.id) FILTER (WHERE cases.due_at < now()) AS overdue_cases, ST_Transform(cells.geom, 3857) AS geom_3857
        FROM cells LEFT JOIN cases ON cases.cell_code = cells.code AND cases.closed_at IS NULL AND cases.state NOT IN ('rejected', 'closed', 'forced_closed', 'cancelled')
        WHERE cells.region_code LIKE %(scope)s AND cells.valid @> hdq_today() AND cells.kind = 'management' AND cells.geom && %(degrees)s
        GROUP BY cells.id
    """,
    attributes=("code", "name", "open_cases", "overdue_cases", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="cells",
        get_fill_color=OPEN.expression(70, first_alpha=10),
        get_line_color=[*rgb("#5C7396"), 110],
        get_line_width=1,
        line_width_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 24],
        min_zoom=11,
        max_zoom=15,
    ),
    legend=OPEN.legend(),
    tooltip=(
        Field("name", "网格", "Grid"),
        Field("code", "代码", "Code"),
        Field("open_cases", "在办案件", "Open cases", "件"),
        Field("overdue_cases", "其中超期", "Of these overdue", "件"),
    ),
    min_zoom=11,
    tile_max_zoom=15,
    visible=Faces(wall=True, field=True),
    refreshed_by=("case.*", "cell.*"),
    count_from="(SELECT region_code, simulated FROM cells WHERE kind = 'management' AND valid @> hdq_today()) AS cells",
    order=10,
)
