"""What a filter may be made of: six kinds of node, a closed list of operations, and the bounds of all of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal as OneOf

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from grid.errors import InvalidQuery
from layers.frames import frame

LENGTH, DEPTH, NODES, VERTICES = 16_384, 64, 1_000, 5_000
TEXT_MAX = 2_000

COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")
ARITHMETIC = ("+", "-", "*", "/")
SPATIAL = {
    "s_intersects": "ST_Intersects", "s_within": "ST_Within", "s_contains": "ST_Contains", "s_disjoint": "ST_Disjoint",
    "s_touches": "ST_Touches", "s_crosses": "ST_Crosses", "s_overlaps": "ST_Overlaps", "s_equals": "ST_Equals",
}  # fmt: skip
"""The only functions of PostGIS that a filter can call."""
TEMPORAL = (
    "t_after", "t_before", "t_contains", "t_disjoint", "t_during", "t_equals", "t_finishedby", "t_finishes", "t_intersects", "t_meets",
    "t_metby", "t_overlappedby", "t_overlaps", "t_startedby", "t_starts",
)  # fmt: skip
OPS: dict[str, tuple[int, int]] = {
    "and": (2, NODES), "or": (2, NODES), "not": (1, 1), "between": (3, 3), "like": (2, 2), "in": (1, NODES), "isnull": (1, 1), "casei": (1, 1), "accenti": (1, 1),
    **dict.fromkeys((*COMPARISONS, *ARITHMETIC, *SPATIAL, *TEMPORAL), (2, 2)),
}  # fmt: skip
"""Operation -> least and most arguments. `in` has its value first and the list after it."""


@dataclass(frozen=True, slots=True)
class Property:
    """An attribute of the collection, or its geometry."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number or boolean."""

    value: str | bool | int | float


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment, aware, in UTC (a date is its first moment); None before or after everything."""

    at: datetime | None
    open_end: OneOf["", "start", "end"] = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """From one moment to another, both included; either may be a property."""

    start: "Instant | Property"
    end: "Instant | Property"


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A geometry in storage degrees (EPSG:4326, longitude first)."""

    geometry: BaseGeometry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and shapely.equals_exact(self.geometry, other.geometry)


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of OPS on its arguments."""

    op: str
    args: tuple["Node", ...]
    depth: int = field(default=1, compare=False)


Node = Property | Literal | Instant | Interval | Shape | Call


def refuse(detail: str, remedy: str = "") -> InvalidQuery:
    """The refusal of a filter, made."""
    return InvalidQuery(f"过滤条件：{detail}", remedy=remedy or "CQL2, e.g. use = 'office' AND height_m > 30 AND S_INTERSECTS(geometry, BBOX(120.3,36,120.4,36.1))")


def too_long(text: str) -> None:
    """Refuses a filter beyond LENGTH before anything looks at it, and one with a NUL."""
    if len(text) > LENGTH:
        raise refuse(f"{len(text)} 字符，上限 {LENGTH} · {len(text)} characters exceed {LENGTH}", "ask for less at once")
    if "\x00" in text:
        raise refuse("含有空字符 · holds a NUL character")


class Builder:
    """Makes nodes within the bounds; one per filter. `crs` is the frame that geometries are written in."""

    def __init__(self, crs: str = "CRS84") -> None:
        self.frame = frame(crs)
        self.nodes = self.vertices = 0

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > NODES:
            raise refuse(f"超过 {NODES} 个节点 · more than {NODES} nodes", "split the filter")

    def property(self, name: str) -> Property:
        """An attribute; whether it exists is for the emitter to say."""
        self._count()
        if not name or len(name) > 200:
            raise refuse(f"属性名 {name[:40]!r} 长度不在 1–200 · a property name has 1 to 200 characters")
        return Property(name)

    def literal(self, value: object) -> Literal:
        """A text, boolean or finite number."""
        self._count()
        if isinstance(value, str):
            if len(value) > TEXT_MAX:
                raise refuse(f"文字超过 {TEXT_MAX} 字 · a text exceeds {TEXT_MAX} characters")
            if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
                raise refuse("文字含半个代理对 · a text holds a lone surrogate")
            return Literal(value)
        if isinstance(value, bool):
            return Literal(value)
        if isinstance(value, int):
            if -(2**63) <= value < 2**63:
                return Literal(value)
            value = float(value) if abs(value) < 10**300 else float("inf")
        if isinstance(value, float) and np.isfinite(value):
            return Literal(value)
        raise refuse(f"{str(value)[:40]} 不是有限数 · is not a finite number")

    def instant(self, text: object, kind: str) -> Instant:
        """`date` or `timestamp`; a timestamp says its zone."""
        self._count()
        return Instant(moment(text, kind))

    def interval(self, start: object, end: object) -> Interval:
        """Of two texts (date, timestamp or ..), or properties."""
        self._count()
        ends = []
        for value, which in ((start, "start"), (end, "end")):
            if isinstance(value, Property):
                ends.append(value)
            elif value in ("..", ""):
                ends.append(Instant(None, which))
            else:
                ends.append(Instant(moment(value, "date" if isinstance(value, str) and len(value) == 10 else "timestamp")))
        return Interval(*ends)

    def shape(self, geometry: BaseGeometry) -> Shape:
        """A sound geometry of the builder's frame, in storage degrees."""
        self._count()
        if geometry is None or geometry.is_empty:
            raise refuse("几何为空 · an empty geometry")
        self.vertices += int(shapely.get_num_coordinates(geometry))
        if self.vertices > VERTICES:
            raise refuse(f"超过 {VERTICES} 个顶点 · more than {VERTICES} vertices", "simplify the geometry")
        geometry = shapely.force_2d(geometry)
        if not np.isfinite(shapely.get_coordinates(geometry)).all():
            raise refuse("坐标含 NaN 或无穷大 · coordinates hold NaN or infinity")
        if not shapely.is_valid(geometry):
            raise refuse(f"几何无效 · the geometry is not valid: {shapely.is_valid_reason(geometry)[:100]}")
        return Shape(self.frame.to_storage(geometry))

    def box(self, numbers: Sequence[float]) -> Shape:
        """Of 4 or 6 numbers (heights are left out); where west is beyond east it crosses the antimeridian."""
        if len(numbers) not in (4, 6) or not all(isinstance(n, int | float) and not isinstance(n, bool) and np.isfinite(n) for n in numbers):
            raise refuse("bbox 须为 4 或 6 个数 · a bbox has 4 or 6 finite numbers")
        half = len(numbers) // 2
        (a, b), (c, d) = numbers[:2], numbers[half : half + 2]
        if self.frame.north_first:
            lows, highs = (b, a), (d, c)
        else:
            lows, highs = (a, b), (c, d)
        (west, south), (east, north) = lows, highs
        if south > north:
            raise refuse(f"bbox 南 {south:g} 大于北 {north:g} · south is beyond north")
        boxes = [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)] if west > east else [shapely.box(west, south, east, north)]
        made = boxes[0] if len(boxes) == 1 else shapely.multipolygons(boxes)
        if west == east or south == north:
            made = shapely.linestrings([(west, south), (east, north)]) if (west, south) != (east, north) else shapely.points(west, south)
        return self.shape(shapely.transform(made, lambda points: points[:, ::-1]) if self.frame.north_first else made)

    def call(self, op: str, args: Sequence[Node]) -> Call:
        """An operation; refused when it is not on the list or has a wrong number of arguments."""
        self._count()
        bounds = OPS.get(op)
        if bounds is None:
            raise refuse(f"不允许的运算或函数 · the operation or function is not allowed: {op[:60]!r}", f"allowed: {', '.join(OPS)}")
        if not bounds[0] <= len(args) <= bounds[1]:
            raise refuse(f"{op} 有 {len(args)} 个参数 · {op} has {len(args)} arguments", f"{bounds[0]} to {bounds[1]}" if bounds[0] != bounds[1] else f"{bounds[0]}")
        depth = 1 + max((arg.depth for arg in args if isinstance(arg, Call)), default=0)
        deep(depth)
        return Call(op, tuple(args), depth)


def deep(depth: int) -> None:
    """Refuses what nests beyond DEPTH."""
    if depth > DEPTH:
        raise refuse(f"嵌套超过 {DEPTH} 层 · nested deeper than {DEPTH}", "flatten it")


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


def moment(text: object, kind: str) -> datetime:
    """The moment of a date (its first, UTC) or an RFC 3339 timestamp.

    >>> moment("2026-11-22", "date").isoformat(), moment("2026-11-22T08:00:00+08:00", "timestamp").isoformat()
    ('2026-11-22T00:00:00+00:00', '2026-11-22T00:00:00+00:00')
    """
    pattern = _DATE if kind == "date" else _STAMP
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise refuse(f"{str(text)[:40]!r} 不是 {kind} · is no {kind}", "2026-11-22, or 2026-11-22T08:00:00Z with its zone")
    try:
        if kind == "date":
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refuse(f"{text!r} 不是日历上的时刻 · is not on the calendar") from error
