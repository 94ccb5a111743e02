"""Splitting, merging and redrawing grids: a plan that can be looked at first, then one transaction that closes the old periods and opens the new.

A change keeps to one kind of grid inside one community, must cover the same ground exactly once (grid.world.partition says within what), and never
brings a code of the past back: a split or merged grid gets new codes, a redrawn one keeps its own. Unit grids follow into the grid that holds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import shapely
from psycopg import AsyncConnection
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from grid.database import Scope, row, rows
from grid.errors import Conflict, InvalidInput, NotFound, TooLarge
from grid.geometry import area_m2, clean
from grid.world import cell_codes, cells, partition
from grid.world.assign import CellIndex

ACTIONS = ("split", "merge", "redraw")
AHEAD = timedelta(days=366)
MOST_VERTICES = 20_000
LOCK = 4_710_218
"""First key of the advisory lock that one change of a community holds until its transaction ends."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants: the periods (ids) to change as they saw them. `line` cuts a split; `shapes` are the new areas of a redraw by id;
    `follow`: neighbours of the same community give way and fill up. `effective` None: today in Shanghai."""

    action: str
    ids: tuple[int, ...]
    effective: date | None = None
    line: BaseGeometry | None = None
    shapes: tuple[tuple[int, BaseGeometry], ...] = ()
    follow: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Old:
    """A period that a change ends."""

    id: int
    kind: str
    code: str
    name: str
    region_code: str
    parent_code: str | None
    since: date
    simulated: bool
    geom: BaseGeometry


@dataclass(frozen=True, slots=True)
class New:
    """A period that a change begins."""

    code: str
    name: str
    area_m2: float
    geom: BaseGeometry


@dataclass(frozen=True, slots=True)
class Objection:
    """Something wrong with a plan, with its place; a blocking one keeps it from being done."""

    kind: str
    blocking: bool
    codes: tuple[str, ...]
    area_m2: float
    detail: str
    remedy: str
    geom: BaseGeometry


@dataclass(frozen=True, slots=True)
class Plan:
    """What a wish comes to."""

    action: str
    kind: str
    region_code: str
    effective: date
    before: tuple[Old, ...]
    after: tuple[New, ...]
    objections: tuple[Objection, ...]

    @property
    def possible(self) -> bool:
        """Whether nothing stands against it."""
        return not any(o.blocking for o in self.objections)


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was made; `applied` once what lies in the grids has been re-assigned (on its effective day)."""

    id: int
    action: str
    kind: str
    effective: date
    before: list[str]
    after: list[str]
    note: str
    region_code: str
    staff_id: int | None
    applied: bool


_OLD = "id, kind, code, name, region_code, parent_code, lower(valid) AS since, simulated, geom"
_CHANGE = "id, action, kind, effective, before, after, note, region_code, staff_id, applied_at IS NOT NULL AS applied"
_SAYS = {
    "gap": ("新网格之间留有空隙", "a gap is left between the new grids", "把边界拖到一起，或让相邻网格跟随 · close it, or let the neighbours follow"),
    "overlap": ("新网格互相重叠", "new grids overlap", "移开其中一条边界 · move one border away"),
    "outside": ("越出原有范围，占了相邻网格", "reaches beyond the old grids, into a neighbour", "退回原边界内，或把相邻网格一并选中 · draw back, or choose the neighbour too"),
    "small": ("面积过小", "too small to be a grid", f"至少 {partition.SMALLEST_M2:g} 平方米 · at least {partition.SMALLEST_M2:g} m²"),
    "community": ("越出社区或跨社区", "does not lie inside one community", "网格须在一个社区内 · a grid lies inside one community"),
    "apart": ("与其他网格不相邻", "shares no border with the others", "只合并相邻网格 · merge adjacent grids only"),
    "uncut": ("这条线没有贯穿网格", "the line does not cut the grid through", "两端都画到网格以外 · draw both ends beyond the border"),
    "cuts_unit": ("切开了单元网格，单元网格将归入占比大的一侧", "cuts unit grids, each of which goes to the side that holds its middle", "沿单元网格边界划线更好 · better to follow the borders of unit grids"),
}


async def plan(connection: AsyncConnection, scope: Scope, wish: Wish) -> Plan:
    """What a wish comes to and what stands against it; nothing is written. Raises NotFound for a grid outside the scope, Conflict for one that changed
    meanwhile, InvalidInput for a wish that makes no sense."""
    old = await _chosen(connection, scope, wish)
    effective = await _day(connection, wish, old)
    if wish.action == "redraw":
        old, shapes, against = await _redrawn(connection, scope, wish, old, effective)
    else:
        shapes, against = _recut(wish, old)
    shapes = [partition.rounded(shape) for shape in shapes]
    objections = against + ([] if wish.action == "merge" else await _against(connection, wish, old, shapes))
    if old[0].kind == "management" and wish.action != "merge":
        objections += await _cut_units(connection, old, shapes, effective)
    codes = [o.code for o in old]
    names = [o.name for o in old]
    if wish.action != "redraw":
        used = [r["code"] for r in await rows(connection, "SELECT DISTINCT code FROM cells WHERE code LIKE %(own)s", {"own": f"{old[0].region_code}%"})]
        template = (await cells.templates(connection))[old[0].kind]
        codes = cell_codes.free_codes(old[0].region_code, shapes, used, template)
        names = [old[0].name] if len(shapes) == 1 else [f"{old[0].name}-{i}" for i in cell_codes.serials(shapes)]
    after = tuple(New(code, name, area_m2(shape), shape) for code, name, shape in zip(codes, names, shapes, strict=True))
    return Plan(wish.action, old[0].kind, old[0].region_code, effective, tuple(old), after, tuple(objections))


async def make(connection: AsyncConnection, scope: Scope, wish: Wish, staff_id: int | None) -> tuple[Plan, Change]:
    """Does what a wish comes to, in the caller's transaction: closes and opens periods, moves unit grids, records the change. What lies in the grids
    follows through grid.casework.regridded. Raises Conflict with `problems` when something stands against it."""
    before = await row(
        connection,
        "SELECT region_code, pg_advisory_xact_lock(%(lock)s, hashtext(region_code)) FROM cells WHERE id = %(id)s AND region_code LIKE %(scope)s",
        {"id": wish.ids[0] if wish.ids else 0, "scope": scope.like, "lock": LOCK},
    )
    if before is None:
        raise NotFound(f"没有网格 · no grid {list(wish.ids)}", remedy="GET /api/cells")
    made = await plan(connection, scope, wish)
    against = [o for o in made.objections if o.blocking]
    if against:
        raise Conflict(
            f"不能这样改：{against[0].detail.partition(' · ')[0]}（{len(against)} 处） · cannot be done: {against[0].detail.partition(' · ')[2]} ({len(against)} problems)",
            remedy=against[0].remedy,
            problems=[{"kind": o.kind, "codes": list(o.codes), "area_m2": round(o.area_m2, 2), "detail": o.detail} for o in against[:20]],
        )
    async with connection.cursor(row_factory=class_row(Change)) as cursor:
        await cursor.execute(
            f"""
            INSERT INTO cell_changes (action, kind, effective, before, after, note, region_code, staff_id)
            VALUES (%(action)s, %(kind)s, %(effective)s, %(before)s, %(after)s, %(note)s, %(region)s, %(staff)s) RETURNING {_CHANGE}
            """,
            {
                "action": made.action, "kind": made.kind, "effective": made.effective, "before": [o.code for o in made.before], "after": [n.code for n in made.after],
                "note": wish.note, "region": made.region_code, "staff": staff_id,
            },
        )  # fmt: skip
        change = await cursor.fetchone()
    await _close(connection, [o.id for o in made.before], made.effective)
    for new in made.after:
        await _open(connection, change, made.before[0], new)
    if made.kind == "management":
        await _move_units(connection, change, made)
    return made, change


async def changes(connection: AsyncConnection, scope: Scope, limit: int = 50) -> list[Change]:
    """Changes of a scope, newest first."""
    return await _changes(connection, "region_code LIKE %(scope)s ORDER BY id DESC LIMIT %(limit)s", {"scope": scope.like, "limit": limit})


async def due(connection: AsyncConnection) -> list[Change]:
    """Changes whose day has come and that nothing has followed yet, oldest first; locked until the transaction ends, those in other hands left out."""
    return await _changes(connection, "applied_at IS NULL AND effective <= hdq_today() ORDER BY effective, id FOR UPDATE SKIP LOCKED", {})


async def _changes(connection: AsyncConnection, condition: str, params: dict) -> list[Change]:
    async with connection.cursor(row_factory=class_row(Change)) as cursor:
        await cursor.execute(f"SELECT {_CHANGE} FROM cell_changes WHERE {condition}", params)
        return await cursor.fetchall()


async def _chosen(connection: AsyncConnection, scope: Scope, wish: Wish) -> list[Old]:
    if wish.action not in ACTIONS:
        raise InvalidInput(f"没有这种操作 · no such action: {wish.action!r}", remedy=f"one of {', '.join(ACTIONS)}")
    least, most = {"split": (1, 1), "merge": (2, 20), "redraw": (1, 20)}[wish.action]
    if not least <= len(set(wish.ids)) == len(wish.ids) <= most:
        raise InvalidInput(f"选了 {len(wish.ids)} 个网格 · {len(wish.ids)} grids chosen", remedy=f"{wish.action}: {least}–{most}")
    found = await rows(connection, f"SELECT {_OLD}, upper_inf(valid) AS open FROM cells WHERE id = ANY(%(ids)s) AND region_code LIKE %(scope)s", {"ids": list(wish.ids), "scope": scope.like})
    by_id = {r["id"]: r for r in found}
    if len(by_id) < len(wish.ids):
        raise NotFound(f"没有网格 · no grid {[i for i in wish.ids if i not in by_id]}", remedy="GET /api/cells")
    changed = [r["code"] for r in found if not r.pop("open")]
    if changed:
        raise Conflict(f"网格已被改动 · changed meanwhile: {', '.join(changed)}", remedy="重新读取后再改 · read the grids again")
    chosen = [Old(**by_id[i]) for i in wish.ids]
    if len({o.kind for o in chosen}) > 1:
        raise InvalidInput("网格种类不同 · grids of different kinds", remedy="一次只改一种网格 · change one kind at a time")
    return chosen


async def _day(connection: AsyncConnection, wish: Wish, old: Sequence[Old]) -> date:
    today = (await row(connection, "SELECT hdq_today() AS day"))["day"]
    first, last = max(o.since for o in old), today + AHEAD
    day = wish.effective or max(today, first)
    if not first <= day <= last:
        raise InvalidInput(f"生效日期 {day} 不在 {first} 至 {last} 之间 · the effective date {day} is not within {first} to {last}", remedy="不早于现网格的生效日期 · not before the grids themselves began")
    return day


def _recut(wish: Wish, old: list[Old]) -> tuple[list[BaseGeometry], list[Objection]]:
    """The new areas of a split or merge, and what stands against them."""
    if wish.action == "split":
        if wish.line is None:
            raise InvalidInput("没有分割线 · no line to split along", remedy="line: [[lon, lat], …]")
        pieces = partition.cut(old[0].geom, wish.line)
        return list(pieces), [_object("uncut", (), 0.0, wish.line, wish, old)] if len(pieces) < 2 else []
    whole, apart = partition.joined([o.geom for o in old])
    objections = [_object("apart", (i,), area_m2(old[i].geom), old[i].geom, wish, old) for i in apart]
    objections += [_object("community", (i,), area_m2(o.geom), o.geom, wish, old) for i, o in enumerate(old) if o.region_code != old[0].region_code]
    return [whole], objections


async def _redrawn(
    connection: AsyncConnection, scope: Scope, wish: Wish, old: list[Old], effective: date
) -> tuple[list[Old], list[BaseGeometry], list[Objection]]:
    """All grids that a redraw changes with their new areas: those drawn and, if they follow, the neighbours."""
    drawn = {number: _area(shape) for number, shape in wish.shapes}
    if not drawn or set(drawn) - set(wish.ids):
        raise InvalidInput("没有新边界 · no new shape for a chosen grid", remedy="shapes: {id: polygon} for grids among ids")
    if len({o.region_code for o in old}) > 1:
        stray = next(i for i, o in enumerate(old) if o.region_code != old[0].region_code)
        return old, [drawn.get(o.id, o.geom) for o in old], [_object("community", (stray,), area_m2(old[stray].geom), old[stray].geom, wish, old)]
    shapes = [partition.rounded(drawn.get(o.id, o.geom)) for o in old]
    if wish.follow:
        reach = shapely.union_all([*shapes, *(o.geom for o in old)])
        near = await rows(
            connection,
            f"""
            SELECT {_OLD} FROM cells WHERE ST_Intersects(geom, %(reach)s) AND valid @> %(day)s AND upper_inf(valid) AND lower(valid) <= %(day)s
                AND kind = %(kind)s AND region_code = %(region)s AND region_code LIKE %(scope)s AND NOT id = ANY(%(ids)s) ORDER BY code
            """,
            {"reach": shapely.set_srid(reach, 4326), "day": effective, "kind": old[0].kind, "region": old[0].region_code, "scope": scope.like, "ids": list(wish.ids)},
        )
        others = [Old(**r) for r in near]
        moved = partition.followed(shapes, [o.geom for o in old], [o.geom for o in others])
        for other, shape in zip(others, moved, strict=True):
            if partition.wide(shapely.symmetric_difference(other.geom, shape)):
                old, shapes = [*old, other], [*shapes, shape]
    return old, list(shapes), []


def _area(shape: BaseGeometry) -> shapely.MultiPolygon:
    """A drawn shape as areas. Raises InvalidInput when it has none, crosses itself, or leaves the world, and TooLarge beyond MOST_VERTICES."""
    if shapely.get_num_coordinates(shape) > MOST_VERTICES:
        raise TooLarge(f"{shapely.get_num_coordinates(shape):,} 个顶点 · corners", remedy=f"至多 {MOST_VERTICES:,} 个，请先简化 · simplify to at most {MOST_VERTICES:,}")
    sound = clean(shape)
    if sound is None or shapely.get_dimensions(sound) < 2:
        raise InvalidInput(f"新边界不是面 · the new shape is no area: {shape.geom_type}", remedy="GeoJSON Polygon or MultiPolygon")
    if not shape.is_valid:
        raise InvalidInput(f"新边界自相交 · the new shape crosses itself: {shapely.is_valid_reason(shape)}", remedy="移开交叉处的顶点 · move the corner that crosses")
    return partition.polygonal(sound)


async def _against(connection: AsyncConnection, wish: Wish, old: Sequence[Old], shapes: Sequence[BaseGeometry]) -> list[Objection]:
    """The flaws of a partition as objections; what reaches out of the community is told from what reaches into a neighbour."""
    community = (await row(connection, "SELECT geom FROM regions WHERE code = %(code)s", {"code": old[0].region_code}))["geom"]
    found = []
    for flaw in partition.flaws([o.geom for o in old], shapes):
        out = flaw.kind == "outside" and partition.wide(shapely.difference(flaw.geom, community))
        found.append(_object("community" if out else flaw.kind, flaw.which, flaw.area_m2, flaw.geom, wish, old))
    return found


async def _cut_units(connection: AsyncConnection, old: Sequence[Old], shapes: Sequence[BaseGeometry], day: date) -> list[Objection]:
    """Unit grids that would lie in two management grids: a warning, for a management grid is made of whole unit grids."""
    units = await rows(
        connection,
        "SELECT code, geom FROM cells WHERE kind = 'unit' AND parent_code = ANY(%(codes)s) AND valid @> %(day)s ORDER BY code",
        {"codes": [o.code for o in old], "day": day},
    )
    found = []
    for unit in units:
        parts = [p for shape in shapes for p in [partition.polygonal(shapely.intersection(unit["geom"], shape))] if partition.wide(p)]
        if len(parts) > 1:
            smaller = min(parts, key=area_m2)
            found.append(Objection("cuts_unit", False, (unit["code"],), area_m2(smaller), " · ".join(_SAYS["cuts_unit"][:2]), _SAYS["cuts_unit"][2], smaller))
    return found


def _object(kind: str, which: tuple[int, ...], area: float, geom: BaseGeometry, wish: Wish, old: Sequence[Old]) -> Objection:
    codes = tuple(old[i].code for i in which if i < len(old)) if wish.action != "split" else (old[0].code,)
    zh, en, remedy = _SAYS[kind]
    return Objection(kind, True, codes, area, f"{zh} · {en}", remedy, geom)


async def _close(connection: AsyncConnection, ids: list[int], day: date) -> None:
    """Ends periods on a day; one that began that very day is void."""
    await connection.execute("UPDATE cells SET valid = daterange(lower(valid), greatest(%(day)s, lower(valid))) WHERE id = ANY(%(ids)s)", {"ids": ids, "day": day})


async def _open(connection: AsyncConnection, change: Change, old: Old, new: New) -> None:
    await connection.execute(
        """
        INSERT INTO cells (kind, code, name, region_code, parent_code, valid, change_id, simulated, geom)
        VALUES (%(kind)s, %(code)s, %(name)s, %(region)s, %(parent)s, daterange(%(day)s, NULL), %(change)s, %(simulated)s, %(geom)s)
        """,
        {
            "kind": change.kind, "code": new.code, "name": new.name, "region": old.region_code, "parent": old.parent_code, "day": change.effective, "change": change.id,
            "simulated": old.simulated, "geom": shapely.set_srid(new.geom, 4326),
        },
    )  # fmt: skip


async def _move_units(connection: AsyncConnection, change: Change, made: Plan) -> None:
    """Unit grids of the old management grids become those of the new one over their middle: a new period each where that is another."""
    units = await rows(
        connection,
        f"SELECT {_OLD} FROM cells WHERE kind = 'unit' AND parent_code = ANY(%(codes)s) AND upper_inf(valid) AND lower(valid) <= %(day)s ORDER BY code",
        {"codes": change.before, "day": change.effective},
    )
    if not units:
        return
    middles = shapely.get_coordinates(shapely.point_on_surface(np.array([u["geom"] for u in units], dtype=object)))
    over = CellIndex([n.geom for n in made.after]).covers(middles[:, 0], middles[:, 1])
    moved = [(u["id"], made.after[i].code) for u, i in zip(units, over, strict=True) if i >= 0 and made.after[i].code != u["parent_code"]]
    await _close(connection, [i for i, _ in moved], change.effective)
    await connection.execute(
        """
        INSERT INTO cells (kind, code, name, region_code, parent_code, valid, change_id, simulated, geom)
        SELECT kind, code, name, region_code, moved.parent, daterange(%(day)s, NULL), %(change)s, simulated, geom
        FROM cells JOIN unnest(%(ids)s::bigint[], %(parents)s::text[]) AS moved (id, parent) USING (id)
        """,
        {"ids": [i for i, _ in moved], "parents": [code for _, code in moved], "day": change.effective, "change": change.id},
    )
