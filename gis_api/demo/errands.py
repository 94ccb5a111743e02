"""What waits for the demo's grid worker when the city is new: a report from his own grids, filed by the desk and dispatched to him, each step through casework."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

import shapely
from psycopg import AsyncConnection

from grid.casework import cases, reports
from grid.casework.workflow import Person
from grid.database import Scope
from grid.world import staff
from grid.world.cells import Cell

WORKER, REPORTER, DESK = "wangge", "chuzhi", "shinan"
GARBAGE = "01002"
NOTE = "居民反映楼前有暴露垃圾 · a neighbour says that garbage lies before the house"


async def give(connection: AsyncConnection, cells: Sequence[Cell]) -> int:
    """Has a heap of garbage reported in the worker's first grid and the case dispatched to him, in the caller's transaction. Returns the case's id."""
    worker, reporter, desk = [await staff.by_username(connection, name) for name in (WORKER, REPORTER, DESK)]
    spot = shapely.point_on_surface(next(cell.geom for cell in cells if cell.code == worker.cell_codes[0]))
    seen = reports.Report(uuid5(NAMESPACE_URL, f"hdq:errand:{WORKER}"), GARBAGE, spot.x, spot.y, 8.0, datetime.now(UTC), NOTE)
    filed = await reports.file(connection, Scope(reporter.region_code), reporter.id, seen, simulated=True)
    person, scope = Person(desk.id, desk.role), Scope(desk.region_code)
    for action, handler in (("file", None), ("dispatch", worker.id)):
        case = await cases.get(connection, scope, filed.case_id)
        await cases.take_step(connection, scope, person, filed.case_id, cases.StepTaken(action, case["version"], handler_id=handler))
    return filed.case_id
