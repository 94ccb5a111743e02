"""Part of benchmarks.intake: a minute of city rate. One process takes findings in, another judges them as the worker does; L1 alerts are timed."""

import asyncio
import multiprocessing
import time
from multiprocessing.synchronize import Event
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import psycopg

from gis_api.tasks import JobContext
from gis_api.tasks.sensing import fuse
from gis_api.wire import batches
from grid.database import connect, make_pool
from grid.sensing import columns, intake
from grid.settings import Settings

EVERY_S = 0.5
FIRES_A_BATCH = 2
"""Fires far apart in a flood of street findings: each becomes an L1 alert of its own."""


def _judge(url: str, ready: Event, stop: Event) -> None:
    asyncio.run(_judging(url, ready, stop))


async def _judging(url: str, ready: Event, stop: Event) -> None:
    with TemporaryDirectory() as folder:
        async with make_pool(url, size=2, statement_timeout_ms=60_000) as pool:
            context = JobContext(Settings(data_dir=folder, database_url=url, demo=False), pool)
            await fuse(context)
            ready.set()
            judge = asyncio.create_task(_again_and_again(context))
            while not stop.is_set():
                await asyncio.sleep(0.1)
            judge.cancel()
            await asyncio.gather(judge, return_exceptions=True)


async def _again_and_again(context: JobContext) -> None:
    while True:
        await fuse(context)
        await asyncio.sleep(0.05)


def prepare_forest(url: str) -> None:
    """A forest of the highest risk east of the district, and rules that need it."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            INSERT INTO forest_zones (code, name, class, fire_risk, area_ha, region_code, geom)
            VALUES ('L1', '林班', 'scenic', 5, 90000, '3702', ST_Multi(ST_MakeEnvelope(120.45, 35.6, 122.4, 37.4, 4326)))
            """
        )


def _fires(number: int, serial: int) -> columns.Columns:
    """Satellite fires on a lattice of 3 km: none joins another within the run."""
    at = serial + np.arange(number)
    return columns.Columns(
        source="viirs-bench",
        source_event_id=[f"fire-{i}" for i in at.tolist()],
        sensor_kind="satellite",
        kind="hotspot",
        score=np.full(number, 0.97),
        recorded_us=np.full(number, int(time.time() * 1e6)),
        lon=120.5 + 0.035 * (at % 50),
        lat=35.65 + 0.028 * (at // 50),
        accuracy_m=np.full(number, 200.0),
    )


async def _watch(url: str, shown: dict[str, float]) -> None:
    """Notes when each fire's L1 alert can be seen by others."""
    connection = await connect(url, autocommit=True)
    while True:
        cursor = await connection.execute(
            """
            SELECT o.source_event_id FROM observations o JOIN alerts a ON a.id = o.alert_id
            WHERE o.source = 'viirs-bench' AND a.severity = 1 AND NOT o.source_event_id = ANY(%(shown)s::text[])
            """,
            {"shown": list(shown)},
        )
        shown |= dict.fromkeys([event for (event,) in await cursor.fetchall()], time.time())
        await asyncio.sleep(0.1)


async def flood(url: str, rate: int, seconds: float, drawn, encode) -> dict:
    """Sends `rate` findings a second in batches; returns delays of L1 alerts (seconds), what was taken and judged, and memory (MiB) at start and end."""
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    judge = context.Process(target=_judge, args=(url, ready, stop), daemon=True)
    judge.start()
    if not await asyncio.to_thread(ready.wait, 120.0):
        raise TimeoutError("the judge did not start within two minutes")
    sent: dict[str, float] = {}
    shown: dict[str, float] = {}
    watching = asyncio.create_task(_watch(url, shown))
    connection = await connect(url)
    size = int(rate * EVERY_S)
    me, other = psutil.Process(), psutil.Process(judge.pid)
    memory = [(me.memory_info().rss >> 20, other.memory_info().rss >> 20)]
    begin = time.time()
    taken = late = 0
    steps = int(seconds / EVERY_S)
    for step in range(steps):
        body = encode(drawn(size, 90_000 + step))
        due = begin + step * EVERY_S
        await asyncio.sleep(max(0.0, due - time.time()))
        late = max(late, time.time() - due)
        fires = _fires(FIRES_A_BATCH, step * FIRES_A_BATCH)
        sent |= dict.fromkeys(fires.source_event_id.to_pylist(), time.time())
        await intake.accept_columns(connection, batches.from_json(body))
        await intake.accept_columns(connection, fires)
        await connection.commit()
        taken += size + FIRES_A_BATCH
        if step % 20 == 19:
            memory.append((me.memory_info().rss >> 20, other.memory_info().rss >> 20))
    took = time.time() - begin
    await asyncio.sleep(6.0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    (judged,) = await (await connection.execute("SELECT count(*) FROM observations WHERE fused_at IS NOT NULL")).fetchone()
    (stored,) = await (await connection.execute("SELECT count(*) FROM observations")).fetchone()
    await connection.close()
    stop.set()
    judge.join(10)
    if judge.is_alive():
        judge.kill()
    delays = [at - sent[event] for event, at in shown.items()]
    return {
        "delays": sorted(delays), "fires": len(sent), "taken": taken, "stored": stored, "judged": judged, "took": took, "behind": late, "memory": memory,
    }  # fmt: skip
