"""What a layer is: one frozen object that a file of `layers/catalog` exposes as LAYER, or several as LAYERS."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pydeck

from layers.paint import LegendEntry

GROUPS: tuple[tuple[str, str, str], ...] = (
    ("base", "底图", "Base map"),
    ("figures", "区域指标", "Figures of areas"),
    ("governance", "治理单元", "Governance"),
    ("city", "城市本底", "City"),
    ("nature", "山林海岸", "Forest and coast"),
    ("imagery", "影像", "Imagery"),
    ("sensing", "感知", "Sensing"),
    ("events", "事件与案件", "Events and cases"),
    ("response", "处置力量", "Response"),
    ("imported", "导入数据", "Imported"),
)
"""(id, 中文, English) of the groups, in the order of the layer tree and from bottom to top of the map."""


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute that a tooltip shows, with its unit (empty for text and counts)."""

    name: str
    label: str
    label_en: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Faces:
    """On which faces the layer is switched on at first."""

    wall: bool = False
    review: bool = False
    field: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """How a server may hold the rows of a layer in memory (layers.held): the statement also gives `region_code`, unless the layer is public.

    `tables` are those whose edits make the rows old; triggers tell of them (migration 0012). `changes_at` are the zooms, rising, from which other rows are drawn.
    """

    tables: tuple[str, ...]
    changes_at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """A layer: where its rows come from, what they look like, what its legend and tooltip say.

    `sql` selects `id` (bigint), a geometry and every name in `attributes`. For kind `mvt` the geometry is `geom_3857`, for `geojson` and
    `raster` it is `geom` (EPSG:4326). Parameters it may use: %(z)s zoom; %(wide)s and %(degrees)s the box asked for, in EPSG:3857 and EPSG:4326,
    tile buffer included; %(scope)s a LIKE pattern of region codes and %(prefix)s the bare code. It is a tuple of (highest zoom, sql), rising, where low
    zooms read another table. A layer names %(scope)s in every statement, or says `public` and why no region is hidden from anybody.
    `kind` raster: each row is a scene that becomes a layer of its own; `id_text` is its name in /rasters, `show` what it is shown as there.
    `deck` builds the pydeck layer for a data URL, with the layer's id; None for parts of the base map, which the style draws.
    `refreshed_by` are event kinds (`alert.opened`, or `alert.*`) after which what was drawn is old. `count_from` is the table that is counted.
    `order` places it inside its group, higher on top. `held` lets a server draw from memory; `far` are the attributes that a tile carries when it shows all
    features at a zoom that normally draws fewer (?detail=all).
    """

    id: str
    title: str
    title_en: str
    group: str
    kind: Literal["mvt", "geojson", "raster"]
    sql: str | tuple[tuple[int, str], ...]
    attributes: tuple[str, ...]
    deck: Callable[[str], pydeck.Layer] | None
    legend: tuple[LegendEntry, ...] = ()
    tooltip: tuple[Field, ...] = ()
    min_zoom: int = 0
    max_zoom: int = 22
    tile_max_zoom: int = 16
    visible: Faces = Faces()
    refreshed_by: tuple[str, ...] = ()
    count_from: str | None = None
    count_scope: str = "region_code"
    updated: str = "NULL::timestamptz"
    public: bool = False
    order: int = 50
    attribution: str = ""
    held: Held | None = None
    far: tuple[str, ...] = ()
    show: str = ""

    def band(self, z: int) -> int:
        """The lowest zoom that draws the same rows as this one."""
        return max((change for change in (self.held.changes_at if self.held else ()) if change <= z), default=self.min_zoom)

    def attributes_at(self, z: int, *, whole: bool = False) -> tuple[str, ...]:
        """What features carry at a zoom; `whole`: when all of them are drawn, however far away."""
        return self.far if whole and self.far and z < self.band(self.max_zoom) else self.attributes

    def sql_at(self, z: int) -> str:
        """The statement of a zoom."""
        if isinstance(self.sql, str):
            return self.sql
        return next((text for highest, text in self.sql if z <= highest), self.sql[-1][1])

    @property
    def statements(self) -> tuple[str, ...]:
        """All statements of the layer."""
        return (self.sql,) if isinstance(self.sql, str) else tuple(text for _, text in self.sql)

    @property
    def live(self) -> bool:
        """Whether events change it while people look."""
        return bool(self.refreshed_by)

    @property
    def url(self) -> str:
        """Where a client reads the data."""
        if self.kind == "mvt":
            return f"/tiles/{self.id}/{{z}}/{{x}}/{{y}}.mvt"
        return f"/api/layers/{self.id}/features" if self.kind == "geojson" else "/rasters/{scene}/{z}/{x}/{y}.png" + (f"?show={self.show}" if self.show else "")

    def refreshed_on(self, event_kind: str) -> bool:
        """Whether an event of this kind makes the layer old."""
        return any(event_kind == kind or (kind.endswith(".*") and event_kind.startswith(kind[:-1])) for kind in self.refreshed_by)


def check(spec: LayerSpec) -> None:
    """Raises ValueError with the first thing that is wrong with a layer, as far as it shows without a database.

    The deck.gl class, its properties and expressions are checked by `layers.deck.declared`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,62}", spec.id):
        raise ValueError(f"id {spec.id!r} is not lower case words joined by _")
    if spec.group not in {group for group, _, _ in GROUPS}:
        raise ValueError(f"group {spec.group!r} is none of {[group for group, _, _ in GROUPS]}")
    if not (spec.title and spec.title_en):
        raise ValueError("a title in Chinese and one in English are needed")
    if not 0 <= spec.min_zoom <= spec.max_zoom <= 22:
        raise ValueError(f"zooms {spec.min_zoom} to {spec.max_zoom} are not within 0 to 22")
    if not isinstance(spec.sql, str) and [highest for highest, _ in spec.sql] != sorted({highest for highest, _ in spec.sql}):
        raise ValueError("statements by zoom must rise")
    for text in spec.statements:
        if not spec.public and "%(scope)s" not in text:
            raise ValueError("a statement does not say %(scope)s: rows of other regions would be shown")
        if spec.held and not spec.public and text.count("region_code") < 2:
            raise ValueError("a layer that is held in memory gives region_code in every statement: who may see a row is decided there")
    if not set(spec.far) <= set(spec.attributes):
        raise ValueError(f"far attributes {sorted(set(spec.far) - set(spec.attributes))} are not among the attributes")
    unknown = {field.name for field in spec.tooltip} - set(spec.attributes)
    if unknown:
        raise ValueError(f"tooltip fields {sorted(unknown)} are not among the attributes {list(spec.attributes)}")
    if spec.kind == "mvt" and spec.deck is not None and not spec.legend:
        raise ValueError("a layer that can be switched on needs a legend")
