"""Coverage debt: how long ago anybody, camera, drone, person or satellite, could have seen each management grid."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import Steps, rgb
from layers.spec import Field, LayerSpec

AGE = Steps(
    "age_h",
    (
        (0, "1 小时内看过", "Seen within 1 h", "#2E5A4E"),
        (1, "1–6 小时前", "1–6 h ago", "#6B7F4A"),
        (6, "6–24 小时前", "6–24 h ago", "#B58B3E"),
        (24, "1–7 天前", "1–7 days ago", "#B5623A"),
        (168, "7 天以上或从未", "Over 7 days ago, or never", "#A33B3B"),
    ),
)

LAYER = LayerSpec(
    id="coverage_debt",
    title="观察欠账（多久没人看过）",
    title_en="Coverage debt: time since last seen",
    group="sensing",
    kind="mvt",
    sql="""
        SELECT cells.id, cells.code, cells.name, cells.simulated,
               round(coalesce(extract(epoch FROM now() - max(ledger.last_at)) / 3600, 999)::numeric, 1)::float8 AS age_h, ST_Transform(cells.geom, 3857) AS geom_3857
        FROM cells LEFT JOIN ledger ON ledger.cell_code = cells.code
        WHERE cells.region_code LIKE %(scope)s AND cells.valid @> hdq_today() AND cells.kind = 'management' AND cells.geom && %(degrees)s
        GROUP BY cells.id
    """,
    attributes=("code", "name", "age_h", "simulated"),
    deck=lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id="coverage_debt",
        get_fill_color=AGE.expression(110),
        get_line_color=[*rgb("#5C7396"), 110],
        get_line_width=1,
        line_width_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 24],
        min_zoom=9,
        max_zoom=15,
    ),
    legend=AGE.legend(),
    tooltip=(Field("name", "网格", "Grid"), Field("code", "代码", "Code"), Field("age_h", "距上次观察（999：从未）", "Since last seen (999: never)", "小时")),
    min_zoom=9,
    tile_max_zoom=15,
    count_from="(SELECT region_code, simulated FROM cells WHERE kind = 'management' AND valid @> hdq_today()) AS cells",
    order=60,
)
