"""Attention with compute for 2 % of the cameras: `grid.sensing.attention` beside round robin, in a simulated city.

    python -m benchmarks.attention [--cameras 2000] [--days 14] [--cities 3]

A tick is 5 minutes (a look is a stream opened and enough frames for N of M); each tick has compute for 2 % of the cameras' looks, which cost 1 to 4
seconds. Events arrive at a camera as a Poisson process: log-normal over cameras (--spread, the standard deviation of the logarithm), times a profile of
its scene over the hours, a season that moves over the days, weather by the half day, and three times for three hours after
each event, found or not (an alert that stands tells only of those found).
They stay 12 minutes, 1 hour or 6 hours (exponential, by scene) and count once, when a look sees them: 9 times of 10 by day, 6 by night, 4 in fog. All
contenders meet the same events and the same weather; none is told rates, profiles or effects. The first quarter of the time is not counted.
vs_round_robin: detections per compute second over round robin's; worst_age_h: the longest that any camera waited. "yield only" is the product without
its floor, "told" knows every rate.
"""

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np

from grid.sensing.attention import FLOOR, Watch, pending

STEP_H = 1 / 12
SHARE = 0.02
STAYS_H = np.array([0.2, 1.0, 6.0])
EXCITED_H, EXCITED = 3.0, 3.0
LIGHTS, WEATHERS = 24, 3


@dataclass(frozen=True, slots=True)
class City:
    """What happens: base rate per camera and hour, the situation of each tick, its factor by scene, the chance to see, and costs."""

    scene: np.ndarray
    rate_h: np.ndarray
    cost_s: np.ndarray
    slot: np.ndarray
    factor: np.ndarray
    seen: np.ndarray


def simulate(rng: np.random.Generator, cameras: int, days: int, spread: float) -> City:
    """A city of `cameras` in three scenes over `days`."""
    ticks = int(days * 24 / STEP_H)
    scene = rng.integers(3, size=cameras)
    rate = np.array([0.06, 0.02, 0.01])[scene] * rng.lognormal(-(spread**2) / 2, spread, cameras)
    hours = np.arange(ticks) * STEP_H
    hour = (hours % 24).astype(int)
    weather = np.repeat(rng.choice(WEATHERS, size=2 * days, p=[0.6, 0.25, 0.15]), ticks // (2 * days))
    peaks = np.array([21.0, 15.0, 18.0])
    profile = 0.3 + 1.4 * np.exp(-0.5 * (((hour[:, None] - peaks + 12) % 24 - 12) / 3.5) ** 2) / 0.6
    season = 1 + 0.4 * np.sin(2 * np.pi * hours / (24 * 28))[:, None] * np.array([0.2, 1.0, 0.5])
    effect = np.array([[1.0, 1.0, 1.0], [0.7, 2.5, 0.8], [1.2, 0.3, 0.9]])[weather]
    seen = np.where(weather == 2, 0.4, np.where((hour >= 6) & (hour < 19), 0.9, 0.6))
    return City(scene, rate, rng.uniform(1, 4, cameras), hour * WEATHERS + weather, profile * season * effect, seen)


def lived(city: City, seed: int, contender: str) -> tuple[float, float, int]:
    """One contender's time: (detections per compute second, longest age in hours, detections), the first quarter not counted."""
    rng, leaving, own = (np.random.default_rng(seed + part) for part in (0, 10_000, 20_000))
    size = len(city.scene)
    stay = STAYS_H[city.scene]
    watch = Watch(city.scene, city.cost_s, stay, LIGHTS * WEATHERS)
    budget = SHARE * city.cost_s.sum()
    number, cursor, carried = np.zeros(size, int), 0, 0.0
    excited, known = np.full(size, -np.inf), np.full(size, -np.inf)
    detections, spent, worst = 0, 0.0, 0.0
    for tick, slot in enumerate(city.slot):
        now = tick * STEP_H
        truth = city.rate_h * city.factor[tick][city.scene] * np.where(now - excited < EXCITED_H, EXCITED, 1.0)
        near = now - known < EXCITED_H
        arrived = rng.poisson(truth * STEP_H)
        excited[arrived > 0] = now
        number = leaving.binomial(number, np.exp(-STEP_H / stay)) + arrived
        carried += budget
        if contender == "round robin":
            order = (cursor + np.arange(size)) % size
            chosen = order[: int(np.searchsorted(np.cumsum(city.cost_s[order]), carried, side="right"))]
            cursor += len(chosen)
        elif contender == "told":
            held = pending(truth, watch.age_h, stay)
            chosen = watch.choose(carried, held * city.seen[tick] / city.cost_s, 0.0)
        else:
            worth = watch.worth(int(slot), city.seen[tick], near, own)
            chosen = watch.choose(carried, worth, 0.0 if contender == "yield only" else FLOOR)
        carried -= city.cost_s[chosen].sum()
        found = leaving.binomial(number[chosen], city.seen[tick])
        number[chosen] -= found
        known[chosen[found > 0]] = now
        watch.looked(chosen, found, int(slot), city.seen[tick], STEP_H)
        if tick >= len(city.slot) // 4:
            detections += int(found.sum())
            spent += float(city.cost_s[chosen].sum())
            worst = max(worst, float(watch.age_h.max()))
    return detections / spent, worst, detections


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=2000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--cities", type=int, default=3)
    parser.add_argument("--spread", type=float, default=1.5)
    given = parser.parse_args()
    names = ("round robin", "product", "yield only", "told")
    figures: dict[str, list[tuple[float, float, int]]] = {name: [] for name in names}
    began = time.perf_counter()
    for seed in range(given.cities):
        city = simulate(np.random.default_rng(seed), given.cameras, given.days, given.spread)
        for name in names:
            figures[name].append(lived(city, 1000 + seed, name))
    base = np.mean([each[0] for each in figures["round robin"]])
    print(f"{given.cameras} cameras, {given.days} days, {given.cities} cities, spread {given.spread}; {time.perf_counter() - began:.0f} s")
    for name, each in figures.items():
        rate, worst = np.mean([e[0] for e in each]), max(e[1] for e in each)
        print(f"{name:12} {rate:.5f} detections a compute second, {rate / base:5.2f} x round robin, longest age {worst:7.1f} h, {sum(e[2] for e in each)} detections")
    product = figures["product"]
    print(json.dumps({"vs_round_robin": round(float(np.mean([e[0] for e in product]) / base), 3), "worst_age_h": round(max(e[1] for e in product), 2)}))


if __name__ == "__main__":
    main()
