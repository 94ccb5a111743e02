"""Water standing on the road: merges within 80 m and an hour."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="road_water",
    version="1.0",
    kind="road_water",
    kinds=("road_water",),
    title="道路积水",
    title_en="Water on the road",
    category_code="04002",
    merge_m=80.0,
    merge_s=3600.0,
    gate=gates.scores(least_median=0.5, least_each=0.35),
    severity=gates.steady(2),
    examples=gates.trespass_table("road_water"),
)
