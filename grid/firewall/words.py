"""Verdicts in words, zh-CN and English."""

from grid.firewall.judge import Finding
from grid.firewall.readings import Reading

_KINDS = {
    "gcj02": ("是未声明的 GCJ-02（火星坐标）", "are GCJ-02 without saying so"),
    "bd09": ("是未声明的 BD-09（百度坐标）", "are BD-09 without saying so"),
    "overcorrected": ("已是 WGS84/CGCS2000，却又被当作偏移坐标纠正", "are WGS84/CGCS2000 already and were corrected once too often"),
    "swapped": ("坐标轴颠倒", "have swapped axes"),
    "prefix": ("东坐标的带号缺失、多余或有误", "carry a wrong or superfluous zone number before the easting"),
    "zone": ("属于另一投影带", "belong to another zone"),
    "web_mercator": ("是 Web 墨卡托米（EPSG:3857）", "are Web Mercator metres (EPSG:3857)"),
    "degrees": ("是经纬度", "are degrees"),
    "heights": ("高程基准与声明不符", "have heights above another datum than declared"),
}
_REFERENCES = {"buildings": ("建筑", "buildings"), "roads": ("道路", "roads"), "districts": ("区市界线", "district outlines"), "coast": ("海岸线", "the coast"), "terrain": ("地面", "the ground")}


def reading(found: Reading) -> tuple[str, str]:
    """A reading in words.

    >>> reading(Reading("EPSG:4528", swapped=True, then="GCJ-02"))
    ('EPSG:4528，坐标轴颠倒，含 GCJ-02 偏移', 'EPSG:4528, axes swapped, GCJ-02 still in it')
    """
    zh, en = [found.crs], [found.crs]
    if found.swapped:
        zh.append("坐标轴颠倒")
        en.append("axes swapped")
    if found.stripped:
        zh.append("去掉带号")
        en.append("zone number taken off")
    if found.then.startswith("+"):
        zh.append(f"{found.then[1:]} 被多纠正一次")
        en.append(f"{found.then[1:]} undone once too often")
    elif found.then:
        zh.append(f"含 {found.then} 偏移")
        en.append(f"{found.then} still in it")
    if found.heights:
        zh.append({"1985": "1985 国家高程基准", "ellipsoidal": "椭球高"}[found.heights])
        en.append({"1985": "heights above the 1985 datum", "ellipsoidal": "heights above the ellipsoid"}[found.heights])
    return "，".join(zh), ", ".join(en)


def finding(found: Finding) -> tuple[str, str]:
    """A finding as one sentence with its figures."""
    zh, en = _KINDS[found.kind]
    as_zh, as_en = reading(found.reading)
    zh, en = f"{found.rows:,} 行（{found.share:.0%}）{zh}：按 {as_zh}", f"{found.rows:,} rows ({found.share:.0%}) {en}: read as {as_en}"
    if found.reference and found.declared_m is not None and found.proposed_m is not None:
        what = _REFERENCES.get(found.reference, (found.reference, found.reference))
        zh += f"，距最近{what[0]}中位数由 {found.declared_m:,.1f} 米变为 {found.proposed_m:,.1f} 米"
        en += f", the median distance to {what[1]} goes from {found.declared_m:,.1f} m to {found.proposed_m:,.1f} m"
    if found.shift_m < 1e6 and not found.reading.heights:
        zh += f"，移动 {found.shift_m:,.0f} 米"
        en += f", a shift of {found.shift_m:,.0f} m"
    return zh, en
