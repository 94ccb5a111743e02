"""Goods, stalls, parasols and chairs that stand for long on a pavement that a zone keeps free. GB/T 30428.2: 街面秩序 05001.

COCO weights know parasols and chairs only; weights of the id `street-order` with classes `stall` and `goods` go first. A thing becomes a finding where it
stays in a zone for the time that the zone names (for example ten minutes on a pavement, 07:00 to 21:00); people who stand there are the zone's business as
well, with the detector `persons`.
"""

from imagery.cameras.detectors import Detector
from imagery.cameras.tracking import Run

DETECTOR = Detector(
    id="street-vending",
    version="1.0",
    title="占道经营识别",
    title_en="Goods and stalls on the pavement",
    models=("street-order", "coco"),
    kinds=dict.fromkeys(("stall", "goods", "umbrella", "chair"), "street_vending"),
    scenes=frozenset({"street"}),
    threshold=0.35,
    rule=Run(need=3),
    measured="COCO weights: parasols and chairs, not goods; no labelled pictures of stalls were to be had.",
    in_zone="street_vending",
    only_zones=True,
)
