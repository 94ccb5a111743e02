"""Soil, gravel or goods spilt on the road: merges within 50 m and an hour."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="road_spill",
    version="1.0",
    kind="road_spill",
    kinds=("road_spill",),
    title="道路遗撒",
    title_en="Road spill",
    category_code="01005",
    merge_m=50.0,
    merge_s=3600.0,
    gate=gates.scores(least_median=0.5, least_each=0.35),
    severity=gates.steady(3),
    examples=gates.trespass_table("road_spill"),
)
