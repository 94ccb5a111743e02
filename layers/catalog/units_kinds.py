"""Response units by kind, and where they are stationed."""

from layers.spec import Field
from layers.subsets import Register, subset

COLUMNS = {"code": "units.code", "name": "units.name", "kind": "units.kind", "state": "units.state", "speed_kmh": "units.speed_kmh"}
TOOLTIP = (Field("name", "名称", "Name"), Field("code", "编号", "Code"), Field("state", "状态", "State"), Field("speed_kmh", "速度", "Speed", "公里/时"))
NOW = Register(
    table="units", group="response", shape="circle", columns=COLUMNS, tooltip=TOOLTIP, min_zoom=7, order=60, refreshed_by=("units.moved", "order.*"), updated="max(reported_at)"
)
HOMES = Register(table="units", group="response", shape="circle", columns=COLUMNS, tooltip=TOOLTIP, min_zoom=7, order=40, geom="home", refreshed_by=("order.*",))
KINDS = {"vehicle": ("车辆", "Vehicles", "#7FC8A9"), "drone": ("无人机", "Drones", "#9BD1F0"), "team": ("队伍", "Teams", "#C5D0E0")}

LAYERS = (
    *(subset(NOW, f"units_{kind}", f"力量 · {zh}", en, color, f"units.kind = '{kind}'") for kind, (zh, en, color) in KINDS.items()),
    *(subset(HOMES, f"homes_{kind}", f"驻地 · {zh}", f"{en}: stations", color, f"units.kind = '{kind}'") for kind, (zh, en, color) in KINDS.items()),
)
