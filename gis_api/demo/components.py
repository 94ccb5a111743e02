"""A few thousand city components of the demo city (all simulated): lamps, trees, bins, manholes and signs along the streets round the city's middle."""

from datetime import date

import numpy as np
import shapely

from gis_api.demo import plane
from gis_api.demo.streetnet import Edges
from grid.world.components import Component

FOCUS = plane.xy(120.383, 36.065)
REACH_M = 700.0
COUNTY = "370202"
# class, name, spacing along a street and offset from its middle in metres, accuracy of the survey, owner, keeper
KINDS = (
    ("01018", "路灯", 32.0, 6.5, "A", "市南区城市管理局", "市政照明所"),
    ("04002", "行道树", 14.0, 5.5, "B", "市南区园林绿化局", "园林养护队"),
    ("01003", "雨水井盖", 45.0, 3.0, "A", "市南区水务局", "排水养护队"),
    ("01002", "污水井盖", 60.0, 1.5, "A", "市南区水务局", "排水养护队"),
    ("03005", "垃圾箱", 95.0, 7.0, "B", "市南区城市管理局", "环卫中心"),
    ("02008", "交通标志牌", 140.0, 6.0, "A", "公安交警", "交通设施队"),
    ("01013", "消火栓", 120.0, 7.2, "A", "消防救援大队", "供水集团"),
    ("04009", "街头坐椅", 210.0, 7.5, "B", "市南区城市管理局", "环卫中心"),
    ("02003", "公交站亭", 420.0, 7.0, "B", "公交集团", "公交集团"),
)
CONDITIONS = (("intact", 0.955), ("damaged", 0.03), ("missing", 0.006), ("moved", 0.005), ("abandoned", 0.004))


def draw(net: Edges) -> list[Component]:
    """Components on both sides of the streets of the inner city, numbered class by class."""
    dice = plane.dice("components")
    streets = net.take(shapely.dwithin(net.line, shapely.Point(FOCUS), REACH_M) & np.isin(net.kind, ("trunk", "primary", "secondary", "residential")))
    found: list[Component] = []
    for kind, name, spacing, offset, accuracy, owner, keeper in KINDS:
        serial = 0
        for line, street, start in zip(streets.line, streets.name, streets.start_m, strict=True):
            along = np.arange(spacing / 2, line.length, spacing)
            along = along + dice.uniform(-0.15, 0.15, len(along)) * spacing
            ahead = shapely.get_coordinates(shapely.line_interpolate_point(line, np.minimum(along + 1.0, line.length)))
            here = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
            step = ahead - here
            length = np.maximum(np.hypot(*step.T), 1e-6)
            side = np.where(dice.random(len(along)) < 0.5, -1.0, 1.0) * offset / length
            spots = plane.to_degrees(shapely.points(here + np.column_stack([-step[:, 1], step[:, 0]]) * side[:, None]))
            for spot, metres in zip(spots, along, strict=True):
                serial += 1
                year, month = int(dice.integers(2015, 2026)), int(dice.integers(1, 13))
                found.append(
                    Component(
                        code=f"{COUNTY}{kind}{serial:06d}", name=f"{street}{name}", owner=owner, keeper=keeper,
                        condition=str(dice.choice([c for c, _ in CONDITIONS], p=[share for _, share in CONDITIONS])), accuracy=accuracy,
                        address=f"{street}{int((start + metres) // 7) * 2 + 1}号旁", surveyed_on=date(2026, 3, 1 + int(dice.integers(28))), simulated=True, geom=spot,
                        since=date(year, month, 1),
                    )
                )  # fmt: skip
    return found
