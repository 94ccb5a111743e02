"""New building without a permit, from its footprint: suspected illegal structure 疑似违建. From 15 m², as footprints of a drone are drawn."""

from grid.sensing import gates
from grid.sensing.rule import Rule

LEAST_M2 = 15.0

RULE = Rule(
    id="illegal_structure",
    version="1.0",
    kind="illegal_structure",
    kinds=("illegal_structure",),
    title="疑似违建",
    title_en="Suspected illegal structure",
    category_code="01001",
    merge_m=15.0,
    merge_s=90 * 86_400.0,
    gate=gates.patches(least_area_m2=LEAST_M2, least_score=0.5),
    severity=gates.by_area(urgent_m2=2000.0, notable_m2=200.0),
    examples=gates.patch_table("illegal_structure", least_area_m2=LEAST_M2, sensor_kind="drone"),
)
