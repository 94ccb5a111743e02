"""Building tiles over HTTP at their limit, in one run: the product against the same server on SQL, tipg, pgbench and nginx.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.tiles [--rounds 3] [--tiles 40] [--sampled 1000] [--buildings 270000]

First zoom by zoom what the map draws (benchmarks.tiletables), then what benchmarks.tilelimits says. An empty register is filled with a synthetic city, marked simulated.
Needs tipg and pgbench; nginx and wrk for the cached figure. Milliseconds as one client sees them.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
from pathlib import Path

import psycopg

from benchmarks import synthetic, tilelimits, tilepeers, tiletables
from grid.database import connect
from grid.settings import Settings
from layers import pyramid


def prepare(url: str, number: int) -> int:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("SELECT count(*) FROM buildings").fetchone()
    if count == 0:
        print(f"the register is empty: writing {number} synthetic buildings", flush=True)
        count = synthetic.fill(url, number)

    async def build() -> pyramid.Built:
        connection = await connect(url)
        try:
            return await pyramid.rebuild(connection)
        finally:
            await connection.close()

    print(f"{count} buildings, pyramid: {asyncio.run(build())}", flush=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE building_levels")
        connection.execute("DROP SCHEMA IF EXISTS hdq_bench CASCADE")
        connection.execute("CREATE SCHEMA hdq_bench")
        for level in range(9, 16):
            connection.execute(f"CREATE VIEW hdq_bench.level_{level} AS SELECT id, use, height_m, count, geom_3857 FROM public.building_levels WHERE level = {level}")
        connection.execute("CREATE TABLE hdq_bench.addresses (z int, n int, tile geometry, wide geometry, degrees geometry, PRIMARY KEY (z, n))")
    return count


def measure(url: str, options: argparse.Namespace) -> dict:
    """All figures; the servers live as long as this runs."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        stack.callback(connection.execute, "DROP SCHEMA hdq_bench CASCADE")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        token = stack.enter_context(tilepeers.signed_in(connection))
        wires = {}
        for name, (port, running) in {
            "memory": tilepeers.product(url, str(folder), HDQ_TILE_CACHE_MB="0"),
            "sql": tilepeers.product(url, str(folder), HDQ_TILE_CACHE_MB="0", HDQ_TILE_MEMORY_MB="0"),
            "kept": tilepeers.product(url, str(folder)),
            "tipg": tilepeers.tipg(url),
        }.items():
            stack.enter_context(running)
            wires[name] = tilepeers.Wire(port, "" if name == "tipg" else token)
        chosen = tiletables.addresses(connection, options.tiles)
        tilelimits.warm(wires["memory"], chosen)
        for tile in chosen[16]:
            wires["kept"].get(tilelimits.path(tile))
        figures: dict = {}
        limit = tilepeers.Pgbench(url, folder)
        if options.rounds:
            found = tiletables.rounds(chosen, options.rounds, wires["memory"], wires["kept"], wires["tipg"], limit)
            for z, tiles_ in chosen.items():
                found[z].raw_bytes = asyncio.run(tiletables.sizes(url, tiles_))
            figures |= tiletables.report(found, connection.execute("SELECT count(*) FROM buildings").fetchone()[0])
        figures |= tilelimits.mix(chosen, wires, limit, options.passes)
        figures |= tilelimits.low(chosen, wires, options.passes)
        figures |= tilelimits.edits(connection, wires["kept"], chosen[16])
        figures |= tilelimits.against_nginx(chosen, wires["kept"], token, folder, options.passes)
        figures |= asyncio.run(tilelimits.fidelity(url, options.sampled))
        return {"benchmark": "tiles", **figures}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    given.add_argument("--rounds", type=int, default=3, help="of the table by zoom; 0 leaves it out")
    given.add_argument("--passes", type=int, default=3, help="of every other comparison")
    given.add_argument("--tiles", type=int, default=40)
    given.add_argument("--sampled", type=int, default=1000, help="tiles compared with ST_AsMVT")
    given.add_argument("--buildings", type=int, default=270_000, help="of the synthetic city, when the register is empty")
    options = given.parse_args()
    url = Settings().database_url
    if not url:
        from gis_api import embedded

        url = embedded.ensure(Settings()).database_url or ""
    if tilepeers.absent("pgbench"):
        raise SystemExit("pgbench is missing: apt-get install postgresql-client (or postgresql-contrib)")
    prepare(url, options.buildings)
    print("\n" + json.dumps(measure(url, options)))


if __name__ == "__main__":
    main()
