"""Anything that a zone forbids and no rule of its own knows: merges within 50 m and 30 minutes."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="zone_intrusion",
    version="1.0",
    kind="zone_intrusion",
    kinds=("zone_intrusion",),
    title="闯入管控区域",
    title_en="Intrusion into a zone",
    category_code="05083",
    merge_m=50.0,
    merge_s=1800.0,
    slack_m=100.0,
    gate=gates.scores(least_median=0.4, least_each=0.25),
    severity=gates.steady(3),
    examples=gates.trespass_table("zone_intrusion"),
)
