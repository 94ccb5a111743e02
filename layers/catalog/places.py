"""Names of the base map: districts, then streets and towns, then communities and forest zones, as one comes nearer."""

from layers.spec import LayerSpec

LAYER = LayerSpec(
    id="places",
    title="地名",
    title_en="Place names",
    group="base",
    kind="mvt",
    sql="""
        SELECT code::bigint AS id, name, level::int AS rank, ST_Transform(ST_PointOnSurface(geom), 3857) AS geom_3857
        FROM regions
        WHERE (code LIKE %(scope)s OR starts_with(%(prefix)s, code)) AND geom && %(degrees)s
            AND ((level = 2 AND %(z)s BETWEEN 6 AND 12) OR (level = 3 AND %(z)s BETWEEN 11 AND 14) OR (level = 4 AND %(z)s >= 14))
        UNION ALL
        SELECT id, name, 5, ST_Transform(ST_PointOnSurface(geom), 3857)
        FROM forest_zones
        WHERE region_code LIKE %(scope)s AND valid @> hdq_today() AND %(z)s >= 13 AND geom && %(degrees)s
    """,
    attributes=("name", "rank"),
    deck=None,
    min_zoom=6,
    tile_max_zoom=15,
)
