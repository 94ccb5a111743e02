"""A tree to SQL: every operation spelled out here, every value a parameter, operands checked for kind before the database sees them.

NULL is SQL's: what is unknown selects nothing, also under NOT. Texts compare by code point. Division by zero is unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import shapely
from psycopg import sql
from shapely.geometry.base import BaseGeometry

from layers.cql2.tree import ARITHMETIC, COMPARISONS, SPATIAL, Call, Instant, Interval, Literal, Node, Property, Shape, moment, refuse
from layers.frames import in_metres

NUMBERS = ("integer", "real", "number")
TIMES = ("date", "timestamp", "local")
PERCENTS = 8
"""Wildcards a pattern may hold: matching takes time that rises with their number."""


@dataclass(frozen=True, slots=True)
class Column:
    """An attribute: its name, what it holds (text, integer, real, number, boolean, date, timestamp, local, json, geometry) and its SQL.

    `real` is single precision, `local` a timestamp without zone (taken as UTC). `srid` of a geometry: 4326 or 3857.
    """

    name: str
    kind: str
    sql: sql.Composable
    srid: int = 4326


@dataclass(frozen=True, slots=True)
class Where:
    """A condition and its parameters."""

    sql: sql.Composed
    parameters: dict


@dataclass(frozen=True, slots=True)
class _Value:
    sql: sql.Composable
    kind: str
    literal: object = None


@dataclass(slots=True)
class _Writer:
    columns: Mapping[str, Column]
    parameters: dict = field(default_factory=dict)

    def bind(self, value: object, cast: str) -> sql.Composed:
        name = f"cql_{len(self.parameters)}"
        self.parameters[name] = value
        return sql.SQL("{}::" + cast).format(sql.Placeholder(name))

    def column(self, name: str) -> Column:
        found = self.columns.get(name)
        if found is None:
            known = ", ".join(list(self.columns)[:40])
            raise refuse(f"没有属性 {name[:60]!r} · no such property", f"queryables: {known}")
        return found

    def condition(self, node: Node) -> sql.Composable:
        """A node that is true, false or unknown."""
        if isinstance(node, Literal) and isinstance(node.value, bool):
            return sql.SQL("TRUE" if node.value else "FALSE")
        if isinstance(node, Property):
            column = self.column(node.name)
            if column.kind == "boolean":
                return column.sql
        if isinstance(node, Call):
            if node.op in ("and", "or"):
                return sql.SQL("({})").format(sql.SQL(f" {node.op.upper()} ").join(self.condition(arg) for arg in node.args))
            if node.op == "not":
                return sql.SQL("(NOT {})").format(self.condition(node.args[0]))
            if node.op == "isnull":
                return self._null(node.args[0])
            if node.op in COMPARISONS:
                left, right = self._pair(node.args[0], node.args[1])
                ordered = sql.SQL(' COLLATE "C"') if left.kind == "text" and node.op not in ("=", "<>") else sql.SQL("")
                return sql.SQL("({} {} {}{})").format(left.sql, sql.SQL(node.op), right.sql, ordered)
            if node.op == "between":
                value, low, high = self._beside(node.args)
                ordered = sql.SQL(' COLLATE "C"') if value.kind == "text" else sql.SQL("")
                return sql.SQL("({}{} BETWEEN {} AND {})").format(value.sql, ordered, low.sql, high.sql)
            if node.op == "like":
                return self._like(node)
            if node.op == "in":
                if len(node.args) == 1:
                    return sql.SQL("({} AND FALSE)").format(self._null(node.args[0]))
                value, *members = self._beside(node.args)
                return sql.SQL("({} IN ({}))").format(value.sql, sql.SQL(", ").join(member.sql for member in members))
            if node.op in SPATIAL:
                return self._spatial(node)
            if node.op.startswith("t_"):
                return self._temporal(node)
        raise refuse(f"{_said(node)} 不是条件 · is not a condition", "compare it: name = 'x'")

    def _null(self, node: Node) -> sql.Composable:
        value = self.column(node.name).sql if isinstance(node, Property) else self.value(node).sql
        return sql.SQL("({} IS NULL)").format(value)

    def value(self, node: Node) -> _Value:
        """A node that is a text, number, boolean or moment."""
        if isinstance(node, Property):
            column = self.column(node.name)
            if column.kind in ("json", "geometry"):
                raise refuse(f"属性 {column.name!r} 是 {column.kind}，不能比较 · is {column.kind} and cannot be compared", "IS NULL, or a spatial function")
            return self._moment(column) if column.kind in TIMES else _Value(column.sql, column.kind)
        if isinstance(node, Literal):
            if isinstance(node.value, bool):
                return _Value(self.bind(node.value, "boolean"), "boolean", node.value)
            if isinstance(node.value, str):
                return _Value(self.bind(node.value, "text"), "text", node.value)
            if isinstance(node.value, int):
                return _Value(self.bind(node.value, "bigint"), "integer", node.value)
            return _Value(self.bind(node.value, "double precision"), "number", node.value)
        if isinstance(node, Instant):
            return _Value(self._at(node), "timestamp")
        if isinstance(node, Call) and node.op in ARITHMETIC:
            left, right = (self._number(arg) for arg in node.args)
            divisor = sql.SQL("NULLIF({}, 0)").format(right) if node.op == "/" else right
            return _Value(sql.SQL("({} {} {})").format(left, sql.SQL(node.op), divisor), "number")
        if isinstance(node, Call) and node.op in ("casei", "accenti"):
            inner = self.value(node.args[0])
            if inner.kind != "text":
                raise refuse(f"{node.op} 只用于文字 · {node.op} is for texts")
            folded = "lower({})" if node.op == "casei" else "regexp_replace(normalize({}, NFD), '[\u0300-\u036f]', '', 'g')"
            return _Value(sql.SQL(folded).format(inner.sql), "text", inner.literal)
        if isinstance(node, Call) and (node.op in ("and", "or", "not", "isnull", "between", "like", "in") or node.op in COMPARISONS or node.op[:2] in ("s_", "t_")):
            return _Value(self.condition(node), "boolean")
        raise refuse(f"{_said(node)} 不能比较 · cannot be compared")

    def _number(self, node: Node) -> sql.Composable:
        value = self.value(node)
        if value.kind not in NUMBERS:
            raise refuse(f"{_said(node)} 不是数 · is not a number")
        return sql.SQL("{}::double precision").format(value.sql)

    def _pair(self, a: Node, b: Node) -> tuple[_Value, _Value]:
        """Two values fit to be compared; a literal follows the other side: single precision, or a moment written as text."""
        left, right = self.value(a), self.value(b)
        left, right = self._follow(left, right), self._follow(right, left)
        _alike(a, left, b, right)
        return left, right

    def _beside(self, nodes: tuple[Node, ...]) -> list[_Value]:
        """A value and others that are compared with it; each is written once, so that nesting never multiplies."""
        first, *others = (self.value(node) for node in nodes)
        followed = [self._follow(other, first) for other in others]
        for node, other in zip(nodes[1:], followed, strict=True):
            _alike(nodes[0], first, node, other)
        return [first, *followed]

    def _follow(self, value: _Value, other: _Value) -> _Value:
        if other.kind == "timestamp" and isinstance(value.literal, str) and value.kind == "text":
            return _Value(self._written(value.literal), "timestamp")
        if other.kind == "real" and value.kind in ("integer", "number") and value.literal is not None and abs(value.literal) < 3e38:
            return _Value(sql.SQL("{}::real").format(value.sql), "real")
        return value

    def _written(self, text: str) -> sql.Composed:
        return self.bind(moment(text, "date" if len(text) == 10 else "timestamp"), "timestamptz")

    def _like(self, node: Call) -> sql.Composable:
        value, pattern = self.value(node.args[0]), self.value(node.args[1])
        if value.kind != "text" or not isinstance(pattern.literal, str):
            raise refuse("LIKE 须为文字与写明的模式 · LIKE wants a text and a pattern that is written out", "name LIKE '青岛%'")
        trailing = len(pattern.literal) - len(pattern.literal.rstrip("\\"))
        if trailing % 2:
            raise refuse("LIKE 模式不能以 \\ 结尾 · a pattern cannot end with \\")
        if pattern.literal.count("%") > PERCENTS:
            raise refuse(f"LIKE 模式多于 {PERCENTS} 个 % · a pattern with more than {PERCENTS} %")
        return sql.SQL("({} LIKE {})").format(value.sql, pattern.sql)

    def _spatial(self, node: Call) -> sql.Composable:
        columns = [self.column(arg.name) for arg in node.args if isinstance(arg, Property)]
        if any(column.kind != "geometry" for column in columns):
            raise refuse(f"{node.op} 须为几何 · {node.op} wants geometries", "S_INTERSECTS(geometry, BBOX(120.3,36,120.4,36.1))")
        srid = columns[0].srid if columns else 4326
        written = []
        for arg in node.args:
            if isinstance(arg, Property):
                written.append(self.column(arg.name).sql)
            elif isinstance(arg, Shape):
                if arg.geometry.geom_type == "GeometryCollection" and node.op not in ("s_intersects", "s_disjoint"):
                    raise refuse(f"{node.op} 不接受几何集合 · {node.op} takes no geometry collection")
                written.append(self.bind(in_metres(arg.geometry) if srid == 3857 else arg.geometry, "geometry"))
            else:
                raise refuse(f"{node.op} 须为几何 · {node.op} wants geometries")
        return sql.SQL("{}({}, {})").format(sql.SQL(SPATIAL[node.op]), *written)

    def _temporal(self, node: Call) -> sql.Composable:
        (s1, e1), (s2, e2) = (self._span(arg) for arg in node.args)
        return sql.SQL("({})").format(sql.SQL(_SPANS[node.op]).format(s1=s1, e1=e1, s2=s2, e2=e2))

    def _span(self, node: Node) -> tuple[sql.Composable, sql.Composable]:
        if isinstance(node, Interval):
            return self._end(node.start), self._end(node.end)
        at = self._end(node)
        return at, at

    def _end(self, node: Node) -> sql.Composable:
        if isinstance(node, Instant):
            return self._at(node)
        if isinstance(node, Property):
            column = self.column(node.name)
            if column.kind in TIMES:
                return self._moment(column).sql
        if isinstance(node, Literal) and isinstance(node.value, str):
            return self._written(node.value)
        raise refuse(f"{_said(node)} 不是时间 · is no time", "T_AFTER(opened_at, TIMESTAMP('2026-01-01T00:00:00Z'))")

    def _at(self, instant: Instant) -> sql.Composable:
        if instant.at is None:
            return sql.SQL("'-infinity'::timestamptz" if instant.open_end == "start" else "'infinity'::timestamptz")
        return self.bind(instant.at, "timestamptz")

    def _moment(self, column: Column) -> _Value:
        text = {"timestamp": "{}", "date": "({}::timestamp AT TIME ZONE 'UTC')", "local": "({} AT TIME ZONE 'UTC')"}[column.kind]
        return _Value(sql.SQL(text).format(column.sql), "timestamp")


_SPANS = {
    "t_after": "{s1} > {e2}",
    "t_before": "{e1} < {s2}",
    "t_contains": "{s1} < {s2} AND {e1} > {e2}",
    "t_disjoint": "{e1} < {s2} OR {s1} > {e2}",
    "t_during": "{s1} > {s2} AND {e1} < {e2}",
    "t_equals": "{s1} = {s2} AND {e1} = {e2}",
    "t_finishedby": "{s1} < {s2} AND {e1} = {e2}",
    "t_finishes": "{s1} > {s2} AND {e1} = {e2}",
    "t_intersects": "{s1} <= {e2} AND {e1} >= {s2}",
    "t_meets": "{e1} = {s2}",
    "t_metby": "{s1} = {e2}",
    "t_overlappedby": "{s1} > {s2} AND {s1} < {e2} AND {e1} > {e2}",
    "t_overlaps": "{s1} < {s2} AND {e1} > {s2} AND {e1} < {e2}",
    "t_startedby": "{s1} = {s2} AND {e1} > {e2}",
    "t_starts": "{s1} = {s2} AND {e1} < {e2}",
}
"""OGC 21-065r2, table 9; a moment is a span of which both ends are it."""


def _alike(a: Node, left: _Value, b: Node, right: _Value) -> None:
    if left.kind != right.kind and not (left.kind in NUMBERS and right.kind in NUMBERS):
        raise refuse(f"{_said(a)}（{left.kind}）与 {_said(b)}（{right.kind}）不能比较 · {left.kind} and {right.kind} cannot be compared", "texts in '…', numbers without")


def _said(node: Node) -> str:
    if isinstance(node, Property):
        return f"属性 {node.name[:40]!r}"
    if isinstance(node, Literal):
        return repr(node.value)[:42]
    return f"{node.op}(…)" if isinstance(node, Call) else type(node).__name__


def where(node: Node, columns: Mapping[str, Column]) -> Where:
    """The condition of a filter over a collection's columns (by name). Raises InvalidQuery for unknown properties and kinds that do not fit."""
    writer = _Writer(columns)
    return Where(sql.Composed([writer.condition(node)]), writer.parameters)


def envelope(node: Node | None) -> BaseGeometry | None:
    """A box (EPSG:4326) that all that fulfils the filter touches, for the index of the layer's own statement; None: no such box is known.

    Of several boxes the smallest: a long shape may touch two boxes and not what they share.
    """
    if not isinstance(node, Call):
        return None
    if node.op == "and":
        return min((box for box in map(envelope, node.args) if box is not None), key=lambda box: box.area, default=None)
    if node.op in SPATIAL and node.op != "s_disjoint":
        shapes = [arg.geometry for arg in node.args if isinstance(arg, Shape)]
        if len(shapes) == 1:
            west, south, east, north = shapes[0].bounds
            return shapely.box(west - 1e-6, south - 1e-6, east + 1e-6, north + 1e-6)
    return None
