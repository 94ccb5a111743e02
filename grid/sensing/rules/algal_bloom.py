"""Floating green algae 浒苔 off the coast. From 10,000 m²; rafts drift, so what is seen within 3 km and 3 days is one bloom."""

from grid.sensing import gates
from grid.sensing.rule import Rule

LEAST_M2 = 10_000.0

RULE = Rule(
    id="algal_bloom",
    version="1.0",
    kind="algal_bloom",
    kinds=("algal_bloom",),
    title="浒苔聚集",
    title_en="Algal bloom",
    category_code="01085",
    merge_m=3000.0,
    merge_s=3 * 86_400.0,
    gate=gates.patches(least_area_m2=LEAST_M2, least_score=0.5),
    severity=gates.by_area(urgent_m2=1_000_000.0, notable_m2=100_000.0),
    examples=gates.patch_table("algal_bloom", least_area_m2=LEAST_M2, again_days=2),
)
