"""Cameras by what they do and how they are, and what stands in their view."""

from layers.spec import Field
from layers.subsets import Register, subset

CAMERAS = Register(
    table="cameras",
    group="sensing",
    shape="circle",
    columns={"code": "cameras.code", "name": "cameras.name", "kind": "cameras.kind", "state": "cameras.state", "height_m": "cameras.height_m", "range_m": "cameras.range_m"},
    tooltip=(Field("name", "摄像机", "Camera"), Field("code", "编码", "Code"), Field("state", "状态", "State"), Field("height_m", "架高", "Height", "米"), Field("range_m", "作用距离", "Range", "米")),
    min_zoom=8,
    order=40,
    refreshed_by=("camera.changed",),
)
VIEWS = Register(
    table="cameras",
    group="sensing",
    shape="fill",
    columns={"name": "cameras.name", "azimuth_deg": "cameras.azimuth_deg", "hfov_deg": "cameras.hfov_deg", "range_m": "cameras.range_m"},
    tooltip=(Field("name", "摄像机", "Camera"), Field("azimuth_deg", "方位角", "Azimuth", "度"), Field("hfov_deg", "视场角", "Field of view", "度"), Field("range_m", "作用距离", "Range", "米")),
    always="cameras.view IS NOT NULL",
    min_zoom=10,
    order=30,
    geom="view",
    refreshed_by=("camera.changed",),
)
NEAR_SCHOOL = "EXISTS (SELECT FROM buildings WHERE buildings.use = 'education' AND ST_Expand(cameras.geom, 0.0018) && buildings.geom AND ST_DWithin(buildings.geom::geography, cameras.geom::geography, 150))"
IN_FOREST = "EXISTS (SELECT FROM forest_zones WHERE forest_zones.valid @> hdq_today() AND ST_Intersects(forest_zones.geom, cameras.{geom}))"
AT_COAST = "EXISTS (SELECT FROM coastline WHERE ST_Expand(cameras.geom, 0.0036) && coastline.geom AND ST_DWithin(coastline.geom::geography, cameras.geom::geography, 300))"

LAYERS = (
    subset(CAMERAS, "cameras_tower", "高点监控", "High point cameras", "#8FC7D9", "cameras.kind = 'tower'", order=41),
    subset(CAMERAS, "cameras_street", "街面监控", "Street cameras", "#A9BBD6", "cameras.kind = 'street'", min_zoom=11, order=41),
    subset(CAMERAS, "cameras_offline", "离线摄像机", "Cameras offline", "#7C8794", "cameras.state = 'offline'", order=42),
    subset(CAMERAS, "cameras_blurred", "画面模糊的摄像机", "Cameras with a blurred picture", "#8A8FA0", "cameras.state = 'blurred'", order=42),
    subset(CAMERAS, "cameras_dark", "画面过暗的摄像机", "Cameras with a dark picture", "#6E7686", "cameras.state = 'dark'", order=42),
    subset(CAMERAS, "cameras_impaired", "异常摄像机", "Impaired cameras", "#959CAA", "cameras.state <> 'online'", order=42),
    subset(CAMERAS, "cameras_street_online", "在线街面监控", "Street cameras online", "#B4C6DE", "cameras.kind = 'street' AND cameras.state = 'online'", min_zoom=11, order=42),
    subset(CAMERAS, "cameras_smoke_fire", "烟火识别点位", "Cameras that look for smoke and fire", "#A8927C", "'smoke-fire' = ANY (cameras.detectors)", order=43),
    subset(CAMERAS, "cameras_vehicles", "车辆识别点位", "Cameras that look for vehicles", "#7C9AA8", "'vehicles' = ANY (cameras.detectors)", order=43),
    subset(CAMERAS, "cameras_litter", "市容识别点位", "Cameras that look for litter", "#92A07C", "'street-litter' = ANY (cameras.detectors)", order=43),
    subset(CAMERAS, "cameras_plain", "未配算法的摄像机", "Cameras without an algorithm", "#848C9A", "cameras.detectors = '{}'", min_zoom=11, order=43),
    subset(CAMERAS, "cameras_silent_day", "一天内无画面的摄像机", "Cameras without a picture for a day", "#747C8A",
           "cameras.last_frame_at IS NULL OR cameras.last_frame_at < now() - interval '1 day'", min_zoom=11, order=43),
    subset(CAMERAS, "cameras_far", "远距摄像机（150 米以上）", "Street cameras that reach 150 m and more", "#86B0C0", "cameras.kind = 'street' AND cameras.range_m >= 150", order=44),
    subset(CAMERAS, "cameras_near", "近距摄像机（100 米以下）", "Cameras that reach less than 100 m", "#9EB4C4", "cameras.range_m < 100", order=44),
    subset(CAMERAS, "cameras_high_mast", "高杆摄像机（10 米以上）", "Street cameras on masts of 10 m and more", "#8CA6B8", "cameras.kind = 'street' AND cameras.height_m >= 10", order=44),
    subset(CAMERAS, "cameras_school", "校园周边摄像机（150 米内）", "Cameras within 150 m of a school", "#94A87C", NEAR_SCHOOL, order=45),
    subset(CAMERAS, "cameras_forest", "林区摄像机", "Cameras in forest", "#7E9E84", IN_FOREST.format(geom="geom"), order=45),
    subset(CAMERAS, "cameras_coast", "沿海摄像机（300 米内）", "Cameras within 300 m of the coast", "#78A8B4", AT_COAST, order=45),
    subset(VIEWS, "views_tower", "高点视域", "Views of high points", "#8FC7D9", "cameras.kind = 'tower'", order=31),
    subset(VIEWS, "views_street", "街面视域", "Views of street cameras", "#A9BBD6", "cameras.kind = 'street'", min_zoom=13, order=31),
    subset(VIEWS, "views_blind", "失效视域（异常摄像机）", "Views lost: impaired cameras", "#6C7482", "cameras.state <> 'online'", order=32),
    subset(VIEWS, "views_forest", "看到林班的视域", "Views that reach forest", "#7E9E84", IN_FOREST.format(geom="view"), order=32),
)
