"""The grids inside a management grid's world, of today: unit grids 单元网格 of about 10,000 m², and evaluation grids 评价网格 over which a period's work is judged."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, LayerSpec

OF_TODAY = "valid @> hdq_today()"


def _layer(kind: str, title: str, title_en: str, color: str, min_zoom: int, order: int, *, parent: bool = False) -> LayerSpec:
    name = f"{kind}_grids"
    parents = (Field("parent_code", "管理网格", "Management grid"),) if parent else ()
    return LayerSpec(
        id=name,
        title=title,
        title_en=f"{title_en}s",
        group="governance",
        kind="mvt",
        sql=f"""
            SELECT id, code, name, {"parent_code, " if parent else ""}round(ST_Area(geom::geography))::bigint AS area_m2, simulated, ST_Transform(geom, 3857) AS geom_3857
            FROM cells
            WHERE region_code LIKE %(scope)s AND kind = '{kind}' AND {OF_TODAY} AND geom && %(degrees)s
        """,
        attributes=("code", "name", *(field.name for field in parents), "area_m2", "simulated"),
        deck=lambda url: Layer(
            "MVTLayer",
            data=String(url),
            id=name,
            get_fill_color=[*rgb(color), 8],
            get_line_color=[*rgb(color), 120],
            get_line_width=0.7,
            line_width_units=String("pixels"),
            pickable=True,
            min_zoom=min_zoom,
            max_zoom=15,
        ),
        legend=(LegendEntry(title, title_en, color, "line"),),
        tooltip=(Field("name", title, title_en), Field("code", "代码", "Code"), *parents, Field("area_m2", "面积", "Area", "平方米")),
        min_zoom=min_zoom,
        tile_max_zoom=15,
        refreshed_by=("cell.*",),
        count_from=f"(SELECT region_code, simulated FROM cells WHERE kind = '{kind}' AND {OF_TODAY}) AS cells",
        order=order,
    )


LAYERS = (
    _layer("unit", "单元网格", "Unit grid", "#7A8CA6", 14, 11, parent=True),
    _layer("evaluation", "评价网格", "Evaluation grid", "#A68C7A", 11, 12),
)
