"""Learning in a simulated city whose precision is known: calibration, review load at equal recall, feedback, and rollback of a worse version.

    python -m benchmarks.learning [--cities 2] [--runs 500] [--spread 2.0] [--false 0.10]

The city: cameras in scenes, four algorithms, three conditions. True findings arrive alike everywhere; false ones are log-normal over cameras, so that a
few cameras make most of them (the median camera is right 8 times of 10). Scores are overconfident and overlap. Reviewers judge what they are shown,
without error. For two weeks all above a fixed score is shown and five of a hundred of the rest; then `grid.sensing.learning` is fitted every second day on
all verdicts with their propensities, and a budget of minutes sets the threshold. Figures are of the last 30 days:
calibration_error: 20 bins of equal number over everything found, |mean told - mean of the known probability|; review_load: reviewer minutes, audit
stream included, over those of reviewing all above the fixed score; recall_ratio: true findings shown, over theirs. No way to choose can save more
than the share of false ones among what is reviewed now: that bound is printed. "unweighed" ignores propensities, "no_audit" has no audit stream.

Rollback: a canary on a tenth of the camera-hours, the standing version right 8 times of 10; `rollback_rate` is the share of runs in which a version that
is right 65 times of 100 is rolled back before 200 verdicts on its findings. Others, and the false rollbacks of equal versions, are printed.
"""

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from grid.sensing import audit_stream, learning
from grid.sensing.learning import Labels, Learnt
from grid.sensing.rollout import SHARE, Trial

FIXED = 0.5
BURN_IN, DAYS, MEMORY, EVERY = 14, 60, 60, 2
MEASURED = DAYS - 30
MINUTES = np.array([0.5, 0.5, 1.0, 1.5])
CONDITIONS = np.array(["day", "dusk", "night"])
ALGORITHMS = 4


@dataclass(frozen=True, slots=True)
class City:
    """Everything that is found, in order of days, with the probability that only the simulation knows."""

    day: np.ndarray
    algorithm: np.ndarray
    camera: np.ndarray
    scene: np.ndarray
    condition: np.ndarray
    score: np.ndarray
    truth: np.ndarray
    chance: np.ndarray
    median_precision: float


def simulate(rng: np.random.Generator, cameras: int = 300, scenes: int = 6, spread: float = 2.0, false: float = 0.10) -> City:
    """A city of `cameras`; each camera, algorithm and condition has a Poisson rate of true and of false findings."""
    scene = rng.integers(scenes, size=cameras)
    shape = (cameras, ALGORITHMS, len(CONDITIONS))
    light = np.array([1.0, 0.4, 0.6])
    true_rate = 0.30 * light * rng.lognormal(-0.125, 0.5, (cameras, ALGORITHMS, 1)) * np.ones(shape)
    bad = rng.normal(0, spread, (cameras, ALGORITHMS, 1)) + rng.normal(0, 0.5, (scenes, 1, len(CONDITIONS)))[scene] + np.array([0, 0.2, 0.5])
    false_rate = false * light * np.exp(bad + rng.normal(0, 0.3, shape))
    true_law = [(5.0, 2.0), (4.0, 2.0), (6.0, 2.5), (3.5, 2.0)]
    false_law = [(2.5, 2.8), (2.2, 2.5), (2.5, 3.0), (2.5, 2.2)]
    parts = []
    for truth, rate, laws in ((True, true_rate, true_law), (False, false_rate, false_law)):
        number = rng.poisson(rate * DAYS)
        where = np.repeat(np.arange(number.size), number.ravel())
        camera, algorithm, condition = np.unravel_index(where, shape)
        a, b = np.array(laws).T
        parts.append((rng.integers(DAYS, size=len(where)), algorithm, camera, condition, rng.beta(a[algorithm], b[algorithm]), np.full(len(where), truth)))
    day, algorithm, camera, condition, score, truth = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    likely, unlikely = np.empty(len(day)), np.empty(len(day))
    for each in range(ALGORITHMS):
        mine = algorithm == each
        likely[mine], unlikely[mine] = beta.pdf(score[mine], *true_law[each]), beta.pdf(score[mine], *false_law[each])
    up, down = likely * true_rate[camera, algorithm, condition], unlikely * false_rate[camera, algorithm, condition]
    order = np.lexsort((rng.random(len(day)), day))
    names = np.array([f"camera:{i}" for i in range(cameras)])
    true_above = np.array([beta.sf(FIXED, *law) for law in true_law])
    false_above = np.array([beta.sf(FIXED, *law) for law in false_law])
    rates = (true_rate * true_above[:, None]).sum(axis=2), (false_rate * false_above[:, None]).sum(axis=2)
    return City(
        day[order], algorithm[order], names[camera][order], np.array([f"scene {i}" for i in range(scenes)])[scene[camera]][order],
        CONDITIONS[condition][order], score[order], truth[order], (up / (up + down))[order], float(np.median(rates[0] / (rates[0] + rates[1]))),
    )  # fmt: skip


def calibration_error(told: np.ndarray, known: np.ndarray, bins: int = 20) -> float:
    """Mean over bins of equal number of |mean told - mean known|."""
    order = np.argsort(told, kind="stable")
    return float(np.mean([abs(told[part].mean() - known[part].mean()) for part in np.array_split(order, bins)]))


def labels_of(city: City, chosen: np.ndarray, propensity: np.ndarray) -> Labels:
    """What was judged, as the product would read it back."""
    return Labels(city.score[chosen], city.truth[chosen], propensity[chosen], city.camera[chosen], city.scene[chosen], city.condition[chosen])


def lived(city: City, rng: np.random.Generator, share: float, weighed: bool, load: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs the days: (told probability, shown, propensity) of everything. `share` of the audit stream; `weighed`: whether propensities are used."""
    size = len(city.day)
    told, shown, propensity = np.zeros(size), np.zeros(size, bool), np.ones(size)
    number = rng.random(size)
    minutes = MINUTES[city.algorithm]
    knows = {each: Learnt() for each in range(ALGORITHMS)}
    for day in range(DAYS):
        today = np.flatnonzero(city.day == day)
        if day >= BURN_IN and (day - BURN_IN) % EVERY == 0:
            past = (city.day >= day - MEMORY) & (city.day < day)
            for each in range(ALGORITHMS):
                chosen = np.flatnonzero(past & shown & (city.algorithm == each))
                knows[each] = learning.fit(labels_of(city, chosen, propensity if weighed else np.ones(size)))
        for each in range(ALGORITHMS):
            mine = today[city.algorithm[today] == each]
            told[mine] = knows[each].chance(city.score[mine], city.camera[mine], city.scene[mine], city.condition[mine])
        if day < BURN_IN:
            level = np.full(len(today), FIXED)
            rank = city.score[today]
        else:
            past = (city.day >= day - 7) & (city.day < day)
            budget = load * minutes[past & (city.score >= FIXED)].sum()
            recent = np.flatnonzero(past)
            again = np.empty(len(recent))
            for each in range(ALGORITHMS):
                mine = city.algorithm[recent] == each
                at = recent[mine]
                again[mine] = knows[each].chance(city.score[at], city.camera[at], city.scene[at], city.condition[at])
            level = learning.price(again, minutes[recent], budget, share) * minutes[today]
            rank = told[today]
        shown[today], propensity[today] = audit_stream.draws(rank, level, number[today], share)
    return told, shown, propensity


def learnt(rng: np.random.Generator, load: float, spread: float, false: float) -> dict[str, float]:
    """One city: the product, and the same without the audit stream."""
    city = simulate(rng, spread=spread, false=false)
    late = city.day >= MEASURED
    fixed = city.score >= FIXED
    minutes = MINUTES[city.algorithm]
    figures: dict[str, float] = {"median_camera": city.median_precision, "pooled": float(city.truth[late & fixed].mean())}
    level = learning.price(city.chance[late], minutes[late], load * minutes[late & fixed].sum(), audit_stream.SHARE)
    told = late & (city.chance >= level * minutes)
    figures["recall_if_told"] = float((city.truth[told].sum() + audit_stream.SHARE * city.truth[late & ~told].sum()) / city.truth[late & fixed].sum())
    figures["bound"] = 1 - float(minutes[late & fixed & city.truth].sum() / minutes[late & fixed].sum())
    for name, share, weighed in (("", audit_stream.SHARE, True), ("unweighed_", audit_stream.SHARE, False), ("no_audit_", 0.0, False)):
        told, shown, _ = lived(city, np.random.default_rng(7), share, weighed, load)
        figures[f"{name}calibration_error"] = calibration_error(told[late], city.chance[late])
        figures[f"{name}review_load"] = float(minutes[late & shown].sum() / minutes[late & fixed].sum())
        figures[f"{name}recall_ratio"] = float(city.truth[late & shown].sum() / city.truth[late & fixed].sum())
        hidden = late & ~shown
        figures[f"{name}bias_hidden"] = float(told[hidden].mean() - city.chance[hidden].mean())
        figures[f"{name}score_error"] = calibration_error(city.score[late], city.chance[late])
    return figures


STANDING = 0.8
VERSIONS = {"15 points worse": (0.65, 1.0, 200), "20 points worse": (0.60, 1.0, 200), "10 points worse": (0.70, 1.0, 200), "finds half": (0.80, 0.5, 200), "equal": (0.80, 1.0, 1000)}
"""Precision, true findings an hour over the standing version's, and verdicts to wait for."""


def trial(rng: np.random.Generator, precision: float, found: float, most: int) -> Trial:
    """One canary: verdicts of both arms as they come, until it is rolled back or `most` of its findings are judged."""
    rates = np.array([SHARE * found, SHARE * found * (1 - precision) / precision, 1 - SHARE, (1 - SHARE) * (1 - STANDING) / STANDING])
    test = Trial(record=STANDING)
    for kind in rng.choice(4, p=rates / rates.sum(), size=100 * most):
        if test.tell(kind < 2, kind % 2 == 0) or test.new >= most:
            break
    return test


def rollbacks(runs: int) -> dict[str, tuple[float, float]]:
    """By kind of version: share of runs rolled back, median verdicts on its findings until then."""
    found = {}
    for name, law in VERSIONS.items():
        tests = [trial(np.random.default_rng(seed), *law) for seed in range(runs if name != "equal" else max(runs // 3, 1))]
        ended = [test.rolled_back_at for test in tests if test.rolled_back_at is not None]
        found[name] = (len(ended) / len(tests), float(np.median(ended)) if ended else float("nan"))
    return found


def main() -> None:
    """Prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cities", type=int, default=2)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--spread", type=float, default=2.0, help="standard deviation of the logarithm of a camera's false findings")
    parser.add_argument("--false", type=float, default=0.10, help="median false findings a day of a camera, algorithm and condition by day")
    parser.add_argument("--load", type=float, default=0.6)
    given = parser.parse_args()
    began = time.perf_counter()
    cities = [learnt(np.random.default_rng(100 + seed), given.load, given.spread, given.false) for seed in range(given.cities)]
    mean = {name: float(np.mean([city[name] for city in cities])) for name in cities[0]}
    for name, value in mean.items():
        print(f"{name:32} {value:8.4f}   {min(c[name] for c in cities):8.4f} – {max(c[name] for c in cities):.4f}")
    versions = rollbacks(given.runs)
    for name, (rate, after) in versions.items():
        print(f"version {name:24} {rate:8.4f}   rolled back within {VERSIONS[name][2]} verdicts, median {after:.0f}")
    print(f"{time.perf_counter() - began:.1f} s")
    figures = {name: round(mean[name], 4) for name in ("calibration_error", "review_load", "recall_ratio")}
    print(json.dumps({**figures, "rollback_rate": round(versions["15 points worse"][0], 4), "false_rollback_rate": round(versions["equal"][0], 4)}))


if __name__ == "__main__":
    main()
