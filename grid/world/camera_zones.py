"""Zones that cameras watch: an area or a counting line, drawn in one camera's picture or on the map for every camera that sees it.

A shape in a picture is in fractions of the frame (x right, y down, both 0–1); one on the map is EPSG:4326. Every edit is a new version and is audited.
"""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from grid import audit, geometry
from grid.database import Scope, row
from grid.errors import Conflict, InvalidInput, NotFound
from grid.world import cameras, places

PURPOSES = ("forbidden", "crowd", "count")
CLOCK = ZoneInfo("Asia/Shanghai")
CORNERS = 200
LARGEST_M2 = 100e6
LEAST_SHARE = 1e-4
"""Share of the picture: a smaller area is a slip of the hand."""

ALL_DAYS = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person says of a zone. `shape` belongs to `camera_id`'s picture, or to the map where that is None. `purpose`: forbidden (things of `classes` may
    not be inside), crowd (`least` of them are too many), count (those that cross a line). `kind`: the event it makes, empty for a count.
    `classes`: of `detector`; empty: all of them. `days`: ISO, Monday 1; `from_time` to `until_time` in Shanghai, over midnight when the later is earlier; None: all day.
    """

    name: str
    purpose: str
    kind: str
    detector: str
    classes: tuple[str, ...]
    shape: BaseGeometry
    camera_id: int | None = None
    least: int = 1
    min_dwell_s: float = 0.0
    days: tuple[int, ...] = ALL_DAYS
    from_time: time | None = None
    until_time: time | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as it stands; `picture` or `geom` is its shape (see Draft). `version` grows with every edit."""

    id: int
    name: str
    purpose: str
    kind: str
    detector: str
    classes: list[str]
    camera_id: int | None
    camera_name: str | None
    picture: BaseGeometry | None
    geom: BaseGeometry | None
    least: int
    min_dwell_s: float
    days: list[int]
    from_time: time | None
    until_time: time | None
    enabled: bool
    version: int
    region_code: str
    simulated: bool
    changed_by_name: str | None
    changed_at: datetime

    def active(self, at: datetime) -> bool:
        """Whether it watches at a moment: enabled, on that day (of the evening before, after midnight) and between its times (until exclusive)."""
        if not self.enabled:
            return False
        local = at.astimezone(CLOCK)
        day, now = local.isoweekday(), local.time().replace(tzinfo=None)
        if self.from_time is None or self.until_time is None:
            return day in self.days
        if self.from_time <= self.until_time:
            return day in self.days and self.from_time <= now < self.until_time
        return (day in self.days and now >= self.from_time) or ((day - 2) % 7 + 1 in self.days and now < self.until_time)

    def watches(self, detector: str, class_name: str) -> bool:
        """Whether things of a class that a detector found are its business."""
        return detector == self.detector and (not self.classes or class_name in self.classes)


_COLUMNS = """
    SELECT z.id, z.name, z.purpose, z.kind, z.detector, z.classes, z.camera_id, c.name AS camera_name, z.picture, z.geom, z.least, z.min_dwell_s, z.days,
           z.from_time, z.until_time, z.enabled, z.version, z.region_code, z.simulated, p.name AS changed_by_name, z.changed_at
    FROM camera_zones z LEFT JOIN cameras c ON c.id = z.camera_id LEFT JOIN staff p ON p.id = z.changed_by
    WHERE z.removed_at IS NULL
"""
_SEES = "ST_Intersects(coalesce(k.view, ST_Buffer(k.geom::geography, k.range_m)::geometry), z.geom)"


async def create(connection: AsyncConnection, scope: Scope, staff_id: int | None, draft: Draft, *, simulated: bool = False) -> Zone:
    """Adds a zone. Raises NotFound for a camera outside the scope, InvalidInput for a shape or words that will not do (see `checked`)."""
    draft, region = await _belonging(connection, scope, checked(draft))
    made = await row(
        connection,
        """
        INSERT INTO camera_zones (name, purpose, kind, detector, classes, camera_id, picture, geom, least, min_dwell_s, days, from_time, until_time, enabled,
            region_code, simulated, changed_by)
        VALUES (%(name)s, %(purpose)s, %(kind)s, %(detector)s, %(classes)s, %(camera_id)s, %(picture)s, %(geom)s, %(least)s, %(min_dwell_s)s, %(days)s,
            %(from_time)s, %(until_time)s, %(enabled)s, %(region)s, %(simulated)s, %(staff)s) RETURNING id
        """,
        _values(draft) | {"region": region, "simulated": simulated, "staff": staff_id},
    )
    await audit.note(connection, staff_id, "zone.created", f"zone/{made['id']}", {"after": _told(draft)})
    return await get(connection, scope, made["id"])


async def update(connection: AsyncConnection, scope: Scope, staff_id: int, zone_id: int, version: int, draft: Draft) -> Zone:
    """Replaces a zone as it was at `version`. Raises NotFound, InvalidInput as `create`, Conflict when somebody else changed it meanwhile."""
    before = await get(connection, scope, zone_id)
    draft, region = await _belonging(connection, scope, checked(draft))
    cursor = await connection.execute(
        """
        UPDATE camera_zones SET name = %(name)s, purpose = %(purpose)s, kind = %(kind)s, detector = %(detector)s, classes = %(classes)s, camera_id = %(camera_id)s,
            picture = %(picture)s, geom = %(geom)s, least = %(least)s, min_dwell_s = %(min_dwell_s)s, days = %(days)s, from_time = %(from_time)s,
            until_time = %(until_time)s, enabled = %(enabled)s, region_code = %(region)s, version = version + 1, changed_by = %(staff)s, changed_at = clock_timestamp()
        WHERE id = %(id)s AND version = %(version)s AND removed_at IS NULL
        """,
        _values(draft) | {"region": region, "staff": staff_id, "id": zone_id, "version": version},
    )
    if not cursor.rowcount:
        raise _stale(before, version)
    await audit.note(connection, staff_id, "zone.changed", f"zone/{zone_id}", {"before": _told(_draft(before)), "after": _told(draft)})
    return await get(connection, scope, zone_id)


async def remove(connection: AsyncConnection, scope: Scope, staff_id: int, zone_id: int, version: int) -> Zone:
    """Takes a zone away; what it found keeps its name. Raises NotFound, and Conflict when somebody else changed it meanwhile."""
    before = await get(connection, scope, zone_id)
    cursor = await connection.execute(
        "UPDATE camera_zones SET removed_at = clock_timestamp(), changed_by = %(staff)s WHERE id = %(id)s AND version = %(version)s AND removed_at IS NULL",
        {"id": zone_id, "version": version, "staff": staff_id},
    )
    if not cursor.rowcount:
        raise _stale(before, version)
    await audit.note(connection, staff_id, "zone.removed", f"zone/{zone_id}", {"before": _told(_draft(before))})
    return before


async def get(connection: AsyncConnection, scope: Scope, zone_id: int) -> Zone:
    """One zone inside the scope. Raises NotFound."""
    found = await _read(connection, "AND z.id = %(id)s AND z.region_code LIKE %(scope)s", {"id": zone_id, "scope": scope.like})
    if not found:
        raise NotFound(f"没有区域 {zone_id} · no zone {zone_id}", remedy="GET /api/zones lists them")
    return found[0]


async def page(connection: AsyncConnection, scope: Scope, *, camera_id: int | None = None, limit: int = 500) -> list[Zone]:
    """Zones inside the scope, newest first; with a camera those in its picture and those on the map that lie in its view."""
    of_camera = f"AND (z.camera_id = %(camera)s OR EXISTS (SELECT 1 FROM cameras k WHERE k.id = %(camera)s AND {_SEES}))" if camera_id is not None else ""
    return await _read(
        connection, f"AND z.region_code LIKE %(scope)s {of_camera} ORDER BY z.id DESC LIMIT %(limit)s", {"scope": scope.like, "camera": camera_id, "limit": limit}
    )


async def of_camera(connection: AsyncConnection, camera_id: int) -> list[Zone]:
    """The enabled zones that a camera may see, by id: in its picture, or on the map in its view."""
    return await _read(
        connection,
        f"AND z.enabled AND (z.camera_id = %(camera)s OR EXISTS (SELECT 1 FROM cameras k WHERE k.id = %(camera)s AND {_SEES})) ORDER BY z.id",
        {"camera": camera_id},
    )


async def seen_by(connection: AsyncConnection, scope: Scope, zone: Zone, limit: int = 200) -> list[cameras.Camera]:
    """The cameras of a scope in whose picture a zone is drawn, or whose view meets it on the map; the nearest first."""
    if zone.camera_id is not None:
        return [await cameras.get(connection, zone.camera_id, scope)]
    async with connection.cursor(row_factory=class_row(cameras.Camera)) as cursor:
        await cursor.execute(
            f"""
            SELECT {", ".join(f"k.{name}" for name in cameras.Camera.__dataclass_fields__)} FROM cameras k JOIN camera_zones z ON z.id = %(id)s
            WHERE k.region_code LIKE %(scope)s AND (k.view && z.geom OR k.view IS NULL) AND {_SEES}
            ORDER BY ST_Distance(k.geom, z.geom), k.id LIMIT %(limit)s
            """,
            {"id": zone.id, "scope": scope.like, "limit": limit},
        )
        return await cursor.fetchall()


def checked(draft: Draft) -> Draft:
    """The draft with a sound shape. Raises InvalidInput: a border that crosses itself, corners outside the picture, an area of nothing or too large, a line
    where an area is due or the other way round, no name, no day, half a time or one with an offset."""
    if not draft.name.strip():
        raise InvalidInput("区域须有名称 · a zone needs a name", remedy="如：第一海水浴场禁航区 · say what it is")
    if draft.purpose not in PURPOSES:
        raise InvalidInput(f"用途 {draft.purpose!r} 不存在 · no such purpose", remedy=", ".join(PURPOSES))
    if not draft.days or not set(draft.days) <= set(ALL_DAYS):
        raise InvalidInput(f"星期 {list(draft.days)} 无效 · days", remedy="1 (Monday) to 7 (Sunday)")
    if (draft.from_time is None) != (draft.until_time is None) or (draft.from_time is not None and draft.from_time == draft.until_time):
        raise InvalidInput("起止时间须成对且不同 · from and until come together and differ", remedy="leave both out for the whole day")
    if any(at is not None and at.tzinfo is not None for at in (draft.from_time, draft.until_time)):
        raise InvalidInput("起止时间不带时区偏移 · from and until carry no offset", remedy="give the clock of Shanghai, e.g. 08:00 (not 08:00Z)")
    shape, wanted = draft.shape, "LineString" if draft.purpose == "count" else "Polygon"
    if shape.geom_type != wanted or shape.is_empty:
        words = "一条线 · one line" if wanted == "LineString" else "一个多边形 · one polygon"
        raise InvalidInput(f"形状须为{words}: {shape.geom_type}", remedy="draw one line to count across it, one polygon to watch inside it")
    corners = shapely.get_coordinates(shape)
    if not np.isfinite(corners).all() or len(corners) > CORNERS:
        raise InvalidInput(f"形状有 {len(corners)} 个角点 · the shape has {len(corners)} corners", remedy=f"at most {CORNERS}, all finite")
    if draft.camera_id is not None and ((corners < 0) | (corners > 1)).any():
        x, y = corners[((corners < 0) | (corners > 1)).any(axis=1)][0]
        raise InvalidInput(f"角点 ({x:.3f}, {y:.3f}) 在画面之外 · a corner is outside the picture", remedy="fractions of the frame, 0 to 1")
    if not shape.is_valid or not shape.is_simple or (wanted == "Polygon" and shape.interiors):
        raise InvalidInput(f"边界自相交或有洞 · the border crosses itself or has a hole: {explain_validity(shape)}", remedy="draw it without crossing")
    if draft.camera_id is not None and wanted == "Polygon" and shape.area < LEAST_SHARE:
        raise InvalidInput(f"区域只占画面 {shape.area:.5f} · the area is too small", remedy=f"at least {LEAST_SHARE} of the picture")
    if draft.camera_id is None:
        shape = geometry.clean(shape)
        size = geometry.area_m2(shape)
        if shape is None or size > LARGEST_M2:
            raise InvalidInput(f"区域 {size / 1e6:,.1f} 平方公里过大 · is too large", remedy="at most 100 km²")
    return Draft(**{name: getattr(draft, name) for name in Draft.__dataclass_fields__} | {"name": draft.name.strip(), "shape": shapely.force_2d(shape)})


async def _belonging(connection: AsyncConnection, scope: Scope, draft: Draft) -> tuple[Draft, str]:
    if draft.camera_id is not None:
        return draft, (await cameras.get(connection, draft.camera_id, scope)).region_code
    return draft, await places.owned(connection, scope, draft.shape)


def _values(draft: Draft) -> dict:
    on_map = draft.camera_id is None
    return {name: getattr(draft, name) for name in Draft.__dataclass_fields__ if name not in ("shape", "classes", "days")} | {
        "classes": list(draft.classes),
        "days": list(draft.days),
        "picture": None if on_map else shapely.set_srid(draft.shape, 0),
        "geom": shapely.set_srid(draft.shape, 4326) if on_map else None,
    }


def _draft(zone: Zone) -> Draft:
    same = Draft.__dataclass_fields__.keys() & Zone.__dataclass_fields__.keys() - {"classes", "days"}
    return Draft(**{name: getattr(zone, name) for name in same}, classes=tuple(zone.classes), days=tuple(zone.days), shape=zone.geom if zone.picture is None else zone.picture)


def _told(draft: Draft) -> dict:
    return {name: getattr(draft, name) for name in Draft.__dataclass_fields__ if name != "shape"} | {"shape": shapely.to_wkt(draft.shape, rounding_precision=6)}


def _stale(zone: Zone, version: int) -> Conflict:
    return Conflict(f"区域已被他人修改：现为第 {zone.version} 版，而非 {version} · somebody changed it meanwhile", remedy="载入后再改 · load it again")


async def _read(connection: AsyncConnection, where: str, values: dict) -> list[Zone]:
    async with connection.cursor(row_factory=class_row(Zone)) as cursor:
        await cursor.execute(f"{_COLUMNS} {where}", values)
        return await cursor.fetchall()
