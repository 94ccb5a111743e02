"""The worker: every job is found, a dead worker's jobs come back, a poison job does not stop the others."""

import asyncio
import contextlib
import importlib
import os
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from gis_api import tasks, worker
from gis_api.tasks import JobContext, Jobs, retention
from grid.database import connect, make_pool
from grid.jobs import enqueue
from grid.settings import Settings


@contextlib.asynccontextmanager
async def running(settings: Settings, jobs: Jobs, monkeypatch):
    monkeypatch.setattr(tasks, "discover", lambda: jobs)
    monkeypatch.setattr(worker, "SWEEP_S", 0.2)
    task = asyncio.create_task(worker.work(settings))
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(check, timeout: float = 15) -> None:
    async with asyncio.timeout(timeout):
        while not check():
            await asyncio.sleep(0.05)


async def put(url: str, name: str, **arguments) -> None:
    connection = await connect(url)
    await enqueue(connection, name, arguments)
    await connection.commit()
    await connection.close()


async def test_jobs_run_with_their_ids_and_a_poison_job_stops_nobody(settings, database_url, monkeypatch):
    seen = []

    async def good(context: JobContext, number: int) -> None:
        async with context.connection() as connection:
            await connection.execute("INSERT INTO audit (action) VALUES ('job')")
        seen.append(number)

    async def poison(context: JobContext) -> None:
        raise RuntimeError("on purpose")

    async with running(settings, Jobs({"good": good, "poison": poison}, {}), monkeypatch):
        await put(database_url, "poison")
        await put(database_url, "good", number=7)
        await until(lambda: seen == [7])
        with psycopg.connect(database_url) as connection:
            status, attempts = connection.execute("SELECT status::text, attempts FROM procrastinate_jobs WHERE task_name = 'poison'").fetchone()
    assert status == "todo" and attempts >= 1


async def test_the_job_of_a_dead_worker_is_run_again(settings, database_url, monkeypatch):
    seen = []

    async def late(context: JobContext, number: int) -> None:
        seen.append(number)

    await put(database_url, "late", number=1)
    with psycopg.connect(database_url) as connection:
        (dead,) = connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id").fetchone()
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", [dead])
    async with running(settings, Jobs({"late": late}, {}), monkeypatch):
        await until(lambda: seen == [1])


async def test_a_job_whose_like_waits_already_is_not_put_back_and_stops_no_worker(settings, database_url, monkeypatch):
    seen, failures = [], [RuntimeError("once, on purpose")]

    async def fuse(context: JobContext) -> None:
        seen.append(1)
        if len(seen) == 2:
            await ask()
            raise failures.pop()

    async def ask() -> None:
        connection = await connect(database_url)
        await enqueue(connection, "fuse", queueing_lock="fuse", lock="fuse")
        await connection.commit()
        await connection.close()

    def left() -> int:
        with psycopg.connect(database_url) as connection:
            return connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()[0]

    await ask()
    with psycopg.connect(database_url) as connection:
        (dead,) = connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id").fetchone()
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", [dead])
    await ask()
    async with running(settings, Jobs({"fuse": fuse}, {}), monkeypatch) as task:
        await until(lambda: len(seen) == 1 and left() == 0)
        await ask()
        await until(lambda: len(seen) == 3 and left() == 0)
        assert not failures and not task.done()


async def test_a_job_that_kills_its_worker_each_time_is_ended(settings, database_url, monkeypatch):
    seen = []

    async def deadly(context: JobContext) -> None:
        seen.append(1)

    await put(database_url, "deadly")
    with psycopg.connect(database_url) as connection:
        (dead,) = connection.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id").fetchone()
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s, attempts = %s", [dead, worker.DEATHS])

    def status() -> str:
        with psycopg.connect(database_url) as connection:
            return connection.execute("SELECT status::text FROM procrastinate_jobs WHERE task_name = 'deadly'").fetchone()[0]

    async with running(settings, Jobs({"deadly": deadly}, {}), monkeypatch):
        await until(lambda: status() == "failed")
    assert seen == []


async def test_what_is_kept_for_a_time_goes_after_it(settings, database_url):
    async with make_pool(database_url) as pool:
        context = JobContext(settings, pool)
        async with context.connection() as connection:
            await connection.execute(
                "INSERT INTO events (id, kind, entity_id, region_code, created_at) SELECT n, 'a.b', '1', '3702', now() - make_interval(days => n) FROM unnest(ARRAY[29, 31]) AS n"
            )
            await connection.execute(
                "INSERT INTO idempotency_keys (staff_id, key, request_hash, created_at) SELECT 1, n::text, '', now() - make_interval(days => n) FROM unnest(ARRAY[6, 8]) AS n"
            )
            await connection.execute(
                """
                WITH zone AS (
                    INSERT INTO camera_zones (name, purpose, detector, geom, region_code)
                    VALUES ('x', 'forbidden', 'boats', ST_MakeEnvelope(120.5, 36.1, 120.6, 36.2, 4326), '3702') RETURNING id
                ), camera AS (
                    INSERT INTO cameras (code, name, kind, azimuth_deg, pitch_deg, hfov_deg, range_m, height_m, region_code, geom)
                    VALUES (repeat('1', 20), 'x', 'tower', 90, -5, 60, 2000, 30, '3702', ST_SetSRID(ST_MakePoint(120.6, 36.2), 4326)) RETURNING id
                )
                INSERT INTO zone_visits (zone_id, camera_id, track_id, entered_at, seen_at)
                SELECT zone.id, camera.id, n, now() - interval '40 days', now() - make_interval(days => n) FROM zone, camera, unnest(ARRAY[29, 31]) AS n
                """
            )
            await connection.execute(
                """
                WITH trial AS (
                    INSERT INTO rollouts (algorithm, standing, candidate, share, region_code, state, ended_at)
                    SELECT 'a', '1', n::text, 0.1, '3702', 'withdrawn', now() - make_interval(days => n) FROM unnest(ARRAY[29, 31]) AS n RETURNING id
                ), tally AS (
                    INSERT INTO shadow_tallies SELECT trial.id, c.id, 'day', 1, 1, 0, 0, 1, 1 FROM trial, cameras c
                )
                INSERT INTO shadow_runs SELECT trial.id, c.id, now(), 'day', 1, 0, 0 FROM trial, cameras c
                """
            )
        for _ in range(2):
            await retention.retention(context)
        async with context.connection() as connection:
            left = await (await connection.execute("SELECT (SELECT array_agg(id) FROM events), (SELECT array_agg(key) FROM idempotency_keys), (SELECT array_agg(track_id) FROM zone_visits)")).fetchone()
            trials = "SELECT (SELECT array_agg(candidate) FROM shadow_runs s JOIN rollouts r ON r.id = s.rollout_id), (SELECT count(*) FROM shadow_tallies)"
            assert await (await connection.execute(trials)).fetchone() == (["29"], 2)
    assert left == ([29], ["6"], [29])


def test_what_a_killed_upload_left_goes_after_an_hour_and_nothing_else(tmp_path):
    now = datetime.now(UTC)
    halves = ["scenes/.upload.a.tif", "scenes/.incoming.b.tif", "evidence/ab/cd/tmpx1"]
    whole = ["scenes/a.tif", "evidence/ab/cd/" + "abcd" * 16]
    for name in [*halves, *whole, "scenes/.upload.new.tif"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for name in halves + whole:
        os.utime(tmp_path / name, times=((now - timedelta(hours=2)).timestamp(),) * 2)
    assert [retention.forget_parts(tmp_path, now - retention.UNFINISHED) for _ in range(2)] == [3, 0]
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {*whole, "scenes/.upload.new.tif"}


async def test_periodic_jobs_run_again_and_again(settings, monkeypatch):
    seen = []

    async def tick(context: JobContext) -> None:
        seen.append(1)

    async with running(settings, Jobs({"tick": tick}, {"tick": 0.3}), monkeypatch):
        await until(lambda: len(seen) >= 3)


def test_every_job_file_is_discovered():
    jobs = tasks.discover()
    assert set(jobs.periodic) <= set(jobs.tasks)


@pytest.mark.parametrize(("text", "message"), [("X = 1", "no TASKS"), ("TASKS = {'a': print}", "not an async"), ("TASKS = {}\nPERIODIC = {'zz': 1}", "zz")])
def test_a_bad_job_file_stops_the_start(tmp_path, monkeypatch, text, message):
    monkeypatch.setattr(tasks, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "gis_api.tasks.odd_family", raising=False)
    importlib.invalidate_caches()
    (tmp_path / "odd_family.py").write_text(text)
    with pytest.raises((TypeError, ValueError), match=message):
        tasks.discover()


async def test_pool_of_a_job_context_commits_and_rolls_back(settings, database_url):
    async with make_pool(database_url) as pool:
        context = JobContext(settings, pool)
        with pytest.raises(RuntimeError):
            async with context.connection() as connection:
                await connection.execute("INSERT INTO audit (action) VALUES ('lost')")
                raise RuntimeError("on purpose")
        async with context.connection() as connection:
            await connection.execute("INSERT INTO audit (action) VALUES ('kept')")
        async with context.connection() as connection:
            cursor = await connection.execute("SELECT action FROM audit")
            assert await cursor.fetchall() == [("kept",)]
