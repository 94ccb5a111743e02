"""Soil, gravel or goods spilt on the road. GB/T 30428.2: 市容环境 01005. It needs weights: any YOLO that knows one of its classes.

For example `hdq models add spill.onnx --id road-spill --classes spill`, or `hdq models train road-spill DATASET` on labelled pictures.
"""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="road-spill",
    version="1.0",
    title="道路遗撒识别",
    title_en="Road spill",
    models=("road-spill",),
    kinds=dict.fromkeys(("spill", "road_spill", "mud", "gravel"), "road_spill"),
    scenes=frozenset({"street"}),
    threshold=0.4,
    rule=Run(need=3),
    measured="No weights come with the product and none were to be had: not measured.",
)
