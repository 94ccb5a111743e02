"""A boat in a zone of water that is closed to it: merges within 150 m and 30 minutes."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="boat_no_go",
    version="1.0",
    kind="boat_no_go",
    kinds=("boat_no_go",),
    title="船只进入禁航区",
    title_en="Boat in a no-go zone",
    category_code="05082",
    merge_m=150.0,
    merge_s=1800.0,
    slack_m=300.0,
    gate=gates.scores(least_median=0.4, least_each=0.25),
    severity=gates.steady(2),
    examples=gates.trespass_table("boat_no_go"),
)
