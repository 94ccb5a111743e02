"""Trucks where and when a zone forbids them: routes and hours of muck trucks 渣土车. GB/T 30428.2: 施工管理 03080.

A truck of COCO is any lorry. Its kind alone is no finding: the zone, with its days and hours, says that no lorry has business there (or that a muck truck
stands there without leave), and a person decides which it was. For example a zone on the map over a school street, 06:00 to 22:00.
"""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="trucks",
    version="1.0",
    title="货车违时违路",
    title_en="Trucks off their route or hours",
    models=("muck-truck", "coco"),
    kinds={"truck": "muck_truck", "dump_truck": "muck_truck", "muck_truck": "muck_truck"},
    scenes=frozenset({"tower", "street"}),
    threshold=0.45,
    rule=Run(need=3),
    measured="160 Chinese street pictures: four with a truck at 0.45 and above. Whether a truck is a muck truck is not known of COCO weights: no pictures to measure on.",
    in_zone="muck_truck",
    only_zones=True,
)
