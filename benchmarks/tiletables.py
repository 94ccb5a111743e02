"""Building tiles z9–z18, zoom by zoom: the product's own view, uncached and cached, beside the same SQL through pgbench and tipg, in turn."""

from dataclasses import dataclass, field

import psycopg

from benchmarks.tilepeers import CITY, SPEC, Pgbench, Wire, tipg_path
from grid.database import connect
from layers import tiles
from layers.generalise import WORLD

ZOOMS = range(9, 19)
LIMIT_BYTES = 500_000


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


def addresses(connection: psycopg.Connection, wanted: int) -> dict[int, list[tiles.Tile]]:
    """The tiles of each zoom, also written where pgbench looks them up."""
    chosen = {z: choose(connection, z, wanted) for z in ZOOMS}
    for z, found in chosen.items():
        for n, tile in enumerate(found, 1):
            given = tiles.parameters(SPEC, tile, CITY)
            boxes = [given[name].hex() for name in ("tile", "wide", "degrees")]
            connection.execute("INSERT INTO hdq_bench.addresses VALUES (%s, %s, %s::geometry, %s::geometry, %s::geometry)", [z, n, *boxes])
    connection.execute("ANALYZE hdq_bench.addresses")
    return chosen


def rounds(chosen: dict[int, list[tiles.Tile]], number: int, uncached: Wire, cached: Wire, them: Wire, limit: Pgbench) -> dict[int, Samples]:
    """So many rounds over all zooms, and a short one before to warm."""
    found = {z: Samples() for z in ZOOMS}
    for round_ in range(-1, number):
        for z in ZOOMS:
            _round(found[z], chosen[z] if round_ >= 0 else chosen[z][-6:], uncached, cached, them, limit, keep=round_ >= 0)
        print(f"round {round_ + 1} of {number}" if round_ >= 0 else "warm", flush=True)
    return found


def _round(samples: Samples, addresses: list[tiles.Tile], us: Wire, kept: Wire, them: Wire, limit: Pgbench, *, keep: bool) -> None:
    took: dict[str, list[float]] = {"pgbench": limit.run(addresses[0].z, len(addresses))}
    path = [f"/tiles/buildings/{tile.z}/{tile.x}/{tile.y}.mvt" for tile in addresses]
    asked = [us.get(address) for address in path]
    took["uncached"] = [ms for ms, _ in asked]
    for address in path:
        kept.get(address)
    took["cached"] = [ms for address in path for ms, _ in [kept.get(address)]]
    took["tipg"] = [them.get(tipg_path(tile, same_rows=False))[0] for tile in addresses]
    took["tipg same rows"] = [them.get(tipg_path(tile, same_rows=True))[0] for tile in addresses]
    if keep:
        samples.zipped_bytes = [size for _, size in asked]
        for who, values in took.items():
            samples.add(who, values)


async def sizes(url: str, addresses: list[tiles.Tile]) -> list[int]:
    """Bytes before compression."""
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


