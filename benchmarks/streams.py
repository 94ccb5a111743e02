"""Fifty live streams on two cores: what is left of each stream's rate when one sticks, one sends garbage and one falls silent.

`python -m benchmarks.streams [--streams 50] [--seconds 20] [--every 0]`: a server process of our own (`rtsp_server`: 640×360 H.264, 10 pictures and 2 key
frames a second) and this process, both on the same two cores. All streams are well for a stretch, then three go bad for one as long, and once more, so that
what else the machine does falls on both. Each stream's frames while they are bad over those while they are well is its kept rate; the product's parts measured are `streams.live` (key
frames decoded, RGB), `Feed` (thread, queue, watchdog) and the watcher's `Gate`. Without a database: taking a frame ends at the gate.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from grid.errors import HdqError
from imagery.cameras import streams
from imagery.cameras.frames import Frame
from imagery.cameras.streams_feed import Feed
from imagery.cameras.watch import Gate

BAD = ("stuck", "garbage", "silent")
READ_SECONDS = 3.0
REST_S = 1.0
ROUNDS = 2
SETTLE_S = 3.0


@dataclass(slots=True)
class Seen:
    """Frames by stream and stretch, visits that failed, and why."""

    stretch: str = "opening"
    frames: dict[str, Counter[str]] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)


async def follow(name: str, url: str, every_s: float, seen: Seen) -> None:
    """One stream, opened again after each failure, as the watcher does."""
    feed, gate, counted = Feed(stall_s=4 * READ_SECONDS), Gate(every_s / 2), seen.frames.setdefault(name, Counter())
    hosts = frozenset({"127.0.0.1"})

    def opened() -> Iterator[Frame]:
        return streams.live(url, streams.check_address(url, hosts), every_s=every_s, open_seconds=READ_SECONDS, read_seconds=READ_SECONDS)

    while True:
        try:
            async with contextlib.aclosing(feed.frames(opened, name)) as shown:
                async for frame in shown:
                    counted[seen.stretch] += 1
                    await asyncio.to_thread(gate.passes, frame, under_way=False)
        except HdqError as error:
            seen.restarts[name] += 1
            seen.reasons[name] = error.detail
            await asyncio.sleep(REST_S)


async def measure(count: int, seconds: float, every_s: float) -> dict[str, object]:
    """Runs both stretches and returns the figures."""
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.rtsp_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    seen, tasks = Seen(), []
    try:
        port = int(await asyncio.to_thread(server.stdout.readline))
        names = [*BAD, *(f"well{number}" for number in range(count - len(BAD)))]
        tasks = [asyncio.create_task(follow(name, f"rtsp://127.0.0.1:{port}/{name}", every_s, seen)) for name in names]
        deadline = time.monotonic() + 60
        while any(not seen.frames.get(name) for name in names) and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        spent = {"before": [0.0, 0.0], "after": [0.0, 0.0]}
        opening = Counter(seen.restarts)
        for turn in range(2 * ROUNDS):
            name = ("before", "after")[turn % 2]
            seen.stretch = "turning"
            server.stdin.write("bad\n" if turn % 2 else "well\n")
            server.stdin.flush()
            await asyncio.sleep(SETTLE_S if turn else 0)
            spent[name] = [old + new for old, new in zip(spent[name], await _stretch(seen, name, seconds / ROUNDS), strict=True)]
        (before, cpu_before), (after, cpu_after) = spent["before"], spent["after"]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=10)
        server.stdin.close()
        server.wait(10)
    well = names[len(BAD) :]
    rates = {name: (seen.frames[name]["before"] / before, seen.frames[name]["after"] / after) for name in names}
    kept = [rates[name][1] / rates[name][0] if rates[name][0] else 0.0 for name in well]
    restarted = sorted(name for name in names if seen.restarts[name] > opening[name])
    table = Table("stream", "frames/s before", "after", "visits that failed", "why")
    for name in [*BAD, *sorted(well, key=lambda name: rates[name][1])[:2]]:
        table.add_row(name, f"{rates[name][0]:.2f}", f"{rates[name][1]:.2f}", str(seen.restarts[name]), seen.reasons.get(name, ""))
    Console().print(table)
    return {
        "streams": count,
        "kept_rate_min": round(min(kept), 3),
        "kept_rate_median": round(statistics.median(kept), 3),
        "kept_rate_max": round(max(kept), 3),
        "restarted_only": restarted == sorted(BAD),
        "restarted": restarted,
        "cpu_s_per_stream": round(cpu_after / count, 3),
        "cpu_s_per_stream_before": round(cpu_before / count, 3),
        "seconds": round(after, 1),
        "rate_before_median": round(statistics.median(rates[name][0] for name in well), 2),
        "rate_after_median": round(statistics.median(rates[name][1] for name in well), 2),
        "load": round(os.getloadavg()[0], 1),
    }


async def _stretch(seen: Seen, name: str, seconds: float) -> tuple[float, float]:
    """Seconds and CPU seconds of this process of one stretch."""
    seen.stretch, begun, cpu = name, time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    return time.monotonic() - begun, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--every", type=float, default=0.0, help="seconds between frames taken; 0: each key frame")
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    print(json.dumps(asyncio.run(measure(given.streams, given.seconds, given.every))))


if __name__ == "__main__":
    main()
