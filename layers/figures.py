"""Figures of areas: what districts, streets, communities and management grids have of something, per km², per household or as a share.

The only writer of `area_figures`. Measures are read once from their registers at the finest area that a row names and summed upwards; a figure is one
measure over another. Areas are geodesic (m² on the ellipsoid). Layers of choropleths read the table (layers.catalog.area_figures).
"""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import AsyncConnection

from grid import events
from grid.database import rows
from grid.world.bulk import copy_columns

DISTRICT, STREET, COMMUNITY, CELL = 2, 3, 4, 5
LEVEL_NAMES = {DISTRICT: "district", STREET: "street", COMMUNITY: "community", CELL: "cell"}
CODE_LENGTH = {DISTRICT: 6, STREET: 9, COMMUNITY: 12}
CHANGED = "figures.made"
"""The kind of the event that says so."""
MADE = "area_figures"
"""Under this name `register_changes` says when the figures were made."""

_CLASSES = ("farmland", "orchard", "forest", "residential", "commercial", "industrial", "public", "transport", "water", "green", "bare")
_USES = ("residential", "commercial", "office", "education", "public")


@dataclass(frozen=True, slots=True)
class Figure:
    """`over` divides `of` (None: `of` itself), times `factor`. `levels` are those on which it says something; `highest` takes the largest instead of the sum."""

    id: str
    title: str
    title_en: str
    unit: str
    of: str
    over: str | None
    factor: float
    levels: tuple[int, ...]
    highest: bool = False
    register: str = "buildings"


_URBAN = (STREET, COMMUNITY, CELL)
_WATCHED = (STREET, COMMUNITY, CELL)
_NETWORK = (DISTRICT, STREET, COMMUNITY)
_LAND = (DISTRICT, STREET)


def _built(name: str, zh: str, en: str, unit: str, of: str, over: str | None, factor: float = 1.0, highest: bool = False) -> Figure:
    return Figure(name, zh, en, unit, of, over, factor, _URBAN, highest)


FIGURES: tuple[Figure, ...] = (
    _built("building_density", "建筑密度（栋数）", "Buildings per km²", "栋/平方公里", "b", "km2"),
    _built("building_cover", "建筑覆盖率", "Ground covered by buildings", "%", "footprint_km2", "km2", 100),
    _built("floor_ratio", "毛容积率", "Floor area ratio", "", "floor_km2", "km2"),
    _built("height_mean", "平均建筑高度", "Mean building height", "米", "height", "b"),
    _built("height_top", "最高建筑", "Tallest building", "米", "height_top", None, highest=True),
    _built("floors_mean", "平均层数", "Mean floors", "层", "floors", "b"),
    _built("high_share", "高层建筑占比", "Share of buildings of 10 floors and more", "%", "high", "b", 100),
    _built("single_share", "平房占比", "Share of single-storey buildings", "%", "single", "b", 100),
    _built("household_density", "户数密度", "Households per km²", "户/平方公里", "households", "km2"),
    _built("household_per_building", "户均每栋", "Households per residential building", "户/栋", "households", "use_residential"),
    _built("home_area", "户均住宅建筑面积", "Residential floor area per household", "平方米", "floor_residential_m2", "households"),
    _built("volume_density", "建筑体积密度", "Built volume per ground area", "立方米/平方米", "volume_km2m", "km2"),
    _built("footprint_mean", "平均基底面积", "Mean footprint", "平方米", "footprint_m2", "b"),
    _built("large_share", "大体量建筑占比", "Share of footprints above 1,000 m²", "%", "large", "b", 100),
    _built("named_share", "有名称建筑占比", "Share of buildings with a name", "%", "named", "b", 100),
    _built("door_density", "门牌密度", "Addresses per km²", "个/平方公里", "doors", "km2"),
    _built("buildings_per_door", "每门牌建筑数", "Buildings per address", "栋", "b", "doors"),
    _built("school_per_1000", "每千户教育建筑", "Education buildings per 1,000 households", "栋", "use_education", "households", 1000),
    _built("shop_per_1000", "每千户商业建筑", "Commercial buildings per 1,000 households", "栋", "use_commercial", "households", 1000),
    *(
        _built(f"floor_{use}_share", f"{zh}建筑面积占比", f"Share of floor area that is {use}", "%", f"floor_{use}_m2", "floor_m2", 100)
        for use, zh in zip(_USES, ("住宅", "商业", "办公", "教育", "公共"), strict=True)
    ),
    Figure("camera_density", "摄像机密度", "Cameras per km²", "台/平方公里", "cameras", "km2", 1.0, _WATCHED, register="cameras"),
    Figure("camera_impaired", "摄像机异常率", "Share of cameras impaired", "%", "cameras_impaired", "cameras", 100, _WATCHED, register="cameras"),
    Figure("camera_reach", "摄像机平均作用距离", "Mean reach of cameras", "米", "cameras_reach", "cameras", 1.0, _WATCHED, register="cameras"),
    Figure("camera_per_1000", "每千户摄像机", "Cameras per 1,000 households", "台", "cameras", "households", 1000, _WATCHED, register="cameras"),
    Figure("buildings_per_camera", "每台摄像机对应建筑", "Buildings per camera", "栋", "b", "cameras", 1.0, _WATCHED, register="cameras"),
    Figure("road_density", "路网密度", "Road length per km²", "公里/平方公里", "road_km", "km2", 1.0, _NETWORK, register="roads"),
    Figure("main_road_density", "干路网密度", "Main road length per km²", "公里/平方公里", "main_road_km", "km2", 1.0, _NETWORK, register="roads"),
    Figure("local_road_share", "支路占比", "Share of road length that is local", "%", "local_road_km", "road_km", 100, _NETWORK, register="roads"),
    Figure("road_edge", "平均路段长度", "Mean edge between crossings", "米", "road_m", "road_edges", 1.0, _NETWORK, register="roads"),
    Figure("road_speed", "按长度平均的限速", "Speed limit, mean by length", "公里/时", "road_speed_km", "road_km", 1.0, _NETWORK, register="roads"),
    Figure("crossing_density", "路口密度", "Crossings per km²", "个/平方公里", "crossings", "km2", 1.0, _NETWORK, register="roads"),
    *(
        Figure(f"land_{name}", f"{zh}占地块面积比", f"Share of parcel area that is {name}", "%", f"land_{name}_km2", "land_km2", 100, _LAND, register="parcels")
        for name, zh in zip(_CLASSES, ("耕地", "园地", "林地", "住宅用地", "商业用地", "工业用地", "公共用地", "交通用地", "水域", "绿地", "裸地"), strict=True)
    ),
    Figure("basic_farmland_share", "永久基本农田占耕地比", "Share of farmland that is basic farmland", "%", "basic_farmland_km2", "land_farmland_km2", 100, _LAND, register="parcels"),
    Figure("parcel_mean", "平均地块面积", "Mean parcel", "公顷", "land_ha", "parcels", 1.0, _LAND, register="parcels"),
    Figure("collective_share", "集体土地占比", "Share of parcel area in collective ownership", "%", "collective_km2", "land_km2", 100, _LAND, register="parcels"),
    Figure("permit_density", "每百地块许可", "Permits per 100 parcels", "件", "permits", "parcels", 100, _LAND, register="permits"),
    Figure("permit_expired", "到期许可占比", "Share of permits that have expired", "%", "permits_expired", "permits", 100, _LAND, register="permits"),
    Figure("forest_share", "林班覆盖率", "Ground inside forest compartments", "%", "forest_km2", "km2", 100, _LAND, register="forest_zones"),
    Figure("forest_risk", "平均火险等级", "Mean fire risk, by area", "级", "forest_risk_km2", "forest_km2", 1.0, _LAND, register="forest_zones"),
    Figure("forest_pine", "松类占林班比", "Share of forest that is pine", "%", "forest_pine_km2", "forest_km2", 100, _LAND, register="forest_zones"),
    Figure("forest_welfare", "公益林占林班比", "Share of forest that is public welfare forest", "%", "forest_welfare_km2", "forest_km2", 100, _LAND, register="forest_zones"),
    Figure("coast_length", "岸线长度", "Length of coast", "公里", "coast_km", None, 1.0, (DISTRICT,), register="coastline"),
    Figure("coast_natural", "自然岸线保有率", "Share of coast that is natural", "%", "coast_natural_km", "coast_km", 100, (DISTRICT,), register="coastline"),
    Figure("setback_share", "退缩区占比", "Ground inside setbacks", "%", "setback_km2", "km2", 100, (DISTRICT, STREET), register="setbacks"),
)

_BUILT_COLUMNS = f"""
    count(*) AS b, sum(m2) AS footprint_m2, sum(m2) / 1e6 AS footprint_km2, sum(m2 * floors) AS floor_m2, sum(m2 * floors) / 1e6 AS floor_km2,
    sum(height_m) AS height, max(height_m) AS height_top, sum(floors) AS floors, count(*) FILTER (WHERE floors >= 10) AS high,
    count(*) FILTER (WHERE floors = 1) AS single, sum(households) AS households, sum(m2 * height_m) / 1e6 AS volume_km2m, count(*) FILTER (WHERE m2 >= 1000) AS large,
    count(*) FILTER (WHERE name <> '') AS named, count(DISTINCT address) FILTER (WHERE address <> '') AS doors,
    {", ".join(f"coalesce(sum(m2 * floors) FILTER (WHERE use = '{use}'), 0) AS floor_{use}_m2, count(*) FILTER (WHERE use = '{use}') AS use_{use}" for use in _USES)}
"""
_MEASURES: tuple[str, ...] = (
    f"SELECT region_code AS area, {_BUILT_COLUMNS} FROM (SELECT *, ST_Area(geom::geography) AS m2 FROM buildings) AS buildings GROUP BY 1",
    """
    SELECT region_code AS area, count(*) AS cameras, count(*) FILTER (WHERE state <> 'online') AS cameras_impaired, sum(range_m) AS cameras_reach FROM cameras GROUP BY 1
    """,
    """
    SELECT region_code AS area, sum(length_m) / 1000 AS road_km, sum(length_m) AS road_m, count(*) AS road_edges, sum(length_m * speed_kmh) / 1000 AS road_speed_km,
        coalesce(sum(length_m) FILTER (WHERE class IN ('motorway', 'trunk', 'primary', 'secondary')), 0) / 1000 AS main_road_km,
        coalesce(sum(length_m) FILTER (WHERE class = 'residential'), 0) / 1000 AS local_road_km
    FROM roads GROUP BY 1
    """,
    """
    SELECT area, count(*) AS crossings FROM (
        SELECT node, min(region_code) AS area FROM (SELECT source_node AS node, region_code FROM roads UNION ALL SELECT target_node, region_code FROM roads) AS ends GROUP BY node HAVING count(*) >= 3
    ) AS crossings GROUP BY 1
    """,
    f"""
    SELECT region_code AS area, count(*) AS parcels, sum(area_m2) / 1e6 AS land_km2, sum(area_m2) / 1e4 AS land_ha,
        coalesce(sum(area_m2) FILTER (WHERE basic_farmland), 0) / 1e6 AS basic_farmland_km2, coalesce(sum(area_m2) FILTER (WHERE owner = '村集体'), 0) / 1e6 AS collective_km2,
        {", ".join(f"coalesce(sum(area_m2) FILTER (WHERE category = '{name}'), 0) / 1e6 AS land_{name}_km2" for name in _CLASSES)}
    FROM parcels WHERE valid @> hdq_today() GROUP BY 1
    """,
    """
    SELECT region_code AS area, count(*) AS permits, count(*) FILTER (WHERE upper(permits.valid) <= hdq_today()) AS permits_expired
    FROM permits JOIN parcels ON parcels.id = permits.parcel_id GROUP BY 1
    """,
    """
    SELECT code AS area, sum(m2) / 1e6 AS forest_km2, sum(m2 * fire_risk) / 1e6 AS forest_risk_km2,
        coalesce(sum(m2) FILTER (WHERE species IN ('赤松', '黑松', '油松')), 0) / 1e6 AS forest_pine_km2, coalesce(sum(m2) FILTER (WHERE class = 'public_welfare'), 0) / 1e6 AS forest_welfare_km2
    FROM (
        SELECT regions.code, fire_risk, species, class, ST_Area(ST_Intersection(regions.geom, forest_zones.geom)::geography) AS m2
        FROM regions JOIN forest_zones ON ST_Intersects(regions.geom, forest_zones.geom) WHERE regions.level = 3 AND valid @> hdq_today()
    ) AS parts GROUP BY 1
    """,
    """
    SELECT region_code AS area, sum(ST_Length(geom::geography)) / 1000 AS coast_km, coalesce(sum(ST_Length(geom::geography)) FILTER (WHERE kind = 'natural'), 0) / 1000 AS coast_natural_km
    FROM coastline GROUP BY 1
    """,
    """
    SELECT regions.code AS area, ST_Area(ST_Union(ST_Intersection(regions.geom, setbacks.geom))::geography) / 1e6 AS setback_km2
    FROM regions JOIN setbacks ON ST_Intersects(regions.geom, setbacks.geom) WHERE regions.level = 3 AND valid @> hdq_today() GROUP BY 1
    """,
)
_CELL_MEASURES: tuple[str, ...] = (
    f"SELECT cell_code AS area, {_BUILT_COLUMNS} FROM (SELECT *, ST_Area(geom::geography) AS m2 FROM buildings WHERE cell_code IS NOT NULL) AS buildings GROUP BY 1",
    """
    SELECT cells.code AS area, count(*) AS cameras, count(*) FILTER (WHERE cameras.state <> 'online') AS cameras_impaired, sum(cameras.range_m) AS cameras_reach
    FROM cameras JOIN cells ON ST_Covers(cells.geom, cameras.geom) WHERE cells.valid @> hdq_today() AND cells.kind = 'management' GROUP BY 1
    """,
)
_AREAS = "SELECT code AS area, level, ST_Area(geom::geography) / 1e6 AS km2 FROM regions WHERE level BETWEEN 2 AND 4"
_CELLS = "SELECT code AS area, 5 AS level, ST_Area(geom::geography) / 1e6 AS km2 FROM cells WHERE valid @> hdq_today() AND kind = 'management'"

Measures = dict[str, dict[str, float]]


async def rebuild(connection: AsyncConnection) -> int:
    """Makes all figures anew in the caller's transaction; returns how many values. Publishes that the choropleths changed, last."""
    await connection.execute("SET LOCAL statement_timeout = '15min'")
    finest: Measures = {}
    for query in _MEASURES:
        _gather(finest, await rows(connection, query))
    cells: Measures = {}
    for query in _CELL_MEASURES:
        _gather(cells, await rows(connection, query))
    columns: dict[str, list] = {"figure": [], "level": [], "area": [], "value": []}
    for level in (DISTRICT, STREET, COMMUNITY, CELL):
        areas = {r["area"]: float(r["km2"]) for r in await rows(connection, f"SELECT * FROM ({_CELLS if level == CELL else _AREAS}) AS areas WHERE level = {level}")}
        known = cells if level == CELL else _upwards(finest, CODE_LENGTH[level])
        known["km2"] = areas
        for figure in FIGURES:
            if level in figure.levels:
                for area, value in values(figure, known, areas).items():
                    for name, item in zip(columns, (figure.id, level, area, value), strict=True):
                        columns[name].append(item)
    await connection.execute("DELETE FROM area_figures")
    if columns["figure"]:
        await copy_columns(connection, "area_figures", columns)
    await connection.execute("DELETE FROM register_changes WHERE register = %(made)s", {"made": MADE})
    await connection.execute("INSERT INTO register_changes (register) VALUES (%(made)s)", {"made": MADE})
    city = await rows(connection, "SELECT code FROM regions WHERE level = 1 ORDER BY code LIMIT 1")
    if city:
        await events.publish(connection, CHANGED, MADE, city[0]["code"], {})
    return len(columns["figure"])


def values(figure: Figure, known: Measures, areas: dict[str, float]) -> dict[str, float]:
    """The figure of each area that has what it is measured over; an area where that is nothing, or where the register was never kept, has no figure, not a zero.

    >>> ratio = Figure("f", "", "", "", "high", "b", 100, (3,))
    >>> values(ratio, {"high": {"1": 2.0}, "b": {"1": 8.0, "2": 4.0, "3": 0.0}}, {"1": 1.0, "2": 1.0, "3": 1.0})
    {'1': 25.0, '2': 0.0}
    """
    above = known.get(figure.of, {})
    if figure.over is None:
        return {area: above[area] * figure.factor for area in areas if area in above}
    below = known.get(figure.over, {})
    known_there = figure.over == "km2" or figure.of == "b"
    return {area: above.get(area, 0.0) / below[area] * figure.factor for area in areas if below.get(area) and (area in above or not known_there)}


def layer_id(figure: Figure, level: int) -> str:
    """The layer that draws a figure at a level."""
    return f"figure_{figure.id}_{LEVEL_NAMES[level]}"


def _gather(into: Measures, found: list[dict]) -> None:
    for row in found:
        for name, value in row.items():
            if name != "area" and value is not None and row["area"]:
                into.setdefault(name, {})[row["area"]] = float(value)


def _upwards(finest: Measures, length: int) -> Measures:
    """Sums (for the tallest: the largest) of all areas that begin alike; an area named less finely than asked is left out."""
    found: Measures = {}
    for name, by_area in finest.items():
        together: Callable[[float, float], float] = max if name == "height_top" else float.__add__
        into = found.setdefault(name, {})
        for area, value in by_area.items():
            if len(area) >= length:
                key = area[:length]
                into[key] = together(into[key], value) if key in into else value
    return found
