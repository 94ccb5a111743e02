"""月清、季核、年度评估: which patches are due in the month, the quarter or the year of a day (Shanghai).

Monthly clear 月清: every patch found gets its verdict. Quarterly check 季核: every confirmed one is dealt with and its case closed. Yearly evaluation 年度评估:
nothing of the year is left, undecided or unclosed. What was found before the period and is still due is overdue.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from psycopg import AsyncConnection

from grid.casework.workflow import ENDED
from grid.clock import ZONE
from grid.database import Scope, rows

CYCLES = {"month": 1, "quarter": 3, "year": 12}
"""Months of each."""

DUE = {
    "month": "p.state = 'open'",
    "quarter": "p.state = 'confirmed' AND NOT coalesce(c.state = ANY(%(ended)s), false)",
    "year": "(p.state = 'open' OR p.state = 'confirmed' AND NOT coalesce(c.state = ANY(%(ended)s), false))",
}
"""What a cycle asks for, of patches p with their cases c."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle in figures: days `since` to `until` (not of it); patches `found` in it, `answered` or worked off of those, `due` at its end, `overdue` of those from before it;
    areas in m²; `ids` of what is due, oldest first."""

    cycle: str
    since: date
    until: date
    found: int
    answered: int
    due: int
    overdue: int
    found_m2: float
    due_m2: float
    ids: tuple[int, ...]


def bounds(cycle: str, on: date) -> tuple[date, date]:
    """First day of the period and of the next.

    >>> bounds("quarter", date(2026, 11, 23)), bounds("month", date(2026, 12, 31))[1]
    ((datetime.date(2026, 10, 1), datetime.date(2027, 1, 1)), datetime.date(2027, 1, 1))
    """
    months = CYCLES[cycle]
    first = (on.month - 1) // months * months
    since = date(on.year, first + 1, 1)
    until = (since + timedelta(days=31 * months)).replace(day=1)
    return since, until


async def standing(connection: AsyncConnection, scope: Scope, on: date) -> list[Cycle]:
    """The three cycles round a day, for patches in scope."""
    return [await _one(connection, scope, cycle, on) for cycle in CYCLES]


async def _one(connection: AsyncConnection, scope: Scope, cycle: str, on: date) -> Cycle:
    since, until = bounds(cycle, on)
    start, end = (datetime(day.year, day.month, day.day, tzinfo=ZONE) for day in (since, until))
    (found,) = await rows(
        connection,
        f"""
        SELECT count(*) FILTER (WHERE found_at >= %(start)s) AS found, count(*) FILTER (WHERE found_at >= %(start)s AND NOT due) AS answered, count(*) FILTER (WHERE due) AS due,
            count(*) FILTER (WHERE due AND found_at < %(start)s) AS overdue, coalesce(sum(area_m2) FILTER (WHERE found_at >= %(start)s), 0) AS found_m2,
            coalesce(sum(area_m2) FILTER (WHERE due), 0) AS due_m2, coalesce(array_agg(id ORDER BY found_at, id) FILTER (WHERE due), '{{}}') AS ids
        FROM (
            SELECT p.id, p.found_at, p.area_m2, {DUE[cycle]} AS due FROM patches AS p LEFT JOIN cases AS c ON c.id = p.case_id
            WHERE p.region_code LIKE %(scope)s AND p.state NOT IN ('split', 'merged') AND p.found_at < %(end)s
        ) AS asked
        """,
        {"scope": scope.like, "start": start, "end": end, "ended": sorted(ENDED)},
    )
    return Cycle(cycle, since, until, **{**found, "ids": tuple(found["ids"])})
