"""What a deck.gl declaration paints a feature with, worked out here: for pictures that are drawn on the server (map sheets, thumbnails).

The expressions are those that `layers.deck` lets pass: properties, literals, comparisons, conditionals, arithmetic, arrays. They are read into a tree once and
never run as code.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Value = Any
Run = Callable[[Mapping[str, Value]], Value]
_TOKEN = re.compile(r"\s*(?:('[^'\\]*')|(\d+(?:\.\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(===|!==|==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]]))")
_RANKS = {"||": 1, "&&": 2, "==": 3, "!=": 3, "===": 3, "!==": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}


def _ordered(compare: Callable[[Value, Value], bool]) -> Callable[[Value, Value], bool]:
    def run(a: Value, b: Value) -> bool:
        numbers = isinstance(a, int | float) and isinstance(b, int | float)
        return compare(a, b) if numbers or (isinstance(a, str) and isinstance(b, str)) else False

    return run


def _counted(compute: Callable[[float, float], float]) -> Callable[[Value, Value], Value]:
    def run(a: Value, b: Value) -> Value:
        try:
            return compute(a, b)
        except (TypeError, ZeroDivisionError):
            return None

    return run


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "==": operator.eq, "===": operator.eq, "!=": operator.ne, "!==": operator.ne,
    "<": _ordered(operator.lt), ">": _ordered(operator.gt), "<=": _ordered(operator.le), ">=": _ordered(operator.ge),
    "+": _counted(operator.add), "-": _counted(operator.sub), "*": _counted(operator.mul), "/": _counted(operator.truediv), "%": _counted(operator.mod),
}  # fmt: skip


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(f"expression {text!r} cannot be read from {text[at : at + 12]!r}")
            self.tokens.append((("text", "number", "word", "sign")[found.lastindex - 1], found[found.lastindex]))
            at = found.end()
        self.at = 0

    def sign(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) and self.tokens[self.at][0] == "sign" else ""

    def take(self, wanted: str) -> None:
        if self.sign() != wanted:
            raise ValueError(f"{wanted!r} expected at token {self.at}")
        self.at += 1

    def choice(self) -> Run:
        test = self.binary(1)
        if self.sign() != "?":
            return test
        self.at += 1
        yes = self.choice()
        self.take(":")
        no = self.choice()
        return lambda row: yes(row) if test(row) else no(row)

    def binary(self, rank: int) -> Run:
        left = self.unary()
        while (sign := self.sign()) and _RANKS.get(sign, 0) >= rank:
            self.at += 1
            left = _joined(sign, left, self.binary(_RANKS[sign] + 1))
        return left

    def unary(self) -> Run:
        if self.sign() in ("-", "!"):
            sign = self.sign()
            self.at += 1
            of = self.unary()
            return (lambda row: not of(row)) if sign == "!" else _joined("-", lambda row: 0, of)
        return self.single()

    def single(self) -> Run:
        if self.sign() == "(":
            self.at += 1
            inner = self.choice()
            self.take(")")
            return inner
        if self.sign() == "[":
            return self.array()
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "text":
            return lambda row: text[1:-1]
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda row: number
        if kind != "word":
            raise ValueError(f"{text!r} is not expected")
        if text in ("true", "false", "null"):
            constant = {"true": True, "false": False, "null": None}[text]
            return lambda row: constant
        return self.member(text)

    def member(self, word: str) -> Run:
        path: list[str] = []
        while self.sign() in (".", "["):
            bracket = self.sign() == "["
            self.at += 1
            path.append(self.tokens[self.at][1].strip("'"))
            self.at += 1
            if bracket:
                self.take("]")
        if word == "properties" and len(path) == 1:
            return lambda row: row.get(path[0])
        return lambda row: None

    def array(self) -> Run:
        self.take("[")
        items: list[Run] = []
        while self.sign() != "]":
            items.append(self.choice())
            if self.sign() == ",":
                self.at += 1
        self.take("]")
        return lambda row: [item(row) for item in items]


def _joined(sign: str, left: Run, right: Run) -> Run:
    if sign == "&&":
        return lambda row: left(row) and right(row)
    if sign == "||":
        return lambda row: left(row) or right(row)
    compute = _BINARY[sign]
    return lambda row: compute(left(row), right(row))


@lru_cache(1024)
def expression(text: str) -> Run:
    """What an expression (without `@@=`) answers for a feature's properties. Raises ValueError when it cannot be read.

    >>> expression("properties.n >= 3 && properties['类'] == '甲' ? [1, 2, 3] : [0 - 1, 0, 0]")({"n": 5, "类": "甲"})
    [1, 2, 3]
    >>> expression("properties.n >= 3 ? 'a' : 'b'")({"n": None})
    'b'
    """
    reader = _Reader(text)
    try:
        found = reader.choice()
    except IndexError as error:
        raise ValueError(f"expression {text!r} ends too soon") from error
    if reader.at != len(reader.tokens):
        raise ValueError(f"expression {text!r} goes on after its end")
    return found


@dataclass(frozen=True, slots=True)
class Paint:
    """How one feature is drawn: colours as (#rrggbb, opacity 0 to 1) or None for nothing, line width and point radius in screen pixels."""

    fill: tuple[str, float] | None
    line: tuple[str, float] | None
    width: float
    radius: float


class Painter:
    """Paints the features of a layer as its declaration says; `fallback` (#rrggbb) where it says nothing about colour."""

    def __init__(self, deck: Mapping[str, Value], fallback: str = "#5B7DB1") -> None:
        self._fallback = fallback
        self._fill = self._run(deck, "getFillColor", "getColor", "getSourceColor")
        self._line = self._run(deck, "getLineColor", "getColor")
        self._width = self._run(deck, "getLineWidth", "getWidth")
        self._radius = self._run(deck, "getPointRadius", "getRadius")
        self._widths = deck.get("lineWidthUnits", deck.get("widthUnits")) == "pixels"
        self._radii = deck.get("pointRadiusUnits", deck.get("radiusUnits")) == "pixels"
        self._filled, self._stroked = deck.get("filled", True), deck.get("stroked", True)

    @staticmethod
    def _run(deck: Mapping[str, Value], *names: str) -> Run | None:
        value = next((deck[name] for name in names if deck.get(name) is not None), None)
        if isinstance(value, str):
            return expression(value.removeprefix("@@=")) if value.startswith("@@=") else None
        return None if value is None else (lambda row: value)

    def paint(self, row: Mapping[str, Value]) -> Paint:
        """How a feature of these properties is drawn."""
        nothing = self._fill is None and self._line is None
        fill = (self._fallback, 0.75) if nothing else _color(self._fill, row) if self._filled else None
        line = (self._fallback, 1.0) if nothing else _color(self._line, row) if self._stroked else None
        return Paint(fill, line, _number(self._width, row, 1.0) if self._widths else 1.0, _number(self._radius, row, 4.0) if self._radii else 4.0)


def _color(run: Run | None, row: Mapping[str, Value]) -> tuple[str, float] | None:
    found = run(row) if run else None
    if not isinstance(found, list) or len(found) < 3 or not all(isinstance(part, int | float) for part in found):
        return None
    red, green, blue = (max(0, min(255, round(part))) for part in found[:3])
    alpha = max(0.0, min(1.0, found[3] / 255)) if len(found) > 3 else 1.0
    return (f"#{red:02X}{green:02X}{blue:02X}", round(alpha, 3)) if alpha > 0 else None


def _number(run: Run | None, row: Mapping[str, Value], otherwise: float) -> float:
    found = run(row) if run else None
    return float(found) if isinstance(found, int | float) and 0 < found < 100 else otherwise
