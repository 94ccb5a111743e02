"""A pair of 10,980 × 10,980 pixels judged by one process alone, on one process of a dask cluster, on two, and on two of which one is killed in the middle.

    python -m benchmarks.cluster [--side 10980] [--analyses vegetation_loss,irmad]

The pair is that of `benchmarks.raster`, written once under .hdq/benchmarks. A run's answer is the SHA-256 of everything the analysis says of the pair
(every run of changed pixels, its score, the valid share). Last line: identical (all answers of an analysis equal), killed_identical, rss_gb (the largest
worker that lived to the end), rss_alone_gb (a process without a cluster, with a thread a core), and seconds; two processes on two busy cores are no faster than the cores.
"""

import argparse
import hashlib
import json
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import raster_ground
from grid.settings import ROOT
from imagery import cluster, engine
from imagery.scenes import analyses, judging, pairs, prepared

FOLDER = ROOT / ".hdq" / "benchmarks" / "raster"


def answer(pair: pairs.Pair, analysis_id: str, carry: judging.Run) -> tuple[str, float]:
    """SHA-256 of what the analysis says of the pair, and wall seconds."""
    began = time.perf_counter()
    analysis = analyses.get(analysis_id)
    ready, fitted = judging.prepare(pair, analysis)
    runs, share = judging.marked(ready, analysis, fitted, carry)
    parts = (runs.rows, runs.starts, runs.stops, runs.values)
    told = hashlib.sha256(b"".join(part.tobytes() for part in parts) + repr((share, runs.height, runs.width)).encode()).hexdigest()
    return told, time.perf_counter() - began


def peak() -> int:
    """Bytes this process held at most, mapped files included. (What getrusage tells of a new process begins with what its parent held.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def on(workers: int, pair: pairs.Pair, analysis_id: str, *, kill: bool = False) -> tuple[str, float, float]:
    """The answer of a cluster of so many processes, wall seconds without its start, and the largest worker in GB; `kill`: SIGKILL to one when a third of
    the blocks are done."""
    with cluster.local(workers) as (held, processes):
        victim = next(iter(processes.workers.values())).pid

        def killing(finished: int, total: int) -> None:
            if kill and finished == max(1, total // 3):
                os.kill(victim, signal.SIGKILL)

        told, seconds = answer(pair, analysis_id, partial(engine.run, elsewhere=partial(cluster.opened, held), progress=killing))
        with processes.get_client() as client:
            return told, seconds, max(client.run(peak).values()) / 1e9


def main() -> None:
    """Prints the table and the line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=raster_ground.SIDE)
    parser.add_argument("--analyses", default="vegetation_loss,irmad")
    asked = parser.parse_args()
    paths = raster_ground.write(FOLDER, asked.side)
    for path in paths:
        prepared.prepare(path, raster_ground.BANDS, "ndvi")
    pair = pairs.align(*(pairs.Source(path, raster_ground.BANDS, kept=True) for path in paths))
    table = Table("analysis", "alone s", "1 process s", "2 processes s", "one killed s", "same", title=f"{asked.side}² pixels; load {os.getloadavg()[0]:.1f}")
    identical = killed = True
    largest, own, seconds = 0.0, 0.0, {}
    for name in asked.analyses.split(","):
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            here, held = alone.submit(answer, pair, name, engine.run).result(), alone.submit(peak).result()
        own = max(own, held / 1e9)
        one, two, less = on(1, pair, name), on(2, pair, name), on(2, pair, name, kill=True)
        same = here[0] == one[0] == two[0]
        identical, killed = identical and same, killed and less[0] == here[0]
        largest = max(largest, one[2], two[2], less[2])
        seconds[name] = [round(each[1], 1) for each in (here, one, two, less)]
        table.add_row(name, *(str(value) for value in seconds[name]), str(same and less[0] == here[0]))
    Console(width=120).print(table)
    print(json.dumps({"benchmark": "cluster", "identical": identical, "killed_identical": killed, "rss_gb": round(largest, 2), "rss_alone_gb": round(own, 2), "seconds": seconds}))


if __name__ == "__main__":
    main()
