"""Governance grids on the wire: where, whose, since when, and how they are changed."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from gis_api.wire.base import Wire

Kind = Literal["unit", "management", "evaluation"]
Action = Literal["split", "merge", "redraw"]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Id = Annotated[int, Field(ge=1, lt=2**63)]


class KeeperOut(Wire):
    """Who looks after a grid."""

    staff_id: int
    name: str
    department: str


class CellAtOut(Wire):
    """A grid over a point on a day, and whose it was."""

    id: int = Field(description="of this period")
    kind: Kind
    code: str = Field(examples=["370202001001001"])
    name: str
    region_code: str = Field(examples=["370202001001"])
    parent_code: str | None = Field(description="management grid of a unit grid")
    since: date
    until: date | None = Field(description="exclusive; null: still in force")
    simulated: bool
    keepers: list[KeeperOut]


class CellOut(Wire):
    """A period of a grid with its shape (GeoJSON, EPSG:4326, lon before lat)."""

    id: int
    kind: Kind
    code: str
    name: str
    region_code: str
    since: date | None
    until: date | None
    void: bool = Field(description="replaced on the very day it began: in force on no day")
    change_id: int | None
    simulated: bool
    geometry: dict[str, Any]


class CellsOut(Wire):
    """Grids of a box; `truncated`: there are more."""

    items: list[CellOut]
    truncated: bool


class CodeOut(Wire):
    """Whether a code fits the template of its kind, why not, and the template."""

    valid: bool
    reason: str
    remedy: str
    digits: int
    parts: str = Field(examples=["6+3+3+3"], description="county + street + community (+ fixed digits) + serial")


class NewShape(Wire):
    """The new area of a grid."""

    id: Id
    geometry: dict[str, Any] = Field(description="GeoJSON Polygon or MultiPolygon, degrees, lon before lat")


class ChangeIn(Wire):
    """A wish: `ids` are the periods as the editor saw them, so that nobody changes what somebody else has changed meanwhile."""

    action: Action
    ids: list[Id] = Field(min_length=1, max_length=20, examples=[[12]])
    effective: date | None = Field(None, description="first day of the new grids; null: today in Shanghai")
    line: list[tuple[Lon, Lat]] | None = Field(None, min_length=2, max_length=1000, description="split: a line through the grid, ends beyond its border")
    shapes: list[NewShape] = Field(default_factory=list, max_length=20, description="redraw: the grids drawn anew")
    follow: bool = Field(True, description="redraw: neighbours of the community give way and fill up")
    note: str = Field("", max_length=500)


class NewCellOut(Wire):
    """A grid as it would be."""

    code: str
    name: str
    area_m2: float
    geometry: dict[str, Any]


class ObjectionOut(Wire):
    """What stands against a plan, or is worth knowing (`blocking` false), with its place."""

    kind: str
    blocking: bool
    codes: list[str]
    area_m2: float
    detail: str
    remedy: str
    geometry: dict[str, Any]


class PlanOut(Wire):
    """What a wish comes to; nothing has been written."""

    action: Action
    kind: Kind
    region_code: str
    effective: date
    before: list[str]
    after: list[NewCellOut]
    objections: list[ObjectionOut]
    possible: bool
    tolerance_m: float = Field(description="slivers narrower than this are taken for rounding")


class ChangeOut(Wire):
    """A change that was made."""

    id: int
    action: Action
    kind: Kind
    effective: date
    before: list[str]
    after: list[str]
    note: str
    region_code: str
    staff_id: int | None
    applied: bool = Field(description="false: planned; buildings, cameras, open alerts and cases follow on the effective day")
    moved: dict[str, int] = Field(default_factory=dict, description="rows that went to another grid, by table")
