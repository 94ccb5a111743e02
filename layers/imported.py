"""What an imported dataset looks like as a layer: quiet accent, by its kind of geometry, every attribute in the tooltip."""

from datetime import datetime

from pydeck import Layer
from pydeck.types import String

from layers.deck import declared
from layers.envelope import Freshness, Row
from layers.paint import LegendEntry, rgb
from layers.spec import Faces, Field
from layers.styling import Look

COLOR = "#6AA5FF"
TOOLTIP_FIELDS = 12


def layer_row(
    layer_id: str, title: str, title_en: str, geometry_type: str, attributes: tuple[str, ...], count: int, created_at: datetime, simulated: bool, attribution: str = "", look: Look | None = None
) -> Row:
    """The envelope row of a dataset. `geometry_type` as GeoJSON says it; the tooltip shows the first attributes under their own names. `look`: colours by attribute."""
    shape = "circle" if "Point" in geometry_type else "line" if "Line" in geometry_type else "fill"
    fill = 200 if shape == "circle" else 140 if look else 60
    url = f"/tiles/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"
    layer = Layer(
        "MVTLayer",
        data=String(url),
        id=layer_id,
        point_type=String("circle"),
        get_fill_color=look.expression(fill) if look else [*rgb(COLOR), fill],
        get_line_color=look.expression(230) if look else [*rgb(COLOR), 230],
        get_line_width=1.5,
        line_width_units=String("pixels"),
        get_point_radius=4,
        point_radius_units=String("pixels"),
        pickable=True,
        auto_highlight=True,
        highlight_color=[255, 255, 255, 90],
        max_zoom=16,
    )
    return Row(
        id=layer_id,
        title=title,
        title_en=title_en or title,
        group="imported",
        deck=declared(layer, layer_id),
        source_type="mvt",
        source_url=url,
        legend=look.legend(shape) if look else (LegendEntry(title, title_en or title, COLOR, shape),),
        tooltip=tuple(Field(name, name, name) for name in attributes[:TOOLTIP_FIELDS]),
        min_zoom=0,
        max_zoom=16,
        visible=Faces(),
        live=("dataset.*",),
        freshness=Freshness(count, created_at, simulated),
        attribution=attribution,
        look=look,
    )
