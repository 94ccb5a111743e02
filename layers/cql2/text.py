"""CQL2 text to a tree: one pass, no going back, so that time grows with length only. Keywords in any case, texts in '…', names in "…"."""

import re
from typing import NamedTuple

import shapely
from shapely.errors import GEOSException

from grid.errors import InvalidQuery
from layers.cql2.tree import ARITHMETIC, COMPARISONS, Builder, Literal, Node, Property, deep, refuse, too_long

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*') | (?P<quoted>"(?:[^"]|"")*") | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[^\W\d]\w*(?:[.:]\w+)*) | (?P<sign><=|>=|<>|[=<>+\-*/(),]) | (?P<end>$))""",
    re.VERBOSE,
)
_SHAPES = {"POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"}
_EMPTY = re.compile(r"\s*(?:ZM|Z|M)?\s*EMPTY\b", re.IGNORECASE)
_PARENTHESES = re.compile(r"[()]")
_RESERVED = {"AND", "OR", "NOT", "BETWEEN", "LIKE", "IN", "IS", "NULL"}


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind in ("name", "sign") else ""


def read_text(text: str, crs: str = "CRS84") -> Node:
    """The tree of a filter in CQL2 text. Raises InvalidQuery with the place of the first thing that does not fit."""
    too_long(text)
    parser = _Parser(text, Builder(crs))
    found = parser.either()
    if parser.now.kind != "end":
        raise parser.unexpected("AND, OR 或结尾 · AND, OR or the end")
    return found


class _Parser:
    def __init__(self, text: str, builder: Builder) -> None:
        self.source, self.make = text, builder
        self.level = 0
        self.now = self._token(0)

    def _token(self, at: int) -> _Token:
        match = _TOKEN.match(self.source, at)
        if match is None:
            rest = self.source[at:].lstrip()
            place = len(self.source) - len(rest) + 1
            raise refuse(f"第 {place} 个字符处无法读 · cannot be read at character {place}: {rest[:20]!r}")
        kind = match.lastgroup
        return _Token(kind, match.group(kind), match.start(kind), match.end())

    def step(self) -> None:
        """To the next token."""
        self.now = self._token(self.now.end)

    def unexpected(self, wanted: str) -> InvalidQuery:
        token = self.now
        shown = repr(token.text[:30]) if token.kind != "end" else "结尾 · the end"
        return refuse(f"第 {token.start + 1} 个字符是 {shown}，应为 {wanted} · at character {token.start + 1}")

    def take(self, *words: str) -> str | None:
        """Steps over the next token when it is one of the words (upper case); gives it, or None."""
        token = self.now
        if token.upper in words and token.upper:
            self.step()
            return token.upper
        return None

    def need(self, word: str) -> None:
        if not self.take(word):
            raise self.unexpected(repr(word))

    def either(self) -> Node:
        self.level += 1
        deep(self.level)
        parts = [self.both()]
        while self.take("OR"):
            parts.append(self.both())
        self.level -= 1
        return parts[0] if len(parts) == 1 else self.make.call("or", parts)

    def both(self) -> Node:
        parts = [self.negated()]
        while self.take("AND"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else self.make.call("and", parts)

    def negated(self) -> Node:
        times = 0
        while self.take("NOT"):
            times += 1
            deep(times)
        found = self.compared()
        for _ in range(times):
            found = self.make.call("not", [found])
        return found

    def compared(self) -> Node:
        left = self.sum()
        if sign := self.take(*COMPARISONS):
            return self.make.call(sign, [left, self.sum()])
        if self.take("IS"):
            negative = bool(self.take("NOT"))
            self.need("NULL")
            return self._perhaps_not(negative, self.make.call("isnull", [left]))
        negative = bool(self.take("NOT"))
        if self.take("BETWEEN"):
            low = self.sum()
            self.need("AND")
            return self._perhaps_not(negative, self.make.call("between", [left, low, self.sum()]))
        if self.take("LIKE"):
            return self._perhaps_not(negative, self.make.call("like", [left, self.sum()]))
        if self.take("IN"):
            self.need("(")
            members = [] if self.now.upper == ")" else [self.sum()]
            while members and self.take(","):
                members.append(self.sum())
            self.need(")")
            return self._perhaps_not(negative, self.make.call("in", [left, *members]))
        if negative:
            raise self.unexpected("BETWEEN, LIKE 或 IN")
        return left

    def _perhaps_not(self, negative: bool, found: Node) -> Node:
        return self.make.call("not", [found]) if negative else found

    def sum(self) -> Node:
        found = self.product()
        while sign := self.take("+", "-"):
            found = self.make.call(sign, [found, self.product()])
        return found

    def product(self) -> Node:
        found = self.signed()
        while sign := self.take("*", "/"):
            found = self.make.call(sign, [found, self.signed()])
        return found

    def signed(self) -> Node:
        if self.now.upper in ARITHMETIC[:2]:
            sign = self.take("+", "-")
            if self.now.kind == "number":
                return self._number(sign)
            self.level += 1
            deep(self.level)
            inner = self.signed()
            self.level -= 1
            return inner if sign == "+" else self.make.call("*", [self.make.literal(-1), inner])
        return self.single()

    def _number(self, sign: str = "+") -> Literal:
        token = self.now
        self.step()
        if token.text.isdigit():
            value: int | float = int(token.text) if len(token.text) < 20 else float(token.text)
        else:
            value = float(token.text)
        return self.make.literal(-value if sign == "-" else value)

    def single(self) -> Node:
        token = self.now
        if token.kind == "number":
            return self._number()
        if token.kind == "text":
            self.step()
            return self.make.literal(token.text[1:-1].replace("''", "'"))
        if token.kind == "quoted":
            self.step()
            return self.make.property(token.text[1:-1].replace('""', '"'))
        if self.take("("):
            found = self.either()
            self.need(")")
            return found
        if token.kind != "name" or token.upper in _RESERVED:
            raise self.unexpected("属性、值或 ( · a property, a value or (")
        self.step()
        following = self.now.upper
        if token.upper in ("TRUE", "FALSE"):
            return self.make.literal(token.upper == "TRUE")
        if token.upper in _SHAPES and (following in ("(", "Z", "M", "ZM", "EMPTY")):
            return self._wkt(token)
        return self._function(token.text) if following == "(" else self.make.property(token.text)

    def _function(self, name: str) -> Node:
        self.need("(")
        self.level += 1
        deep(self.level)
        args = [] if self.now.upper == ")" else [self.either()]
        while args and self.take(","):
            args.append(self.either())
        self.need(")")
        self.level -= 1
        upper = name.upper()
        if upper in ("DATE", "TIMESTAMP"):
            value = args[0].value if len(args) == 1 and isinstance(args[0], Literal) else None
            return self.make.instant(value, upper.lower())
        if upper == "INTERVAL":
            ends = [arg.value if isinstance(arg, Literal) else arg for arg in args]
            if len(ends) != 2 or not all(isinstance(end, str | Property) for end in ends):
                raise refuse("INTERVAL 须有两端 · has two ends", "INTERVAL('2026-01-01', '..')")
            return self.make.interval(*ends)
        if upper == "BBOX":
            return self.make.box([arg.value if isinstance(arg, Literal) else float("nan") for arg in args])
        return self.make.call(name.lower(), args)

    def _wkt(self, opened: _Token) -> Node:
        empty = _EMPTY.match(self.source, opened.end)
        end = empty.end() if empty else self._closing(opened.end)
        written = self.source[opened.start : end]
        self.now = self._token(end)
        try:
            return self.make.shape(shapely.from_wkt(written))
        except (GEOSException, ValueError) as error:
            raise refuse(f"几何写得不对 · the geometry cannot be read: {written[:60]!r}", "POLYGON((120 36, 120.1 36, 120.1 36.1, 120 36))") from error

    def _closing(self, start: int) -> int:
        """Where the parentheses that open after `start` have closed again; the numbers between are for the decoder of WKT."""
        depth = 0
        for found in _PARENTHESES.finditer(self.source, start):
            depth += 1 if found[0] == "(" else -1
            deep(depth)
            if depth <= 0:
                return found.end()
        raise refuse(f"第 {start + 1} 个字符处的几何没有结束 · the geometry at character {start + 1} does not end")
