"""City rate: findings to rows and alerts through the one door, L1 alerts under a flood, one stream frame for a thousand clients, consumers on NATS.

    HDQ_TEST_DATABASE_URL=postgresql://… python -m benchmarks.intake [--batch 10000] [--rounds 15] [--seconds 60] [--rate 2000] [--only door,flood,fanout,nats]

A scratch database on that server. Door: bytes as they come over the wire (JSON, Arrow) to committed rows, job and event; beside it one finding
at a time through the same door, and the ceiling: COPY of ready made binary rows into the same table with the same indexes, nothing read, checked or
placed. Contenders in turn in each round, each on the same table with 1,000 findings in it; medians of rounds, by CPU seconds of this process and of the
database's (by wall where that cannot be read), on the event loop that the server runs on. Flood: findings at a steady rate for a minute in batches, the fuse job beside it in a process of its own; every
second one fire that is an L1 alert.
"""

import argparse
import json
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import orjson
import psycopg
import pyarrow as pa
import uvloop
from psycopg import sql

from benchmarks import intake_fanout, intake_flood, intake_nats
from benchmarks.ingest import ACROSS, SOUTH, STEP, UP, WEST, prepare
from gis_api import embedded
from gis_api.wire import batches
from grid.database import connect
from grid.sensing import columns, copying, intake
from grid.settings import Settings
from grid.world import places

KINDS = ("garbage", "spill", "crowd", "water", "smoke")
SHARES = (0.4, 0.25, 0.18, 0.15, 0.02)
"""One in fifty is smoke, which is judged ahead of the rest as a fire is."""


def drawn(number: int, seed: int) -> columns.Columns:
    """Findings of street cameras all over the district, with ids of their own."""
    random = np.random.default_rng(seed)
    mark = secrets.token_hex(4)
    return columns.Columns(
        source="city-cameras",
        source_event_id=[f"{mark}-{i:06d}" for i in range(number)],
        sensor_kind="camera",
        kind=random.choice(KINDS, number, p=SHARES).tolist(),
        score=random.random(number),
        recorded_us=int(time.time() * 1e6) - random.integers(1_000_000, 60_000_000, number),
        lon=WEST + STEP * ACROSS * random.random(number),
        lat=SOUTH + STEP * UP * random.random(number),
        accuracy_m=np.full(number, 8.0),
        class_name="object",
        algorithm="street",
        model_version="1",
        model_hash="0" * 64,
    )


def as_json(batch: columns.Columns) -> bytes:
    """The batch as it is POSTed."""
    kinds = batch.texts("kind").to_pylist()
    moments = [(columns.EPOCH + int(us) * columns.MICROSECOND).isoformat() for us in batch.recorded_us]
    return orjson.dumps(
        {
            "observations": [
                {
                    "source": batch.source, "source_event_id": event, "sensor_kind": batch.sensor_kind, "kind": kind, "class_name": batch.class_name, "score": score,
                    "recorded_at": moment, "algorithm": batch.algorithm, "model_version": batch.model_version, "model_hash": batch.model_hash,
                    "position": {"lon": lon, "lat": lat, "accuracy_m": accuracy},
                }
                for event, kind, score, moment, lon, lat, accuracy in zip(
                    batch.source_event_id.to_pylist(), kinds, batch.score.tolist(), moments, batch.lon.tolist(), batch.lat.tolist(), batch.accuracy_m.tolist(), strict=True
                )
            ]
        }
    )  # fmt: skip


def as_columns(batch: columns.Columns) -> bytes:
    """The batch as JSON of columns."""
    moments = [(columns.EPOCH + int(us) * columns.MICROSECOND).isoformat() for us in batch.recorded_us]
    texts = {name: given if isinstance(given := getattr(batch, name), str) else given.to_pylist() for name in (*columns.HEAD, "source_event_id")}
    return orjson.dumps({"columns": {**texts, "recorded_at": moments, **{name: getattr(batch, name).tolist() for name in ("score", "lon", "lat", "accuracy_m")}}})


def as_arrow(batch: columns.Columns) -> bytes:
    """The batch as an Arrow stream."""
    texts = {name: batch.texts(name).dictionary_encode() for name in columns.HEAD}
    numbers = {name: pa.array(getattr(batch, name)) for name in ("score", "lon", "lat", "accuracy_m")}
    moments = pa.array(batch.recorded_us).cast(pa.timestamp("us", "UTC"))
    table = pa.table({**texts, "source_event_id": batch.source_event_id, **numbers, "recorded_at": moments})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


class Clock:
    """CPU seconds of this process and of one database process, and the wall's."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/schedstat")
        try:
            self._file.read_text()
            self.near = True
        except OSError:
            self.near = False

    def read(self) -> tuple[float, float]:
        """(CPU, wall)."""
        there = int(self._file.read_text().split()[0]) / 1e9 if self.near else 0.0
        return time.process_time() + there, time.perf_counter()


async def door(url: str, size: int, rounds: int) -> dict:
    """Seconds a finding by way; and whether every grid is the one that PostGIS gives."""
    connection = await connect(url)
    await connection.execute("SET synchronous_commit = off")
    await connection.commit()
    clock = Clock(connection.info.backend_pid)

    async def one_by_one(batch: columns.Columns) -> None:
        for row in range(len(batch)):
            await intake.accept(connection, [batch.finding(row)])
            await connection.commit()

    async def by_json(body: bytes) -> None:
        await intake.accept_columns(connection, batches.from_json(body))
        await connection.commit()

    async def by_arrow(body: bytes) -> None:
        await intake.accept_columns(connection, batches.from_arrow(body))
        await connection.commit()

    async def copied(ready: tuple[str, bytes]) -> None:
        names, data = ready
        async with connection.cursor() as cursor, cursor.copy(f"COPY observations ({names}) FROM STDIN (FORMAT binary)") as copy:
            await copy.write(data)
        await connection.commit()

    async def ready(batch: columns.Columns) -> tuple[str, bytes]:
        regions, cells = await places.codes_many(connection, batch.lon, batch.lat)
        ids = await copying.reserve(connection, len(batch))
        rows = copying.rows_of(batch, ids, regions, cells, {}, copying.in_order(batch))
        return ", ".join(rows.schema.names), b"".join(copying.encoded(rows))

    async def plain(batch: columns.Columns) -> columns.Columns:
        return batch

    async def json_rows(batch: columns.Columns) -> bytes:
        return as_json(batch)

    async def json_columns(batch: columns.Columns) -> bytes:
        return as_columns(batch)

    async def arrow(batch: columns.Columns) -> bytes:
        return as_arrow(batch)

    ways: dict[str, tuple[Callable[..., Awaitable], Callable[..., Awaitable[None]]]] = {
        "one by one": (plain, one_by_one), "JSON": (json_rows, by_json), "JSON columns": (json_columns, by_json), "Arrow": (arrow, by_arrow), "COPY": (ready, copied),
    }  # fmt: skip
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    exact = True
    for number in range(rounds + 1):
        turn = number % len(ways)
        for place, name in enumerate([*ways][turn:] + [*ways][:turn]):
            count = min(size, 200) if name == "one by one" else size
            prepare, way = ways[name]
            given = await prepare(drawn(count, 1000 * number + place))
            await connection.execute("TRUNCATE observations CASCADE")
            await connection.execute("DELETE FROM procrastinate_jobs")
            await by_arrow(as_arrow(drawn(1000, 1000 * number + 500 + place)))
            await connection.execute("DELETE FROM procrastinate_jobs")
            await connection.commit()
            begin = clock.read()
            await way(given)
            if number:
                taken[name].append(tuple((after - before) / count for before, after in zip(begin, clock.read(), strict=True)))
            elif name != "COPY":
                exact &= await _same_cells(connection)
    await connection.close()
    used = 0 if clock.near else 1
    medians = {name: statistics.median(each[used] for each in values) for name, values in taken.items()}
    walls = {name: statistics.median(each[1] for each in values) for name, values in taken.items()}

    def over(other: str, name: str) -> float:
        """How often one goes into the other, by the median of what each round says: the machine's speed changes from round to round."""
        return statistics.median(a[used] / b[used] for a, b in zip(taken[other], taken[name], strict=True))

    ratios = {
        "vs_per_event": round(over("one by one", "JSON"), 1),
        "vs_copy_json": round(over("COPY", "JSON"), 3),
        "vs_copy_json_columns": round(over("COPY", "JSON columns"), 3),
        "vs_copy_binary": round(over("COPY", "Arrow"), 3),
    }
    return {"ratios": ratios, "cost": medians, "wall": walls, "exact": exact, "clock": "CPU" if clock.near else "wall"}


async def _same_cells(connection: psycopg.AsyncConnection) -> bool:
    cursor = await connection.execute(
        """
        SELECT count(*) FROM observations o LEFT JOIN LATERAL (
            SELECT c.code, c.region_code FROM cells c
            WHERE ST_Covers(c.geom, o.geom) AND c.kind = 'management' AND c.valid @> hdq_today() ORDER BY c.code LIMIT 1
        ) AS truth ON true
        WHERE (o.cell_code, o.region_code) IS DISTINCT FROM (truth.code, truth.region_code)
        """
    )
    (wrong,) = await cursor.fetchone()
    await connection.commit()
    return wrong == 0


def scratch(work: Callable[[str], dict]) -> dict:
    """Runs `work` with a migrated, filled database of its own, dropped afterwards."""
    admin = os.environ.get("HDQ_TEST_DATABASE_URL") or embedded.test_server(Settings())
    name = f"hdq_bench_{secrets.token_hex(4)}"
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(sql.Identifier(name)))
        try:
            head, _, tail = admin.partition("?")
            url = f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{tail}" if tail else "")
            prepare(url)
            return work(url)
        finally:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def told(url: str, rate: int, seconds: float) -> dict:
    """Runs the flood, says what it showed, and returns its figures."""
    intake_flood.prepare_forest(url)
    found = uvloop.run(intake_flood.flood(url, rate, seconds, drawn, as_columns))
    delays = found["delays"]
    p95 = delays[min(len(delays) - 1, int(0.95 * len(delays)))] if delays else float("inf")
    print(f"flood: {found['taken']:,} findings in {found['took']:.0f} s, at most {found['behind']:.1f} s behind; {found['judged']:,} judged, the rest waits in the table")
    print(f"  L1: {len(delays)} of {found['fires']} fires, median {statistics.median(delays or [0]):.2f} s, p95 {p95:.2f} s, worst {max(delays or [0]):.2f} s")
    print(f"  memory MiB (intake, judge): {', '.join(f'{a} {b}' for a, b in found['memory'])}")
    lost = found["taken"] - found["stored"] + found["fires"] - len(delays)
    return {"l1_p95_s": round(p95, 2), "lost": lost, "judged_share": round(found["judged"] / found["taken"], 3), "rss_growth_mib": sum(found["memory"][-1]) - sum(found["memory"][0])}


def main() -> None:
    """Prints tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--only", default="door,fanout,flood,nats", help="parts to run, by comma")
    asked = parser.parse_args()
    parts = asked.only.split(",")
    figures: dict[str, object] = {}
    if "door" in parts:
        found = scratch(lambda url: uvloop.run(door(url, asked.batch, asked.rounds)))
        cost = found["cost"]
        print(f"door, batches of {asked.batch:,}, {asked.rounds} rounds, {found['clock']} microseconds a finding (and findings a second by the wall)")
        for name, seconds in cost.items():
            print(f"{name:>12} {seconds * 1e6:>10.1f} {1 / found['wall'][name]:>12,.0f}")
        figures |= found["ratios"] | {"cells_exact": found["exact"]}
    if "fanout" in parts:
        cost = scratch(lambda url: uvloop.run(intake_fanout.fanout(url, 3)))
        print(f"fan-out to {intake_fanout.CLIENTS:,} clients, {intake_fanout.A_TICK} events a tick: {cost['frame'] * 1e6:.3f} CPU µs a delivery, a queue each {cost['queue'] * 1e6:.3f}")
        figures["fanout_ratio"] = round(cost["queue"] / cost["frame"], 1)
    if "flood" in parts:
        figures |= scratch(lambda url: told(url, asked.rate, asked.seconds))
    if "nats" in parts:
        try:
            found = scratch(lambda url: intake_nats.measure(url, drawn, as_arrow, 3))
            cores = {name: round(value, 2) for name, value in found["cores"].items()}
            print(f"NATS, findings/s (cores kept busy): one consumer {found['one']:,.0f} ({cores['one']}), two {found['two']:,.0f} ({cores['two']}), ", end="")
            print(f"one on all districts at once {found['wide']:,.0f} ({cores['wide']}); one of two killed: {found['lost']} lost")
            figures |= {"nats_two_vs_one": round(found["two"] / found["one"], 2), "nats_lost": found["lost"], "nats_wide_vs_one": round(found["wide"] / found["one"], 2), "nats_cores": cores}
        except FileNotFoundError as error:
            print(error)
            figures["nats_two_vs_one"] = None
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
