"""Findings per second into `observations`: through the one door (checked, placed, deduplicated, job and event) against plain executemany and COPY.

    HDQ_TEST_DATABASE_URL=postgresql://… python -m benchmarks.ingest [--findings 10000] [--rounds 3]

One scratch database on that server (or on the private test cluster), one table with its indexes, the contenders in turn in each round, a commit
per batch. `POST` is the whole application in this process: session, validation, intake, commit, answer. Plain contenders get region and cell for free.
"""

import argparse
import asyncio
import json
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
import numpy as np
import psycopg
import shapely
from psycopg import AsyncConnection, sql

from gis_api import embedded, migrations
from gis_api.auth import hash_password
from gis_api.main import assemble
from grid.database import connect
from grid.sensing import intake
from grid.sensing.observations import Finding
from grid.settings import Settings

WEST, SOUTH, STEP, ACROSS, UP = 120.30, 36.04, 0.004, 25, 20
COLUMNS = (
    "source, source_event_id, sensor_kind, kind, class, score, recorded_at, algorithm, model_version, model_hash, accuracy_m, region_code, cell_code, geom"
)
Contender = Callable[[Sequence[Finding]], Awaitable[None]]


def prepare(url: str) -> None:
    """The schema, one district with 500 management grids, and a person who may post."""
    migrations.upgrade(url)
    with psycopg.connect(url) as connection:
        for code, level, parent in (("3702", 1, None), ("370202", 2, "3702"), ("370202001", 3, "370202"), ("370202001001", 4, "370202001")):
            connection.execute(
                "INSERT INTO regions (code, level, name, parent_code, geom) VALUES (%s, %s, %s, %s, ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4326)))",
                (code, level, code, parent, WEST, SOUTH, WEST + STEP * ACROSS, SOUTH + STEP * UP),
            )
        for n in range(ACROSS * UP):
            west, south = WEST + STEP * (n % ACROSS), SOUTH + STEP * (n // ACROSS)
            connection.execute(
                "INSERT INTO cells (code, name, region_code, geom) VALUES (%s, %s, '370202001001', ST_Multi(ST_MakeEnvelope(%s, %s, %s, %s, 4326)))",
                (f"370202001001{n:03d}", f"网格 {n}", west, south, west + STEP, south + STEP),
            )
        connection.execute(
            "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES ('bench', 'bench', 'algorithm_operator', '3702', %s)",
            (hash_password("benchmark-only"),),
        )


def findings(number: int) -> list[Finding]:
    """Findings all over the district, with ids of their own."""
    random = np.random.default_rng(7)
    lons, lats = WEST + STEP * ACROSS * random.random(number), SOUTH + STEP * UP * random.random(number)
    now = datetime.now(UTC)
    return [
        Finding(
            "bench", str(uuid4()), "camera", "garbage", round(score, 3), now - timedelta(seconds=ago), shapely.Point(lon, lat), 8.0,
            class_name="garbage", algorithm="litter", model_version="1", model_hash="0" * 64,
        )
        for lon, lat, score, ago in zip(lons.tolist(), lats.tolist(), random.random(number).tolist(), random.integers(1, 600, number).tolist(), strict=True)
    ]  # fmt: skip


def _plain(f: Finding) -> tuple:
    point = shapely.to_wkb(shapely.set_srid(f.place, 4326), hex=True, include_srid=True)
    return (
        f.source, f.source_event_id, f.sensor_kind, f.kind, f.class_name, f.score, f.recorded_at, f.algorithm, f.model_version, f.model_hash,
        f.accuracy_m, "370202001001", "370202001001000", point,
    )  # fmt: skip


def contenders(connection: AsyncConnection, client: httpx.AsyncClient) -> dict[str, Contender]:
    """How findings get in; each call is one batch, committed when it returns."""

    async def door(batch: Sequence[Finding]) -> None:
        await intake.accept(connection, batch)
        await connection.commit()

    async def many(batch: Sequence[Finding]) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany(f"INSERT INTO observations ({COLUMNS}) VALUES ({', '.join(['%s'] * 14)})", [_plain(f) for f in batch])
        await connection.commit()

    async def copied(batch: Sequence[Finding]) -> None:
        async with connection.cursor() as cursor, cursor.copy(f"COPY observations ({COLUMNS}) FROM STDIN") as copy:
            for f in batch:
                await copy.write_row(_plain(f))
        await connection.commit()

    async def posted(batch: Sequence[Finding]) -> None:
        body = [
            {
                "source": f.source, "source_event_id": f.source_event_id, "sensor_kind": f.sensor_kind, "kind": f.kind, "class_name": f.class_name,
                "score": f.score, "recorded_at": f.recorded_at.isoformat(), "algorithm": f.algorithm, "model_version": f.model_version,
                "model_hash": f.model_hash, "position": {"lon": f.place.x, "lat": f.place.y, "accuracy_m": f.accuracy_m},
            }
            for f in batch
        ]  # fmt: skip
        (await client.post("/api/observations", json={"observations": body})).raise_for_status()

    return {"intake": door, "POST": posted, "executemany": many, "COPY": copied}


async def measure(url: str, number: int, rounds: int, data_dir: Path) -> dict[int, dict[str, float]]:
    """Median findings per second by batch size and contender."""
    given = findings(number)
    rates: dict[int, dict[str, list[float]]] = {}
    application = assemble(Settings(data_dir=data_dir, database_url=url, demo=False))
    framework = application.app.framework
    connection = await connect(url)
    async with framework.router.lifespan_context(framework):
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers={"X-HDQ-Client": "1"}, timeout=120) as client:
            (await client.post("/api/login", json={"username": "bench", "password": "benchmark-only"})).raise_for_status()
            ways = contenders(connection, client)
            for _ in range(rounds):
                for size in (1, 100, 1000):
                    part = given[: min(number, 200 if size == 1 else 2000 if size == 100 else number)]
                    for name, put in ways.items():
                        fresh = [replace(f, source_event_id=str(uuid4())) for f in part]
                        begin = time.perf_counter()
                        for start in range(0, len(fresh), size):
                            await put(fresh[start : start + size])
                        rates.setdefault(size, {}).setdefault(name, []).append(len(fresh) / (time.perf_counter() - begin))
                        await connection.execute("TRUNCATE observations, procrastinate_jobs, events CASCADE")
                        await connection.commit()
    await connection.close()
    return {size: {name: statistics.median(values) for name, values in by.items()} for size, by in rates.items()}


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    admin = os.environ.get("HDQ_TEST_DATABASE_URL") or embedded.test_server(Settings())
    name = f"hdq_bench_{secrets.token_hex(4)}"
    with psycopg.connect(admin, autocommit=True) as server:
        (fsync,) = server.execute("SHOW fsync").fetchone()
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(sql.Identifier(name)))
        try:
            head, _, tail = admin.partition("?")
            url = f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{tail}" if tail else "")
            prepare(url)
            with TemporaryDirectory() as folder:
                found = asyncio.run(measure(url, asked.findings, asked.rounds, Path(folder)))
        finally:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    print(f"{'batch':>8}" + "".join(f"{way:>14}" for way in found[1]) + f"{'COPY/intake':>14}   findings per second, median of {asked.rounds}; fsync {fsync}")
    for size, rates in found.items():
        print(f"{size:>8}" + "".join(f"{rate:>14,.0f}" for rate in rates.values()) + f"{rates['COPY'] / rates['intake']:>14.1f}")
    figures = {f"{way.lower()}_{size}_per_s": round(rate) for size, rates in found.items() for way, rate in rates.items()}
    largest = found[max(found)]
    print(json.dumps({**figures, "copy_over_intake": round(largest["COPY"] / largest["intake"], 2), "executemany_over_intake": round(largest["executemany"] / largest["intake"], 2), "fsync": fsync}))


if __name__ == "__main__":
    main()
