"""When work is due: urgent hours, work hours, work days and natural days, with holidays and make-up work days.

All instants are aware; arithmetic happens in Asia/Shanghai (which has no daylight saving time).
Source of the clocks: GB/T 30428.8; of a city's holidays: the table `holidays` with its provenance.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from psycopg import AsyncConnection

from grid.clock import ZONE
from grid.database import rows
from grid.errors import InvalidInput

CLOCKS = ("urgent_hours", "work_hours", "work_days", "natural_days")


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days work and in which windows (local time). `exceptions` maps a day to whether it works against the week's rule."""

    exceptions: dict[date, bool] = field(default_factory=dict)
    windows: tuple[tuple[time, time], ...] = ((time(8, 30), time(12, 0)), (time(13, 30), time(17, 30)))

    def works(self, day: date) -> bool:
        """Monday to Friday, unless the calendar says otherwise.

        >>> Calendar().works(date(2026, 11, 23)), Calendar().works(date(2026, 11, 22))
        (True, False)
        >>> Calendar({date(2026, 11, 22): True}).works(date(2026, 11, 22))
        True
        """
        return self.exceptions.get(day, day.weekday() < 5)

    @property
    def day_length(self) -> timedelta:
        """Work time of one work day."""
        return sum((_span(start, end) for start, end in self.windows), timedelta())


def _span(start: time, end: time) -> timedelta:
    return datetime.combine(date.min, end) - datetime.combine(date.min, start)


def due(start: datetime, clock: str, limit: float, calendar: Calendar | None = None) -> datetime:
    """The instant when `limit` (hours or days by `clock`) has run from `start`; a limit of 0 is due at once.

    Work days end at the close of the last window of the n-th work day after the start's day.

    >>> monday = datetime(2026, 11, 23, 16, 30, tzinfo=ZONE)
    >>> due(monday, "urgent_hours", 2).isoformat()
    '2026-11-23T18:30:00+08:00'
    >>> due(monday, "work_hours", 4).isoformat()
    '2026-11-24T11:30:00+08:00'
    >>> due(monday, "work_days", 5).isoformat()
    '2026-11-30T17:30:00+08:00'
    >>> due(monday, "natural_days", 1).isoformat()
    '2026-11-24T16:30:00+08:00'
    >>> due(datetime(2026, 11, 22, 3, 0, tzinfo=ZONE), "work_hours", 4).isoformat()
    '2026-11-23T14:00:00+08:00'
    >>> due(monday, "lunar_days", 1)
    Traceback (most recent call last):
    grid.errors.InvalidInput: unknown clock 'lunar_days'
    """
    if clock not in CLOCKS:
        raise InvalidInput(f"unknown clock {clock!r}", remedy=f"use one of {', '.join(CLOCKS)}")
    if start.tzinfo is None:
        raise InvalidInput(f"{start.isoformat()} has no time zone", remedy="send the offset, for example +08:00")
    calendar = calendar or Calendar()
    local = start.astimezone(ZONE)
    if clock == "urgent_hours":
        return local + timedelta(hours=limit)
    if clock == "natural_days":
        return local + timedelta(days=limit)
    if clock == "work_days":
        day, left = local.date(), limit
        while left > 0:
            day += timedelta(days=1)
            left -= 1 if calendar.works(day) else 0
        return datetime.combine(day, calendar.windows[-1][1], ZONE)
    return _after_work_time(local, timedelta(hours=limit), calendar)


def _after_work_time(local: datetime, left: timedelta, calendar: Calendar) -> datetime:
    """The first instant at which work time `left` has passed; before work begins it is the opening when nothing is left to do."""
    day = local.date()
    while True:
        for start, end in calendar.windows if calendar.works(day) else ():
            opening = max(local, datetime.combine(day, start, ZONE))
            closing = datetime.combine(day, end, ZONE)
            if opening < closing:
                if left < closing - opening or (left == closing - opening and end == calendar.windows[-1][1]):
                    return opening + left
                left -= closing - opening
        day += timedelta(days=1)


def work_time(start: datetime, end: datetime, calendar: Calendar | None = None) -> timedelta:
    """Work time between two instants; negative when `end` is before `start`.

    >>> a = datetime(2026, 11, 20, 17, 0, tzinfo=ZONE)
    >>> work_time(a, datetime(2026, 11, 23, 9, 0, tzinfo=ZONE))
    datetime.timedelta(seconds=3600)
    >>> work_time(a, a)
    datetime.timedelta(0)
    """
    if end < start:
        return -work_time(end, start, calendar)
    calendar = calendar or Calendar()
    start, end = start.astimezone(ZONE), end.astimezone(ZONE)
    total, day = timedelta(), start.date()
    while day <= end.date():
        for opens, closes in calendar.windows if calendar.works(day) else ():
            begin = max(start, datetime.combine(day, opens, ZONE))
            stop = min(end, datetime.combine(day, closes, ZONE))
            total += max(stop - begin, timedelta())
        day += timedelta(days=1)
    return total


def remaining(now: datetime, due_at: datetime, clock: str, calendar: Calendar | None = None) -> timedelta:
    """Time left by the clock that runs: work time for work clocks, plain time otherwise; negative when late.

    >>> friday = datetime(2026, 11, 20, 17, 0, tzinfo=ZONE)
    >>> remaining(friday, datetime(2026, 11, 23, 9, 0, tzinfo=ZONE), "work_hours").total_seconds()
    3600.0
    """
    if clock in ("work_hours", "work_days"):
        return work_time(now, due_at, calendar)
    return due_at - now


def resumed(now: datetime, suspended_at: datetime, due_at: datetime, clock: str, calendar: Calendar | None = None) -> datetime:
    """The new deadline after a pause: what was left at `suspended_at` runs on from `now`."""
    left = remaining(suspended_at, due_at, clock, calendar)
    if clock in ("work_hours", "work_days") and left > timedelta():
        return _after_work_time(now.astimezone(ZONE), left, calendar or Calendar())
    return now.astimezone(ZONE) + left


async def load_calendar(connection: AsyncConnection) -> Calendar:
    """The city's calendar from `holidays`."""
    found = await rows(connection, "SELECT day, works FROM holidays")
    return Calendar({item["day"]: item["works"] for item in found})
