"""Zones of a register as a layer: those in force today, filled and edged as the register's own paint says."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry
from layers.spec import Field, Held, LayerSpec

Paint = str | list[int]
"""A deck.gl expression, or one colour [red, green, blue, alpha]."""


def zones(
    table: str,
    title: str,
    title_en: str,
    *,
    group: str,
    reads: tuple[str, ...],
    fill: Paint,
    line: Paint,
    width: float,
    zooms: tuple[int, int],
    legend: tuple[LegendEntry, ...],
    tooltip: tuple[Field, ...],
) -> LayerSpec:
    """The layer of a bitemporal table, named as it. `reads`: columns, or `expression AS name`, beside id and simulated; `width` of edges in pixels;
    `zooms`: the first that shows it and the last that has tiles of its own."""
    attributes = (*(each.rpartition(" AS ")[2] for each in reads), "simulated")
    first, last = zooms
    return LayerSpec(
        id=table,
        title=title,
        title_en=title_en,
        group=group,
        kind="mvt",
        sql=f"""
            SELECT id, {", ".join(reads)}, simulated, region_code, ST_Transform(geom, 3857) AS geom_3857
            FROM {table}
            WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
        """,
        attributes=attributes,
        deck=lambda url: Layer(
            "MVTLayer",
            data=String(url),
            id=table,
            get_fill_color=fill,
            get_line_color=line,
            get_line_width=width,
            line_width_units=String("pixels"),
            pickable=True,
            min_zoom=first,
            max_zoom=last,
        ),
        legend=legend,
        tooltip=tooltip,
        min_zoom=first,
        tile_max_zoom=last,
        count_from=table,
        held=Held(tables=(table,)),
    )
