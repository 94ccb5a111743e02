"""Who publishes an event locks nothing afterwards: else a report and a finding, or two verdicts, could wait for each other."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from grid import events, jobs
from grid.casework import decisions, reports
from grid.database import Scope, connect, point, row
from grid.world import units
from grid.world.units import NewUnit, UnitPosition

CITY = Scope("3702")


async def waits(onlooker: AsyncConnection, conn: AsyncConnection, task: asyncio.Task) -> None:
    """Returns once the task on `conn` waits for a lock."""
    async with asyncio.timeout(60):
        while not await row(onlooker, "SELECT 1 FROM pg_stat_activity WHERE pid = %(pid)s AND wait_event_type = 'Lock'", {"pid": conn.info.backend_pid}):
            assert not task.done(), "the work did not wait for the row that is held"
            await asyncio.sleep(0.02)


async def publishes_last(url: str, holder: AsyncConnection, conn: AsyncConnection, work: Coroutine) -> None:
    """`work` on `conn` waits for a row that `holder` has locked; meanwhile everybody else may publish."""
    task = asyncio.create_task(work)
    onlooker = await connect(url, autocommit=True)
    await waits(onlooker, conn, task)
    await onlooker.execute("SET lock_timeout = '2s'")
    await events.publish(onlooker, "alert.changed", 0, "3702")
    await onlooker.close()
    await holder.rollback()
    await holder.close()
    await task


@pytest.fixture
async def alert(conn, village) -> int:
    found = await row(
        conn,
        """
        INSERT INTO alerts (kind, title, title_en, severity, probability, rule_id, rule_version, region_code, accuracy_m, first_seen_at, last_seen_at, geom)
        VALUES ('forest_fire', '火', 'Fire', 1, 0.9, 'forest_fire', '1', '370202001001', 50, now(), now(), ST_SetSRID(ST_MakePoint(120.355, 36.055), 4326)) RETURNING id
        """,
    )
    await conn.execute(
        """
        INSERT INTO observations (source, source_event_id, sensor_kind, kind, score, recorded_at, accuracy_m, region_code, alert_id, fused_at, algorithm, geom)
        VALUES ('satellite:s', '1', 'satellite', 'forest_fire', 0.9, now(), 50, '370202001001', %(alert)s, now(), 'a', ST_SetSRID(ST_MakePoint(120.355, 36.055), 4326))
        """,
        {"alert": found["id"]},
    )
    await conn.execute("INSERT INTO calibration (sensor, algorithm) VALUES ('satellite:s', 'a')")
    await conn.commit()
    return found["id"]


async def test_a_report_waits_for_the_fuse_job_before_it_publishes(conn, village, database_url):
    holder = await connect(database_url)
    await jobs.enqueue(holder, "fuse", queueing_lock="fuse")
    report = reports.Report(uuid4(), "01002", 120.355, 36.055, 12.0, datetime.now(UTC) - timedelta(minutes=1))
    await publishes_last(database_url, holder, conn, reports.file(conn, CITY, village["wangge"], report))
    kinds = [event.kind for event in await events.since(conn, 0)]
    assert kinds[-2:] == ["observation.accepted", "case.opened"]


@pytest.mark.parametrize("verdict", ["true", "false"])
async def test_a_verdict_and_its_undoing_wait_for_the_record_before_they_publish(conn, village, alert, database_url, verdict):
    async def held() -> AsyncConnection:
        holder = await connect(database_url)
        await holder.execute("UPDATE calibration SET updated_at = now()")
        return holder

    judged = decisions.Verdict(verdict, reason="chimney")
    await publishes_last(database_url, await held(), conn, decisions.decide(conn, CITY, village["linye"], alert, judged))
    await conn.commit()
    record = await row(conn, "SELECT hits, misses FROM calibration")
    assert record == ({"hits": 1, "misses": 0} if verdict == "true" else {"hits": 0, "misses": 1})
    await conn.commit()
    await publishes_last(database_url, await held(), conn, decisions.undo(conn, CITY, village["linye"], alert))
    await conn.commit()
    assert await row(conn, "SELECT hits, misses FROM calibration") == {"hits": 0, "misses": 0}
    assert (await row(conn, "SELECT state FROM alerts"))["state"] == "open"


async def test_units_are_locked_in_the_order_of_their_ids(conn, database_url):
    await units.load(conn, [NewUnit(f"V{n}", "车", "vehicle", 60.0, "idle", "370202", point(120.4, 36.06), point(120.4, 36.06), 0.0, 8.0, True) for n in range(3)])
    await conn.commit()
    first, _, last = [unit.id for unit in await units.fleet(conn, CITY, datetime.now(UTC))]
    holder, other = await connect(database_url), await connect(database_url, autocommit=True)
    await holder.execute("SELECT 1 FROM units WHERE id = %(id)s FOR UPDATE", {"id": first})
    moving = asyncio.create_task(units.move(conn, [UnitPosition(number, 120.41, 36.06, datetime.now(UTC)) for number in (last, first)]))
    await waits(other, conn, moving)
    await other.execute("SELECT 1 FROM units WHERE id = %(id)s FOR UPDATE NOWAIT", {"id": last})
    for connection in (other, holder):
        await connection.close()
    assert await moving == 2
