"""A person where a zone says that they may come to harm. Found, never recognised: merges within 50 m and 30 minutes."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="person_danger",
    version="1.0",
    kind="person_danger",
    kinds=("person_danger",),
    title="人员进入危险区",
    title_en="Person in a danger zone",
    category_code="05081",
    merge_m=50.0,
    merge_s=1800.0,
    slack_m=100.0,
    gate=gates.scores(least_median=0.4, least_each=0.25),
    severity=gates.steady(2),
    examples=gates.trespass_table("person_danger"),
)
