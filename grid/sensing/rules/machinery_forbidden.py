"""Construction machinery where a zone forbids it: merges within 80 m and 30 minutes."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="machinery_forbidden",
    version="1.0",
    kind="machinery_forbidden",
    kinds=("machinery_forbidden",),
    title="施工机械进入禁区",
    title_en="Machinery in a forbidden zone",
    category_code="03082",
    merge_m=80.0,
    merge_s=1800.0,
    slack_m=100.0,
    gate=gates.scores(least_median=0.4, least_each=0.25),
    severity=gates.steady(2),
    examples=gates.trespass_table("machinery_forbidden"),
)
