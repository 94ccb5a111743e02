"""A pair of 10,980 × 10,980 pixels from registered scenes to change polygons in the database, and an index over many polygons.

    HDQ_TEST_DATABASE_URL=postgresql://… python -m benchmarks.raster [--rounds 2]

Beside: what most scripts do (whole float32 arrays, GDAL's sieve, rasterio.features.shapes, one INSERT a polygon), and exactextract. Both decide
by one rule (see `naive`), so their polygons must have the same pixels, and areas to 1e-9. Each contender is a process of its own, in turn; its CPU
seconds count from after its imports. The pair is written once under .hdq/benchmarks. Last line: vs_naive, rss_gb (of the product's process),
identical, zonal_505, zonal_20000 and what they rest on; beside them what a whole survey takes, which no script does.
"""

import argparse
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psycopg
import rasterio
import rasterio.features
import shapely
from psycopg import sql
from rich.console import Console
from rich.table import Table

from benchmarks import raster_ground
from grid.settings import ROOT
from imagery.scenes import analyses, indices, judging, pairs, prepared, zonal
from imagery.scenes.polygonize import of_runs

FOLDER = ROOT / ".hdq" / "benchmarks" / "raster"
ANALYSIS = "vegetation_loss"
TABLE = """
    CREATE TABLE found (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, area_m2 double precision, score real, geom geometry(MultiPolygon, 4326));
    CREATE INDEX ON found USING gist (geom)
"""
"""What both fill: the survey's own tables carry more (evidence, observations, growth), which a script does not write."""


class Stages:
    """CPU seconds of this process since the last stage ended, by stage; `leave_out` drops what went before it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def end(self, stage: str) -> None:
        """The stage ends here."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - self._last
        self.leave_out()

    def leave_out(self) -> None:
        """What went before is no stage."""
        self._last = time.process_time()

    def told(self) -> dict:
        """For the report."""
        return {"cpu_s": sum(self.seconds.values()), "stages": self.seconds}


def warm() -> None:
    """Reads compiled code and what is imported late before the clock starts, as in a worker that has run before."""
    import scipy.linalg
    import scipy.ndimage
    import scipy.special  # noqa: F401
    from skimage.registration import phase_cross_correlation  # noqa: F401

    from imagery.scenes import runs, survey  # noqa: F401

    runs.rings(runs.runs_of(np.eye(9, dtype=bool), np.eye(9)), np.ones(9, bool))
    codes = np.zeros((2, 9, 9), np.uint8)
    codes.flags.writeable = False
    runs.looked_up(*codes, np.ones((256, 256), np.uint8), np.zeros((256, 256), np.float32))


def product(url: str, paths: tuple[Path, Path], _: str) -> dict:
    """The survey's own way from a pair to polygons, and those into the database by COPY; told beside: the line that normalises the second index."""
    warm()
    stages = Stages()
    analysis = analyses.get(ANALYSIS)
    pair = pairs.align(*(pairs.Source(path, raster_ground.BANDS, kept=True) for path in paths))
    stages.end("align")
    ready, fitted = judging.prepare(pair, analysis)
    stages.end("prepare")
    marked, _ = judging.marked(ready, analysis, fitted)
    stages.end("compare")
    found = of_runs(marked, pair.grid.transform, pair.grid.crs, minimum_area_m2=analysis.minimum_area_m2)
    stages.end("polygons")
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE found")
        with connection.cursor().copy("COPY found (area_m2, score, geom) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["float8", "float4", "bytea"])
            for patch, geom in zip(found, shapely.to_wkb([patch.geom for patch in found], include_srid=True), strict=True):
                copy.write_row((patch.area_m2, patch.score, geom))
    stages.end("store")
    fit = ready.normalisation
    return stages.told() | {
        "areas": [[patch.pixels, patch.area_m2] for patch in found],
        "rule": {"gain": float(fit.gain[0]), "offset": float(fit.offset[0])},
    }


def surveyed(_: str, paths: tuple[Path, Path], again: str) -> dict:
    """All that a survey does of a pair without the database: IR-MAD set beside it and, with `again`, a second look at each patch with all bands."""
    warm()
    from imagery.scenes import survey

    analysis = analyses.get(ANALYSIS).model_copy(update={"look_again": bool(again)})
    stages = Stages()
    made = survey.examine(*(pairs.Source(path, raster_ground.BANDS, kept=True) for path in paths), analysis)
    stages.end("survey")
    return stages.told() | {"explained": made.result["explained"], "baseline": made.result["baseline"]}


def naive(url: str, paths: tuple[Path, Path], rule: str) -> dict:
    """Whole arrays in float32, threshold, sieve, shapes, insert.

    So that both decide by one rule, each index is rounded to the product's steps of 0.008 and the second is normalised by the product's line
    (`rule`: JSON of gain and offset). Neither is in the time that is told: the peer pays for float32 NDVI of its own and for nothing of ours.
    """
    from pyproj import Geod, Transformer

    analysis = analyses.get(ANALYSIS)
    line = json.loads(rule)
    stages = Stages()
    index = []
    for path in paths:
        with rasterio.open(path) as dataset:
            red, nir = dataset.read().astype(np.float32)
            transform, crs = dataset.transform, dataset.crs
        index.append((nir - red) / (nir + red))
        del red, nir
    stages.end("index")
    for one in index:
        for row in range(0, len(one), 512):
            part = one[row : row + 512]
            part[:] = indices.values()[np.rint((part + np.float32(1)) * np.float32(1 / indices.STEP)).astype(np.uint8) + np.uint8(1)]
    for row in range(0, len(index[1]), 512):
        index[1][row : row + 512] = (index[1][row : row + 512] * line["gain"] + line["offset"]).astype(np.float32)
    stages.leave_out()
    score = index[0] - index[1]
    mask = ((score >= analysis.drop) & (index[0] >= analysis.vegetated)).astype(np.uint8)
    del index
    stages.end("compare")
    least = int(np.ceil(analysis.minimum_area_m2 / 100 * 0.9))
    kept = rasterio.features.sieve(mask, least, connectivity=8) & mask
    stages.end("sieve")
    geod, forward = Geod(ellps="WGS84"), Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    rows, areas = [], []
    for shape, _ in rasterio.features.shapes(kept, mask=kept.astype(bool), connectivity=8, transform=transform):
        flat = shapely.geometry.shape(shape)
        geom = shapely.set_srid(shapely.transform(flat, forward.transform, interleaved=False), 4326)
        area = abs(geod.geometry_area_perimeter(shapely.orient_polygons(geom))[0])
        if area >= analysis.minimum_area_m2:
            rows.append((area, 0.0, shapely.to_wkb(geom, include_srid=True)))
            areas.append([round(flat.area / 100), area])
    stages.end("shapes")
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE found")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO found (area_m2, score, geom) VALUES (%s, %s, ST_Multi(%s::geometry))", rows)
    stages.end("store")
    return stages.told() | {"areas": areas}


CONTENDERS = {"product": product, "naive": naive, "survey": surveyed}


def areas_apart(ours: list, theirs: list) -> float:
    """The largest relative difference of two sets of polygons' areas, paired by pixels and area; infinite when their pixels are not the same numbers."""
    one, two = np.array(sorted(ours)), np.array(sorted(theirs))
    if one.shape != two.shape or (one[:, 0] != two[:, 0]).any():
        return float("inf")
    return float(abs(one[:, 1] / two[:, 1] - 1).max())


def zones(number: int, side_m: float) -> np.ndarray:
    """That many polygons in the scene's CRS: 505 grids that fill a town, or 20,000 houses."""
    random = np.random.default_rng(number)
    across = int(np.ceil(np.sqrt(number)))
    row, col = np.divmod(np.arange(number), across)
    pitch = side_m * (1.0 if number < 1000 else 2.2)
    x, y = raster_ground.CORNER[0] + 20_003 + col * pitch, raster_ground.CORNER[1] - 20_007 - row * pitch
    turn = random.uniform(0, 0.3, number)
    half = side_m / 2 * random.uniform(0.7, 1.0, (number, 2))
    corners = np.array([(-1, -1), (1, -1), (1, 0.2), (0.3, 0.2), (0.3, 1), (-1, 1)])[None] * half[:, None]
    spin = np.stack([np.stack([np.cos(turn), -np.sin(turn)], -1), np.stack([np.sin(turn), np.cos(turn)], -1)], -2)
    return shapely.polygons(np.einsum("nij,nkj->nki", spin, corners) + np.stack([x, y], 1)[:, None])


def zonal_figures(path: Path, rounds: int) -> dict:
    """CPU seconds of both over grids and houses, and how far their means differ, in the file's own units."""
    import geopandas
    from exactextract import exact_extract

    found = {}
    with rasterio.open(path) as dataset:
        grid = dataset.transform, dataset.height, dataset.width
    zonal.figures(zonal.cover(zones(3, 500.0), *grid), path, np.ones(3))
    for number, side_m in ((505, 450.0), (20_000, 14.0)):
        shapes = zones(number, side_m)
        frame = geopandas.GeoDataFrame(geometry=shapes, crs=raster_ground.CRS)
        areas = shapely.area(shapes) / 100
        began = time.process_time()
        coverage = zonal.cover(shapes, *grid)
        build = time.process_time() - began
        ours, theirs = [], []
        for _ in range(rounds):
            began, passes = time.process_time(), 0
            while not passes or time.process_time() - began < 0.5:
                made = zonal.figures(coverage, path, areas)
                passes += 1
            ours.append((time.process_time() - began) / passes)
            began = time.process_time()
            peer = exact_extract(str(path), frame, ["mean", "stdev", "min", "max"], output="pandas")
            theirs.append(time.process_time() - began)
        scaled = peer["max"].max() <= 1.01
        mean = peer["mean"].to_numpy() if scaled else peer["mean"].to_numpy() * indices.STEP - 1 - indices.STEP
        apart = float(np.nanmax(abs((made.mean - mean) / (mean + 1 + indices.STEP))))
        found[number] = {"ratio": statistics.median(theirs) / statistics.median(ours), "ours_s": statistics.median(ours), "build_s": build, "apart": apart}
    return found


def child(contender: str, url: str, rule: str = "") -> dict:
    """Runs a contender in a process of its own with one thread of linear algebra; its last line is JSON, peak memory added."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.raster", "--child", contender, "--url", url, "--rule", rule]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def scratch(server: str) -> str:
    """A new database with the one table, on that server."""
    name = f"hdq_raster_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.rpartition("/")[0] + "/" + name
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        connection.execute(TABLE)
    return url


def main() -> None:
    """Prints the table and the line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", default="")
    parser.add_argument("--url", default="")
    parser.add_argument("--rule", default="")
    asked = parser.parse_args()
    paths = raster_ground.write(FOLDER)
    if asked.child:
        made = CONTENDERS[asked.child](asked.url, paths, asked.rule)
        print(json.dumps(made | {"rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}))
        return
    console = Console(width=132)
    for path in paths:
        prepared.forget(path)
    began = time.process_time()
    made = [prepared.prepare(path, raster_ground.BANDS, "ndvi") for path in paths]
    ingest = (time.process_time() - began) / 2
    server = os.environ.get("HDQ_TEST_DATABASE_URL") or os.environ["HDQ_DATABASE_URL"]
    url = scratch(server)
    try:
        rounds = []
        for _ in range(asked.rounds):
            ours = child("product", url)
            rounds.append((ours, child("naive", url, json.dumps(ours["rule"]))))
        plain, again = child("survey", url), child("survey", url, "again")
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(url.rpartition("/")[2])))
    over = zonal_figures(made[0], asked.rounds)
    ours, theirs = (statistics.median(one[side]["cpu_s"] for one in rounds) for side in (0, 1))
    apart = max(areas_apart(*(one["areas"] for one in two)) for two in rounds)
    figures = {
        "benchmark": "raster",
        "vs_naive": round(statistics.median(two["cpu_s"] / one["cpu_s"] for one, two in rounds), 1),
        "vs_naive_with_ingest_of_both": round(theirs / (ours + 2 * ingest), 2),
        "rss_gb": round(max(one["rss_gb"] for one, _ in rounds), 2),
        "naive_rss_gb": round(max(two["rss_gb"] for _, two in rounds), 2),
        "ours_cpu_s": round(ours, 2),
        "ours_stages": {stage: round(seconds, 3) for stage, seconds in rounds[-1][0]["stages"].items()},
        "naive_cpu_s": round(theirs, 2),
        "naive_stages": {stage: round(seconds, 2) for stage, seconds in rounds[-1][1]["stages"].items()},
        "survey_cpu_s": round(plain["cpu_s"], 2),
        "survey_again_cpu_s": round(again["cpu_s"], 2),
        "survey_rss_gb": round(max(plain["rss_gb"], again["rss_gb"]), 2),
        "prepare_cpu_s_per_scene": round(ingest, 2),
        "index_mib_per_scene": made[0].stat().st_size >> 20,
        "patches": len(rounds[0][0]["areas"]),
        "identical": apart < 1e-9,
        "areas_apart": apart,
        "area_m2": round(sum(area for _, area in rounds[0][0]["areas"]), 1),
        "zonal_505": round(over[505]["ratio"], 1),
        "zonal_20000": round(over[20_000]["ratio"], 1),
        "zonal_apart": max(one["apart"] for one in over.values()),
        "zonal_build_cpu_s": {str(number): round(one["build_s"], 3) for number, one in over.items()},
    }
    table = Table("figure", "value", title=f"{raster_ground.SIDE}² pixels, two dates, red and near infrared; load {os.getloadavg()[0]:.1f}")
    for name, value in figures.items():
        table.add_row(name, str(value))
    console.print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
