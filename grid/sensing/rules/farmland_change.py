"""Farmland that is farmland no more: suspected conversion 耕地非农化. From 400 m², as the state's own surveys take patches."""

from grid.sensing import gates
from grid.sensing.rule import Rule

LEAST_M2 = 400.0

RULE = Rule(
    id="farmland_change",
    version="1.0",
    kind="farmland_change",
    kinds=("farmland_change",),
    title="疑似耕地非农化",
    title_en="Suspected conversion of farmland",
    category_code="01086",
    merge_m=120.0,
    merge_s=45 * 86_400.0,
    gate=gates.patches(least_area_m2=LEAST_M2, least_score=0.5),
    severity=gates.by_area(urgent_m2=10_000.0, notable_m2=2000.0),
    examples=gates.patch_table("farmland_change", least_area_m2=LEAST_M2),
)
