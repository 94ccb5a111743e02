"""The coordinate firewall on labelled sets: clean ones that must pass, corrupted ones (10–100 % of the rows) that must be found and undone.

Sources: the ten districts from three publishers (real, with `--data`), and middles of the city's buildings. Needs a filled database
(HDQ_DATABASE_URL). Each set is corrupted in one way in a known part of its rows; the verdict sees only the numbers and the declaration.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from grid import crs, firewall
from grid.database import connect
from grid.errors import UnknownCrs
from grid.firewall import Reading, Reference
from grid.firewall.heights import convert
from grid.settings import ROOT, Settings
from grid.world import known

SHARES = (0.1, 0.2, 0.35, 0.5, 0.75, 0.9, 1.0)
KINDS: dict[str, tuple[str, str]] = {
    "gcj02": ("EPSG:4326", "GCJ-02"),
    "bd09": ("EPSG:4490", "BD-09"),
    "gcj02_in_metres": ("EPSG:4528", "EPSG:4528|GCJ-02"),
    "wgs84_declared_gcj02": ("GCJ-02", "EPSG:4326"),
    "wgs84_declared_bd09": ("BD-09", "EPSG:4326"),
    "gcj02_declared_bd09": ("BD-09", "GCJ-02"),
    "undone_twice": ("EPSG:4326", "EPSG:4326|+GCJ-02"),
    "swapped": ("EPSG:4326", "swapped:EPSG:4326"),
    "swapped_metres": ("EPSG:4528", "swapped:EPSG:4528"),
    "zone_39": ("EPSG:4528", "EPSG:4527"),
    "zone_41": ("EPSG:4528", "EPSG:4529"),
    "zone_40_as_41": ("EPSG:4529", "EPSG:4528"),
    "bare_117_as_120": ("EPSG:4549", "EPSG:4548"),
    "zone_6_degrees": ("EPSG:4528", "EPSG:4499"),
    "prefix_missing": ("EPSG:4528", "EPSG:4549"),
    "prefix_superfluous": ("EPSG:4549", "EPSG:4528"),
    "utm_as_gauss": ("EPSG:4550", "EPSG:32651"),
    "3857_as_degrees": ("EPSG:4326", "EPSG:3857"),
    "3857_as_zone_40": ("EPSG:4528", "EPSG:3857"),
    "degrees_as_metres": ("EPSG:4528", "EPSG:4326"),
}
"""name: (declared, what the corrupted rows truly are)."""


@dataclass(frozen=True)
class Source:
    """Shapes in true storage degrees."""

    name: str
    shapes: np.ndarray


def numbers(shapes: np.ndarray, reading: Reading) -> np.ndarray:
    """The file's numbers of true shapes under a reading: the inverse of `Reading.place`."""

    def back(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = (x, y)
        if reading.then:
            distorted = reading.then.lstrip("+")
            place = crs.to_storage(place, distorted) if reading.then.startswith("+") else crs.from_storage(place, distorted)
        x, y = crs.from_storage(place, reading.crs)
        return (y, x) if reading.swapped else (x, y)

    return shapely.transform(shapes, back, interleaved=False)


def placed(shapes: np.ndarray, reading: Reading) -> np.ndarray:
    """Shapes of a file in storage degrees, as the product places them."""
    return shapely.transform(shapes, reading.place, interleaved=False)


def districts(folder: Path) -> Iterator[Source]:
    """Ten districts of three publishers; those in GCJ-02 are undone by the product's own inverse: true to themselves, not to each other."""

    def read(path: Path) -> np.ndarray:
        document = json.loads(path.read_text())
        features = document.get("features") or [{"geometry": document.get("geometry", document)}]
        return np.array([shapely.from_geojson(json.dumps(f["geometry"])) for f in features], dtype=object)

    gcj = firewall.parse("GCJ-02")
    yield Source("datav", placed(read(folder / "datav_370200_districts_GCJ02.json"), gcj))
    yield Source("echarts", placed(read(folder / "echarts_china_cities_qingdao_GCJ02_like.geojson"), gcj))
    parts = [read(f) for f in sorted((folder / "cnmaps_amap_GCJ02").glob("*.geojson")) if f.stem != "370200"]
    yield Source("cnmaps", placed(np.concatenate(parts), gcj))


def buildings(middles: np.ndarray, rng: np.random.Generator, each: int) -> Iterator[Source]:
    """Sets of 30 to 5,000 building middles: over the whole city, or in one quarter of about a kilometre; some with rows nothing is known of."""
    for size in (30, 100, 400, 1500, 5000):
        for number in range(each):
            pool = middles
            if number % 2:
                pool = middles[np.abs(middles - middles[rng.integers(len(middles))]).max(axis=1) < 0.008]
            picked = pool[rng.choice(len(pool), min(size, len(pool)), replace=False)]
            if number % 4 == 3:
                picked = picked.round(6)
            yield Source(f"buildings_{size}", shapely.points(picked))


def corrupt(source: Source, kind: str, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, Reading, Reading]:
    """The file's numbers, which rows are corrupted, the declaration and the truth about the corrupted rows."""
    declared, true = (firewall.parse(key) for key in KINDS[kind])
    count = len(source.shapes)
    bad = np.zeros(count, dtype=bool)
    bad[rng.choice(count, max(1, round(share * count)), replace=False)] = True
    shapes = numbers(source.shapes, declared)
    shapes[bad] = numbers(source.shapes[bad], true)
    return shapes, bad, declared, true


def worst_cm(shapes: np.ndarray, verdict: firewall.Verdict, rows: np.ndarray, truth: np.ndarray) -> float:
    """The largest error in centimetres of rows after the proposed fix."""
    worst = 0.0
    for index, reading in enumerate(verdict.readings):
        mine = rows[verdict.choice[rows] == index]
        if len(mine):
            a, b = shapely.get_coordinates(placed(shapes[mine], reading)), shapely.get_coordinates(truth[mine])
            worst = max(worst, float(np.hypot((a - b)[:, 0] * 90_000.0, (a - b)[:, 1] * 111_000.0).max() * 100.0))
    return worst


def contradicted(shapes: np.ndarray, declared: str, outlines: shapely.Geometry) -> str:
    """What the coarse check in front of the firewall says against a set; empty when it passes."""
    try:
        crs.check(*shapely.get_coordinates(shapes).T, declared, outlines)
    except UnknownCrs as refusal:
        return refusal.detail
    return ""


def heights(middles: np.ndarray, rng: np.random.Generator, sets: int) -> tuple[int, int, int]:
    """Spot heights beside known ones, in the datum declared or not: corrupted sets, detected, false alarms. Ground simulated, 0.8 m of scatter."""
    corrupted = detected = alarms = 0
    for number in range(sets):
        lon, lat = middles[rng.choice(len(middles), 200, replace=False)].T
        ground = 30.0 + 25.0 * np.sin(lon * 400.0) * np.cos(lat * 300.0)
        declared, other = ("ellipsoidal", "1985") if number % 2 else ("1985", "ellipsoidal")
        right = convert(ground + rng.normal(0.0, 0.8, 200), lon, lat, "1985", declared)
        alarms += firewall.judge_heights(right, lon, lat, declared, (lon, lat, ground)).suspicious
        for share in SHARES:
            wrong = rng.random(200) < share
            z = np.where(wrong, convert(ground + rng.normal(0.0, 0.8, 200), lon, lat, "1985", other), right)
            corrupted += 1
            detected += firewall.judge_heights(z, lon, lat, declared, (lon, lat, ground)).suspicious
    return corrupted, detected, alarms


async def load(settings: Settings) -> list[Reference]:
    """What is known, from the database."""
    connection = await connect(settings.database_url or "")
    try:
        return await known.references(connection, None)
    finally:
        await connection.close()


def main() -> None:
    """Runs all sets, prints a table and one JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder with qingdao/boundaries")
    arguments.add_argument("--each", type=int, default=4, help="building sets of each size")
    arguments.add_argument("--seed", type=int, default=20261122)
    arguments.add_argument("--seconds", type=float, default=3600.0, help="begin no further source after this time")
    given = arguments.parse_args()
    rng = np.random.default_rng(given.seed)
    references = asyncio.run(load(Settings()))
    middles = next(r.points for r in references if r.name == "buildings")
    outlines = shapely.GeometryCollection(list(next(r.lines for r in references if r.name == "districts")))
    folder = given.data / "qingdao" / "boundaries"
    real = list(districts(folder)) if folder.exists() else []
    if not real:
        print(f"real boundaries are absent in {folder}: buildings only")
    sets, found, read_right, rows_right, rows_bad, alarms = (Counter() for _ in range(6))
    clean, inverse, missed, began = 0, 0.0, [], time.perf_counter()
    for number, source in enumerate([*real, *buildings(middles, rng, given.each), Source("buildings_all", shapely.points(middles))]):
        if time.perf_counter() - began > given.seconds:
            print(f"out of time before {source.name}")
            break
        for declared in sorted({d for d, _ in KINDS.values()}):
            shapes = numbers(source.shapes, firewall.parse(declared))
            verdict = firewall.judge(shapes, firewall.parse(declared), references)
            clean += 1
            if refused := contradicted(shapes, declared, outlines):
                alarms[source.name] += 1
                missed.append(f"refused: {source.name} as {declared}: {refused}")
            if verdict.suspicious:
                alarms[source.name] += 1
                missed.append(f"false alarm: {source.name} as {declared}: {[(f.reading.key, f.rows, f.gain) for f in verdict.findings]}")
        whole = source.name == "buildings_all"
        print(f"{time.perf_counter() - began:6.0f} s  {source.name}: {len(source.shapes):,} rows, {found.total()}/{sets.total()} detected, {alarms.total()} false alarms", flush=True)
        for turn, kind in enumerate(KINDS):
            shares = SHARES[(number + turn) % 3 :: 3] if source in real else (SHARES[(number + turn) % len(SHARES)],)
            for share in shares if not whole or turn % 5 == 0 else ():
                shapes, bad, declared, true = corrupt(source, kind, share, rng)
                verdict = firewall.judge(shapes, declared, references)
                sets[kind] += 1
                found[kind] += verdict.suspicious
                if not verdict.suspicious:
                    missed.append(f"missed: {source.name} {kind} {share:.0%} of {len(shapes)}")
                    continue
                chosen = np.array([firewall.same(r, true) for r in verdict.readings])[verdict.choice]
                read_right[kind] += bool(firewall.same(verdict.findings[0].reading, true))
                rows_bad[kind] += int(bad.sum())
                rows_right[kind] += int((chosen & bad).sum())
                inverse = max(inverse, worst_cm(shapes, verdict, np.flatnonzero(chosen & bad), source.shapes))
    corrupted, detected, height_alarms = heights(middles, rng, 12)
    sets["heights_1985"], found["heights_1985"], read_right["heights_1985"] = corrupted, detected, detected
    print(f"{'kind':24} {'sets':>5} {'detected':>9} {'right':>7} {'rows right':>11}")
    for kind in sets:
        rows = f"{rows_right[kind] / rows_bad[kind]:11.4f}" if rows_bad[kind] else f"{'':11}"
        print(f"{kind:24} {sets[kind]:5} {found[kind] / sets[kind]:9.3f} {read_right[kind] / sets[kind]:7.3f} {rows}")
    print(*missed[:40], sep="\n")
    total = sets.total()
    print(
        json.dumps(
            {
                "detected": round(found.total() / total, 4),
                "false_alarms": alarms.total() + height_alarms,
                "inverse_cm": round(inverse, 8),
                "sets": total,
                "clean_sets": clean + 12,
                "right_reading": round(read_right.total() / total, 4),
                "seconds": round(time.perf_counter() - began, 1),
                "kinds": {kind: round(found[kind] / sets[kind], 4) for kind in sets},
            }
        )
    )


if __name__ == "__main__":
    main()
