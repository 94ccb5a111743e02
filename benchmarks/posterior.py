"""The place of a fire seen by 1 to 4 masts: 1,000 simulated fires on generated hills, the posterior beside the centroid of the wedges.

The world: hills with a power-law spectrum, 30 m cells; masts on high ground; a fire anywhere within reach, its smoke column 60 to 500 m high;
each mast's azimuth, pitch and zoom are wrong by a normal error that holds for all it sees, the box by pixels. A mast whose ridge hides the whole column reports
nothing, one whose ridge hides the foot reports what shows above it. The product gets the nominal pose, the box and the terrain.

Beside it: the centroid of the wedges as they are drawn (0.5 km to the masts' reach, two sigmas to each side), and, stronger, Pyronear's way: the
median over pairs of the centroids of where two wedges meet, for one mast the middle of its wedge. `ms` is what an incident costs when all its
findings are judged together; `locate_ms`, each finding's own place from its box, is paid once when it comes in.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace

import numpy as np
import shapely

from grid.geometry import GEOD, view_sector
from grid.sensing.likelihood import Sight
from grid.sensing.posterior import localise
from imagery.cameras.locate import Pose, locate, project
from imagery.cameras.skyline import profile
from imagery.terrain import Terrain, from_array

LON, LAT = 120.6, 36.2
SPAN_M = 30_000.0
CELL = 1 / 3600
ANGLE_DEG, ZOOM = 0.3, 0.01
REACH_M = (2_000.0, 15_000.0)


@dataclass(frozen=True, slots=True)
class Fire:
    """Where it is, and what the masts report of it: nominal poses and boxes."""

    lon: float
    lat: float
    seen: tuple[tuple[Pose, tuple[float, float, float, float]], ...]


def hills(draws: np.random.Generator) -> Terrain:
    """Hills up to some 500 m with slopes of up to 30 %."""
    columns, rows = int(SPAN_M / (111_320 * np.cos(np.radians(LAT)) * CELL)), int(SPAN_M / (111_000 * CELL))
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    frequency = np.maximum(np.hypot(fx, fy), 2.0 / rows)
    spectrum = frequency**-2.2 * np.exp(-((frequency / 0.08) ** 2))
    shape = spectrum * np.exp(2j * np.pi * draws.random(spectrum.shape))
    raw = np.fft.irfft2(shape, s=(rows, columns))
    heights = 150 + 90 * raw / raw.std()
    return from_array(np.maximum(heights, 0), (CELL, 0, LON - columns / 2 * CELL, 0, -CELL, LAT + rows / 2 * CELL), sigma_m=3.0)


def place(draws: np.random.Generator, share: float = 0.45) -> tuple[float, float]:
    """A place drawn evenly within the middle of the terrain."""
    east, north = draws.uniform(-share, share, 2) * SPAN_M
    return LON + east / (111_320 * np.cos(np.radians(LAT))), LAT + north / 111_000


def mast(draws: np.random.Generator, terrain: Terrain) -> tuple[float, float, float]:
    """The highest of eight places, and a lens 25 to 45 m above it."""
    places = [place(draws) for _ in range(8)]
    heights = terrain.elevation(*np.array(places).T)
    best = int(np.argmax(heights))
    return (*places[best], float(heights[best]) + draws.uniform(25, 45))


def report(draws: np.random.Generator, terrain: Terrain, at: tuple[float, float, float], fire: tuple[float, float], column_m: float):
    """The nominal pose and the box that a mast reports of a column of smoke; None where no part of it shows."""
    lon, lat, lens = at
    azimuth, _, metres = GEOD.inv(lon, lat, *fire)
    if not REACH_M[0] <= metres <= REACH_M[1]:
        return None
    ground = float(terrain.elevation(*fire))
    distances = np.linspace(30.0, metres, 600)
    sight = profile(lon, lat, lens, np.array([azimuth]), distances, terrain)
    hidden = float(sight.hidden_m[0, -1])
    if hidden > 0.9 * column_m:
        return None
    nominal = Pose(lon, lat, lens, (azimuth + draws.uniform(-20, 20)) % 360, draws.uniform(-3, 1), draws.uniform(40, 60), 1920, 1080, ANGLE_DEG, ZOOM, 3.0, 1.0)
    turn, tilt, zoom = draws.standard_normal(3)
    true = replace(
        nominal,
        azimuth_deg=(nominal.azimuth_deg + ANGLE_DEG * turn) % 360,
        pitch_deg=nominal.pitch_deg + ANGLE_DEG * tilt,
        hfov_deg=nominal.hfov_deg * (1 + ZOOM * zoom),
    )
    foot, top = project(true, *fire, ground + hidden), project(true, *fire, ground + column_m)
    wide = true.focal_px * (20 + 0.2 * column_m) / metres
    tall = max(4.0, foot[1] - top[1])
    x, y = foot[0] + (2 + 0.03 * wide) * draws.standard_normal(), foot[1] + (2 + 0.03 * tall) * draws.standard_normal()
    if not (20 < x < 1900 and 20 < y < 1060):
        return None
    return nominal, (x - wide / 2, max(0.0, y - tall), x + wide / 2, y)


def fires(count: int, seed: int) -> tuple[list[Terrain], list[tuple[int, Fire]]]:
    """`count` fires on four terrains, as many with one mast as with two, three and four."""
    draws = np.random.default_rng(seed)
    terrains = [hills(draws) for _ in range(4)]
    found = []
    while len(found) < count:
        which = len(found) % len(terrains)
        wanted = 1 + (len(found) // len(terrains)) % 4
        fire, column, seen = place(draws, 0.4), draws.uniform(60, 500), []
        for _ in range(14):
            told = report(draws, terrains[which], mast(draws, terrains[which]), fire, column)
            if told is not None:
                seen.append(told)
            if len(seen) == wanted:
                found.append((which, Fire(*fire, tuple(seen))))
                break
    return terrains, found


def sights(terrain: Terrain, fire: Fire) -> list[Sight]:
    """What the product makes of the reports."""
    made = []
    for number, (pose, box) in enumerate(fire.seen):
        where = locate(pose, box, terrain, far_m=1.5 * REACH_M[1])
        made.append(
            Sight(
                f"camera:{number}",
                where.lon,
                where.lat,
                where.accuracy_m,
                0.7,
                where.footprint,
                (pose.lon, pose.lat),
                where.bearing_deg,
                where.bearing_sigma_deg,
                where.polar,
            )
        )
    return made


def cones(seen: list[Sight]) -> list[shapely.Geometry]:
    """The wedges as a map draws them."""
    drawn = []
    for s in seen:
        whole = view_sector(*s.mast, s.bearing_deg, max(4 * s.bearing_sigma_deg, 0.2), REACH_M[1])
        drawn.append(whole.difference(view_sector(*s.mast, s.bearing_deg, 90.0, 500.0)))
    return drawn


def centroid(seen: list[Sight]) -> tuple[float, float]:
    """The centroid of all wedges together."""
    middle = shapely.union_all(cones(seen)).centroid
    return middle.x, middle.y


def crossing(seen: list[Sight]) -> tuple[float, float]:
    """Pyronear's way: the median of the centroids of where pairs of wedges meet; the middle of the first wedge where none do."""
    drawn = cones(seen)
    points = [a.intersection(b).centroid for i, a in enumerate(drawn) for b in drawn[:i] if a.intersects(b)] or [drawn[0].centroid]
    return float(np.median([p.x for p in points])), float(np.median([p.y for p in points]))


def main() -> None:
    """Runs, prints a table by number of masts, and one JSON line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--fires", type=int, default=1000)
    options.add_argument("--seed", type=int, default=20261123)
    chosen = options.parse_args()
    terrains, found = fires(chosen.fires, chosen.seed)
    rows = []
    for which, fire in found:
        started = time.perf_counter()
        seen = sights(terrains[which], fire)
        middle = time.perf_counter()
        where = localise(seen)
        ended = time.perf_counter()
        at = shapely.Point(fire.lon, fire.lat)
        errors = [GEOD.inv(*place, fire.lon, fire.lat)[2] for place in ((where.lon, where.lat), centroid(seen), crossing(seen))]
        held = where.region90.intersects(at), where.region50.intersects(at)
        rows.append((len(seen), *held, *errors, 1000 * (ended - middle), 1000 * (middle - started)))
    table = np.array(rows, float)
    print(
        f"{'masts':>6} {'fires':>6} {'in 90 %':>8} {'in 50 %':>8} {'median m':>9} {'p90 m':>7} {'centroid m':>11} {'crossing m':>11} {'ms':>6} {'locate ms':>10}"
    )
    for masts in (1, 2, 3, 4, 0):
        part = table if masts == 0 else table[table[:, 0] == masts]
        if len(part):
            middles = np.median(part, axis=0)
            print(
                f"{masts or 'all':>6} {len(part):>6} {part[:, 1].mean():>8.3f} {part[:, 2].mean():>8.3f} {middles[3]:>9.0f} {np.quantile(part[:, 3], 0.9):>7.0f} "
                f"{middles[4]:>11.0f} {middles[5]:>11.0f} {middles[6]:>6.1f} {middles[7]:>10.1f}"
            )
    middles, means = np.median(table, axis=0), table.mean(axis=0)
    several = np.median(table[table[:, 0] > 1], axis=0)
    figures = {
        "coverage90": round(float(means[1]), 3),
        "coverage50": round(float(means[2]), 3),
        "median_m": round(float(middles[3]), 1),
        "vs_centroid": round(float(middles[3] / middles[4]), 3),
        "vs_crossing": round(float(middles[3] / middles[5]), 3),
        "vs_crossing_of_several": round(float(several[3] / several[5]), 3),
        "ms": round(float(means[6]), 1),
        "locate_ms": round(float(means[7]), 1),
        "fires": len(table),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
