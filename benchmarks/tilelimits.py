"""What issue 3 asks of tiles: every feature uncached, the map's own view from far away, edits, cached tiles beside nginx, likeness to ST_AsMVT, memory."""

import asyncio
import gzip
import statistics
import time
from pathlib import Path

import numpy as np
import psycopg

from benchmarks import fidelity as likeness
from benchmarks.tilepeers import CITY, SPEC, Pgbench, Wire, absent, load, nginx, tipg_path
from grid.database import connect
from layers import tiles
from layers.generalise import WORLD

MIX = {10: 1, 11: 2, 12: 4, 13: 6, 14: 10, 15: 20, 16: 40}
"""Tiles of each zoom: about as many more at each as somebody meets who comes nearer, the fullest first."""

Chosen = dict[int, list[tiles.Tile]]


def path(tile: tiles.Tile, *, whole: bool = False) -> str:
    """Where a building tile is read."""
    return f"/tiles/buildings/{tile.z}/{tile.x}/{tile.y}.mvt{'?detail=all' if whole else ''}"


def warm(wire: Wire, chosen: Chosen, patience_s: float = 300.0) -> None:
    """Asks a server without a cache until it draws every zoom from memory."""
    until = time.monotonic() + patience_s
    for z in range(9, 17):
        while b"x-drawn-by: memory" not in (head := wire.ask(path(chosen[z][0]))[1]):
            if time.monotonic() > until:
                raise SystemExit(f"z{z} is not drawn from memory after {patience_s} s: {head!r}")
            time.sleep(0.05)


def mix(chosen: Chosen, wires: dict[str, Wire], limit: Pgbench, passes: int) -> dict:
    """Every feature of z10 to z16, uncached: each tile of each contender in turn, pass after pass; the middle of a tile's passes counts."""
    picked = [tile for z, number in MIX.items() for tile in chosen[z][:number]]
    ms: dict[str, dict[tiles.Tile, list[float]]] = {name: {tile: [] for tile in picked} for name in ("memory", "sql", "tipg", "pgbench")}
    for _ in range(passes):
        for tile in picked:
            for name in ("memory", "sql", "tipg"):
                ms[name][tile].append(wires[name].get(tipg_path(tile, same_rows=False, whole=True) if name == "tipg" else path(tile, whole=True))[0])
        for z, number in MIX.items():
            for tile, took in zip(chosen[z], limit.run(z, min(number, len(chosen[z])), whole=True), strict=False):
                ms["pgbench"][tile].append(took)
    middle = {name: {tile: statistics.median(took) for tile, took in found.items()} for name, found in ms.items()}
    total = {name: sum(found.values()) for name, found in middle.items()}
    print(f"\nevery feature, uncached, {len(picked)} tiles z10 to z16 · ms a tile")
    print(f"{'':>8} " + " ".join(f"z{z:<8}" for z in MIX) + " tiles/s of the mix")
    for name, found in middle.items():
        by_zoom = [statistics.mean(took for tile, took in found.items() if tile.z == z) for z in MIX]
        print(f"{name:>8} " + " ".join(f"{value:<9.2f}" for value in by_zoom) + f" {1000 * len(picked) / total[name]:.1f}")
    return {
        "vs_tipg": round(total["tipg"] / total["memory"], 1),
        "vs_sql": round(total["sql"] / total["memory"], 1),
        "vs_pgbench": round(total["pgbench"] / total["memory"], 1),
        "mix_tiles_per_s": {name: round(1000 * len(picked) / value, 1) for name, value in total.items()},
    }


def low(chosen: Chosen, wires: dict[str, Wire], passes: int) -> dict:
    """The map's own view up to z12, uncached, against ST_AsMVT of all features of the same tiles."""
    picked = [tile for z in range(9, 13) for tile in chosen[z]]
    ours, all_, largest = [], [], 0
    for _ in range(passes):
        asked = [wires["memory"].get(path(tile)) for tile in picked]
        ours.append(sum(ms for ms, _ in asked))
        largest = max(largest, *(size for _, size in asked))
        all_.append(sum(wires["sql"].get(path(tile, whole=True))[0] for tile in picked))
    print(f"\nz9 to z12, {len(picked)} tiles: the map's view {statistics.median(ours) / len(picked):.2f} ms, all features by SQL {statistics.median(all_) / len(picked):.1f} ms a tile")
    return {"lowzoom_vs_all": round(statistics.median(all_) / statistics.median(ours), 1), "lowzoom_kib": round(largest / 1024, 1)}


def edits(connection: psycopg.Connection, wire: Wire, chosen: list[tiles.Tile], times: int = 8) -> dict:
    """Seconds from a commit to the tile that shows it, the slowest of some; undone afterwards."""
    slowest = 0.0
    for tile in chosen[:times]:
        before = likeness.parse(gzip.decompress(wire.ask(path(tile))[2]))
        number = next(iter(before))
        (height,) = connection.execute("SELECT height_m FROM buildings WHERE id = %s", [number]).fetchone()
        for wanted in (height + 1, height):
            connection.execute("UPDATE buildings SET height_m = %s WHERE id = %s", [wanted, number])
            started = time.perf_counter()
            while likeness.parse(gzip.decompress(wire.ask(path(tile))[2]))[number].properties["height_m"] != np.float32(wanted):
                if time.perf_counter() - started > 30:
                    raise SystemExit(f"building {number} is still as it was after 30 s")
            slowest = max(slowest, time.perf_counter() - started)
    print(f"an edit shows after {slowest:.3f} s at most, of {2 * len(chosen[:times])}")
    return {"edit_visible_s": round(slowest, 3)}


def against_nginx(chosen: Chosen, wire: Wire, token: str, folder: Path, passes: int) -> dict:
    """Requests a second of cached tiles z10 to z16, of the mix with every feature and of the map's own view, beside nginx over the same bytes in files."""
    if missing := absent("nginx", "wrk"):
        print(f"{' and '.join(missing)} missing: apt-get install -y nginx-light wrk; cached_vs_nginx is left out")
        return {"cached_vs_nginx": None}
    picked = [tile for z, number in MIX.items() for tile in chosen[z][:number]]
    figures: dict = {}
    port, running = nginx(folder)
    with running:
        for label, whole in (("cached", True), ("cached_view", False)):
            ours, theirs, sizes = [], [], []
            for tile in picked:
                file = folder / "files" / label / path(tile)[1:]
                file.parent.mkdir(parents=True, exist_ok=True)
                sizes.append(file.write_bytes(wire.ask(path(tile, whole=whole))[2]))
            for _ in range(passes):
                ours.append(load(wire.port, [path(tile, whole=whole) for tile in picked], folder, token, 3))
                theirs.append(load(port, [f"/{label}{path(tile)}" for tile in picked], folder, "", 3))
            mine, its = statistics.median(ours), statistics.median(theirs)
            print(f"{label}, {statistics.mean(sizes) / 1024:.1f} KiB a tile: {mine:.0f} requests/s, nginx {its:.0f}")
            figures |= {f"{label}_vs_nginx": round(mine / its, 3), f"{label}_per_s": round(mine), f"{label}_nginx_per_s": round(its)}
    return figures


async def fidelity(url: str, sampled: int) -> dict:
    """Tiles of z10 to z18 with every feature, from memory and from ST_AsMVT; and what the layer takes in memory."""
    from layers import columns, encoder

    def read() -> columns.Store:
        with psycopg.connect(url) as connection:
            return columns.read(connection, SPEC, SPEC.max_zoom)

    store = await asyncio.to_thread(read)
    centre = (store.box[:, :2].astype(float) + store.box[:, 2:]) / 2
    random = np.random.default_rng(3)
    picked: list[tiles.Tile] = []
    for z in range(10, 19):
        side = WORLD / 2**z
        found = np.unique(np.floor(np.c_[centre[:, 0] + WORLD / 2, WORLD / 2 - centre[:, 1]] / side).astype(int), axis=0)
        share = (sampled - len(picked)) // (19 - z)
        picked += [tiles.Tile(z, x, y) for x, y in random.permutation(found)[:share].tolist()]
    seen = likeness.Likeness()
    connection = await connect(url)
    try:
        for tile in picked:
            ours = encoder.encode(SPEC.id, [store], tile, CITY.prefix, SPEC.attributes_at(tile.z, whole=True))
            theirs = await tiles.render(connection, SPEC, tile, CITY, whole=True)
            likeness.compare(likeness.parse(ours), likeness.parse(theirs), seen, sample=100)
    finally:
        await connection.close()
    print(f"{seen.tiles} tiles, {seen.features} features: only ours {seen.only_ours}, only ST_AsMVT's {seen.only_theirs}, properties differ {seen.properties_differ}")
    return {
        "tiles_compared": seen.tiles,
        "features_compared": seen.features,
        "features_differ": seen.only_ours + seen.only_theirs,
        "properties_differ": seen.properties_differ,
        "iou_median": round(float(np.median(seen.iou)), 4),
        "invalid_rings": seen.invalid + seen.winding,
        "mib_per_layer": round(store.nbytes / 2**20, 1),
    }
