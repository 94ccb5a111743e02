"""Construction machinery where a zone forbids it. No installed package carries weights for it: `hdq models add` takes any YOLO that knows these classes."""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

CLASSES = ("excavator", "bulldozer", "loader", "crane", "roller", "dump_truck", "concrete_mixer", "machinery")

DETECTOR = Detector(
    id="machinery",
    version="1.0",
    title="施工机械",
    title_en="Construction machinery",
    models=("machinery",),
    kinds=dict.fromkeys(CLASSES, "machinery"),
    scenes=frozenset({"tower", "street"}),
    threshold=0.4,
    rule=Run(need=3),
    in_zone="machinery_forbidden",
    only_zones=True,
)
