"""Cases 案件: opened once, numbered without a hole, moved only by the workflow's steps, each kept for ever."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import shapely
from psycopg import AsyncConnection

from grid import events, evidence
from grid.casework import categories, deadlines, workflow
from grid.clock import ZONE
from grid.database import Scope, row, rows
from grid.errors import Conflict, InvalidInput, NotFound
from grid.world import places

SELECT = """
    SELECT cases.*, ST_X(cases.geom) AS lon, ST_Y(cases.geom) AS lat, categories.name AS category_name, categories.name_en AS category_name_en,
           categories.clock, handler.name AS handler, reporter.name AS reporter, verifier.name AS verifier
    FROM cases
    JOIN categories ON categories.code = cases.category_code
    LEFT JOIN staff AS handler ON handler.id = cases.handler_id
    LEFT JOIN staff AS reporter ON reporter.id = cases.reporter_id
    LEFT JOIN staff AS verifier ON verifier.id = cases.verifier_id
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new case is made of. `state` is 'reported' (a person's report) or 'filed' (an inspector confirmed an alert).

    `scope` is what the opening person may see: only such pictures may be its evidence.
    """

    category_code: str
    title: str
    origin: str
    place: shapely.Point
    accuracy_m: float
    state: str = "reported"
    description: str = ""
    alert_id: int | None = None
    reporter_id: int | None = None
    by: int | None = None
    urgent: bool = False
    simulated: bool = False
    evidence: tuple[str, ...] = ()
    scope: Scope = Scope("")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of cases is narrowed to; None does not narrow."""

    state: str | None = None
    origin: str | None = None
    overdue: bool = False
    handler_id: int | None = None
    reporter_id: int | None = None
    alert_id: int | None = None


@dataclass(frozen=True, slots=True)
class StepTaken:
    """What somebody wants to do with a case they saw at `version`."""

    action: str
    version: int
    note: str = ""
    evidence: tuple[str, ...] = ()
    handler_id: int | None = None


async def _number(connection: AsyncConnection, region_code: str, now: datetime) -> str:
    """District (6 digits, city code padded) + local day + 5 digits; the counter's row lock leaves no hole and no double."""
    district = region_code[:6].ljust(6, "0")
    day = now.astimezone(ZONE).date()
    cursor = await connection.execute(
        """
        INSERT INTO case_numbers (day, district, last) VALUES (%(day)s, %(district)s, 1)
        ON CONFLICT (day, district) DO UPDATE SET last = case_numbers.last + 1 RETURNING last
        """,
        {"day": day, "district": district},
    )
    (last,) = await cursor.fetchone()
    return f"{district}{day:%Y%m%d}{last:05d}"


async def open_case(connection: AsyncConnection, opening: Opening, now: datetime | None = None, *, announce: bool = True) -> int:
    """Opens a case in the grid it lies in, with number and deadline, and publishes case.opened. Returns its id.

    Who still has other rows to lock says `announce` False and calls `announce_opened` last: a published event holds up every other one until commit.
    """
    now = now or datetime.now(UTC)
    category = await categories.get(connection, opening.category_code)
    located = await places.locate(connection, opening.place.x, opening.place.y)
    await evidence.attach(connection, opening.evidence, located.region_code, opening.scope)
    due_at = deadlines.due(now, category.clock, category.limit_value, await deadlines.load_calendar(connection))
    number = await _number(connection, located.region_code, now)
    cursor = await connection.execute(
        """
        INSERT INTO cases (number, category_code, title, description, origin, alert_id, state, urgent, region_code, cell_code, place_name, accuracy_m,
                           reporter_id, opened_at, filed_at, due_at, simulated, geom)
        VALUES (%(number)s, %(category)s, %(title)s, %(description)s, %(origin)s, %(alert)s, %(state)s, %(urgent)s, %(region)s, %(cell)s, %(place)s,
                %(accuracy)s, %(reporter)s, %(now)s, %(filed)s, %(due)s, %(simulated)s, %(geom)s)
        RETURNING id
        """,
        {
            "number": number,
            "category": category.code,
            "title": opening.title,
            "description": opening.description,
            "origin": opening.origin,
            "alert": opening.alert_id,
            "state": opening.state,
            "urgent": opening.urgent,
            "region": located.region_code,
            "cell": located.cell_code,
            "place": located.name,
            "accuracy": opening.accuracy_m,
            "reporter": opening.reporter_id,
            "now": now,
            "filed": now if opening.state == "filed" else None,
            "due": due_at,
            "simulated": opening.simulated,
            "geom": opening.place,
        },
    )
    (case_id,) = await cursor.fetchone()
    await _record(connection, case_id, "open", None, opening.state, opening.by or opening.reporter_id, opening.description, opening.evidence)
    if announce:
        await announce_opened(connection, case_id)
    return case_id


async def announce_opened(connection: AsyncConnection, case_id: int) -> None:
    """Publishes case.opened: call it last in the transaction."""
    await _publish(connection, case_id, "case.opened")


async def _record(
    connection: AsyncConnection, case_id: int, action: str, source: str | None, target: str, by: int | None, note: str, evidence: tuple[str, ...]
) -> None:
    await connection.execute(
        """
        INSERT INTO case_steps (case_id, action, from_state, to_state, staff_id, note, evidence)
        VALUES (%(case)s, %(action)s, %(source)s, %(target)s, %(by)s, %(note)s, %(evidence)s)
        """,
        {"case": case_id, "action": action, "source": source, "target": target, "by": by, "note": note, "evidence": list(evidence)},
    )


async def _publish(connection: AsyncConnection, case_id: int, kind: str) -> None:
    case = await row(
        connection,
        "SELECT number, title, state, region_code, version, alert_id, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM cases WHERE id = %(id)s",
        {"id": case_id},
    )
    region_code = case.pop("region_code")
    await events.publish(connection, kind, case_id, region_code, {"id": case_id, **case})


async def get(connection: AsyncConnection, scope: Scope, case_id: int) -> dict[str, Any]:
    """The row of a case with names joined. Raises NotFound, also outside the scope."""
    found = await row(connection, SELECT + " WHERE cases.region_code LIKE %(scope)s AND cases.id = %(id)s", {"scope": scope.like, "id": case_id})
    if found is None:
        raise NotFound(f"no case {case_id}")
    return found


async def steps(connection: AsyncConnection, case_id: int) -> list[dict[str, Any]]:
    """The life-cycle, oldest first."""
    return await rows(
        connection,
        """
        SELECT case_steps.*, staff.name AS by FROM case_steps LEFT JOIN staff ON staff.id = case_steps.staff_id
        WHERE case_id = %(id)s ORDER BY case_steps.id
        """,
        {"id": case_id},
    )


async def page(connection: AsyncConnection, scope: Scope, filters: Filters, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """Cases in scope, most urgent first (late before due before closed), and how many match."""
    states = [filters.state] if filters.state and filters.state != "open" else sorted(workflow.OPEN) if filters.state == "open" else None
    where = """
        WHERE cases.region_code LIKE %(scope)s
          AND (%(states)s::text[] IS NULL OR cases.state = ANY(%(states)s))
          AND (%(origin)s::text IS NULL OR cases.origin = %(origin)s)
          AND (NOT %(overdue)s OR (cases.due_at < now() AND cases.closed_at IS NULL))
          AND (%(handler)s::bigint IS NULL OR cases.handler_id = %(handler)s)
          AND (%(reporter)s::bigint IS NULL OR cases.reporter_id = %(reporter)s)
          AND (%(alert)s::bigint IS NULL OR cases.alert_id = %(alert)s)
    """
    params = {
        "scope": scope.like,
        "states": states,
        "origin": filters.origin,
        "overdue": filters.overdue,
        "handler": filters.handler_id,
        "reporter": filters.reporter_id,
        "alert": filters.alert_id,
        "limit": limit,
        "offset": offset,
    }
    items = await rows(
        connection,
        SELECT + where + " ORDER BY cases.closed_at IS NOT NULL, cases.urgent DESC, cases.due_at NULLS LAST, cases.id LIMIT %(limit)s OFFSET %(offset)s",
        params,
    )
    total = await row(connection, "SELECT count(*) AS total FROM cases" + where, params)
    return items, total["total"]


async def take_step(connection: AsyncConnection, scope: Scope, person: workflow.Person, case_id: int, step: StepTaken, now: datetime | None = None) -> None:
    """Takes one step in one transaction. Raises NotFound, Conflict (someone else was first), IllegalStep, Forbidden or InvalidInput."""
    now = now or datetime.now(UTC)
    case = await row(
        connection,
        "SELECT * FROM cases WHERE region_code LIKE %(scope)s AND id = %(id)s FOR UPDATE",
        {"scope": scope.like, "id": case_id},
    )
    if case is None:
        raise NotFound(f"no case {case_id}")
    standing = workflow.Standing(case["state"], case["handler_id"], case["reporter_id"])
    rule = workflow.check(step.action, person, standing, note=step.note, evidence=len(step.evidence), handler_id=step.handler_id)
    if case["version"] != step.version:
        raise Conflict(
            f"case {case['number']} changed meanwhile (version {case['version']}, you saw {step.version})", remedy="read it again", version=case["version"]
        )
    await evidence.attach(connection, step.evidence, case["region_code"], scope)
    if rule.action == "dispatch":
        await _may_handle(connection, step.handler_id, case["region_code"])
    due_at = case["due_at"]
    if rule.action == "resume":
        due_at = await _resumed(connection, case, now)
    elif rule.action == "settle":
        step = StepTaken(step.action, step.version, step.note, step.evidence, person.id)
    await connection.execute(
        """
        UPDATE cases SET state = %(state)s, version = version + 1, due_at = %(due)s,
            handler_id = coalesce(%(handler)s, handler_id),
            verifier_id = CASE WHEN %(action)s IN ('pass', 'fail') THEN %(by)s ELSE verifier_id END,
            filed_at = CASE WHEN %(action)s = 'file' THEN %(now)s ELSE filed_at END,
            dispatched_at = CASE WHEN %(action)s = 'dispatch' THEN coalesce(dispatched_at, %(now)s) ELSE dispatched_at END,
            handled_at = CASE WHEN %(state)s = 'handled' THEN %(now)s ELSE handled_at END,
            rework_count = rework_count + CASE WHEN %(action)s = 'fail' THEN 1 ELSE 0 END,
            closed_at = CASE WHEN %(ended)s THEN %(now)s END
        WHERE id = %(id)s
        """,
        {
            "state": rule.target,
            "due": due_at,
            "handler": step.handler_id,
            "action": rule.action,
            "by": person.id,
            "now": now,
            "ended": rule.target in workflow.ENDED,
            "id": case_id,
        },
    )
    await _record(connection, case_id, rule.action, case["state"], rule.target, person.id, step.note, step.evidence)
    await _publish(connection, case_id, "case.changed")


async def _may_handle(connection: AsyncConnection, handler_id: int | None, region_code: str) -> None:
    handler = await row(connection, "SELECT name, role, region_code, disabled FROM staff WHERE id = %(id)s", {"id": handler_id})
    if handler is None or handler["disabled"]:
        raise InvalidInput(f"no handler {handler_id}", remedy="choose one of the case's handlers")
    if handler["role"] not in ("grid_worker", "inspector") or not region_code.startswith(handler["region_code"]):
        raise InvalidInput(f"{handler['name']} does not handle cases in {region_code}", remedy="choose one of the case's handlers")


async def _resumed(connection: AsyncConnection, case: dict[str, Any], now: datetime) -> datetime | None:
    pause = await row(
        connection, "SELECT at FROM case_steps WHERE case_id = %(id)s AND action = 'suspend' ORDER BY id DESC LIMIT 1", {"id": case["id"]}
    )
    if pause is None or case["due_at"] is None:
        return case["due_at"]
    category = await categories.get(connection, case["category_code"])
    return deadlines.resumed(now, pause["at"], case["due_at"], category.clock, await deadlines.load_calendar(connection))


async def take_back(connection: AsyncConnection, case_id: int, staff_id: int) -> bool:
    """Cancels a case that an undone verdict had opened; False when it went on already."""
    cursor = await connection.execute(
        """
        UPDATE cases SET state = 'cancelled', closed_at = clock_timestamp(), version = version + 1
        WHERE id = %(id)s AND state = 'filed' RETURNING id
        """,
        {"id": case_id},
    )
    if await cursor.fetchone() is None:
        return False
    await _record(connection, case_id, "cancel", "filed", "cancelled", staff_id, "撤销判定 · verdict undone", ())
    await _publish(connection, case_id, "case.changed")
    return True
