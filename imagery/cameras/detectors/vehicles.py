"""Cars, buses and trucks that stand in a street view. A truck is not yet a muck truck 渣土车: no weights for that are to be had."""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="vehicles",
    version="1.0",
    title="车辆识别",
    title_en="Vehicles",
    models=("coco", "obstacles"),
    kinds={"car": "vehicle", "bus": "vehicle", "truck": "vehicle", "Car": "vehicle"},
    scenes=frozenset({"street"}),
    threshold=0.5,
    rule=Run(need=3, median_score=0.7),
)
