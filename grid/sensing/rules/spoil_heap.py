"""Heaps of spoil and waste that grew between two surface models of a drone. From 50 m²."""

from grid.sensing import gates
from grid.sensing.rule import Rule

LEAST_M2 = 50.0

RULE = Rule(
    id="spoil_heap",
    version="1.0",
    kind="spoil_heap",
    kinds=("spoil_heap",),
    title="渣土与垃圾堆放",
    title_en="Spoil or waste heap",
    category_code="03081",
    merge_m=60.0,
    merge_s=45 * 86_400.0,
    gate=gates.patches(least_area_m2=LEAST_M2, least_score=0.5),
    severity=gates.by_area(urgent_m2=5000.0, notable_m2=500.0),
    examples=gates.patch_table("spoil_heap", least_area_m2=LEAST_M2, sensor_kind="drone"),
)
