"""Clouds and their shadows of each scene that has a mask, above the scene's own picture: by whom they were said, in colours."""

from pydeck import Layer
from pydeck.types import String

from layers.paint import LegendEntry
from layers.spec import LayerSpec

LAYER = LayerSpec(
    id="scene_masks",
    title="云罩",
    title_en="Clouds",
    group="imagery",
    kind="raster",
    sql="""
        SELECT hashtextextended(i.id, 0) & 9007199254740991 AS id, s.id AS id_text, s.title, s.collection, s.taken_at, i.created_at, i.simulated, i.geom
        FROM stac_items AS i JOIN scenes AS s ON s.id = i.derived_from[1]
        WHERE i.collection = 'hdq-masks' AND i.region_code LIKE %(scope)s AND i.geom && %(degrees)s AND (i.properties #>> '{hdq:shares,cloud}')::float + (i.properties #>> '{hdq:shares,shadow}')::float > 0
        ORDER BY s.taken_at DESC
    """,
    attributes=("id_text", "title", "collection", "taken_at", "created_at", "simulated"),
    deck=lambda url: Layer("TileLayer", data=String(url), id="scene_masks", tile_size=256, min_zoom=6, max_zoom=18, opacity=1),
    legend=(
        LegendEntry("云：双方认定", "Cloud, by both", "#F2F6FA", "fill"),
        LegendEntry("云：仅制作方", "Cloud, by its maker only", "#F0B24A", "fill"),
        LegendEntry("云：仅本系统", "Cloud, by us only", "#B48CF2", "fill"),
        LegendEntry("云影", "Cloud shadow", "#2F5FB3", "fill"),
    ),
    min_zoom=6,
    max_zoom=20,
    tile_max_zoom=18,
    refreshed_by=("scene.masked",),
    show="mask",
    order=12,
)
