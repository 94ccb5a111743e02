"""Inland water of the base map: the parcels that are water."""

from layers.spec import Held, LayerSpec

LAYER = LayerSpec(
    id="water",
    title="水域",
    title_en="Water",
    group="base",
    kind="mvt",
    sql="""
        SELECT id, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM parcels
        WHERE region_code LIKE %(scope)s AND category = 'water' AND valid @> hdq_today() AND geom && %(degrees)s
    """,
    attributes=(),
    deck=None,
    min_zoom=9,
    tile_max_zoom=15,
    held=Held(tables=("parcels",)),
)
