"""What lies in changed grids goes along: buildings, components, cameras, open alerts, open cases, and the people who look after them.

This is the one place that moves `cell_code` from grid to grid. Closed alerts and cases and all observations keep the grid of their day.
"""

import json

import numpy as np
import shapely
from psycopg import AsyncConnection, sql

from grid import audit, events
from grid.database import Scope, rows
from grid.world import redistricting
from grid.world.assign import CellIndex
from grid.world.redistricting import Change, Plan, Wish

FOLLOWING = (
    ("buildings", "true"), ("components", "upper_inf(valid)"), ("cameras", "true"), ("alerts", "closed_at IS NULL"), ("cases", "closed_at IS NULL"),
)  # fmt: skip


async def change(connection: AsyncConnection, scope: Scope, wish: Wish, staff_id: int | None) -> tuple[Plan, Change, dict[str, int]]:
    """Makes a change and, when its day has come, lets everything follow, audited and published, in the caller's transaction. Returns how many rows moved."""
    plan, made = await redistricting.make(connection, scope, wish, staff_id)
    moved = await settle(connection)
    detail = {"change": made.id, "effective": made.effective.isoformat(), "before": made.before, "after": made.after, "kind": made.kind, "note": made.note}
    await audit.note(connection, staff_id, f"cell.{made.action}", ",".join(made.before), detail)
    if made.id not in moved:
        await _tell(connection, made, "cell.planned")
    return plan, made, moved.get(made.id, {})


async def settle(connection: AsyncConnection) -> dict[int, dict[str, int]]:
    """Lets everything follow the changes whose day has come, oldest first; for each change, how many rows of each table moved. Twice is once."""
    settled = {}
    for each in await redistricting.due(connection):
        settled[each.id] = await _follow(connection, each) if each.kind == "management" else {}
        await connection.execute(
            "UPDATE cell_changes SET applied_at = clock_timestamp(), moved = %(moved)s::jsonb WHERE id = %(id)s", {"id": each.id, "moved": json.dumps(settled[each.id])}
        )
        await _tell(connection, each, "cell.changed")
    return settled


async def _follow(connection: AsyncConnection, made: Change) -> dict[str, int]:
    found = await rows(connection, "SELECT code, geom FROM cells WHERE change_id = %(id)s AND code = ANY(%(codes)s) ORDER BY code", {"id": made.id, "codes": made.after})
    codes = np.array([r["code"] for r in found], dtype=object)
    index, tree = CellIndex([r["geom"] for r in found]), shapely.STRtree([r["geom"] for r in found])
    moved = {}
    for table, condition in FOLLOWING:
        name = sql.Identifier(table)
        inside = await rows(
            connection,
            sql.SQL("SELECT id, cell_code, geom FROM {} WHERE cell_code = ANY(%(codes)s) AND {} ORDER BY id FOR NO KEY UPDATE").format(name, sql.SQL(condition)),
            {"codes": made.before},
        )
        if not inside:
            moved[table] = 0
            continue
        spots = shapely.point_on_surface(np.array([r["geom"] for r in inside], dtype=object))
        at = index.covers(shapely.get_x(spots), shapely.get_y(spots))
        at = np.where(at < 0, tree.nearest(spots), at)
        fresh = [(r["id"], code) for r, code in zip(inside, codes[at], strict=True) if r["cell_code"] != code]
        await connection.execute(
            sql.SQL("UPDATE {name} SET cell_code = moved.code FROM unnest(%(ids)s::bigint[], %(codes)s::text[]) AS moved (id, code) WHERE {name}.id = moved.id").format(name=name),
            {"ids": [i for i, _ in fresh], "codes": [code for _, code in fresh]},
        )
        moved[table] = len(fresh)
    if made.action != "redraw":
        moved["staff"] = await _hand_over(connection, made)
    return moved


async def _hand_over(connection: AsyncConnection, made: Change) -> int:
    """Who looked after an old grid looks after all that came of it, from the day of the change (cell_duties keeps the history)."""
    await connection.execute("SELECT set_config('hdq.duties_from', %(day)s, true)", {"day": made.effective.isoformat()})
    done = await connection.execute(
        """
        UPDATE staff SET cell_codes = ARRAY(
            (SELECT unnest(staff.cell_codes) EXCEPT SELECT unnest(%(before)s::text[])) UNION SELECT unnest(%(after)s::text[]) ORDER BY 1
        ) WHERE cell_codes && %(before)s::text[]
        """,
        {"before": made.before, "after": made.after},
    )
    await connection.execute("SELECT set_config('hdq.duties_from', '', true)")
    return done.rowcount


async def _tell(connection: AsyncConnection, made: Change, kind: str) -> None:
    payload = {"action": made.action, "kind": made.kind, "effective": made.effective.isoformat(), "before": made.before, "after": made.after}
    await events.publish(connection, kind, made.id, made.region_code, payload)
