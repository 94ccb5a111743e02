"""The people of the demo city: the accounts shown on the login page first, then staff of each role and level."""

from collections.abc import Sequence

from pwdlib import PasswordHash

from gis_api.demo import plane
from gis_api.demo.districts import NAMES
from gis_api.wire.session import DEMO_PASSWORD
from grid.world.cells import Cell
from grid.world.regions import Region
from grid.world.staff import NewStaff

PASSWORD = DEMO_PASSWORD
STREET = "370202009"
"""八大关街道: where the demo's grid worker walks."""

FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = ("海涛", "建国", "丽娟", "晓东", "文静", "志强", "秀英", "振华", "雪梅", "永刚", "佳琪", "春燕", "立新", "海燕", "德胜", "雅婷", "国庆", "明月", "子涵", "卫东")


def draw(regions: Sequence[Region], cells: Sequence[Cell]) -> list[NewStaff]:
    """About 75 people; all share one password, hashed once."""
    shared = PasswordHash.recommended().hash(PASSWORD)
    dice = plane.dice("staff")
    people: list[NewStaff] = []

    def add(username: str, name: str, role: str, department: str, region: str, own: tuple[str, ...] = ()) -> None:
        people.append(NewStaff(username, name, role, department, region, own, f"1380532{len(people) + 1:04d}", shared, True))

    def someone() -> str:
        return FAMILY[int(dice.integers(len(FAMILY)))] + GIVEN[int(dice.integers(len(GIVEN)))]

    street = STREET if any(r.code == STREET for r in regions) else next((r.code for r in regions if r.level == 3), "370202")
    communities = sorted({c.region_code for c in cells if c.region_code.startswith(street)}) or [street]
    own = tuple(sorted(c.code for c in cells if c.region_code == communities[0]))[:6]
    add("wangge", "王格", "grid_worker", "八大关街道网格中心", communities[0], own)
    add("chuzhi", "陈处置", "grid_worker", "八大关街道综合执法队", street)
    add("linye", "林业", "inspector", "市园林和林业局", "3702")
    add("guotu", "郭图", "inspector", "市自然资源和规划局", "3702")
    add("haian", "海安", "inspector", "市海洋发展局", "3702")
    add("zhihui", "赵指挥", "commander", "市城市运行管理服务中心", "3702")
    add("shinan", "孙市南", "commander", "市南区城市运行管理服务中心", "370202")
    add("laoshan", "高崂山", "inspector", "崂山区林业服务中心", "370212")
    add("shuju", "舒菊", "data_admin", "市大数据发展管理局", "3702")
    add("suanfa", "苏算法", "algorithm_operator", "市大数据发展管理局", "3702")
    add("admin", "管理员", "system_admin", "市大数据发展管理局", "3702")
    add("shenji", "沈计", "auditor", "市审计局", "3702")
    for code, (name, _) in NAMES.items():
        short = name.partition("（")[0]
        add(f"cmd{code}", someone(), "commander", f"{short}城市运行管理服务中心", code)
        add(f"ins{code}", someone(), "inspector", f"{short}自然资源局", code)
        add(f"hand{code}", someone(), "grid_worker", f"{short}综合行政执法局", code)
    for region in [r for r in regions if r.level == 3 and r.code[:6] in ("370202", "370212") and r.code != street]:
        add(f"grid{region.code}", someone(), "grid_worker", f"{region.name}网格中心", region.code)
    for community in communities[1:6]:
        mine = tuple(sorted(c.code for c in cells if c.region_code == community))[:6]
        add(f"grid{community}", someone(), "grid_worker", "八大关街道网格中心", community, mine)
    return people
