"""People where a zone says that they come to harm, or how many are in it. Found, never recognised; outside zones nobody's business."""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="persons",
    version="1.0",
    title="区域内人员",
    title_en="People in zones",
    models=("coco", "obstacles"),
    kinds={"person": "person", "Person": "person"},
    scenes=frozenset({"tower", "street"}),
    threshold=0.35,
    rule=Run(need=3),
    in_zone="person_danger",
    only_zones=True,
)
