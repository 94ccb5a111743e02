"""Colours by attribute on the wire."""

from typing import Literal

from pydantic import Field

from gis_api.wire.base import Wire
from layers.styling import Look


class StyleClass(Wire):
    """One class: `value` itself for categories, the lower bound for graduated ones."""

    value: bool | float | str = Field(examples=["公园"])
    label: str = Field(max_length=120, examples=["公园"])
    color: str = Field(max_length=7, examples=["#5A6C8C"])


class LayerStyle(Wire):
    """How an imported layer is coloured by one of its attributes. Graduated bounds rise; below the first bound the first class holds."""

    field: str = Field(max_length=120, examples=["类型"])
    kind: Literal["categories", "graduated"]
    classes: list[StyleClass] = Field(default=[], max_length=24, description="empty: the most frequent values, or fifths of the numbers")
    other: str = Field(default="#6A7280", max_length=7, description="colour of all other values")


def style_of(look: Look) -> LayerStyle:
    """The wire shape of a look."""
    return LayerStyle(field=look.field, kind=look.kind, classes=[StyleClass(value=each.value, label=each.label, color=each.color) for each in look.classes], other=look.other)
