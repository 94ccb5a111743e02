"""Colours that a layer paints and its legend shows: said once, so that the two cannot differ."""

from dataclasses import dataclass

RGB = tuple[int, int, int]


def rgb(text: str) -> RGB:
    """Red, green and blue of `#rrggbb`.

    >>> rgb("#E5484D")
    (229, 72, 77)
    """
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One line of a legend. `color` is #rrggbb; `shape`: fill, line, dash, circle, ring, diamond, triangle, square, arrow, heat."""

    label: str
    label_en: str
    color: str
    shape: str = "fill"


@dataclass(frozen=True, slots=True)
class Choice:
    """A colour for each value of a field, and one for all other values.

    `entries`: (value, 中文, English, #rrggbb). Values are text, whole numbers or booleans as they stand in the feature's properties.
    """

    field: str
    entries: tuple[tuple[str | int | bool, str, str, str], ...]
    other: tuple[str, str, str] | None = None
    shape: str = "fill"
    shapes: tuple[str, ...] = ()

    def expression(self, alpha: int = 255) -> str:
        """The deck.gl expression (without `@@=`): nested conditionals, the last entry for all other values when `other` is None.

        >>> Choice("use", (("a", "甲", "A", "#010203"), ("b", "乙", "B", "#040506"))).expression(9)
        "properties.use == 'a' ? [1, 2, 3, 9] : [4, 5, 6, 9]"
        """
        conditions = list(self.entries) if self.other else list(self.entries[:-1])
        last = self.other[2] if self.other else self.entries[-1][3]
        text = str([*rgb(last), alpha])
        for value, _, _, color in reversed(conditions):
            text = f"properties.{self.field} == {_literal(value)} ? {[*rgb(color), alpha]} : {text}"
        return text

    def legend(self) -> tuple[LegendEntry, ...]:
        """A line for each value."""
        shapes = self.shapes or (self.shape,) * len(self.entries)
        lines = [LegendEntry(zh, en, color, shape) for (_, zh, en, color), shape in zip(self.entries, shapes, strict=True)]
        if self.other:
            lines.append(LegendEntry(*self.other, self.shape))
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Steps:
    """A colour for each class of a number: `entries` are (lower bound, 中文, English, #rrggbb), bounds rising; below the first bound the first."""

    field: str
    entries: tuple[tuple[float, str, str, str], ...]
    shape: str = "fill"

    def expression(self, alpha: int = 255, first_alpha: int | None = None) -> str:
        """The deck.gl expression (without `@@=`); `first_alpha`: the first class's own alpha, where it means nothing to see.

        >>> Steps("n", ((0, "无", "none", "#000000"), (3, "多", "many", "#0000ff"))).expression()
        'properties.n >= 3 ? [0, 0, 255, 255] : [0, 0, 0, 255]'
        """
        text = str([*rgb(self.entries[0][3]), alpha if first_alpha is None else first_alpha])
        for bound, _, _, color in self.entries[1:]:
            text = f"properties.{self.field} >= {bound} ? {[*rgb(color), alpha]} : {text}"
        return text

    def legend(self) -> tuple[LegendEntry, ...]:
        """A line for each class, lowest first."""
        return tuple(LegendEntry(zh, en, color, self.shape) for _, zh, en, color in self.entries)


def _literal(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if "'" in value or "\\" in value:
        raise ValueError(f"value {value!r} cannot stand in a deck.gl expression")
    return f"'{value}'"


SEVERITY = Choice(
    "severity",
    ((1, "特急", "Critical", "#E5484D"), (2, "紧急", "Urgent", "#F76B15"), (3, "一般", "Normal", "#FFB224"), (4, "提示", "Advice", "#7C8DA5")),
    shapes=("diamond", "triangle", "circle", "ring"),
)
"""The only loud colours of the product, with the shape that each has for people who cannot tell them apart."""
