"""Green of the base map: forest compartments, and parcels that are forest or park."""

from layers.spec import Held, LayerSpec

LAYER = LayerSpec(
    id="greens",
    title="林地与绿地",
    title_en="Forest and parks",
    group="base",
    kind="mvt",
    sql="""
        SELECT id, region_code, ST_Transform(geom, 3857) AS geom_3857
        FROM forest_zones
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND geom && %(degrees)s
        UNION ALL
        SELECT id, region_code, ST_Transform(geom, 3857)
        FROM parcels
        WHERE region_code LIKE %(scope)s AND category IN ('forest', 'green') AND valid @> hdq_today() AND %(z)s >= 12 AND geom && %(degrees)s
    """,
    attributes=(),
    deck=None,
    min_zoom=7,
    tile_max_zoom=15,
    held=Held(tables=("forest_zones", "parcels"), changes_at=(7, 12)),
)
