"""The observability ledger: a day of 505 grids × 1,440 minutes from four kinds of sensor, written and read as a heat map.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.ledger

Everything happens in one transaction that is rolled back. Beside it: the same figures as one row a grid, kind and minute, pivoted by SQL.
"""

import asyncio
import json
import statistics
import time
from datetime import date

import numpy as np
import psycopg
import shapely

from grid.database import Scope
from grid.sensing import ledger
from grid.settings import Settings

DAY = date(2001, 1, 1)
KINDS = ("camera", "drone", "person", "satellite")
GRIDS = 505
REGION = "990000"


async def main() -> None:
    """Writes, reads, prints a table and one JSON line."""
    draws = np.random.default_rng(5)
    settings = Settings()
    async with await psycopg.AsyncConnection.connect(settings.database_url) as connection:
        from psycopg.types.shapely import register_shapely

        register_shapely(await psycopg.types.TypeInfo.fetch(connection, "geometry"), connection)
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("INSERT INTO regions (code, level, name, geom) VALUES (%s, 1, 'ledger', %s)", (REGION, shapely.set_srid(shapely.MultiPolygon([shapely.box(10, 10, 40, 40)]), 4326)))
        async with connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO cells (code, name, region_code, geom) VALUES (%s, %s, %s, %s)",
                [(f"{REGION}{i:09d}", f"{i}", REGION, shapely.set_srid(shapely.MultiPolygon([shapely.box(10 + i * 0.02, 10, 10.018 + i * 0.02, 10.02)]), 4326)) for i in range(GRIDS)],
            )
        marks = {(DAY, f"{REGION}{i:09d}", kind): (REGION, (draws.random(ledger.MINUTES) < 0.3).astype(np.uint8) * draws.integers(1, 255, ledger.MINUTES, np.uint8)) for i in range(GRIDS) for kind in KINDS}
        started = time.perf_counter()
        await ledger._merge(connection, marks)
        written = time.perf_counter() - started
        await connection.execute("CREATE TEMPORARY TABLE plain (cell_code text, minute int, seen int) ON COMMIT DROP")
        async with connection.cursor() as cursor, cursor.copy("COPY plain FROM STDIN") as copy:
            for (_, code, _), (_, minutes) in marks.items():
                for minute in np.flatnonzero(minutes):
                    await copy.write_row((code, int(minute), int(minutes[minute])))
        await connection.execute("ANALYZE plain")
        ours, theirs = [], []
        for _ in range(5):
            started = time.perf_counter()
            found = await ledger.heat(connection, Scope(REGION), DAY)
            text = json.dumps(found.every(1).tolist())
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            rows = await (await connection.execute("SELECT cell_code, minute, max(seen) FROM plain GROUP BY 1, 2")).fetchall()
            theirs.append(time.perf_counter() - started)
        stored = (await (await connection.execute("SELECT sum(pg_column_size(minutes)) FROM ledger WHERE region_code = %s", (REGION,))).fetchone())[0]
        assert sum(r[2] for r in rows) == int(found.seen.sum(dtype=np.int64))
        await connection.rollback()
    heat_s, plain_s = statistics.median(ours), statistics.median(theirs)
    print(f"{GRIDS} grids × {ledger.MINUTES} minutes × {len(KINDS)} kinds: written in {written:.2f} s, {stored / 1e6:.2f} MB")
    print(f"heat map read and encoded ({len(text) / 1e6:.1f} MB of JSON) {heat_s:.3f} s; a row a minute, SQL alone {plain_s:.3f} s")
    print(json.dumps({"heat_s": round(heat_s, 3), "write_s": round(written, 3), "mb": round(float(stored) / 1e6, 2), "vs_rows": round(plain_s / heat_s, 1)}))


if __name__ == "__main__":
    asyncio.run(main())
