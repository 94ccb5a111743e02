"""Water standing on the road. GB/T 30428.2: 突发事件 04002. It needs weights: any YOLO that knows one of its classes.

For example `hdq models add puddle.onnx --id road-water --classes puddle`. Wet and mirroring asphalt is what such weights take for water most often.
"""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="road-water",
    version="1.0",
    title="道路积水识别",
    title_en="Water on the road",
    models=("road-water",),
    kinds=dict.fromkeys(("puddle", "flood", "road_water"), "road_water"),
    scenes=frozenset({"street"}),
    threshold=0.4,
    rule=Run(need=3),
    measured="No weights come with the product and none were to be had: not measured.",
)
