"""The coast by what it is made of, its length marks, and its setback zones by distance."""

from layers.spec import Field
from layers.subsets import Register, subset

COAST = Register(
    table="coastline",
    group="nature",
    shape="line",
    columns={
        "name": "coastline.name",
        "from_km": "round((coastline.chainage_from_m / 1000)::numeric, 2)::float8",
        "to_km": "round((coastline.chainage_to_m / 1000)::numeric, 2)::float8",
    },
    tooltip=(Field("name", "岸线", "Coast"), Field("from_km", "起点桩号", "From", "千米"), Field("to_km", "终点桩号", "To", "千米")),
    min_zoom=7,
    order=61,
)
SETBACKS = Register(
    table="setbacks",
    group="nature",
    shape="fill",
    columns={"name": "setbacks.name", "distance_m": "setbacks.distance_m", "clause": "setbacks.clause"},
    tooltip=(Field("name", "名称", "Name"), Field("distance_m", "退缩距离", "Distance", "米"), Field("clause", "依据", "Clause")),
    always="setbacks.valid @> hdq_today()",
    order=50,
)

LAYERS = (
    subset(COAST, "coast_natural", "自然岸线", "Natural coast", "#6FA7B4", "coastline.kind = 'natural'"),
    subset(COAST, "coast_artificial", "人工岸线", "Artificial coast", "#A89A84", "coastline.kind = 'artificial'"),
    subset(COAST, "coast_camera", "有摄像机的岸段（300 米内）", "Coast with a camera within 300 m", "#8FC7D9",
           "EXISTS (SELECT FROM cameras WHERE ST_Expand(cameras.geom, 0.0036) && coastline.geom AND ST_DWithin(coastline.geom::geography, cameras.geom::geography, 300))", order=62),
    subset(SETBACKS, "setbacks_core", "核心退缩区（100 米）", "Core setback, 100 m", "#4E93A6", "setbacks.distance_m <= 100"),
    subset(SETBACKS, "setbacks_wider", "一般退缩区（200 米）", "Wider setback, 200 m", "#66A2B2", "setbacks.distance_m > 100"),
)
