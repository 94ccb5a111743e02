"""Boats and ships in view of a coastal tower."""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="boats",
    version="1.0",
    title="船只识别",
    title_en="Boats",
    models=("coco",),
    kinds={"boat": "boat"},
    scenes=frozenset({"tower"}),
    threshold=0.4,
    rule=Run(need=3),
    in_zone="boat_no_go",
)
