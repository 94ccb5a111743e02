"""Building tiles z9–z18: the product (uncached and cached) against the same SQL through pgbench and against tipg, in turn in one run.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.tiles [--rounds 5] [--tiles 40] [--buildings 270000]

The tiles of a zoom are its fullest ten and others drawn where buildings stand. pgbench runs one prepared statement with the tile's numbers as variables on one connection;
what it takes to look those up is measured beside it and taken off. tipg gets its cap of features raised, our buffer, the projected column and our attributes,
once over the register (what it would be pointed at), once over the very rows the product draws. An empty register is filled with a synthetic city, marked simulated.
Needs tipg and pgbench. Milliseconds as one client sees them.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from benchmarks import synthetic
from gis_api.auth import COOKIE, token_hash
from grid.database import Scope, connect
from grid.settings import ROOT, Settings
from layers import pyramid, tiles
from layers.catalog import catalog
from layers.generalise import WORLD

ZOOMS = range(9, 19)
LIMIT_BYTES = 500_000
SPEC = catalog().layers["buildings"]
CITY = Scope("37")


@dataclass
class Samples:
    """Milliseconds by contender, bytes by tile."""

    ms: dict[str, list[float]] = field(default_factory=dict)
    raw_bytes: list[int] = field(default_factory=list)
    zipped_bytes: list[int] = field(default_factory=list)

    def add(self, who: str, took: list[float]) -> None:
        self.ms.setdefault(who, []).extend(took)

    def at(self, who: str, share: float) -> float:
        values = sorted(self.ms[who])
        return values[min(len(values) - 1, int(share * len(values)))]


class Wire:
    """One kept-alive HTTP/1.1 connection with nothing around it: what is measured is the server."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"Host: 127.0.0.1:{port}\r\nAccept-Encoding: gzip\r\n{f'Cookie: {COOKIE}={cookie}' if cookie else 'X-None: 1'}\r\n\r\n"

    def get(self, path: str) -> tuple[float, int]:
        """Milliseconds and bytes of the body; anything but 200 and 204 stops the run."""
        started = time.perf_counter()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{self.head}".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        size = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), None)
        if size is not None:
            while len(body) < size:
                body += self._more()
        elif b"transfer-encoding: chunked" in lines:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._more()
        took = (time.perf_counter() - started) * 1000
        if b" 200" not in lines[0] and b" 204" not in lines[0]:
            raise SystemExit(f"{path}: {lines[0].decode()}: {body[:300]!r}")
        return took, len(body)

    def _more(self) -> bytes:
        found = self.socket.recv(262_144)
        if not found:
            raise SystemExit("the server closed the connection")
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(command: list[str], port: int, **environment: str) -> Iterator[None]:
    """A server as its own process, up when its port answers, ended with the block."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log, cwd=ROOT)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(f"{command} ended: {log.read().decode()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(15)


def choose(connection: psycopg.Connection, z: int, wanted: int) -> list[tiles.Tile]:
    """The fullest ten tiles of a zoom, and others where buildings stand."""
    side = WORLD / 2**z
    found = connection.execute(
        f"""
        SELECT floor((ST_XMin(geom_3857) + {WORLD / 2}) / {side})::int AS x, floor(({WORLD / 2} - ST_YMin(geom_3857)) / {side})::int AS y, count(*) AS n, md5(min(id)::text) AS dice
        FROM buildings GROUP BY 1, 2 ORDER BY n DESC
        """
    ).fetchall()
    rest = sorted(found[10:], key=lambda row: row[3])[: max(0, wanted - 10)]
    return [tiles.Tile(z, x, y) for x, y, _, _ in found[:10] + rest]


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


class Pgbench:
    """The product's own statement on one connection of pgbench, tile after tile."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        (folder / "lookup.sql").write_text(self._lookup(9))

    def _lookup(self, z: int) -> str:
        return f"\\set n :n + 1\nSELECT tile, wide, degrees FROM hdq_bench.addresses WHERE z = {z} AND n = :n \\gset\n"

    def run(self, z: int, number: int) -> list[float]:
        """Milliseconds of each of the zoom's tiles; the first pass over the list, which prepares, is thrown away."""
        text = tiles.statement(SPEC, z).decode()
        for name in ("tile", "wide", "degrees"):
            text = text.replace(f"%({name})s::geometry", f"%({name})s").replace(f"%({name})s", f":{name}::geometry")
        text = text.replace("%(z)s", str(z)).replace("%(scope)s", f"'{CITY.like}'").replace("%(prefix)s", f"'{CITY.prefix}'").replace("%%", "%")
        script = self.folder / f"z{z}.sql"
        script.write_text(self._lookup(z).replace(":n + 1", f":n % {number} + 1") + " ".join(text.split()) + ";\n")
        lookup = self.folder / "lookup.sql"
        lookup.write_text(self._lookup(z).replace(":n + 1", f":n % {number} + 1"))
        idle = statistics.median(self._log(lookup, 200))
        return [max(0.01, took - idle) for took in self._log(script, 6 + number)[6:]]

    def _log(self, script: Path, transactions: int) -> list[float]:
        prefix = self.folder / f"log{secrets.token_hex(4)}"
        command = ["pgbench", "-n", "-M", "prepared", "-c", "1", "-t", str(transactions), "-D", "n=0", "-f", str(script), "-l", f"--log-prefix={prefix}", self.url]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"pgbench: {ran.stderr[-2000:]}")
        (log,) = self.folder.glob(f"{prefix.name}.*")
        return [int(line.split()[2]) / 1000 for line in log.read_text().splitlines()]


def tipg_path(tile: tiles.Tile, *, same_rows: bool) -> str:
    far = tile.z <= 15
    collection = f"hdq_bench.level_{tile.z}" if far and same_rows else "public.buildings"
    names = ("use,height_m,count" if same_rows else "use,height_m") if far else "use,height_m,name,address,floors,households"
    return f"/collections/{collection}/tiles/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}?geom-column=geom_3857&properties={names}"


def measure(url: str, rounds: int, wanted: int) -> dict[int, Samples]:
    token = secrets.token_urlsafe(32)
    found = {z: Samples() for z in ZOOMS}
    with psycopg.connect(url, autocommit=True) as connection, tempfile.TemporaryDirectory() as folder:
        chosen = {z: choose(connection, z, wanted) for z in ZOOMS}
        for z, addresses in chosen.items():
            for n, tile in enumerate(addresses, 1):
                given = tiles.parameters(SPEC, tile, CITY)
                boxes = [given[name].hex() for name in ("tile", "wide", "degrees")]
                connection.execute("INSERT INTO hdq_bench.addresses VALUES (%s, %s, %s::geometry, %s::geometry, %s::geometry)", [z, n, *boxes])
        connection.execute("ANALYZE hdq_bench.addresses")
        staff = connection.execute(
            "INSERT INTO staff (username, name, role, region_code, password_hash) VALUES (%s, 'benchmark', 'auditor', %s, '-') RETURNING id", [f"bench-{token[:8]}", CITY.prefix]
        ).fetchone()[0]
        connection.execute("INSERT INTO sessions (token_hash, staff_id, expires_at) VALUES (%s, %s, now() + interval '2 hours')", [token_hash(token), staff])
        ours, theirs = free_port(), free_port()
        product = server([sys.executable, "-m", "gis_api.server"], ours, HDQ_DATABASE_URL=url, HDQ_PORT=str(ours), HDQ_DATA_DIR=folder)
        peer = server(
            [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(theirs), "tipg.main:app"],
            theirs,
            DATABASE_URL=_with_a_host(url),
            TIPG_MAX_FEATURES_PER_TILE="10000000",
            TIPG_TILE_BUFFER=str(tiles.BUFFER),
            TIPG_DB_SCHEMAS='["public", "hdq_bench"]',
            TIPG_DB_TABLES=json.dumps(["public.buildings", *(f"hdq_bench.level_{level}" for level in range(9, 16))]),
            TIPG_DB_SPATIAL_EXTENT="FALSE",
            TIPG_DB_DATETIME_EXTENT="FALSE",
        )
        try:
            with product, peer:
                us, them, limit = Wire(ours, token), Wire(theirs), Pgbench(url, Path(folder))
                for round_ in range(-1, rounds):
                    _forget(connection)
                    for z in ZOOMS:
                        _round(found[z], chosen[z] if round_ >= 0 else chosen[z][-6:], us, them, limit, keep=round_ >= 0)
                    print(f"round {round_ + 1} of {rounds}" if round_ >= 0 else "warm", flush=True)
        finally:
            connection.execute("DELETE FROM sessions WHERE staff_id = %s", [staff])
            connection.execute("DELETE FROM staff WHERE id = %s", [staff])
            connection.execute("DROP SCHEMA hdq_bench CASCADE")
        for z, addresses in chosen.items():
            found[z].raw_bytes = asyncio.run(_sizes(url, addresses))
    return found


def _with_a_host(url: str) -> str:
    """The same address with the folder of the socket as its host: tipg's settings refuse an empty one."""
    before, _, after = url.partition("@/")
    database, _, folder = after.partition("?host=")
    return f"{before}@{quote(folder, safe='')}/{database}" if folder else url


def _forget(connection: psycopg.Connection) -> None:
    """Makes the server forget its tiles the way the product does: by an event."""
    connection.execute("WITH clock AS (UPDATE event_clock SET last_id = last_id + 1 RETURNING last_id) INSERT INTO events (id, kind, entity_id, region_code) SELECT last_id, %s, 'buildings', '37' FROM clock", [pyramid.LAYERS_CHANGED])
    connection.execute("NOTIFY hdq_events, '0'")
    time.sleep(0.5)


def _round(samples: Samples, addresses: list[tiles.Tile], us: Wire, them: Wire, limit: Pgbench, *, keep: bool) -> None:
    took: dict[str, list[float]] = {"pgbench": limit.run(addresses[0].z, len(addresses))}
    path = [f"/tiles/buildings/{tile.z}/{tile.x}/{tile.y}.mvt" for tile in addresses]
    asked = [us.get(address) for address in path]
    took["uncached"] = [ms for ms, _ in asked]
    took["cached"] = [ms for address in path for ms, _ in [us.get(address)]]
    took["tipg"] = [them.get(tipg_path(tile, same_rows=False))[0] for tile in addresses]
    took["tipg same rows"] = [them.get(tipg_path(tile, same_rows=True))[0] for tile in addresses]
    if keep:
        samples.zipped_bytes = [size for _, size in asked]
        for who, values in took.items():
            samples.add(who, values)


async def _sizes(url: str, addresses: list[tiles.Tile]) -> list[int]:
    connection = await connect(url)
    try:
        return [len(await tiles.render(connection, SPEC, tile, CITY)) for tile in addresses]
    finally:
        await connection.close()


def report(found: dict[int, Samples], buildings: int) -> dict:
    """Prints the table and gives the figures."""
    who = ["pgbench", "uncached", "cached", "tipg", "tipg same rows"]
    print(f"\n{'':>4} {'tiles':>5} {'max raw kB':>10} {'max gz kB':>9} " + " ".join(f"{name + ' p50/p95 ms':>25}" for name in who) + f" {'/pgbench p95':>12} {'tipg/ours p50':>13}")
    figures: dict = {"benchmark": "tiles", "buildings": buildings, "zooms": {}}
    for z, samples in found.items():
        ratio = samples.at("uncached", 0.95) / samples.at("pgbench", 0.95)
        ahead = samples.at("tipg", 0.5) / samples.at("uncached", 0.5)
        same = samples.at("tipg same rows", 0.5) / samples.at("uncached", 0.5)
        cells = " ".join(f"{samples.at(name, 0.5):>15.2f} / {samples.at(name, 0.95):>7.2f}" for name in who)
        print(f"z{z:<3} {len(samples.raw_bytes):>5} {max(samples.raw_bytes) / 1000:>10.1f} {max(samples.zipped_bytes) / 1000:>9.1f} {cells} {ratio:>12.2f} {ahead:>13.1f}")
        figures["zooms"][str(z)] = {
            "tiles": len(samples.raw_bytes),
            "max_raw_bytes": max(samples.raw_bytes),
            "max_gzip_bytes": max(samples.zipped_bytes),
            **{f"{name.replace(' ', '_')}_{label}_ms": round(samples.at(name, share), 3) for name in who for label, share in (("p50", 0.5), ("p95", 0.95))},
            "uncached_p95_over_pgbench": round(ratio, 3),
            "tipg_p50_over_ours": round(ahead, 2),
            "tipg_same_rows_p50_over_ours": round(same, 2),
        }
    pooled = {name: sorted(ms for samples in found.values() for ms in samples.ms[name]) for name in who}
    every = {name: values[int(0.95 * len(values))] for name, values in pooled.items()}
    figures["uncached_p95_over_pgbench_all_zooms"] = round(every["uncached"] / every["pgbench"], 3)
    figures["max_raw_bytes"] = max(max(samples.raw_bytes) for samples in found.values())
    figures["all_within_500_kB"] = figures["max_raw_bytes"] <= LIMIT_BYTES
    figures["ahead_of_tipg_at_every_zoom"] = all(item["tipg_p50_over_ours"] > 1 for item in figures["zooms"].values())
    figures["ahead_of_tipg_same_rows_at_every_zoom"] = all(item["tipg_same_rows_p50_over_ours"] > 1 for item in figures["zooms"].values())
    return figures


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--tiles", type=int, default=40)
    given.add_argument("--buildings", type=int, default=270_000, help="of the synthetic city, when the register is empty")
    options = given.parse_args()
    url = Settings().database_url
    if not url:
        from gis_api import embedded

        url = embedded.ensure(Settings()).database_url or ""
    if shutil.which("pgbench") is None:
        raise SystemExit("pgbench is missing: apt-get install postgresql-client (or postgresql-contrib)")
    count = prepare(url, options.buildings)
    print("\n" + json.dumps(report(measure(url, options.rounds, options.tiles), count)))


if __name__ == "__main__":
    main()
