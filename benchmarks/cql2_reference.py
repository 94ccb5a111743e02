"""CQL2 without a database: rows, filters drawn by chance, a text form of them, and an evaluator in plain Python and shapely. Nothing of the product is used.

Filters are CQL2 JSON documents. Three values as in SQL: True, False, None (unknown).
"""

import random
import re
import struct
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

WEST, SOUTH, CELLS, STEP = 120.0, 36.0, 12, 1 / 64
"""A lattice of numbers that binary fractions hold exactly: both sides then decide on the same coordinates, none by rounding."""

NAMES = ("市南", "市北", "崂山", "Alpha", "alpha", "ALPHA", "café", "Cafe", "a_b", "100%", "it's", "", "浮山湾")
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = {"name": "text", "storeys": "number", "height": "real", "worth": "number", "flag": "boolean", "seen_at": "time", "day": "time"}
SPATIAL = ("intersects", "within", "contains", "disjoint", "touches", "crosses", "overlaps", "equals")
TEMPORAL = (
    "after", "before", "contains", "disjoint", "during", "equals", "finishedby", "finishes", "intersects", "meets", "metby", "overlappedby", "overlaps", "startedby", "starts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A row of every kind of value, each perhaps absent."""

    id: int
    name: str | None
    storeys: int | None
    height: float | None
    worth: float | None
    flag: bool | None
    seen_at: datetime | None
    day: date | None
    geometry: BaseGeometry


def single(value: float) -> float:
    """The nearest single-precision number."""
    return struct.unpack("f", struct.pack("f", value))[0]


def _corner(chance: random.Random) -> tuple[float, float]:
    return WEST + chance.randrange(CELLS) * STEP, SOUTH + chance.randrange(CELLS) * STEP


def a_shape(chance: random.Random) -> BaseGeometry:
    """A point, line or polygon on a coarse lattice, so that shapes touch, cross and equal one another."""
    kind = chance.randrange(4)
    x, y = _corner(chance)
    if kind == 0:
        return shapely.Point(x, y)
    w, h = (STEP * chance.randint(1, 4) for _ in range(2))
    if kind == 1:
        return shapely.LineString([(x, y), (x + w, y + h), (x + 2 * w, y)])
    if kind == 2:
        return shapely.Polygon([(x, y), (x + w, y), (x, y + h)])
    return shapely.Polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])


def rows(chance: random.Random, number: int) -> list[Row]:
    """Rows drawn by chance; an eighth of the values is absent."""

    def perhaps(value: Any) -> Any:
        return None if chance.random() < 0.125 else value

    return [
        Row(
            i, perhaps(chance.choice(NAMES)), perhaps(chance.randint(-2, 40)), perhaps(single(chance.randint(0, 400) / 10)), perhaps(chance.randint(-200, 200) / 8), perhaps(chance.random() < 0.5),
            perhaps(FIRST_DAY + timedelta(hours=6 * chance.randint(0, 120))), perhaps((FIRST_DAY + timedelta(days=chance.randint(0, 30))).date()), a_shape(chance),
        )
        for i in range(1, number + 1)
    ]  # fmt: skip


class Draw:
    """Filters by chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def condition(self, depth: int) -> dict:
        """A condition of at most so many levels of AND, OR, NOT."""
        pick = self.chance.random()
        if depth and pick < 0.45:
            return {"op": self.chance.choice(("and", "or")), "args": [self.condition(depth - 1) for _ in range(self.chance.randint(2, 3))]}
        if depth and pick < 0.55:
            return {"op": "not", "args": [self.condition(depth - 1)]}
        return self.chance.choice((self.compared, self.compared, self.texts, self.listed, self.between, self.absent, self.spatial, self.spatial, self.temporal, self.temporal))()

    def literal(self, kind: str) -> Any:
        if kind == "text":
            return self.chance.choice(NAMES)
        if kind == "boolean":
            return self.chance.random() < 0.5
        if kind == "time":
            return self.moment()
        return self.chance.choice((self.chance.randint(-2, 40), self.chance.randint(0, 400) / 10, self.chance.randint(-200, 200) / 8))

    def moment(self) -> dict:
        at = FIRST_DAY + timedelta(hours=6 * self.chance.randint(0, 120))
        return {"date": at.date().isoformat()} if self.chance.random() < 0.4 else {"timestamp": at.isoformat().replace("+00:00", "Z")}

    def of_kind(self, kind: str) -> dict:
        fitting = [name for name, held in KINDS.items() if held == kind or {held, kind} == {"number", "real"}]
        return {"property": self.chance.choice(fitting)}

    def value(self, kind: str, depth: int = 2) -> Any:
        if kind in ("number", "real") and depth and self.chance.random() < 0.3:
            return {"op": self.chance.choice("+-*/"), "args": [self.value(kind, depth - 1), self.value(kind, depth - 1)]}
        return self.literal(kind) if self.chance.random() < 0.5 else self.of_kind(kind)

    def compared(self) -> dict:
        kind = self.chance.choice(("number", "number", "text", "boolean", "time"))
        op = self.chance.choice(("=", "<>") if kind == "boolean" else ("=", "<>", "<", ">", "<=", ">="))
        left = self.of_kind(kind) if kind != "number" or self.chance.random() < 0.6 else self.value(kind)
        return {"op": op, "args": [left, self.value(kind)]}

    def texts(self) -> dict:
        folds = self.chance.choice(((), ("casei",), ("accenti",), ("casei", "accenti")))

        def folded(inner: Any) -> Any:
            for op in folds:
                inner = {"op": op, "args": [inner]}
            return inner

        if self.chance.random() < 0.3:
            return {"op": "=", "args": [folded({"property": "name"}), folded(self.chance.choice(NAMES))]}
        pattern = self.chance.choice(("市%", "%a", "_lpha", "%山%", "a\\_b", "%\\%", "caf_", "%", "", "A%a", "%'%"))
        return {"op": "like", "args": [folded({"property": "name"}), folded(pattern)]}

    def listed(self) -> dict:
        kind = self.chance.choice(("number", "text", "time", "boolean"))
        return {"op": "in", "args": [self.of_kind(kind), [self.literal(kind) for _ in range(self.chance.randint(1, 4))]]}

    def between(self) -> dict:
        kind = self.chance.choice(("number", "time"))
        return {"op": "between", "args": [self.of_kind(kind), self.value(kind, 1), self.value(kind, 1)]}

    def absent(self) -> dict:
        return {"op": "isNull", "args": [{"property": self.chance.choice(list(KINDS))}]}

    def spatial(self) -> dict:
        box = a_shape(self.chance).buffer(STEP / 4, cap_style="square").bounds if self.chance.random() < 0.3 else None
        other = {"bbox": list(box)} if box else mapping(a_shape(self.chance))
        args = [{"property": "geometry"}, other]
        return {"op": f"s_{self.chance.choice(SPATIAL)}", "args": args if self.chance.random() < 0.8 else args[::-1]}

    def temporal(self) -> dict:
        return {"op": f"t_{self.chance.choice(TEMPORAL)}", "args": [self.span() if self.chance.random() < 0.3 else self.of_kind("time"), self.span()]}

    def span(self) -> dict:
        if self.chance.random() < 0.4:
            return self.moment()
        ends: list[Any] = sorted((next(iter(self.moment().values())) for _ in range(2)), key=lambda text: _moment(text))
        for i in range(2):
            pick = self.chance.random()
            ends[i] = ".." if pick < 0.15 else {"property": self.chance.choice(("seen_at", "day"))} if pick < 0.3 else ends[i]
        return {"interval": ends}


def as_text(found: Any) -> str:
    """The document as CQL2 text."""
    if isinstance(found, bool):
        return str(found).upper()
    if isinstance(found, str):
        return "'" + found.replace("'", "''") + "'"
    if isinstance(found, int | float):
        return repr(found)
    if "property" in found:
        return found["property"]
    if "bbox" in found:
        return f"BBOX({','.join(map(repr, found['bbox']))})"
    if "coordinates" in found:
        return shapely.to_wkt(shape(found), rounding_precision=-1)
    for kind in ("date", "timestamp"):
        if kind in found:
            return f"{kind.upper()}('{found[kind]}')"
    if "interval" in found:
        return f"INTERVAL({', '.join(as_text(end) for end in found['interval'])})"
    op, args = found["op"], found["args"]
    if op in ("and", "or"):
        return f"({f' {op.upper()} '.join(map(as_text, args))})"
    if op == "not":
        return f"NOT ({as_text(args[0])})"
    if op == "in":
        return f"{as_text(args[0])} IN ({', '.join(map(as_text, args[1]))})"
    if op == "between":
        return f"{as_text(args[0])} BETWEEN {as_text(args[1])} AND {as_text(args[2])}"
    if op == "isNull":
        return f"{as_text(args[0])} IS NULL"
    if op == "like":
        return f"{as_text(args[0])} LIKE {as_text(args[1])}"
    if op[0].isalpha():
        return f"{op.upper()}({', '.join(map(as_text, args))})"
    return f"({as_text(args[0])} {op} {as_text(args[1])})" if op in "+-*/" else f"{as_text(args[0])} {op} {as_text(args[1])}"


def _moment(found: Any, which: int = 0) -> datetime | float | None:
    if isinstance(found, dict):
        found = found.get("date", found.get("timestamp"))
    if found == "..":
        return (datetime.min, datetime.max)[which].replace(tzinfo=UTC)
    if isinstance(found, datetime):
        return found
    if isinstance(found, date):
        return datetime(found.year, found.month, found.day, tzinfo=UTC)
    if found is None:
        return None
    moment = datetime.fromisoformat(found)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _like(text: str, pattern: str) -> bool:
    made, escaped = "", False
    for letter in pattern:
        if escaped or letter not in "%_\\":
            made += re.escape(letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            made += ".*" if letter == "%" else "."
    return re.fullmatch(made, text, re.DOTALL) is not None


def _plain(text: str) -> str:
    return re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text))


_ORDER = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_SPANS = {
    "after": lambda a, b, c, d: a > d,
    "before": lambda a, b, c, d: b < c,
    "contains": lambda a, b, c, d: a < c and b > d,
    "during": lambda a, b, c, d: a > c and b < d,
    "equals": lambda a, b, c, d: a == c and b == d,
    "finishedby": lambda a, b, c, d: a < c and b == d,
    "finishes": lambda a, b, c, d: a > c and b == d,
    "meets": lambda a, b, c, d: b == c,
    "metby": lambda a, b, c, d: a == d,
    "overlappedby": lambda a, b, c, d: c < a < d and b > d,
    "overlaps": lambda a, b, c, d: a < c < b < d,
    "startedby": lambda a, b, c, d: a == c and b > d,
    "starts": lambda a, b, c, d: a == c and b < d,
}


def _all(values: list[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def value(found: Any, row: Row) -> Any:
    """What an operand is for a row."""
    if not isinstance(found, dict):
        return found
    if "property" in found:
        held = getattr(row, found["property"])
        return _moment(held) if KINDS.get(found["property"]) == "time" else held
    if "date" in found or "timestamp" in found:
        return _moment(found)
    op, args = found["op"], [value(arg, row) for arg in found["args"]]
    if None in args:
        return None
    if op == "casei":
        return args[0].lower()
    if op == "accenti":
        return _plain(args[0])
    a, b = (float(arg) for arg in args)
    return a + b if op == "+" else a - b if op == "-" else a * b if op == "*" else None if b == 0 else a / b


def _compared(op: str, left: Any, right: Any, row: Row) -> bool | None:
    a, b = value(left, row), value(right, row)
    if a is None or b is None:
        return None
    if left == {"property": "height"} and not isinstance(right, dict):
        b = single(b)
    if right == {"property": "height"} and not isinstance(left, dict):
        a = single(a)
    return _ORDER[op](a, b)


def _span(found: Any, row: Row) -> tuple[Any, Any]:
    if isinstance(found, dict) and "interval" in found:
        return tuple(value(end, row) if isinstance(end, dict) and "property" in end else _moment(end, i) for i, end in enumerate(found["interval"]))
    at = value(found, row)
    return at, at


def _temporal(op: str, first: Any, second: Any, row: Row) -> bool | None:
    (a, b), (c, d) = _span(first, row), _span(second, row)
    if op == "disjoint":
        return _any([None if b is None or c is None else b < c, None if a is None or d is None else a > d])
    if op == "intersects":
        return _all([None if a is None or d is None else a <= d, None if b is None or c is None else b >= c])
    if op in ("after", "before", "meets", "metby"):
        pair = (a, d) if op in ("after", "metby") else (b, c)
        return None if None in pair else _SPANS[op](a, b, c, d)
    pairs = {
        "contains": [(a, c, "<"), (b, d, ">")], "during": [(a, c, ">"), (b, d, "<")], "equals": [(a, c, "="), (b, d, "=")], "finishedby": [(a, c, "<"), (b, d, "=")],
        "finishes": [(a, c, ">"), (b, d, "=")], "overlappedby": [(a, c, ">"), (a, d, "<"), (b, d, ">")], "overlaps": [(a, c, "<"), (b, c, ">"), (b, d, "<")],
        "startedby": [(a, c, "="), (b, d, ">")], "starts": [(a, c, "="), (b, d, "<")],
    }[op]  # fmt: skip
    return _all([None if x is None or y is None else _ORDER[sign](x, y) for x, y, sign in pairs])


def _geometry(found: dict, row: Row) -> BaseGeometry:
    return row.geometry if "property" in found else shapely.box(*found["bbox"]) if "bbox" in found else shape(found)


def evaluate(found: dict, row: Row) -> bool | None:
    """Whether a row fulfils a filter."""
    op, args = found["op"], found["args"]
    if op in ("and", "or"):
        return (_all if op == "and" else _any)([evaluate(arg, row) for arg in args])
    if op == "not":
        return _not(evaluate(args[0], row))
    if op == "isNull":
        return value(args[0], row) is None
    if op == "in":
        return _any([_compared("=", args[0], member, row) for member in args[1]])
    if op == "between":
        return _all([_compared(">=", args[0], args[1], row), _compared("<=", args[0], args[2], row)])
    if op == "like":
        text, pattern = value(args[0], row), value(args[1], row)
        return None if text is None else _like(text, pattern)
    if op.startswith("s_"):
        return bool(getattr(shapely, op[2:])(*(_geometry(arg, row) for arg in args)))
    if op.startswith("t_"):
        return _temporal(op[2:], *args, row)
    return _compared(op, *args, row)
