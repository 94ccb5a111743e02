"""Buildings to governance grids: the look-up table of grid.world.assign against PostGIS and geopandas.sjoin, and the pairs they find.

    HDQ_DATABASE_URL=postgresql://… python -m benchmarks.assign [--rounds 5]

Reads the buildings and today's management grids of a database (`./hdq up` or the demo city) and writes temporary tables only. Each contender has its input
where it lives: shapely geometries in memory for the product and geopandas, analysed tables with GiST indexes for PostGIS, which may use one process as
the others do. Polygons: every intersecting pair; the product's time includes building its index, which the points reuse as intake does. Points: the grid that
covers the building's point on surface, PostGIS by the faster of a join and a lateral look-up. Ratios are medians over medians of one run, in turn.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

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
POINTS = {
    "join": "SELECT houses.id, min(grids.id) FROM houses JOIN grids ON ST_Covers(grids.geom, houses.spot) GROUP BY houses.id",
    "lateral": """SELECT houses.id, cell.id FROM houses
        CROSS JOIN LATERAL (SELECT id FROM grids WHERE ST_Covers(grids.geom, houses.spot) ORDER BY id LIMIT 1) AS cell""",
}
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


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
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
            **{f"points, PostGIS {name}": counted(statement) for name, statement in POINTS.items()},
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                begin = time.perf_counter()
                way()
                taken[name].append(time.perf_counter() - begin)
        found = paired(*index.pairs(houses))
        joined = geopandas.sjoin(left, right, predicate="intersects")
        covering = index.covers(spots[:, 0], spots[:, 1])
        covered = np.flatnonzero(covering >= 0)
        same = {
            "postgis polygons": found == fetched(connection, POLYGONS),
            "geopandas polygons": found == paired(joined.index.to_numpy(), joined["index_right"].to_numpy()),
            "postgis points": paired(covered, covering[covered]) == fetched(connection, POINTS["join"]),
        }
    medians = {name: statistics.median(values) for name, values in taken.items()}
    print(f"{len(houses):,} buildings -> {len(grids)} grids, {len(found):,} pairs; index {index.nbytes >> 20} MiB; median and spread of {rounds} rounds, seconds")
    for name, values in taken.items():
        print(f"{name:>24} {medians[name]:>9.4f}   {min(values):.4f} – {max(values):.4f}")
    print("same pairs as", ", ".join(f"{name}: {'yes' if equal else 'NO'}" for name, equal in same.items()))
    built, given = medians["polygons, index built"], medians["polygons, index given"]
    points = min(medians[f"points, PostGIS {name}"] for name in POINTS)
    print(
        json.dumps(
            {
                "vs_postgis_polygons": round(medians["polygons, PostGIS"] / built, 1),
                "vs_geopandas_polygons": round(medians["polygons, geopandas"] / built, 1),
                "vs_postgis_points": round(points / medians["points, index given"], 1),
                "identical": all(same.values()),
                "vs_postgis_polygons_index_given": round(medians["polygons, PostGIS"] / given, 1),
                "vs_geopandas_polygons_index_given": round(medians["polygons, geopandas"] / given, 1),
                "vs_postgis_points_index_built": round(points / medians["points, index built"], 1),
                "buildings": len(houses),
                "grids": len(grids),
                "pairs": len(found),
            }
        )
    )


if __name__ == "__main__":
    main()
