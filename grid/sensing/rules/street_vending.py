"""Goods and stalls on a pavement that is to be kept free: merges within 50 m and an hour."""

from grid.sensing import gates
from grid.sensing.rule import Rule

RULE = Rule(
    id="street_vending",
    version="1.0",
    kind="street_vending",
    kinds=("street_vending",),
    title="占道经营",
    title_en="Street vending in the way",
    category_code="05001",
    merge_m=50.0,
    merge_s=3600.0,
    gate=gates.scores(least_median=0.5, least_each=0.35),
    severity=gates.steady(3),
    examples=gates.trespass_table("street_vending"),
)
