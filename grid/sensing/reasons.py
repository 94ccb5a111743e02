"""Why an alert fired, in lines a person can check: who saw what, what the rule asked for, who agrees, how sharp the place is."""

from collections.abc import Sequence
from datetime import timedelta

from grid.sensing.calibration import Record
from grid.sensing.gates import NAMES
from grid.sensing.observations import Observation
from grid.sensing.posterior import Posterior
from grid.sensing.rule import Reason

LATE = timedelta(hours=24)
MOST_SENSORS = 5
KINDS = {
    "smoke": ("烟雾", "smoke"),
    "fire": ("明火", "fire"),
    "forest_fire": ("火情", "fire"),
    "hotspot": ("热异常", "a hotspot"),
    "vegetation_loss": ("植被减少", "loss of vegetation"),
    "construction": ("新增建设", "new built-up ground"),
    "burn_scar": ("过火迹地", "a burn scar"),
    "land_change": ("地表变化", "a change of the ground"),
    "water": ("水体变化", "a change of water"),
    "reclamation": ("疑似填海", "suspected reclamation of the sea"),
    "farmland_change": ("耕地变化", "farmland that is none any more"),
    "algal_bloom": ("浒苔", "floating algae"),
    "illegal_structure": ("无许可的新增建筑", "new building without a permit"),
    "spoil_heap": ("堆体增高", "a heap that grew"),
    "straw_burning": ("农田热异常", "heat on farmland"),
    "static_heat": ("固定热源", "a lasting source of heat"),
    "garbage": ("暴露垃圾", "exposed garbage"),
    "muck_truck": ("渣土车", "a muck truck"),
    "official_warning": ("官方预警", "an official warning"),
    "road_spill": ("道路遗撒", "a road spill"),
    "road_water": ("道路积水", "water on the road"),
    "street_vending": ("占道经营", "goods or a stall in the way"),
    "crowd": ("人群聚集", "a crowd"),
    "person_report": ("上报事项", "something reported"),
    "boat_no_go": ("船只进入禁航区", "a boat in a no-go zone"),
    "person_danger": ("人员进入危险区", "a person in a danger zone"),
    "machinery_forbidden": ("施工机械进入禁区", "machinery in a forbidden zone"),
    "zone_intrusion": ("闯入管控区域", "an intrusion into a zone"),
}


def agreement(observations: Sequence[Observation]) -> str:
    """nominal: one sensor; high: two or more; highest: more than one kind of system."""
    if len({o.sensor_kind for o in observations}) > 1:
        return "highest"
    return "high" if len({o.sensor for o in observations}) > 1 else "nominal"


def lines(
    observations: Sequence[Observation],
    found: Posterior,
    of_rule: Sequence[Reason],
    records: dict[tuple[str, str], Record],
    late_after: timedelta = LATE,
) -> list[Reason]:
    """All lines, the sightings first (the newest of each sensor), then the rule's own, agreement, place, lateness, record."""
    newest = {o.sensor: o for o in observations}
    told = [_seen(o) for o in list(newest.values())[:MOST_SENSORS]]
    told += [line for o in list(newest.values())[:MOST_SENSORS] if (line := _in_zone(o)) is not None]
    told += of_rule
    told += _agreed(newest.values())
    told.append(_place(observations, found))
    late = [o for o in observations if o.sensor_kind != "satellite" and o.received_at - o.recorded_at > late_after]
    if late:
        hours = max((o.received_at - o.recorded_at).total_seconds() / 3600 for o in late)
        told.append(Reason(f"有 {len(late)} 条观测迟到，最长 {hours:,.0f} 小时", f"{len(late)} observations came late, by up to {hours:,.0f} h", round(hours, 1)))
    for o in newest.values():
        record = records.get((o.sensor, o.algorithm))
        if record is not None and record.hits + record.misses > 0:
            total = record.hits + record.misses
            told.append(Reason(f"{_name(o)[0]}此前 {total} 次判定中 {record.hits} 次属实", f"{_name(o)[1]} was right {record.hits} of {total} times", record.hits / total))
    return told


def _name(o: Observation) -> tuple[str, str]:
    if o.camera_name:
        return o.camera_name, o.camera_name
    kind, source = NAMES[o.sensor_kind], o.source.removeprefix(f"{o.sensor_kind}:")
    return f"{kind[0]}（{source}）", f"{kind[1]} ({source})"


def _seen(o: Observation) -> Reason:
    what = KINDS.get(o.kind, (o.class_name or o.kind, o.class_name or o.kind))
    name = _name(o)
    return Reason(f"{name[0]}发现{what[0]}，置信度 {o.score:.2f}", f"{name[1]} found {what[1]}, score {o.score:.2f}", round(o.score, 3))


def _in_zone(o: Observation) -> Reason | None:
    """Which zone it is in, for how long, how many, how fast and where to, as far as the finding says."""
    zone = o.properties.get("zone")
    if not isinstance(zone, dict) or not zone.get("name"):
        return None
    zh, en = f"位于区域「{zone['name']}」", f"inside the zone “{zone['name']}”"
    if isinstance(zone.get("count"), int) and zone["count"] > 1:
        zh, en = zh + f"，{zone['count']} 个目标", en + f", {zone['count']} of them"
    if isinstance(zone.get("dwell_s"), int | float):
        zh, en = zh + f"，已停留 {zone['dwell_s']:,.0f} 秒", en + f", for {zone['dwell_s']:,.0f} s"
    motion = zone.get("motion")
    if isinstance(motion, dict) and all(isinstance(motion.get(name), int | float) for name in ("speed_ms", "speed_sigma_ms")):
        zh, en = zh + f"，速度 {motion['speed_ms']:.1f} ± {motion['speed_sigma_ms']:.1f} 米/秒", en + f", {motion['speed_ms']:.1f} ± {motion['speed_sigma_ms']:.1f} m/s"
        if isinstance(motion.get("course_deg"), int | float):
            zh, en = zh + f"，去向 {motion['course_deg']:.0f}°", en + f" towards {motion['course_deg']:.0f}°"
    return Reason(zh, en, zone["name"])


def _agreed(newest: Sequence[Observation]) -> list[Reason]:
    kinds = sorted({o.sensor_kind for o in newest})
    count = len(list(newest))
    if len(kinds) > 1:
        zh, en = "、".join(NAMES[k][0] for k in kinds), ", ".join(NAMES[k][1] for k in kinds)
        return [Reason(f"{len(kinds)} 类系统相互印证：{zh}", f"{len(kinds)} kinds of system agree: {en}", len(kinds))]
    if count > 1:
        return [Reason(f"{count} 个{NAMES[kinds[0]][0]}来源相互印证", f"{count} {NAMES[kinds[0]][1]} sources agree", count)]
    return []


def _place(observations: Sequence[Observation], found: Posterior) -> Reason:
    near = found.accuracy_m < 1000
    zh = f"{found.accuracy_m:,.0f} 米" if near else f"{found.accuracy_m / 1000:,.1f} 公里"
    en = f"{found.accuracy_m:,.0f} m" if near else f"{found.accuracy_m / 1000:,.1f} km"
    value = round(found.accuracy_m, 1)
    if found.crossing_deg is not None:
        return Reason(
            f"方位线以 {found.crossing_deg:.0f}° 交会，位置误差 ±{zh}（90%）", f"bearings cross at {found.crossing_deg:.0f}°, place known to ±{en} (90 %)", value
        )
    if all(o.bearing_deg is not None for o in observations) and found.accuracy_m > 500:
        return Reason(f"只有方位，距离不确定，位置误差 ±{zh}（90%）", f"a bearing only, range uncertain: place known to ±{en} (90 %)", value)
    return Reason(f"位置误差 ±{zh}（90%）", f"place known to ±{en} (90 %)", value)
