"""Families of layers over one register: each member is the rows of a question, drawn in one colour. What a family shares is said once."""

from collections.abc import Callable
from dataclasses import dataclass

import pydeck
from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry, rgb
from layers.spec import Field, Held, LayerSpec

TOLD = frozenset({"buildings", "roads", "parcels", "forest_zones", "setbacks", "coastline"})
"""Registers whose edits triggers tell of (migration 0012), so that servers may hold their rows in memory."""


@dataclass(frozen=True, slots=True)
class Register:
    """The register that a family asks. `columns`: attribute -> SQL over its row; `always`: what every row shown must satisfy; `far`: what it must satisfy
    besides, below `near`, so that tiles from afar stay small; `refreshed_by`: as LayerSpec has it; `geom`: the geometry, EPSG:4326."""

    table: str
    group: str
    shape: str
    columns: dict[str, str]
    tooltip: tuple[Field, ...]
    always: str = "true"
    far: str = "true"
    near: int = 0
    min_zoom: int = 9
    tile_max_zoom: int = 15
    order: int = 30
    geom: str = "geom"
    refreshed_by: tuple[str, ...] = ()
    updated: str = "NULL::timestamptz"


def subset(register: Register, layer_id: str, title: str, title_en: str, color: str, where: str, *, min_zoom: int | None = None, order: int | None = None) -> LayerSpec:
    """The layer of the register's rows for which `where` holds. `where` names columns of the register's table, in full where another table has them too."""
    columns = ", ".join(f"{text} AS {name}" for name, text in register.columns.items())
    geom = f"{register.table}.{register.geom}"
    rows = f"{register.always} AND ({where})"
    far = f" AND (%(z)s >= {register.near} OR {register.far})" if register.far != "true" else ""
    return LayerSpec(
        id=layer_id,
        title=title,
        title_en=title_en,
        group=register.group,
        kind="mvt",
        sql=f"""
        SELECT {register.table}.id, {columns}, {register.table}.region_code, ST_Transform({geom}, 3857) AS geom_3857
        FROM {register.table}
        WHERE {register.table}.region_code LIKE %(scope)s AND {geom} && %(degrees)s AND {rows}{far}
        """,
        attributes=tuple(register.columns),
        deck=_deck(layer_id, register.shape, color, register.min_zoom if min_zoom is None else min_zoom, register.tile_max_zoom),
        legend=(LegendEntry(title.split("·")[-1].strip(), title_en, color, register.shape),),
        tooltip=register.tooltip,
        min_zoom=register.min_zoom if min_zoom is None else min_zoom,
        tile_max_zoom=register.tile_max_zoom,
        refreshed_by=register.refreshed_by,
        count_from=f"(SELECT {register.table}.*, {geom} AS shown FROM {register.table} WHERE {rows}) AS {register.table}",
        updated=register.updated,
        order=register.order if order is None else order,
        held=Held((register.table,), (register.near,) if far else ()) if register.table in TOLD and "EXISTS" not in where else None,
    )


def _deck(layer_id: str, shape: str, color: str, min_zoom: int, max_zoom: int) -> Callable[[str], pydeck.Layer]:
    paint = {
        "fill": {"get_fill_color": [*rgb(color), 150], "get_line_color": [*rgb(color), 230], "get_line_width": 0.8},
        "line": {"get_line_color": [*rgb(color), 230], "get_line_width": 2.2, "line_joint_rounded": True, "line_cap_rounded": True},
        "circle": {
            "point_type": String("circle"),
            "get_fill_color": [*rgb(color), 225],
            "get_line_color": [*rgb("#0B1220"), 200],
            "get_line_width": 0.8,
            "get_point_radius": 5,
            "point_radius_units": String("pixels"),
        },
    }[shape]
    return lambda url: Layer(
        "MVTLayer",
        data=String(url),
        id=layer_id,
        **paint,
        line_width_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 70],
        min_zoom=min_zoom,
        max_zoom=max_zoom,
    )
