"""Trucks whose load seems to lie open: soil-coloured and rough where a tipper's load shows. GB/T 30428.2: 施工管理 03080.

A classical attribute on the box of a truck (`imagery/cameras/loads.py`), with no labelled pictures to measure it on. Its chance never exceeds one half, so it
opens no alert by itself; beside a report, a zone's finding or weights that know muck trucks it counts.
"""

import numpy as np

from imagery.cameras.detectors import Detector
from imagery.cameras.engines import Box
from imagery.cameras.loads import open_load
from imagery.cameras.tracking import Run

FULL = 0.35
"""Share of the band from which the attribute says all it can."""


def weigh(image: np.ndarray, box: Box) -> float:
    """0 for a load that is not seen or covered, 1 for one that fills a third of the band and more."""
    return min((open_load(image, box) or 0.0) / FULL, 1.0)


DETECTOR = Detector(
    id="muck-loads",
    version="1.0",
    title="渣土车疑似未苫盖",
    title_en="Trucks with an open load",
    models=("muck-truck", "coco"),
    kinds={"truck": "muck_truck", "dump_truck": "muck_truck", "muck_truck": "muck_truck"},
    scenes=frozenset({"street"}),
    threshold=0.3,
    rule=Run(need=3),
    measured=(
        "No labelled pictures of muck trucks were to be had, so what it finds is not measured and its chance is held at one half or less. Of five boxes that COCO weights "
        "call a truck in 160 Chinese street pictures, none with soil on it, one is taken for an open load: the rusty brown body of a small lorry at night."
    ),
    chances=((0.3, 0.15), (0.6, 0.35), (0.9, 0.5)),
    weigh=weigh,
)
