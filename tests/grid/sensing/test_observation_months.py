"""Observations lie in months of recording: each in its own, known again there, made ahead while others write, and named with their time by what refers to them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation

from grid.database import connect, row, rows
from grid.sensing import intake, observations

NOW = datetime.now(UTC)
WHERE = "SELECT tableoid::regclass::text AS part, source_event_id FROM observations ORDER BY recorded_at, id"


@pytest.fixture(params=[True, False], ids=["copied", "inserted"])
def ways(request, monkeypatch):
    """Both ways into the table."""
    monkeypatch.setattr(intake, "BULK", 1 if request.param else 10_000)


async def test_each_goes_into_its_month_and_is_known_there_again(world, finding, ways):
    times = (datetime(1999, 12, 31, tzinfo=UTC), NOW - timedelta(days=400), NOW)
    given = [replace(finding(), recorded_at=at) for at in times]
    await intake.accept(world, given, now=NOW)
    month = (await row(world, "SELECT to_char(hdq_today(), 'YYYY_MM') AS month"))["month"]
    assert [r["part"] for r in await rows(world, WHERE)] == ["observations_earlier", "observations_earlier", f"observations_{month}"]
    again = await intake.accept(world, given[::-1], now=NOW)
    assert not any(a.new for a in again) and len(await rows(world, WHERE)) == 3


async def test_one_sent_again_with_a_time_of_another_month_is_still_known(world, finding):
    first = finding()
    (kept,) = await intake.accept(world, [first], now=NOW)
    (again,) = await intake.accept(world, [replace(first, recorded_at=NOW - timedelta(days=400))], now=NOW)
    assert (again.id, again.new) == (kept.id, False)


async def test_months_are_made_ahead_while_others_write(world, database_url, finding):
    assert await observations.make_months(world) == 0
    other = await connect(database_url)
    try:
        await intake.accept(other, [finding()], now=NOW)
        await world.execute("SET lock_timeout = '5s'")
        assert await observations.make_months(world, ahead=5) == 2
        await world.commit()
        await intake.accept(other, [finding()], now=NOW)
        await other.commit()
    finally:
        await other.close()
    names = [r["name"] for r in await rows(world, "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'observations'::regclass")]
    unique = await rows(world, "SELECT tablename FROM pg_indexes WHERE tablename LIKE 'observations_%' AND indexdef LIKE '%UNIQUE%(source, source_event_id)'")
    assert len(names) == 7 and {r["tablename"] for r in unique} == set(names)


async def test_a_question_about_some_days_reads_their_months_only(world):
    plan = await rows(world, "EXPLAIN SELECT 1 FROM observations WHERE recorded_at BETWEEN '2001-02-03 00:00Z' AND '2001-02-04 00:00Z'")
    read = " ".join(line["QUERY PLAN"] for line in plan)
    assert "observations_earlier" in read and "observations_2" not in read


async def test_a_patch_names_its_finding_with_its_time_or_is_refused(world, finding):
    (kept,) = await intake.accept(world, [finding()], now=NOW)
    insert = """
        INSERT INTO reports (client_key, staff_id, category_code, accuracy_m, recorded_at, observation_id, geom)
        SELECT gen_random_uuid(), staff.id, categories.code, 5, now(), %s, ST_Point(120.4, 36.1, 4326) FROM staff, categories LIMIT 1 RETURNING observed_at
    """
    await world.execute("INSERT INTO staff (username, name, role, region_code, password_hash) VALUES ('months', 'm', 'grid_worker', '3702', '')")
    stored = await row(world, insert.replace("%s", "%(id)s"), {"id": kept.id})
    assert stored["observed_at"] == (await row(world, "SELECT recorded_at FROM observations"))["recorded_at"]
    with pytest.raises(ForeignKeyViolation):
        await world.execute(insert, [kept.id + 1])
    await world.rollback()


def test_a_month_that_nobody_made_refuses_and_keeps_nothing(database_url):
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            """
            INSERT INTO observations (source, source_event_id, sensor_kind, kind, score, recorded_at, accuracy_m, region_code, geom)
            VALUES ('s', 'e', 'camera', 'smoke', 0.5, '2200-01-01', 5, '3702', ST_Point(120.4, 36.1, 4326))
            """
        )
