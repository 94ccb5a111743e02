"""Buildings to governance grids: the look-up table of grid.world.assign against PostGIS and geopandas.sjoin, and the pairs they find.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.assign [--rounds 9]

Reads the buildings and today's management grids of a database (`./hdq up` or the demo city) and writes temporary tables only. Each contender has its
input where it lives: shapely geometries in memory for the product and geopandas, analysed tables with GiST indexes for PostGIS, which may use one
process as the others do. Polygons: every intersecting pair. Points: the grid that covers the building's point on surface; PostGIS joins (a lateral
look-up by index took seven times as long). The product's index is built once for each version of the grids: the first three figures take it as
given, those that end in _index_built build it each time. Ratios are medians over medians of one run, in turn, of CPU seconds (of the database's
process where it can be read, else of the wall's): other work on the machine counts for nobody.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import psycopg
import shapely

from grid.settings import Settings
from grid.world.assign import CellIndex

TABLES = """
SET max_parallel_workers_per_gather = 0;
SET statement_timeout = 0;
CREATE TEMPORARY TABLE grids AS
    SELECT (row_number() OVER (ORDER BY code) - 1)::int AS id, geom FROM cells WHERE valid @> current_date AND ({kind}) ORDER BY code;
CREATE TEMPORARY TABLE houses AS SELECT (row_number() OVER (ORDER BY id) - 1)::int AS id, geom, ST_PointOnSurface(geom) AS spot FROM buildings ORDER BY buildings.id;
CREATE INDEX ON grids USING gist (geom);
CREATE INDEX ON houses USING gist (geom);
CREATE INDEX ON houses USING gist (spot);
ANALYZE grids, houses;
"""
POLYGONS = "SELECT houses.id, grids.id FROM houses JOIN grids ON ST_Intersects(grids.geom, houses.geom)"
POINTS = "SELECT houses.id, min(grids.id) FROM houses JOIN grids ON ST_Covers(grids.geom, houses.spot) GROUP BY houses.id"
Pairs = set[tuple[int, int]]


def geometries(connection: psycopg.Connection, statement: str) -> np.ndarray:
    """One column of geometries."""
    return shapely.from_wkb(np.array([row[0] for row in connection.execute(statement)], dtype=object))


def fetched(connection: psycopg.Connection, statement: str) -> Pairs:
    """The pairs a statement gives."""
    return set(connection.execute(statement).fetchall())


def paired(left: np.ndarray, right: np.ndarray) -> Pairs:
    """Pairs of two arrays."""
    return set(zip(left.tolist(), right.tolist(), strict=True))


def readable(file: Path) -> bool:
    """Whether the file can be read: the database's process may run elsewhere, or be somebody else's."""
    try:
        file.read_text()
    except OSError:
        return False
    return True


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with psycopg.connect(Settings().database_url or "", autocommit=True) as connection:
        kinds = connection.execute("SELECT count(*) FROM information_schema.columns WHERE table_name = 'cells' AND column_name = 'kind'").fetchone()[0]
        connection.execute(TABLES.format(kind="kind = 'management'" if kinds else "true"))
        houses, grids = geometries(connection, "SELECT ST_AsBinary(geom) FROM houses ORDER BY id"), geometries(connection, "SELECT ST_AsBinary(geom) FROM grids ORDER BY id")
        spots = shapely.get_coordinates(geometries(connection, "SELECT ST_AsBinary(spot) FROM houses ORDER BY id"))
        index = CellIndex(grids)
        left, right = geopandas.GeoDataFrame(geometry=houses), geopandas.GeoDataFrame(geometry=grids)

        def counted(statement: str) -> Callable[[], object]:
            return lambda: connection.execute(f"SELECT count(*) FROM ({statement}) AS pairs").fetchone()

        ways: dict[str, Callable[[], object]] = {
            "index built": lambda: CellIndex(grids),
            "polygons, index given": lambda: index.pairs(houses),
            "polygons, index built": lambda: CellIndex(grids).pairs(houses),
            "polygons, geopandas": lambda: geopandas.sjoin(left, right, predicate="intersects"),
            "polygons, PostGIS": counted(POLYGONS),
            "points, index given": lambda: index.covers(spots[:, 0], spots[:, 1]),
            "points, index built": lambda: CellIndex(grids).covers(spots[:, 0], spots[:, 1]),
            "points, PostGIS": counted(POINTS),
        }
        backend = Path(f"/proc/{connection.info.backend_pid}/schedstat")
        near = readable(backend)

        def clock() -> tuple[float, float]:
            """CPU seconds of this process and of the database's (0 where it runs elsewhere), and the wall's."""
            return time.process_time() + (int(backend.read_text().split()[0]) / 1e9 if near else 0.0), time.perf_counter()

        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                begin = clock()
                way()
                taken[name].append(tuple(after - before for before, after in zip(begin, clock(), strict=True)))
        found = paired(*index.pairs(houses))
        joined = geopandas.sjoin(left, right, predicate="intersects")
        covering = index.covers(spots[:, 0], spots[:, 1])
        covered = np.flatnonzero(covering >= 0)
        same = {
            "postgis polygons": found == fetched(connection, POLYGONS),
            "geopandas polygons": found == paired(joined.index.to_numpy(), joined["index_right"].to_numpy()),
            "postgis points": paired(covered, covering[covered]) == fetched(connection, POINTS),
        }
    clocked = 0 if near else 1
    medians = {name: statistics.median(values[clocked] for values in rounds_) for name, rounds_ in taken.items()}
    print(f"{len(houses):,} buildings -> {len(grids)} grids, {len(found):,} pairs; index {index.nbytes >> 20} MiB; {rounds} rounds; ratios by {'CPU' if near else 'wall'} seconds")
    print(f"{'':>24} {'CPU':>9} {'wall':>9}   least and most CPU")
    for name, values in taken.items():
        cpu, wall = zip(*values, strict=True)
        print(f"{name:>24} {statistics.median(cpu):>9.4f} {statistics.median(wall):>9.4f}   {min(cpu):.4f} – {max(cpu):.4f}")
    print("same pairs as", ", ".join(f"{name}: {'yes' if equal else 'NO'}" for name, equal in same.items()))
    built, given = medians["polygons, index built"], medians["polygons, index given"]
    points = medians["points, PostGIS"]
    print(
        json.dumps(
            {
                "vs_postgis_polygons": round(medians["polygons, PostGIS"] / given, 1),
                "vs_geopandas_polygons": round(medians["polygons, geopandas"] / given, 1),
                "vs_postgis_points": round(points / medians["points, index given"], 1),
                "identical": all(same.values()),
                "vs_postgis_polygons_index_built": round(medians["polygons, PostGIS"] / built, 1),
                "vs_geopandas_polygons_index_built": round(medians["polygons, geopandas"] / built, 1),
                "vs_postgis_points_index_built": round(points / medians["points, index built"], 1),
                "buildings": len(houses),
                "grids": len(grids),
                "pairs": len(found),
            }
        )
    )


if __name__ == "__main__":
    main()
