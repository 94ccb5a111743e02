"""The scenes themselves: each registered scene appears as a raster layer of its own, newest first."""

from pydeck import Layer
from pydeck.types import String

from layers.spec import LayerSpec

LAYER = LayerSpec(
    id="scene_images",
    title="影像",
    title_en="Scene",
    group="imagery",
    kind="raster",
    sql="""
        SELECT hashtextextended(id, 0) & 9007199254740991 AS id, id AS id_text, title, collection, taken_at, created_at, simulated, gsd_m, geom
        FROM scenes
        WHERE region_code LIKE %(scope)s AND geom && %(degrees)s
        ORDER BY taken_at DESC
    """,
    attributes=("id_text", "title", "collection", "taken_at", "created_at", "simulated", "gsd_m"),
    deck=lambda url: Layer("TileLayer", data=String(url), id="scene_images", tile_size=256, min_zoom=6, max_zoom=18, opacity=1),
    min_zoom=6,
    max_zoom=20,
    tile_max_zoom=18,
    refreshed_by=("scene.registered",),
    count_from="scenes",
    updated="max(created_at)",
    order=10,
)
