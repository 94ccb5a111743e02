"""Garbage lying in the street and overflowing bins. No installed package carries usable weights: `hdq models train street-litter DATASET` makes them.

The Trash class of smartrail-obstacle-detector was tried and left out: it found none of 78 labelled Chinese street pictures with garbage.
"""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="street-litter",
    version="1.1",
    title="暴露垃圾识别",
    title_en="Street litter",
    models=("street-litter",),
    kinds={"garbage": "garbage", "overflow": "garbage"},
    scenes=frozenset({"street"}),
    threshold=0.4,
    rule=Run(need=3, median_score=0.6),
    measured=(
        "160 Chinese street pictures that did not teach (weights of `hdq models train`, 700 pictures, 20 epochs, side 320, seed 0): mAP50 0.83 over three classes, garbage 0.73, "
        "overflow 0.86; of 257 garbage and overflow labels found 0.72 at score 0.4 with 82 % right (0.60 at 0.6 with 93 %, 0.79 at 0.3 with 77 %). Same source as the teaching "
        "pictures, so other streets may be harder."
    ),
    chances=((0.2, 0.25), (0.35, 0.48), (0.5, 0.53), (0.65, 0.9), (0.9, 0.95)),
)
