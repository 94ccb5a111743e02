"""City components 部件: the census of lamps, manholes, bins, trees and the like, each with class, accuracy, owner, condition and period."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
from psycopg import AsyncConnection
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, rows
from grid.errors import InvalidInput
from grid.world import places
from grid.world.assign import CellIndex
from grid.world.bulk import copy_columns

ACCURACY_M = {"A": 0.5, "B": 1.0, "C": 10.0}
"""How far a surveyed place may lie from the true one, ± metres, by accuracy class (GB/T 30428)."""
CONDITIONS = ("intact", "damaged", "missing", "moved", "abandoned")


@dataclass(frozen=True, slots=True)
class Component:
    """One component between `since` and `until` (exclusive, None: still there). `code`: county 6 + class 5 + serial 6 digits; `owner` 权属 and
    `keeper` 养护 are departments; `region_code` and `cell_code` are found from its place when None."""

    code: str
    name: str
    owner: str
    keeper: str
    condition: str
    accuracy: str
    address: str
    surveyed_on: date
    simulated: bool
    geom: BaseGeometry
    since: date
    until: date | None = None
    region_code: str | None = None
    cell_code: str | None = None

    @property
    def class_code(self) -> str:
        """Major and minor class."""
        return self.code[6:11]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many components of a class stand in a scope today, and how many of them are not intact."""

    code: str
    major: str
    name: str
    name_en: str
    accuracy: str
    count: int
    impaired: int


def check_code(code: str) -> str:
    """The code itself when it is one of a component; raises InvalidInput with the reason.

    >>> check_code("37020201018000001")
    '37020201018000001'
    >>> check_code("3702020101800001")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 部件标识码须为 17 位数字 · a component code has 17 digits: '3702020101800001'
    >>> check_code("37020209018000001")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 没有部件大类 09 · no major class 09: '37020209018000001'
    """
    if not re.fullmatch(r"[0-9]{17}", code):
        raise InvalidInput(f"部件标识码须为 17 位数字 · a component code has 17 digits: {code!r}", remedy="6+5+6 位：区县、类别、流水号 · county, class, serial")
    if not "01" <= code[6:8] <= "05":
        raise InvalidInput(f"没有部件大类 {code[6:8]} · no major class {code[6:8]}: {code!r}", remedy="01 公用设施 02 交通设施 03 市容环境 04 园林绿化 05 其他")
    return code


async def load(connection: AsyncConnection, components: Sequence[Component]) -> int:
    """Appends components; region and grid of each come from its place (a point on it), as of today, unless it brings them. Returns how many."""
    if not components:
        return 0
    wrong = next((c for c in components if c.accuracy not in ACCURACY_M or c.condition not in CONDITIONS), None)
    if wrong is not None:
        raise InvalidInput(f"部件 {wrong.code} 的精度或状态有误 · accuracy or condition: {wrong.accuracy}, {wrong.condition}", remedy=f"A, B or C; {', '.join(CONDITIONS)}")
    region, cell = await _placed(connection, components)
    return await copy_columns(
        connection,
        "components",
        {
            "code": [check_code(c.code) for c in components],
            "class_code": [c.class_code for c in components],
            **{name: [getattr(c, name) for c in components] for name in ("name", "owner", "keeper", "condition", "accuracy", "address", "surveyed_on", "simulated", "geom")},
            "region_code": region,
            "cell_code": cell,
            "valid": [f"[{c.since:%Y-%m-%d},{'' if c.until is None else format(c.until, '%Y-%m-%d')})" for c in components],
        },
    )


async def _placed(connection: AsyncConnection, components: Sequence[Component]) -> tuple[list[str], list[str | None]]:
    """Region and grid of each: the deepest known and the management grid of today, found in bulk by the look-up table."""
    found = await rows(connection, "SELECT code, region_code, geom FROM cells WHERE kind = 'management' AND valid @> hdq_today() ORDER BY code")
    spots = shapely.get_coordinates(shapely.point_on_surface(np.array([c.geom for c in components], dtype=object)))
    at = CellIndex([r["geom"] for r in found]).covers(spots[:, 0], spots[:, 1])
    loose = [i for i, c in enumerate(components) if at[i] < 0 and c.region_code is None]
    deepest = dict(zip(loose, await places.locate_many(connection, spots[loose, 0].tolist(), spots[loose, 1].tolist()), strict=True)) if loose else {}
    region = [c.region_code or (found[at[i]]["region_code"] if at[i] >= 0 else deepest[i].region_code) for i, c in enumerate(components)]
    return region, [c.cell_code or (found[at[i]]["code"] if at[i] >= 0 else None) for i, c in enumerate(components)]


async def census(connection: AsyncConnection, scope: Scope) -> list[Counted]:
    """Every class with how many stand in a scope today, by code."""
    found = await rows(
        connection,
        """
        SELECT classes.code, classes.major, classes.name, classes.name_en, classes.accuracy, count(here.id) AS count,
            count(here.id) FILTER (WHERE here.condition <> 'intact') AS impaired
        FROM component_classes AS classes
        LEFT JOIN components AS here ON here.class_code = classes.code AND here.region_code LIKE %(scope)s AND here.valid @> hdq_today()
        GROUP BY classes.code ORDER BY classes.code
        """,
        {"scope": scope.like},
    )
    return [Counted(**r) for r in found]
