"""What verdicts teach: from a detector's score to the chance that its finding is true, and how often each camera was right.

A label is a judged finding with the propensity with which it came before a person; its weight is 1 / propensity, so that what was judged stands
for all that was found and the system does not learn from its own choice (Horvitz–Thompson). Three steps, each of them small:

1. the score's own worth, pooled over the city: isotonic regression (PAV), so its odds over the base rate are the likelihood ratio of a score;
2. the precision of a camera under a condition: Beta-Binomial, shrunk camera -> scene -> city, strengths by marginal likelihood (empirical Bayes);
3. both joined as odds, and an isotonic correction fitted with each label left out of its own camera's counts.

Pure: arrays in, arrays out, no database.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betaln, expit, logit

STRENGTHS = np.geomspace(0.5, 512.0, 31)
"""Strengths (in verdicts) that are tried for a level of the hierarchy."""

SURE = (0.002, 0.998)
"""No probability is told nearer to 0 or 1 than this: verdicts themselves err."""

FEWEST = 30
"""Labels of an algorithm below which its scores are taken as they come."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Judged findings of one algorithm: columns of equal length. `score` 0–1, `truth` bool, `propensity` in (0, 1]; the rest are names."""

    score: np.ndarray
    truth: np.ndarray
    propensity: np.ndarray
    camera: np.ndarray
    scene: np.ndarray
    condition: np.ndarray

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising curve through (x, y), straight between, level outside; no points: the identity."""

    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def at(self, value: np.ndarray) -> np.ndarray:
        """Values of the curve, of the shape of `value`."""
        return np.interp(value, self.x, self.y) if self.x else np.asarray(value, float)


@dataclass(frozen=True, slots=True)
class Count:
    """Verdicts in effective numbers (Kish): `total` of them, `hits` true."""

    hits: float = 0.0
    total: float = 0.0

    def shrunk(self, mean: float, strength: float) -> float:
        """Posterior mean of the precision under a Beta prior.

        >>> Count(8, 10).shrunk(0.5, 10), Count().shrunk(0.3, 5)
        (0.65, 0.3)
        """
        return (strength * mean + self.hits) / (strength + self.total)


@dataclass(frozen=True, slots=True)
class Learnt:
    """All that is known of one algorithm. `scenes` by (scene, condition), `cameras` by camera, `places` by (camera, condition); strengths in verdicts."""

    labels: int = 0
    base: float = 0.5
    score: Curve = Curve()
    correction: Curve = Curve()
    scene_strength: float = 20.0
    camera_strength: float = 10.0
    place_strength: float = 10.0
    scenes: dict[tuple[str, str], Count] = field(default_factory=dict)
    cameras: dict[str, Count] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    places: dict[tuple[str, str], Count] = field(default_factory=dict)

    def precision(self, camera: str, scene: str, condition: str) -> float:
        """How often findings of this camera under this condition are true, shrunk towards its camera, scene and city."""
        of_scene = self.scenes.get((scene, condition), Count()).shrunk(self.base, self.scene_strength)
        of_camera = of_scene
        if camera in self.cameras:
            expected = self.expected[camera]
            shift = _odds(self.cameras[camera].shrunk(expected, self.camera_strength)) - _odds(expected)
            of_camera = float(expit(_odds(of_scene) + shift))
        return self.places.get((camera, condition), Count()).shrunk(of_camera, self.place_strength)

    def chance(self, score: np.ndarray, camera: np.ndarray, scene: np.ndarray, condition: np.ndarray) -> np.ndarray:
        """Probability that each finding is true; with fewer than FEWEST labels the score itself, weighed with the camera's record."""
        known = {key: self.precision(*key) for key in set(zip(camera.tolist(), scene.tolist(), condition.tolist(), strict=True))}
        precision = np.array([known[key] for key in zip(camera.tolist(), scene.tolist(), condition.tolist(), strict=True)])
        return self.correction.at(joined(self.score.at(np.asarray(score, float)), precision, self.base))


def _odds(probability: float) -> float:
    return float(logit(np.clip(probability, *SURE)))


def joined(by_score: np.ndarray, precision: np.ndarray, base: float) -> np.ndarray:
    """What a score says and what a record says, as odds: the score's likelihood ratio against the base rate, times the odds of the record.

    >>> joined(np.array([0.5, 0.9]), np.array([0.5, 0.5]), 0.5).round(3).tolist(), joined(np.array([0.5]), np.array([0.1]), 0.5).round(3).tolist()
    ([0.5, 0.9], [0.1])
    """
    return np.clip(expit(logit(np.clip(by_score, *SURE)) + logit(np.clip(precision, *SURE)) - _odds(base)), *SURE)


def isotonic(value: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> Curve:
    """The rising curve nearest to the weighted truths (PAV); a level stretch is told by its middle and shrunk towards the mean by one label."""
    order = np.argsort(value, kind="stable")
    x, starts = np.unique(value[order], return_index=True)
    weights = np.add.reduceat(weight[order], starts)
    rates = np.add.reduceat(weight[order] * truth[order], starts) / weights
    found = isotonic_regression(rates, weights=weights)
    heads = found.blocks[:-1].astype(int)
    share = np.add.reduceat(weights, heads)
    middle = np.add.reduceat(weights * x, heads) / share
    unit, mean = float(weight.mean()), float(np.average(truth, weights=weight))
    level = (share * found.x[heads] + unit * mean) / (share + unit)
    return Curve(tuple(middle.tolist()), tuple(np.maximum.accumulate(level).tolist()))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weight, squared weight and weight of the true labels, by group code."""

    weight: np.ndarray
    square: np.ndarray
    true: np.ndarray

    @staticmethod
    def by(code: np.ndarray, truth: np.ndarray, weight: np.ndarray, size: int) -> "_Sums":
        return _Sums(*(np.bincount(code, each, size) for each in (weight, weight**2, weight * truth)))

    def effective(self) -> tuple[np.ndarray, np.ndarray]:
        """(hits, total) in effective numbers; zero where there is no weight."""
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.where(self.weight > 1e-9, self.weight**2 / np.maximum(self.square, 1e-12), 0.0)
            hits = np.where(self.weight > 1e-9, total * np.clip(self.true / self.weight, 0, 1), 0.0)
        return hits, total

    def without(self, code: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> "_Sums":
        """The same sums for each label, with that label left out."""
        return _Sums(self.weight[code] - weight, self.square[code] - weight**2, self.true[code] - weight * truth)


def strength(hits: np.ndarray, total: np.ndarray, mean: np.ndarray) -> float:
    """The strength of a Beta prior about `mean` that makes these counts most likely (marginal likelihood over STRENGTHS)."""
    mean = np.clip(mean, *SURE)
    fits = [np.sum(betaln(k * mean + hits, k * (1 - mean) + total - hits) - betaln(k * mean, k * (1 - mean))) for k in STRENGTHS]
    return float(STRENGTHS[int(np.argmax(fits))])


def fit(labels: Labels) -> Learnt:
    """Learns one algorithm from its labels. Fewer than FEWEST, or all of one verdict: what is known before any label."""
    truth = np.asarray(labels.truth, float)
    if len(labels) < FEWEST or truth.all() or not truth.any():
        return Learnt(labels=len(labels))
    weight = 1.0 / np.clip(labels.propensity, 1e-3, 1.0)
    score = np.asarray(labels.score, float)
    base = float(np.average(truth, weights=weight))
    by_score = isotonic(score, truth, weight)
    cameras, camera = np.unique(labels.camera, return_inverse=True)
    scenes, scene = _pairs(labels.scene, labels.condition)
    places, place = _pairs(labels.camera, labels.condition)

    of_scene = _Sums.by(scene, truth, weight, len(scenes))
    hits, total = of_scene.effective()
    scene_strength = strength(hits, total, np.full(len(scenes), base))
    scene_mean = (scene_strength * base + hits) / (scene_strength + total)
    scene_counts = [Count(float(h), float(n)) for h, n in zip(hits, total, strict=True)]

    of_camera = _Sums.by(camera, truth, weight, len(cameras))
    hits, total = of_camera.effective()
    expected = np.bincount(camera, weight * scene_mean[scene], len(cameras)) / of_camera.weight
    camera_strength = strength(hits, total, expected)
    camera_counts = [Count(float(h), float(n)) for h, n in zip(hits, total, strict=True)]

    of_place = _Sums.by(place, truth, weight, len(places))
    camera_mean = (camera_strength * expected + hits) / (camera_strength + total)
    first = np.zeros(len(places), int)
    first[place] = np.arange(len(place))
    place_prior = _shifted(scene_mean[scene[first]], camera_mean[camera[first]], expected[camera[first]])
    hits, total = of_place.effective()
    place_strength = strength(hits, total, place_prior)
    place_counts = [Count(float(h), float(n)) for h, n in zip(hits, total, strict=True)]

    hits, total = of_camera.without(camera, truth, weight).effective()
    left_camera = (camera_strength * expected[camera] + hits) / (camera_strength + total)
    hits, total = of_place.without(place, truth, weight).effective()
    prior = _shifted(scene_mean[scene], left_camera, expected[camera])
    precision = (place_strength * prior + hits) / (place_strength + total)
    correction = isotonic(joined(by_score.at(score), precision, base), truth, weight)
    return Learnt(
        labels=len(labels),
        base=base,
        score=by_score,
        correction=correction,
        scene_strength=scene_strength,
        camera_strength=camera_strength,
        place_strength=place_strength,
        scenes=dict(zip(scenes, scene_counts, strict=True)),
        cameras=dict(zip(cameras.tolist(), camera_counts, strict=True)),
        expected=dict(zip(cameras.tolist(), expected.tolist(), strict=True)),
        places=dict(zip(places, place_counts, strict=True)),
    )


def _pairs(left: np.ndarray, right: np.ndarray) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Distinct pairs of names and each row's place among them."""
    seen: dict[tuple[str, str], int] = {}
    codes = [seen.setdefault(pair, len(seen)) for pair in zip(left.tolist(), right.tolist(), strict=True)]
    return list(seen), np.array(codes, int)


def _shifted(of_scene: np.ndarray, of_camera: np.ndarray, expected: np.ndarray) -> np.ndarray:
    shift = logit(np.clip(of_camera, *SURE)) - logit(np.clip(expected, *SURE))
    return expit(logit(np.clip(of_scene, *SURE)) + shift)


def price(chance: np.ndarray, minutes: np.ndarray, budget: float, share: float = 0.0) -> float:
    """Least chance that a reviewer's minute must bring, so that all is done within `budget` minutes: review what has chance >= price x minutes.

    `chance`, `minutes`: of the findings of one period; the next is taken to be like it. `share` of what stays below is reviewed too (the audit stream).
    0 when all fits, infinite when nothing does.

    >>> price(np.array([0.9, 0.5, 0.1]), np.ones(3), 2.0), price(np.array([0.9, 0.5]), np.ones(2), 5.0)
    (0.5, 0.0)
    """
    order = np.argsort(-chance / minutes, kind="stable")
    spent = np.cumsum(minutes[order])
    fits = int(np.searchsorted(spent * (1 - share) + share * minutes.sum(), budget * (1 + 1e-9), side="right"))
    if fits == len(order):
        return 0.0
    return float((chance / minutes)[order[fits - 1]]) if fits else float("inf")
