"""Observations lie in months of recording: each in its own, known again there, made ahead while others write, and named with their time by what refers to them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation

from gis_api.tasks import JobContext
from gis_api.tasks.sensing import observation_months
from grid.database import connect, make_pool, row, rows
from grid.sensing import intake, observations

LONG_AGO = datetime.now(UTC) - timedelta(days=400)
WHERE = "SELECT tableoid::regclass::text AS part, source_event_id FROM observations ORDER BY recorded_at, id"


@pytest.fixture(params=[True, False], ids=["copied", "inserted"])
def ways(request, monkeypatch):
    """Both ways into the table."""
    monkeypatch.setattr(intake, "BULK", 1 if request.param else 10_000)


async def test_each_goes_into_its_month_and_is_known_there_again(world, finding, ways):
    times = (datetime(1999, 12, 31, tzinfo=UTC), LONG_AGO, datetime.now(UTC))
    given = [replace(finding(), recorded_at=at) for at in times]
    await intake.accept(world, given)
    month = (await row(world, "SELECT to_char(hdq_today(), 'YYYY_MM') AS month"))["month"]
    assert [r["part"] for r in await rows(world, WHERE)] == ["observations_earlier", "observations_earlier", f"observations_{month}"]
    again = await intake.accept(world, given[::-1])
    assert not any(a.new for a in again) and len(await rows(world, WHERE)) == 3


async def test_the_month_of_its_time_belongs_to_what_a_finding_is_known_by(world, finding, ways):
    now, then = finding(), LONG_AGO
    once = await intake.accept(world, [now])
    both = await intake.accept(world, [replace(now, recorded_at=then), now, replace(now, recorded_at=then - timedelta(days=60)), replace(now, recorded_at=then)])
    assert [a.new for a in both] == [True, False, True, False] and both[1].id == once[0].id and both[3].id == both[0].id
    alone = await intake.accept(world, [replace(now, recorded_at=then)])
    assert (alone[0].id, alone[0].new) == (both[0].id, False) and len(await rows(world, WHERE)) == 3


async def test_months_are_made_ahead_while_others_write(world, database_url, finding):
    assert await observations.make_month(world) is None
    other = await connect(database_url)
    try:
        await intake.accept(other, [finding()])
        made = [await observations.make_month(world, ahead=5), await observations.make_month(world, ahead=5), await observations.make_month(world, ahead=5)]
        await world.commit()
        await intake.accept(other, [finding()])
        await other.commit()
    finally:
        await other.close()
    names = [r["name"] for r in await rows(world, "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'observations'::regclass")]
    unique = await rows(world, "SELECT tablename FROM pg_indexes WHERE tablename LIKE 'observations_%' AND indexdef LIKE '%UNIQUE%(source, source_event_id%'")
    assert len(names) == 7 and {r["tablename"] for r in unique} == set(names) and made[2] is None and {*made[:2]} < set(names)


async def test_a_month_waits_behind_a_writer_for_half_a_second_only(settings, world, database_url):
    context = JobContext(settings, make_pool(database_url, size=1))
    async with context.pool:
        async with context.connection() as connection:
            name = "observations_" + (await row(connection, "SELECT to_char(hdq_today() + interval '1 month', 'YYYY_MM') AS m"))["m"]
            await connection.execute(f"ALTER TABLE observations DETACH PARTITION {name}")
            await connection.execute(f"DROP TABLE {name}")
        await world.execute("UPDATE alerts SET title = title")
        await observation_months(context)
        async with context.connection() as connection:
            assert (await row(connection, "SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'observations'::regclass"))["n"] == 4
        await world.commit()
        await observation_months(context)
        async with context.connection() as connection:
            assert (await row(connection, "SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'observations'::regclass"))["n"] == 5


async def test_a_question_about_some_days_reads_their_months_only(world):
    plan = await rows(world, "EXPLAIN SELECT 1 FROM observations WHERE recorded_at BETWEEN '2001-02-03 00:00Z' AND '2001-02-04 00:00Z'")
    read = " ".join(line["QUERY PLAN"] for line in plan)
    assert "observations_earlier" in read and "observations_2" not in read


async def test_a_patch_names_its_finding_with_its_time_or_is_refused(world, finding):
    (kept,) = await intake.accept(world, [finding()])
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
