"""Garbage lying in the street and overflowing bins. No installed package carries usable weights: `hdq models add` brings them.

The Trash class of smartrail-obstacle-detector was tried and left out: it found none of 78 labelled Chinese street pictures with garbage.
"""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="street-litter",
    version="1.0",
    title="暴露垃圾识别",
    title_en="Street litter",
    models=("street-litter",),
    kinds={"garbage": "garbage", "overflow": "garbage"},
    scenes=frozenset({"street"}),
    threshold=0.5,
    rule=Run(need=3, median_score=0.7),
)
