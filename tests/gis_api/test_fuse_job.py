"""The fuse job loses nothing: what another transaction is still accepting when it runs is judged too, or gets a job of its own."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import shapely

from gis_api.tasks import JobContext, sensing
from grid.database import connect, make_pool, rows
from grid.sensing import fusion, intake
from grid.sensing.observations import Finding


def fire(number: int) -> Finding:
    return Finding("test", str(number), "satellite", "hotspot", 0.8, datetime.now(UTC), shapely.Point(120.6, 36.2), 300.0)


@pytest.fixture
async def context(settings):
    async with make_pool(settings.database_url, size=3) as pool:
        yield JobContext(settings, pool)


async def test_waits_for_what_is_on_its_way_in(context, settings):
    """B finds A's job in the queue and makes none; A's job runs before B commits."""
    a, b = await connect(settings.database_url), await connect(settings.database_url)
    try:
        await intake.accept(a, [fire(1)])
        await a.commit()
        await intake.accept(b, [fire(2)])
        (job,) = await rows(a, "SELECT count(*) AS n FROM procrastinate_jobs WHERE task_name = 'fuse'")
        assert job["n"] == 1
        await a.commit()
        running = asyncio.create_task(sensing.fuse(context))
        await asyncio.sleep(0.3)
        assert not running.done()
        await b.commit()
        await running
        await a.commit()
        found = await rows(a, "SELECT alert_id FROM observations")
        assert len(found) == 2 and found[0] == found[1] and found[0]["alert_id"]
    finally:
        await a.close()
        await b.close()


async def test_leaves_a_job_for_the_slow(context, settings, monkeypatch):
    monkeypatch.setattr(sensing, "PATIENCE_S", 0.05)
    slow = await connect(settings.database_url)
    try:
        await intake.accept(slow, [fire(1)])
        await sensing.fuse(context)
        async with context.connection() as connection:
            assert await rows(connection, "SELECT 1 FROM alerts") == []
            assert await rows(connection, "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'") == [{"queueing_lock": "fuse:late"}]
        await slow.commit()
        await sensing.fuse(context)
        async with context.connection() as connection:
            assert len(await rows(connection, "SELECT 1 FROM alerts")) == 1
    finally:
        await slow.close()


async def test_twice_is_once(context):
    async with context.connection() as connection:
        await intake.accept(connection, [fire(1)])
    await asyncio.gather(sensing.fuse(context), sensing.fuse(context))
    async with context.connection() as connection:
        assert [r["kind"] for r in await rows(connection, "SELECT kind FROM events ORDER BY id")] == ["observation.accepted", "alert.opened"]


async def test_what_is_urgent_is_committed_before_the_rest_is_begun(context):
    async with context.connection() as connection:
        await intake.accept(connection, [replace(fire(0), source_event_id="litter", kind="garbage", sensor_kind="camera"), fire(1)])
        await fusion.fuse(connection, only_urgent=True)
        assert await rows(connection, "SELECT kind FROM observations WHERE fused_at IS NULL") == [{"kind": "garbage"}]
        await fusion.fuse(connection)
        assert await rows(connection, "SELECT kind FROM observations WHERE fused_at IS NULL") == []
