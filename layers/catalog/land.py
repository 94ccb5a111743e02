"""The land of the base map: the silhouette of the city, without names or numbers."""

from layers.spec import LayerSpec

LAYER = LayerSpec(
    id="land",
    title="陆地",
    title_en="Land",
    group="base",
    kind="mvt",
    sql="""
        SELECT code::bigint AS id, ST_Transform(geom, 3857) AS geom_3857
        FROM regions
        WHERE level = 2 AND geom && %(degrees)s
    """,
    attributes=(),
    deck=None,
    tile_max_zoom=14,
    public=True,
)
