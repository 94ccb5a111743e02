"""What happens in the city, by kind: alerts, findings of each sensor, changed patches, and cases by category (GB/T 30428). Calm days leave some of these empty."""

from layers.spec import Field
from layers.subsets import Register, subset

ALERTS = Register(
    table="alerts",
    group="events",
    shape="circle",
    columns={"title": "alerts.title", "severity": "alerts.severity::int", "place_name": "alerts.place_name", "accuracy_m": "alerts.accuracy_m", "state": "alerts.state"},
    tooltip=(Field("title", "告警", "Alert"), Field("place_name", "位置", "Place"), Field("accuracy_m", "精度", "Accuracy", "米"), Field("state", "状态", "State")),
    always="alerts.state IN ('open', 'acknowledged', 'confirmed')",
    min_zoom=6,
    order=60,
    refreshed_by=("alert.*",),
    updated="max(last_seen_at)",
)
FINDINGS = Register(
    table="observations",
    group="sensing",
    shape="circle",
    columns={"kind": "observations.kind", "score": "round(observations.score::numeric, 2)::float8", "source": "observations.source", "accuracy_m": "observations.accuracy_m"},
    tooltip=(Field("kind", "类型", "Kind"), Field("score", "置信度", "Score"), Field("source", "来源", "Source"), Field("accuracy_m", "精度", "Accuracy", "米")),
    always="observations.received_at > now() - interval '7 days'",
    min_zoom=6,
    order=20,
    refreshed_by=("alert.*",),
    updated="max(received_at)",
)
PATCHES = Register(
    table="patches",
    group="imagery",
    shape="fill",
    columns={"number": "patches.number", "score": "patches.score", "area_m2": "round(patches.area_m2)::bigint"},
    tooltip=(Field("number", "图斑号", "Patch"), Field("area_m2", "面积", "Area", "平方米"), Field("score", "置信度", "Score")),
    min_zoom=8,
    order=21,
    refreshed_by=("survey.changed",),
)
CASES = Register(
    table="cases",
    group="events",
    shape="circle",
    columns={"number": "cases.number", "title": "cases.title", "state": "cases.state", "place_name": "cases.place_name"},
    tooltip=(Field("number", "案件号", "Case"), Field("title", "标题", "Title"), Field("state", "状态", "State"), Field("place_name", "位置", "Place")),
    always="cases.closed_at IS NULL",
    min_zoom=6,
    order=50,
    refreshed_by=("case.*",),
    updated="max(greatest(opened_at, handled_at, closed_at))",
)
SEVERITIES = ((1, "特急", "Critical", "#E5484D"), (2, "紧急", "Urgent", "#F76B15"), (3, "一般", "Normal", "#FFB224"), (4, "提示", "Advice", "#7C8DA5"))
ALERT_KINDS = {
    "forest_fire": ("森林火情", "Forest fire"),
    "construction": ("新增建设", "New construction"),
    "vegetation_loss": ("植被减少", "Vegetation lost"),
    "burn_scar": ("火烧迹地", "Burn scar"),
}
SENSORS = {"satellite": ("卫星", "satellite", "#9C8FC4"), "camera": ("摄像机", "camera", "#8FC7D9"), "drone": ("无人机", "drone", "#9BD1F0"), "person": ("人工上报", "person", "#C5D0E0"), "device": ("物联设备", "device", "#A8B4A0")}
CATEGORIES = {
    "01001": ("私搭乱建", "Illegal structure"),
    "01002": ("暴露垃圾", "Exposed garbage"),
    "01003": ("积存垃圾渣土", "Heaped waste and soil"),
    "01005": ("道路遗撒", "Road spill"),
    "01080": ("毁林毁绿", "Trees or green destroyed"),
    "01081": ("垃圾箱满溢", "Overflowing bin"),
    "01082": ("疑似违法用地", "Suspected unlawful land use"),
    "01083": ("侵占海岸线", "Encroachment on the coast"),
    "03001": ("施工扬尘", "Construction dust"),
    "03080": ("渣土车违规", "Muck truck violation"),
    "04001": ("路面塌陷", "Road collapse"),
    "04002": ("道路积水", "Water on road"),
    "04080": ("森林火情", "Forest fire"),
    "04081": ("火烧迹地", "Burn scar"),
    "05001": ("占道经营", "Street vending in the way"),
    "05003": ("机动车乱停放", "Illegal parking"),
    "05080": ("人群聚集", "Crowd"),
    "99001": ("其他", "Other"),
}

LAYERS = (
    *(subset(ALERTS, f"alerts_severity_{n}", f"告警 · {zh}", f"Alerts: {en.lower()}", color, f"alerts.severity = {n}") for n, zh, en, color in SEVERITIES),
    *(subset(ALERTS, f"alerts_{kind}", f"告警 · {zh}", f"Alerts: {en.lower()}", "#8C9AB0", f"alerts.kind = '{kind}'", order=61) for kind, (zh, en) in ALERT_KINDS.items()),
    subset(ALERTS, "alerts_waiting", "超过 1 小时未处理的告警", "Alerts that have waited for an hour", "#A0A8B8", "alerts.state = 'open' AND alerts.opened_at < now() - interval '1 hour'", order=62),
    *(subset(FINDINGS, f"findings_{kind}", f"近 7 天发现 · {zh}", f"Findings of 7 days: {en}", color, f"observations.sensor_kind = '{kind}'") for kind, (zh, en, color) in SENSORS.items()),
    *(
        subset(PATCHES, f"patches_{kind}", f"图斑 · {zh}", f"Patches: {en.lower()}", "#9C8FC4", f"patches.kind = '{kind}'")
        for kind, (zh, en) in ALERT_KINDS.items()
        if kind != "forest_fire"
    ),
    *(subset(CASES, f"cases_{code}", f"在办案件 · {zh}", f"Open cases: {en.lower()}", "#8C9AB0", f"cases.category_code = '{code}'") for code, (zh, en) in CATEGORIES.items()),
    subset(CASES, "cases_overdue", "超期案件", "Cases beyond their time limit", "#A6907C", "cases.due_at < now()", order=51),
)
