"""Colours by attribute that people give an imported layer: categories or graduated classes, saved with the dataset (the only writer of its `style`).

Nothing of what a client sends reaches deck.gl as it came: fields must be the dataset's own, colours #rrggbb, values short and plain, and the expression
made of them passes the same allow-list as every declaration (layers.deck).
"""

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Literal

from psycopg import AsyncConnection

from grid import events
from grid.database import Scope, row, rows
from grid.errors import Forbidden, InvalidInput, NotFound
from layers.deck import check_expression
from layers.paint import LegendEntry, rgb

MOST = 24
OTHER = "#6A7280"
QUIET = ("#6F86AE", "#A68B62", "#6B94A0", "#8C7AA0", "#6FA070", "#A0806C", "#8FA0B8", "#9A9457", "#5E9DAE", "#94A87C", "#A07C8C", "#7C8794")
RAMP = ("#2B3A57", "#3B5379", "#4F6E9C", "#6B8CBC", "#93AEDA")


@dataclass(frozen=True, slots=True)
class Class:
    """One class: `value` itself for categories, the lower bound for graduated ones; `label` for the legend."""

    value: str | float | bool
    label: str
    color: str


@dataclass(frozen=True, slots=True)
class Look:
    """How a layer is coloured by one of its attributes. Graduated bounds rise; below the first bound the first class holds."""

    field: str
    kind: Literal["categories", "graduated"]
    classes: tuple[Class, ...]
    other: str = OTHER

    def expression(self, alpha: int) -> str:
        """The deck.gl expression, without its mark.

        >>> Look("用途", "categories", (Class("a", "甲", "#010203"),), "#040506").expression(9)
        "properties['用途'] == 'a' ? [1, 2, 3, 9] : [4, 5, 6, 9]"
        """
        name = f"properties.{self.field}" if re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", self.field) else f"properties['{self.field}']"
        if self.kind == "categories":
            text = str([*rgb(self.other), alpha])
            for each in reversed(self.classes):
                text = f"{name} == {_literal(each.value)} ? {[*rgb(each.color), alpha]} : {text}"
            return text
        text = str([*rgb(self.classes[0].color), alpha])
        for each in self.classes[1:]:
            text = f"{name} >= {_literal(each.value)} ? {[*rgb(each.color), alpha]} : {text}"
        return text

    def legend(self, shape: str) -> tuple[LegendEntry, ...]:
        """A line for each class, and one for all other values."""
        lines = tuple(LegendEntry(each.label, each.label, each.color, shape) for each in self.classes)
        return lines + ((LegendEntry("其他", "Other", self.other, shape),) if self.kind == "categories" else ())


def _literal(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"(0 - {abs(value):.10g})" if value < 0 else f"{value:.10f}".rstrip("0").rstrip(".")
    return f"'{value}'"


def check(look: Look, attributes: tuple[tuple[str, str], ...]) -> Look:
    """The look, when a dataset of these attributes can be drawn so. Raises InvalidInput that names the value."""
    if look.field not in {name for name, _ in attributes}:
        raise InvalidInput(f"没有属性 {look.field[:60]!r} · no such attribute", remedy=f"{', '.join(name for name, _ in attributes)[:400]}")
    if re.search(r"['\\\n`]", look.field):
        raise InvalidInput(f"属性名 {look.field[:60]!r} 含引号，不能用于样式 · an attribute with quotes in its name cannot be drawn by", remedy="改名后重新导入 · rename it and import again")
    if not 1 <= len(look.classes) <= MOST:
        raise InvalidInput(f"分类须为 1–{MOST} 个 · 1 to {MOST} classes: {len(look.classes)}", remedy="合并一些分类 · merge some")
    for color in (look.other, *(each.color for each in look.classes)):
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", color):
            raise InvalidInput(f"颜色 {color[:20]!r} 不是 #rrggbb · is not #rrggbb", remedy="#5A6C8C")
    for each in look.classes:
        if isinstance(each.value, str) and (len(each.value) > 120 or re.search(r"['\\\x00-\x1f]", each.value)):
            raise InvalidInput(f"值 {each.value[:40]!r} 过长或含引号 · is too long or holds a quote", remedy="归入其他 · leave it to the others")
        if isinstance(each.value, float | int) and not isinstance(each.value, bool) and not (math.isfinite(each.value) and abs(each.value) < 1e12):
            raise InvalidInput(f"值 {each.value} 不是有限的数 · is not a finite number", remedy="|value| < 1e12")
    if look.kind == "graduated":
        bounds = [each.value for each in look.classes]
        if any(isinstance(bound, str | bool) for bound in bounds) or any(a >= b for a, b in zip(bounds, bounds[1:], strict=False)):
            raise InvalidInput(f"分级下界须为递增的数 · bounds must be rising numbers: {bounds[:6]}", remedy="按从小到大排列 · order them")
    elif len({repr(each.value) for each in look.classes}) != len(look.classes):
        raise InvalidInput("分类重复 · a class stands twice", remedy="去掉重复 · remove one")
    try:
        check_expression(look.expression(200))
    except ValueError as error:
        raise InvalidInput(f"不能用于地图 · cannot be drawn: {error}", remedy="换一个属性 · use another attribute") from error
    return look


def read(document: dict | None) -> Look | None:
    """The look of a stored document."""
    if document is None:
        return None
    return Look(document["field"], document["kind"], tuple(Class(**each) for each in document["classes"]), document["other"])


async def looks(connection: AsyncConnection) -> dict[str, Look]:
    """Every look that was given, by dataset."""
    found = await rows(connection, "SELECT id, style FROM datasets WHERE style IS NOT NULL")
    return {item["id"]: look for item in found if (look := read(item["style"])) is not None}


async def give(connection: AsyncConnection, scope: Scope, dataset_id: str, attributes: tuple[tuple[str, str], ...], look: Look | None) -> None:
    """Saves a look with its dataset; None: the default one again. Publishes `dataset.styled`, last. Raises NotFound, Forbidden beyond the caller's region, InvalidInput."""
    found = await row(connection, "SELECT region_code, title FROM datasets WHERE id = %(id)s FOR UPDATE", {"id": dataset_id})
    if found is None:
        raise NotFound(f"没有数据集 {dataset_id[:80]!r} · no such dataset", remedy="GET /api/datasets lists them")
    if not scope.covers(found["region_code"]):
        raise Forbidden(f"数据集 {dataset_id} 超出辖区 · the dataset reaches beyond your region", remedy="请市级数据管理员设置 · ask a city data administrator")
    document = None if look is None else json.dumps(asdict(check(look, attributes)), ensure_ascii=False)
    await connection.execute("UPDATE datasets SET style = %(style)s::jsonb WHERE id = %(id)s", {"id": dataset_id, "style": document})
    await events.publish(connection, "dataset.styled", dataset_id, found["region_code"], {"title": found["title"], "layer": f"dataset_{dataset_id}"})


async def suggest(connection: AsyncConnection, scope: Scope, dataset_id: str, field: str, kind: Literal["categories", "graduated"]) -> Look:
    """Classes for an attribute: its most frequent values, or fifths of its numbers. Raises InvalidInput where it holds none."""
    inside = "FROM dataset_features WHERE dataset_id = %(id)s AND region_code LIKE %(scope)s"
    params = {"id": dataset_id, "scope": scope.like, "field": field, "most": len(QUIET)}
    if kind == "categories":
        found = await rows(connection, f"SELECT properties -> %(field)s AS value, count(*) AS n {inside} AND properties ->> %(field)s IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1 LIMIT %(most)s", params)
        values = [r["value"] for r in found if isinstance(r["value"], str | int | float) and not (isinstance(r["value"], str) and re.search(r"['\\\x00-\x1f]|^.{121,}$|^$", r["value"]))]
        classes = tuple(Class(value, str(value), color) for value, color in zip(values, QUIET, strict=False))
    else:
        numbers = "(properties ->> %(field)s)::float8"
        found = await rows(
            connection,
            f"SELECT percentile_disc(ARRAY[0, 0.2, 0.4, 0.6, 0.8]) WITHIN GROUP (ORDER BY {numbers}) AS bounds {inside} AND jsonb_typeof(properties -> %(field)s) = 'number'",
            params,
        )
        bounds = sorted(set(found[0]["bounds"] or ()))
        names = [f"{low:g} – {high:g}" for low, high in zip(bounds, bounds[1:], strict=False)] + [f"{bound:g} 以上 · and more" for bound in bounds[-1:]]
        classes = tuple(Class(bound, name, color) for bound, name, color in zip(bounds, names, RAMP, strict=False))
    if not classes:
        raise InvalidInput(f"属性 {field[:60]!r} 没有可用的值 · the attribute has no values to draw by", remedy="换一个属性 · use another attribute")
    return Look(field, kind, classes)
