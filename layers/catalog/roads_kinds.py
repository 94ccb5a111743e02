"""Roads by class and by what is remarkable about them."""

from layers.spec import Field
from layers.subsets import Register, subset

ROADS = Register(
    table="roads",
    group="city",
    shape="line",
    columns={"name": "nullif(roads.name, '')", "class": "roads.class", "speed_kmh": "roads.speed_kmh", "length_m": "round(roads.length_m)::int"},
    tooltip=(Field("name", "道路", "Road"), Field("class", "等级", "Class"), Field("speed_kmh", "限速", "Speed", "公里/时"), Field("length_m", "路段长度", "Length of the edge", "米")),
    far="roads.class <> 'residential'",
    near=12,
    min_zoom=8,
    order=61,
)
CLASSES = {
    "motorway": ("高速公路", "Motorways", "#9CB2D6"),
    "trunk": ("快速路", "Trunk roads", "#8AA0C6"),
    "primary": ("主干路", "Primary roads", "#748BB3"),
    "secondary": ("次干路", "Secondary roads", "#7E93B4"),
    "residential": ("支路", "Local roads", "#8394AE"),
    "track": ("林区路", "Forest tracks", "#7A917A"),
}
DEAD_END = """
    NOT EXISTS (SELECT FROM roads AS other WHERE other.id <> roads.id AND other.source_node = roads.{node})
    AND NOT EXISTS (SELECT FROM roads AS other WHERE other.id <> roads.id AND other.target_node = roads.{node})
"""

LAYERS = (
    *(subset(ROADS, f"roads_{name}", f"道路 · {zh}", en, color, f"roads.class = '{name}'") for name, (zh, en, color) in CLASSES.items()),
    subset(ROADS, "roads_main", "干路网（次干路以上）", "Main road network", "#93A9CE", "roads.class IN ('motorway', 'trunk', 'primary', 'secondary')", order=62),
    subset(ROADS, "roads_branches", "以门牌命名的支路", "Side roads named after a house number", "#8A97A6", "roads.name ~ '[0-9]+号支路$'", order=62),
    subset(ROADS, "roads_long", "长路段（500 米以上无交叉）", "Edges of 500 m and more without a crossing", "#A0AEC4", "roads.length_m >= 500", order=63),
    subset(ROADS, "roads_short", "短路段（30 米以下）", "Edges below 30 m", "#8892A4", "roads.length_m < 30", min_zoom=12, order=63),
    subset(ROADS, "roads_dead_end", "断头路", "Dead ends", "#A09484",
           f"({DEAD_END.format(node='source_node')}) OR ({DEAD_END.format(node='target_node')})", min_zoom=12, order=63),
    subset(ROADS, "roads_forest", "穿越林班的道路", "Roads through forest", "#84A088",
           "EXISTS (SELECT FROM forest_zones WHERE forest_zones.valid @> hdq_today() AND ST_Intersects(forest_zones.geom, roads.geom))", order=64),
    subset(ROADS, "roads_coast", "滨海道路（200 米内）", "Roads within 200 m of the coast", "#7CA6B2",
           "EXISTS (SELECT FROM coastline WHERE ST_Expand(roads.geom, 0.0024) && coastline.geom AND ST_DWithin(coastline.geom::geography, roads.geom::geography, 200))", order=64),
)
