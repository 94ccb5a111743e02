"""Codes of governance grids: what a city's template allows, why a code does not fit, and the next codes in reading order."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from grid.errors import InvalidInput

LENGTHS = range(14, 21)
"""Digits that a grid code may have; cities use 14, 15, 16 and 20 (GB/T 30428.1 leaves the last part to them)."""


@dataclass(frozen=True, slots=True)
class CodeTemplate:
    """How a city builds grid codes: digits of county, street, community, then fixed digits (`literal`, e.g. of a kind of grid) and a serial.

    >>> CodeTemplate().digits, CodeTemplate(serial=2).digits, CodeTemplate(serial=4).digits, CodeTemplate(literal="01", serial=6).digits
    (15, 14, 16, 20)
    >>> CodeTemplate(serial=9, literal="1")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码须为 14 至 20 位 · a grid code has 14 to 20 digits: 22
    """

    county: int = 6
    street: int = 3
    community: int = 3
    serial: int = 3
    literal: str = ""

    def __post_init__(self) -> None:
        if self.digits not in LENGTHS:
            raise InvalidInput(
                f"网格代码须为 14 至 20 位 · a grid code has 14 to 20 digits: {self.digits}", remedy="调整各段位数 · change the digits of its parts"
            )
        if self.serial < 1 or not re.fullmatch(r"[0-9]*", self.literal):
            raise InvalidInput(f"序号至少一位，固定段须为数字 · at least one serial digit, fixed digits only: {self.serial}, {self.literal!r}", remedy="e.g. serial 3, literal 01")

    @property
    def place(self) -> int:
        """Digits before the fixed ones: of the community that the grid lies in."""
        return self.county + self.street + self.community

    @property
    def digits(self) -> int:
        """Length of a code."""
        return self.place + len(self.literal) + self.serial

    @property
    def most(self) -> int:
        """The largest serial."""
        return 10**self.serial - 1


STANDARD = CodeTemplate()


def make_code(community: str, serial: int, template: CodeTemplate = STANDARD) -> str:
    """The code of the `serial`-th grid (from 1) of a community.

    >>> make_code("370202001001", 12)
    '370202001001012'
    >>> make_code("370202001001", 12, CodeTemplate(serial=2))
    '37020200100112'
    >>> make_code("370202001001", 12, CodeTemplate(literal="01", serial=6))
    '37020200100101000012'
    >>> make_code("370202001001", 1000)
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格序号须在 1 至 999 之间 · the serial must lie in 1 to 999: 1000
    """
    if not 1 <= serial <= template.most:
        raise InvalidInput(
            f"网格序号须在 1 至 {template.most} 之间 · the serial must lie in 1 to {template.most}: {serial}", remedy="拆分社区 · split the community"
        )
    return check_code(f"{community}{template.literal}{serial:0{template.serial}d}", template)


def check_code(code: str, template: CodeTemplate = STANDARD, community: str | None = None) -> str:
    """The code itself when it fits the template (and lies in `community`, if one is given); raises InvalidInput and says what does not fit.

    >>> check_code("370202001001001")
    '370202001001001'
    >>> check_code("370202001001000")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码的序号不得为零 · the serial of a grid code must not be zero: '370202001001000'
    >>> check_code("３70202001001001")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码须为 15 位数字 · a grid code has 15 digits: '３70202001001001'
    >>> check_code("37020200100102000001", CodeTemplate(literal="01", serial=6))
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码第 13 至 14 位须为 01 · digits 13 to 14 of a grid code must be 01: '37020200100102000001'
    >>> check_code("370202001002001", community="370202001001")
    Traceback (most recent call last):
    grid.errors.InvalidInput: 网格代码不属于社区 370202001001 · the grid code is not of community 370202001001: '370202001002001'
    """
    if not re.fullmatch(rf"[0-9]{{{template.digits}}}", code):
        parts = f"{template.county}+{template.street}+{template.community}+{f'{template.literal}+' if template.literal else ''}{template.serial}"
        raise InvalidInput(
            f"网格代码须为 {template.digits} 位数字 · a grid code has {template.digits} digits: {code!r}",
            remedy=f"{parts}：区县、街道、社区、序号 · county, street, community, serial",
        )
    if community is not None and code[: template.place] != community:
        raise InvalidInput(f"网格代码不属于社区 {community} · the grid code is not of community {community}: {code!r}", remedy="前缀须为社区代码 · begin with the community's code")
    fixed = code[template.place : template.place + len(template.literal)]
    if fixed != template.literal:
        first, last = template.place + 1, template.place + len(template.literal)
        raise InvalidInput(
            f"网格代码第 {first} 至 {last} 位须为 {template.literal} · digits {first} to {last} of a grid code must be {template.literal}: {code!r}",
            remedy="这几位表示网格种类 · they say which kind of grid it is",
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
    a, b, c = template.county, template.county + template.street, template.place
    return code[:a], code[:b], code[:c], int(code[-template.serial :])


def free_codes(community: str, shapes: Sequence[BaseGeometry], used: Collection[str], template: CodeTemplate = STANDARD) -> list[str]:
    """A code for each new shape of a community, in reading order after the highest serial ever used there: a code of the past never comes back.

    >>> box = shapely.box
    >>> free_codes("370202001001", [box(1, 0, 2, 1), box(0, 0, 1, 1)], ["370202001001007", "370202001002009"])
    ['370202001001009', '370202001001008']
    """
    own = [int(code[-template.serial :]) for code in used if len(code) == template.digits and code.startswith(community + template.literal)]
    last = max(own, default=0)
    return [make_code(community, last + serial, template) for serial in serials(shapes)]


def serials(shapes: Sequence[BaseGeometry]) -> list[int]:
    """Serial numbers from 1 in reading order: west to east, then north to south. A row is a median cell high.

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
