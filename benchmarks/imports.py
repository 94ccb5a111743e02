"""Imports of large files: the product (file to served layer, committed) against the bare cost of reading the file and one COPY of the same rows, in turn in one run.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.imports [--rounds 3] [--features 1000000] [--only generated|buildings]

Bare is the least anybody can do: the usual reader (GDAL through pyogrio, pyarrow for Parquet) reads the file once, then the very bytes that the product stores, ready made,
go through one COPY into a table without index or constraint. The product reads, judges the frame, checks and mends every shape, finds its region, keeps the original,
stores, indexes, and publishes. Each run of the product is a process of its own; memory is the peak of that process and its decoder together. `vs_bare` compares seconds on the clock, which on a machine that others use says little;
`vs_bare_cpu` the processor time of reader, client and database backend together. `unchecked_vs_bare`: bare and the indexes of a served layer, nothing looked at.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psycopg

from grid.database import Scope, connect
from grid.settings import ROOT, Settings
from layers import datasets, readers
from layers.reading.copying import COLUMNS, HEAD, TAIL

TARGET, RSS_TARGET_MB = 1.5, 400
BUILDINGS = "buildings/tokyo_bay_wards_buildings.parquet"
CITY = Scope("37")


def generate(path: Path, features: int) -> None:
    """Building-like polygons of five to nine corners over the city, with six attributes, as one FeatureCollection."""
    rng = np.random.default_rng(11)
    with path.open("w") as sink:
        sink.write('{"type":"FeatureCollection","features":[\n')
        for start in range(0, features, 20_000):
            size = min(20_000, features - start)
            lon, lat = rng.uniform(120.0, 120.8, size), rng.uniform(36.0, 36.6, size)
            corners, turn, radius = rng.integers(4, 9, size), rng.uniform(0, 6.3, size), rng.uniform(0.00004, 0.0002, size)
            lines = []
            for i in range(size):
                angle = turn[i] + np.arange(corners[i]) * (2 * np.pi / corners[i])
                ring = np.round(np.column_stack([lon[i] + radius[i] * np.cos(angle), lat[i] + 0.8 * radius[i] * np.sin(angle)]), 7).tolist()
                properties = {"编号": f"B{start + i:08}", "用途": ("住宅", "商业", "办公", "工业")[(start + i) % 4], "层数": int(corners[i] * 3), "高度": round(float(radius[i]) * 3e5, 1), "年份": 1980 + i % 45, "保护": i % 97 == 0}
                lines.append(json.dumps({"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}}, ensure_ascii=False, separators=(",", ":")))
            sink.write(",\n".join(lines) + (",\n" if start + size < features else "\n"))
        sink.write("]}")


def read_bare(path: Path) -> int:
    """The usual reader of the format, once over the file; rows."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).num_rows
    import pyogrio

    return len(pyogrio.read_arrow(path)[1])


def cpu_of(pid: int) -> float:
    """Seconds of processor time of a process on this machine; NaN where it is not here."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_here() -> float:
    """Seconds of processor time of this process and of its children that ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


async def copy_bare(url: str, spool: Path) -> float:
    """One COPY of ready bytes into a bare table; the processor time of both ends."""
    connection = await connect(url)
    before = cpu_here() + cpu_of(connection.info.backend_pid)
    try:
        await connection.execute("CREATE TABLE bare_copy (dataset_id text, id bigint, properties jsonb, label text, region_code text, geom geometry)")
        async with connection.cursor() as cursor, cursor.copy(f"COPY bare_copy ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy:
            with spool.open("rb") as source:
                while block := source.read(1 << 22):
                    await copy.write(block)
        await connection.commit()
        return cpu_here() + cpu_of(connection.info.backend_pid) - before
    finally:
        await connection.close()


def index_bare(url: str) -> float:
    """Seconds for the indexes that any served layer needs, over the bare table: what even an import that looks at nothing adds to its COPY."""
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        started = time.perf_counter()
        connection.execute("ALTER TABLE bare_copy ADD UNIQUE (id, dataset_id)")
        connection.execute("CREATE INDEX ON bare_copy USING gist (geom)")
        connection.execute("CREATE INDEX ON bare_copy (dataset_id, region_code text_pattern_ops)")
        return time.perf_counter() - started


def drop_bare(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS bare_copy")


async def spool(url: str, path: Path, target: Path) -> None:
    """The bytes that the product stores for a file."""
    connection = await connect(url)
    around = await datasets.surroundings(connection, CITY)
    await connection.close()
    with target.open("wb") as sink:
        sink.write(HEAD)
        for found in readers.stream(path, path.name, readers.Options(), around, "bench"):
            if isinstance(found, readers.Chunk):
                sink.write(found.data)
        sink.write(TAIL)


def bare(url: str, path: Path, ready: Path) -> tuple[float, float, float, float]:
    """Seconds to read and to copy, the processor time of both, and seconds to index what was copied; the reading in a process of its own, as the product's is."""
    code = f"import time; from pathlib import Path; from benchmarks import imports; import pyogrio, pyarrow.parquet; t, c = time.perf_counter(), time.process_time(); imports.read_bare(Path({str(path)!r})); print(time.perf_counter() - t, time.process_time() - c)"
    reading, cpu = map(float, subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()[-2:])
    started = time.perf_counter()
    cpu += asyncio.run(copy_bare(url, ready))
    took = time.perf_counter() - started
    indexing = index_bare(url)
    drop_bare(url)
    return reading, took, cpu, indexing


def product(url: str, path: Path) -> dict:
    """Seconds, peak RSS and features of one import in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.imports", "--one", str(path)], cwd=ROOT, check=False, capture_output=True, text=True, env={**os.environ, "HDQ_DATABASE_URL": url})
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


class Peak:
    """Peak of the resident memory of this process and its children, looked at every 20 ms."""

    def __init__(self) -> None:
        self.mb, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.mb = max(self.mb, sum(map(_rss_mb, [os.getpid(), *_children(os.getpid())])))

    def end(self) -> float:
        self._stop.set()
        self._thread.join()
        return self.mb


def _children(pid: int) -> list[int]:
    try:
        found = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return found + [grandchild for child in found for grandchild in _children(child)]


def _rss_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


async def one(url: str, path: Path) -> dict:
    """One import, committed; its dataset is removed again."""
    connection = await connect(url)
    with tempfile.TemporaryDirectory(prefix="hdq-bench-") as folder:
        peak, started, cpu = Peak(), time.perf_counter(), cpu_here() + cpu_of(connection.info.backend_pid)
        found = await datasets.import_file(connection, Path(folder), path, path.name, datasets.About(title=f"bench {os.getpid()}"), scope=CITY)
        await connection.commit()
        seconds, cpu, rss = time.perf_counter() - started, cpu_here() + cpu_of(connection.info.backend_pid) - cpu, peak.end()
        await datasets.delete(connection, CITY, found.id)
        await connection.execute("DELETE FROM procrastinate_jobs WHERE task_name IN ('dataset_names', 'dataset_originals') AND status = 'todo'")
        await connection.commit()
        await connection.close()
    return {"seconds": seconds, "cpu_s": cpu, "rss_mb": rss, "features": found.feature_count}


def measure(url: str, path: Path, rounds: int, folder: Path) -> dict:
    """Medians over rounds, bare and product in turn."""
    ready = folder / "rows.pgcopy"
    asyncio.run(spool(url, path, ready))
    read_bare(path)
    runs = [(bare(url, path, ready), product(url, path)) for _ in range(rounds)]
    middle = statistics.median
    bares, took = [r + c for (r, c, _, _), _ in runs], [p["seconds"] for _, p in runs]
    return {
        "features": runs[0][1]["features"],
        "file_mib": round(path.stat().st_size / 2**20, 1),
        "read_s": round(middle([r for (r, _, _, _), _ in runs]), 2),
        "copy_s": round(middle([c for (_, c, _, _), _ in runs]), 2),
        "index_s": round(middle([i for (_, _, _, i), _ in runs]), 2),
        "product_s": round(middle(took), 2),
        "vs_bare": round(middle([t / b for t, b in zip(took, bares, strict=True)]), 2),
        "unchecked_vs_bare": round(middle([(b + i) / b for b, ((_, _, _, i), _) in zip(bares, runs, strict=True)]), 2),
        "vs_bare_cpu": round(middle([p["cpu_s"] / c for (_, _, c, _), p in runs]), 2),
        "rss_mb": round(max(p["rss_mb"] for _, p in runs)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["generated", "buildings"])
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = Settings()
    url = settings.database_url
    if url is None:
        from gis_api import embedded

        url = embedded.test_server(settings)
    if arguments.one:
        print(json.dumps(asyncio.run(one(url, arguments.one))))
        return
    results: dict[str, dict] = {}
    with tempfile.TemporaryDirectory(prefix="hdq-bench-") as name:
        folder = Path(name)
        if arguments.only != "buildings":
            generate(folder / "generated.geojson", arguments.features)
            results["generated GeoJSON"] = measure(url, folder / "generated.geojson", arguments.rounds, folder)
        real = (settings.test_data or ROOT) / BUILDINGS
        if arguments.only != "generated" and real.exists():
            results["real footprints GeoParquet"] = measure(url, real, arguments.rounds, folder)
    print(f"{'':28} {'features':>10} {'MiB':>7} {'read s':>7} {'COPY s':>7} {'index s':>7} {'product s':>9} {'vs bare':>8} {'unchecked':>9} {'CPU':>6} {'RSS MB':>7}")
    for label, r in results.items():
        print(f"{label:28} {r['features']:>10,} {r['file_mib']:>7} {r['read_s']:>7} {r['copy_s']:>7} {r['index_s']:>7} {r['product_s']:>9} {r['vs_bare']:>8} {r['unchecked_vs_bare']:>9} {r['vs_bare_cpu']:>6} {r['rss_mb']:>7}")
    print(
        json.dumps(
            {
                "vs_bare": max(r["vs_bare"] for r in results.values()),
                "vs_bare_cpu": max(r["vs_bare_cpu"] for r in results.values()),
                "rss_mb": max(r["rss_mb"] for r in results.values()),
                "features": sum(r["features"] for r in results.values()),
                "targets": {"vs_bare": TARGET, "rss_mb": RSS_TARGET_MB},
                **{label: r for label, r in results.items()},
            },
            ensure_ascii=False,
        )
    )


if __name__ == "__main__":
    main()
