"""Vehicles, drones and teams with homes at crossings of every district."""

import numpy as np
import shapely
from scipy.spatial import cKDTree

from gis_api.demo import plane
from gis_api.demo.districts import NAMES
from grid.world.atlas import Atlas
from grid.world.units import NewUnit

# district: vehicles, drones, teams, near lon, lat
POSTS = {
    "370202": (4, 2, 2, 120.3800, 36.0680), "370203": (2, 1, 1, 120.3750, 36.0900), "370211": (3, 1, 1, 120.1900, 35.9600), "370212": (4, 3, 2, 120.5150, 36.1200),
    "370213": (2, 1, 1, 120.4330, 36.1450), "370214": (2, 1, 1, 120.3960, 36.3070), "370215": (2, 1, 1, 120.4470, 36.3890), "370281": (2, 1, 1, 120.0330, 36.2640),
    "370283": (2, 1, 1, 119.9600, 36.7860), "370285": (2, 1, 1, 120.5170, 36.8890),
}  # fmt: skip
KINDS = (("vehicle", "V", "巡查车", 60.0), ("drone", "D", "无人机", 54.0), ("team", "T", "应急队", 30.0))


def draw(nodes: np.ndarray, atlas: Atlas) -> list[NewUnit]:
    """Units at home; `nodes` are road nodes in plane metres."""
    dice = plane.dice("units")
    tree = cKDTree(nodes)
    rows: list[NewUnit] = []
    for district, (*counts, lon, lat) in POSTS.items():
        x, y = plane.xy(lon, lat)
        near = np.array(tree.query_ball_point((x, y), 6000))
        codes = atlas.places(*plane.lonlat(nodes[near, 0], nodes[near, 1]))[0] if len(near) else ()
        inside = near[[code.startswith(district) for code in codes]] if len(near) else near
        if not len(inside):
            inside = np.atleast_1d(tree.query((x, y))[1])
        for (kind, letter, title, speed), count in zip(KINDS, counts, strict=True):
            for number in range(1, count + 1):
                home_x, home_y = nodes[inside[int(dice.integers(len(inside)))]]
                home = shapely.Point(*np.round(plane.lonlat(home_x, home_y), 7))
                name = f"{NAMES[district][0][:2]}{title} {number:02d}"
                rows.append(NewUnit(f"{letter}{district}{number:02d}", name, kind, speed, "idle", district, home, home, float(dice.integers(360)), 8.0, True))
    return rows
