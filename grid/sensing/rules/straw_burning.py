"""Straw burning 秸秆焚烧: a satellite's heat on farmland and off forest. Merges within 2 km and 6 h; near forest it is a fire alarm instead."""

from datetime import UTC, datetime, timedelta

from grid.sensing import gates
from grid.sensing.rule import Example, Rule, Signal

_T = datetime(2026, 6, 12, 5, 0, tzinfo=UTC)
_PIXEL = Signal("straw_burning", _T, 120.10, 36.70, sensor="satellite:viirs", sensor_kind="satellite", accuracy_m=300.0, score=0.6)

RULE = Rule(
    id="straw_burning",
    version="1.0",
    kind="straw_burning",
    kinds=("straw_burning",),
    title="疑似秸秆焚烧",
    title_en="Suspected straw burning",
    category_code="01084",
    merge_m=2000.0,
    merge_s=6 * 3600.0,
    gate=gates.scores(least_median=0.5, least_each=0.3),
    severity=gates.steady(2),
    examples=(
        Example("a pixel of nominal confidence", _PIXEL, "opens"),
        Example("a pixel of low confidence", Signal("straw_burning", _T, 120.10, 36.70, sensor_kind="satellite", score=0.3), "does not open"),
        Example(
            "the next satellite, three hours on, a field further",
            Signal("straw_burning", _T + timedelta(hours=3), 120.108, 36.70, sensor="satellite:modis", sensor_kind="satellite", accuracy_m=600.0, score=0.6),
            "extends",
            (_PIXEL,),
        ),
        Example("the next day", Signal("straw_burning", _T + timedelta(days=1), 120.10, 36.70, sensor_kind="satellite", score=0.6), "opens", (_PIXEL,)),
    ),
)
