"""Deadlines: golden values across nights, weekends and holidays, and laws that hold for every start and limit."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.casework import deadlines, holidays
from grid.casework.deadlines import CLOCKS, Calendar, due, remaining, resumed, work_time
from grid.clock import ZONE
from grid.errors import InvalidInput

NATIONAL_DAY = Calendar({date(2026, 10, day): False for day in range(1, 8)} | {date(2026, 10, 10): True})
starts = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)).map(lambda at: at.replace(tzinfo=ZONE))


def test_work_hours_skip_the_national_holiday():
    eve = datetime(2026, 9, 30, 16, 30, tzinfo=ZONE)
    assert due(eve, "work_hours", 4, NATIONAL_DAY) == datetime(2026, 10, 8, 11, 30, tzinfo=ZONE)
    assert due(eve, "work_days", 1, NATIONAL_DAY) == datetime(2026, 10, 8, 17, 30, tzinfo=ZONE)


def test_a_make_up_saturday_works():
    friday = datetime(2026, 10, 9, 17, 0, tzinfo=ZONE)
    assert due(friday, "work_hours", 1, NATIONAL_DAY) == datetime(2026, 10, 10, 9, 0, tzinfo=ZONE)


def test_urgent_hours_run_through_the_night():
    assert due(datetime(2026, 10, 1, 23, 30, tzinfo=ZONE), "urgent_hours", 1, NATIONAL_DAY) == datetime(2026, 10, 2, 0, 30, tzinfo=ZONE)


def test_a_time_without_zone_is_refused():
    with pytest.raises(InvalidInput, match="no time zone"):
        due(datetime(2026, 10, 1), "urgent_hours", 1)


@given(starts, st.sampled_from(CLOCKS), st.integers(0, 30))
def test_a_deadline_is_never_before_its_start_and_grows_with_the_limit(start, clock, limit):
    first, second = due(start, clock, limit, NATIONAL_DAY), due(start, clock, limit + 1, NATIONAL_DAY)
    assert second > first
    if limit or clock != "work_days":
        assert first >= start


@given(starts, st.floats(0.25, 40))
def test_the_work_time_until_a_work_hours_deadline_is_its_limit(start, limit):
    assert abs(work_time(start, due(start, "work_hours", limit, NATIONAL_DAY), NATIONAL_DAY) - timedelta(hours=limit)) < timedelta(seconds=1)


@given(starts, starts)
def test_work_time_is_antisymmetric_and_never_more_than_time(a, b):
    assert work_time(a, b) == -work_time(b, a)
    assert abs(work_time(a, b)) <= abs(b - a)


@given(starts, st.integers(1, 20), st.floats(0, 50), st.floats(0, 200))
def test_a_pause_costs_no_work_time(start, limit, before, pause):
    deadline = due(start, "work_hours", limit, NATIONAL_DAY)
    stopped = start + timedelta(hours=before)
    again = stopped + timedelta(hours=pause)
    left = remaining(stopped, deadline, "work_hours", NATIONAL_DAY)
    moved = resumed(again, stopped, deadline, "work_hours", NATIONAL_DAY)
    if left > timedelta():
        assert abs(work_time(again, moved, NATIONAL_DAY) - left) < timedelta(seconds=1)
    else:
        assert moved <= again


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("2026-10-01,0,国庆节,通知\n2026-10-01,1,国庆节,通知", "line 3: the day stands twice"),
        ("2026-10-01,0,国庆节, ", "line 2: no provenance"),
        ("2026-10-01,maybe,国庆节,通知", "line 2"),
        ("1 October,0,国庆节,通知", "line 2"),
    ],
)
def test_a_wrong_calendar_names_its_line(tmp_path, lines, says):
    file = tmp_path / "holidays.csv"
    file.write_text(f"day,works,name,provenance\n{lines}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=says):
        holidays.read(file)


async def test_the_national_calendar_is_taken_once_and_counts(conn):
    days = holidays.read(holidays.NATIONAL)
    assert [await holidays.replace(conn, days) for _ in range(2)] == [True, False]
    calendar = await deadlines.load_calendar(conn)
    assert (calendar.works(date(2026, 10, 1)), calendar.works(date(2026, 1, 4)), calendar.works(date(2026, 11, 23))) == (False, True, True)
    assert await holidays.replace(conn, days[:1]) and len((await deadlines.load_calendar(conn)).exceptions) == 1
