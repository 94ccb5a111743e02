"""Governance cells (management grids 管理网格): their codes, their history, and the rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid.database import Scope
from grid.errors import InvalidInput
from grid.world.bulk import copy_columns


@dataclass(frozen=True, slots=True)
class CodeTemplate:
    """How a city builds grid codes: digits of county, street, community and serial. GB/T 30428.1 cities differ (14, 15, 16 or 20 digits)."""

    county: int = 6
    street: int = 3
    community: int = 3
    serial: int = 3

    @property
    def digits(self) -> int:
        return self.county + self.street + self.community + self.serial


STANDARD = CodeTemplate()


@dataclass(frozen=True, slots=True)
class Cell:
    """One grid between `since` (inclusive) and `until` (exclusive, None: open); `region_code` is its community."""

    code: str
    name: str
    region_code: str
    simulated: bool
    geom: BaseGeometry
    since: date = date(2020, 1, 1)
    until: date | None = None


def make_code(community: str, serial: int, template: CodeTemplate = STANDARD) -> str:
    """The code of the `serial`-th grid (from 1) of a community.

    >>> make_code("370202001001", 12)
    '370202001001012'
    >>> make_code("370202001001", 12, CodeTemplate(serial=2))
    '37020200100112'
    >>> make_code("370202001001", 1000)
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格序号须在 1 至 999 之间 · the serial must lie in 1 to 999: 1000
    """
    most = 10**template.serial - 1
    if not 1 <= serial <= most:
        raise InvalidInput(f"网格序号须在 1 至 {most} 之间 · the serial must lie in 1 to {most}: {serial}", remedy="拆分社区 · split the community")
    return check_code(f"{community}{serial:0{template.serial}d}", template)


def check_code(code: str, template: CodeTemplate = STANDARD) -> str:
    """The code itself when it fits the template; raises InvalidInput and says what does not fit.

    >>> check_code("370202001001001")
    '370202001001001'
    >>> check_code("370202001001000")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码的序号不得为零 · the serial of a grid code must not be zero: '370202001001000'
    >>> check_code("３70202001001001")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码须为 15 位数字 · a grid code has 15 digits: '３70202001001001'
    """
    if not re.fullmatch(rf"[0-9]{{{template.digits}}}", code):
        raise InvalidInput(
            f"网格代码须为 {template.digits} 位数字 · a grid code has {template.digits} digits: {code!r}",
            remedy=f"{template.county}+{template.street}+{template.community}+{template.serial} 位：区县、街道、社区、序号",
        )
    if int(code[-template.serial :]) == 0:
        raise InvalidInput(f"网格代码的序号不得为零 · the serial of a grid code must not be zero: {code!r}", remedy="序号从 1 开始 · serials start at 1")
    return code


def split_code(code: str, template: CodeTemplate = STANDARD) -> tuple[str, str, str, int]:
    """County, street and community (each the whole prefix) and serial of a valid code.

    >>> split_code("370202001002003")
    ('370202', '370202001', '370202001002', 3)
    """
    check_code(code, template)
    a, b, c = template.county, template.county + template.street, template.county + template.street + template.community
    return code[:a], code[:b], code[:c], int(code[c:])


def serials(shapes: Sequence[BaseGeometry]) -> list[int]:
    """Serial numbers from 1 in reading order: rows from north to south, in a row from west to east. A row is half a mean cell high.

    >>> box = shapely.box
    >>> serials([box(1, 0, 2, 1), box(0, 1, 1, 2), box(1, 1, 2, 2), box(0, 0, 1, 1)])
    [4, 1, 2, 3]
    >>> serials([])
    []
    """
    if not len(shapes):
        return []
    centres = shapely.get_coordinates(shapely.point_on_surface(np.asarray(shapes, dtype=object)))
    bounds = shapely.bounds(np.asarray(shapes, dtype=object))
    height = max(float(np.median(bounds[:, 3] - bounds[:, 1])), 1e-9)
    row = np.floor((centres[:, 1].max() - centres[:, 1]) / height + 0.5).astype(int)
    order = np.lexsort((centres[:, 0], row))
    result = np.empty(len(order), dtype=int)
    result[order] = np.arange(1, len(order) + 1)
    return result.tolist()


async def load(connection: AsyncConnection, cells: Sequence[Cell]) -> int:
    """Appends cells; a code valid twice on one day is refused by the table. Returns how many."""
    return await copy_columns(
        connection,
        "cells",
        {
            "code": [check_code(c.code) for c in cells],
            "name": [c.name for c in cells],
            "region_code": [c.region_code for c in cells],
            "valid": [f"[{c.since:%Y-%m-%d},{'' if c.until is None else format(c.until, '%Y-%m-%d')})" for c in cells],
            "simulated": [c.simulated for c in cells],
            "geom": [c.geom for c in cells],
        },
    )


async def valid_on(connection: AsyncConnection, scope: Scope, on: date) -> list[Cell]:
    """The cells of a scope as they were on a day, by code."""
    async with connection.cursor(row_factory=class_row(Cell)) as cursor:
        await cursor.execute(
            """
            SELECT code, name, region_code, simulated, geom, lower(valid) AS since, upper(valid) AS until
            FROM cells WHERE region_code LIKE %(scope)s AND valid @> %(on)s ORDER BY code
            """,
            {"scope": scope.like, "on": on},
        )
        return await cursor.fetchall()
